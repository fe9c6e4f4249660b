"""A process that hangs says where: its threads, and what its tasks wait for."""

import asyncio
import gc

from streams.runtime.kafka.stacks import dump


async def waits_for_ever(event):
    """The outer of two coroutines, as a hook of Faust waits for one of ours."""
    await inner(event)


async def inner(event):
    """Waits."""
    await event.wait()


async def test_every_task_tells_what_it_waits_for(tmp_path):
    """From the outermost coroutine to the innermost; also a task from before a freeze."""
    task = asyncio.create_task(waits_for_ever(asyncio.Event()), name="hung")
    await asyncio.sleep(0)
    gc.freeze()
    with (tmp_path / "said").open("w+") as file:
        dump(file)
        file.seek(0)
        said = file.read()
    task.cancel()
    assert "most recent call first" in said
    told = said.partition("task hung:")[2].partition("\ntask ")[0]
    places = [line.rpartition(" in ")[2] for line in told.splitlines() if " in " in line]
    assert ["waits_for_ever", "inner", "Event.wait"] == places
    assert "for FutureIter" in told
