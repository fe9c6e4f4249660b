"""Dead letters slow the intake down: what waits is bounded, and nothing of it is dropped."""

import asyncio

import orjson
import pytest

from schemas.log import Output, Record
from streams.runtime import embedded
from streams.runtime.assembly import open_embedded
from streams.runtime.kafka import room as rooms
from streams.runtime.kafka.room import Room
from streams.runtime.kafka.tenure import Ledger, Stored, Tenure
from streams.runtime.machine import Burdened, unsent
from streams.runtime.roles import ProfilerRole
from tests.kafka.test_worker_steps import Event, Producer, batch
from tests.monitor.absence import T0, config

MOST, LETTER = 1_000, 300


class Refusing:
    """Every record is a dead letter."""

    def __init__(self):
        self.letters, self.rows, self.most = [], 0, 0

    @property
    def unsent_bytes(self):
        return LETTER * len(self.letters)

    def positions(self):
        return {"predictions": self.rows}

    def step(self, _log, records):
        self.rows += len(records)
        self.letters += [Output(topic="dead-letters", key=b"k", value=one) for one in records]
        self.most = max(self.most, self.unsent_bytes)

    def flush(self):
        letters, self.letters = self.letters, []
        return letters

    def snapshot(self):
        return b""

    def order(self):
        return (self.rows,)


@pytest.mark.parametrize("slow_s", [0.0, 0.05])
async def test_a_worker_reads_nothing_while_too_much_waits(monkeypatch, slow_s):
    """However slowly the broker takes them, each is sent once, and little waits at a time."""
    monkeypatch.setattr(rooms, "UNSENT_BYTES", MOST)
    monkeypatch.setattr(rooms, "LOOK_SECONDS", 0.001)
    happened, machine = [], Refusing()
    ledger = Ledger(
        state_topic="state", names={"dead-letters": "dead"}, topics={}, chunk_bytes=1 << 20
    )
    tenure = Tenure(0, machine, ledger, start={}, resets=0, stored=Stored())
    room = Room(lambda: [machine])

    class Slow(Producer):
        async def _acknowledge(self, topic, key):
            await asyncio.sleep(slow_s)
            return await super()._acknowledge(topic, key)

    async def cycling():
        while True:
            await room.rest(60.0)
            await tenure.cycle(Slow(happened), store=False)

    cycles = asyncio.create_task(cycling())
    for number in range(40):
        await room.wait()
        tenure.take("predictions", batch(b"%d" % number), Event(happened, number))
    await tenure.cycle(Slow(happened), store=False)
    cycles.cancel()
    sent = [value for kind, _, *rest in happened if kind == "sent" for value in rest[1:]]
    assert [b"%d" % number for number in range(40)] == sent
    assert machine.most <= MOST + LETTER


def poison(count):
    """Records that nobody can read."""
    return [Record(offset=i, timestamp=T0 + i, key=None, value=b"{" * 100) for i in range(count)]


def test_a_profiler_says_how_much_waits():
    """All of it until a flush, none after."""
    profiler = ProfilerRole(config(), {}).fresh(0, 1)
    assert isinstance(profiler, Burdened)
    profiler.step("predictions", poison(50))
    assert unsent(profiler) >= 50 * 100
    profiler.flush()
    assert 0 == unsent(profiler)


def test_one_machine_commits_early_when_much_waits(tmp_path, monkeypatch):
    """Not after so many records, but as soon as their letters are many bytes."""
    monkeypatch.setattr(embedded, "UNSENT_BYTES", 20_000)
    monkeypatch.setattr(embedded, "STEP_ROWS", 10)
    runtime = open_embedded(config(), {}, tmp_path)
    most, commit = [], runtime._commit

    def noted():
        most.append(runtime._crank.unsent_bytes)
        return commit()

    monkeypatch.setattr(runtime, "_commit", noted)
    try:
        for _ in range(400):
            runtime.append("predictions", None, b"{" * 100)
        runtime.run_until_idle()
        assert 400 == len(runtime.outputs("dead-letters"))
        assert max(most) < 2 * 20_000
        assert 5 <= sum(waiting > 0 for waiting in most), "and not all in one"
    finally:
        runtime.stop()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_a_sample_of_letters_is_told_in_the_books(share):
    """The same ones however they are read; what is left out is counted."""
    said = []
    for step in (7, 1_000):
        profiler = ProfilerRole(config({"dead_letters": share}), {}).fresh(0, 1)
        for begin in range(0, 2_000, step):
            profiler.step("predictions", poison(2_000)[begin : begin + step])
        letters = [one for one in profiler.flush() if one.topic == "dead-letters"]
        said.append([dict(one.headers)["__connect.errors.offset"] for one in letters])
        books = profiler.accounting()["predictions"]
        assert (2_000, 2_000 - len(letters)) == (books.dead_lettered, books.left_out)
    assert said[0] == said[1]
    assert abs(len(said[0]) - 2_000 * share) <= 5


def test_letters_of_nobody_are_sampled_too():
    """With several models, what names none of them is in the books of the partition."""
    asked = config({"dead_letters": 0.5})
    model = asked.models["m"].model_dump(mode="json", by_alias=True)
    asked = type(asked).model_validate(
        {"limits": {"dead_letters": 0.5}, "models": {"m": model, "n": model}}
    )
    profiler = ProfilerRole(asked, {}).fresh(0, 1)
    strange = orjson.dumps({"model": "z", "prediction_id": "p"})
    records = [Record(offset=i, timestamp=T0, key=None, value=strange) for i in range(200)]
    profiler.step("predictions", records)
    letters = [one for one in profiler.flush() if one.topic == "dead-letters"]
    books = profiler.accounting()["predictions"]
    assert (200, 200 - len(letters)) == (books.dead_lettered, books.left_out)
    assert 98 <= len(letters) <= 102
