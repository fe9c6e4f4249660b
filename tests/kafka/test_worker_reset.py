"""`--reset-from` on a real broker: the state is given up, and reading begins where it was told."""

import asyncio

from tests.kafka.command import command  # noqa: F401 - a fixture
from tests.refused import good, now


def rows(*numbers):
    at = now()
    return [(*good(number, at), ()) for number in range(*numbers)]


async def test_a_reset_forgets_what_was_counted(command):  # noqa: F811
    """From the end only what comes is counted, from the beginning everything, each time anew."""
    command.start()
    await command.write(rows(20))
    await command.until({"read": 20, "counted": 20})
    assert 0 == await asyncio.to_thread(command.stop)
    states = await command.read("profiler-state")
    assert {1} == {state.timestamp_type for state in states}, "the broker's clock, for workers"

    command.start("--workers", "2", "--reset-from", "latest")
    await command.until({})
    await command.write(rows(20, 27))
    await command.until({"read": 7, "counted": 7})
    assert 0 == await asyncio.to_thread(command.stop)

    command.start("--reset-from", "earliest")
    await command.until({"read": 27, "counted": 27})
    assert "starting it again" not in command.said()
