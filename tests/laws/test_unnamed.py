"""A model that is not named counts and is judged as if it had been named from the first record on.

Two models share the logs, and of three partitions each has only one of them. Whatever fails, the
installation that names both and the one that names none (`models: {"*": ...}`) say the same.
"""

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.baseline import Baseline, decode
from schemas.config import Config
from schemas.epoch import Epoch
from schemas.journal import decode as journal
from schemas.journal import epoch_of
from schemas.log import Record
from streams.runtime.roles import MonitorRole, ProfilerRole
from streams.snapshot import SnapshotError
from tests.laws.mill import LOGS, Mill
from tests.laws.test_laws import CLOCKS, IDS, SEEDS, agree, law
from tests.laws.world import BASELINE, GRID, MODEL, PANE, T0, World, world

OTHER = "n"
STRANGER = "else"
"""The model that some of the bad records of a world name."""


def _known() -> dict[str, Baseline]:
    grid = msgspec.structs.replace(GRID, model=OTHER)
    return {MODEL: BASELINE, OTHER: msgspec.structs.replace(BASELINE, model=OTHER, grid=grid)}


KNOWN = _known()


class Named(World):
    """A world whose config names every model that comes."""

    def config(self) -> Config:
        """Of three models."""
        one = World.config(self).models[MODEL]
        return Config(models=dict.fromkeys((MODEL, OTHER, STRANGER), one))

    def roles(self) -> tuple[ProfilerRole, MonitorRole]:
        """Makers of both machines."""
        known = {} if self.learning else KNOWN
        return ProfilerRole(self.config(), known), MonitorRole(self.config(), known)


class Open(Named):
    """The same world, where nobody is named."""

    def config(self) -> Config:
        """Of whoever comes."""
        return Config(models={"*": World.config(self).models[MODEL]})


class Shared(Mill):
    """A mill in which some ids are another model's."""

    def __init__(self, made, partitions=1, *, seed=0):
        super().__init__(made, partitions, seed=seed)
        for place, records in self.records.items():
            self.records[place] = [
                _whose(*pair) for pair in zip(self.items[place], records, strict=True)
            ]

    def _audit(self, machine):
        """The books add up; what is in them is compared between the two installations."""
        for log, tally in machine.accounting().items():
            books = msgspec.structs.asdict(tally)
            fates = ("counted", "duplicate", "conflict", "expired", "dead_lettered")
            if books["read"] != sum(books[f] for f in (*fates, "tombstone", "control")):
                self.problems.append(("the books do not add up", log, books))

    def books(self):
        """The accounts of every partition."""
        return {p: owner.machine.accounting() for p, owner in self.owners.items()}


def _whose(item, record):
    if record.value is None or item.number % 3:
        return record
    value = record.value.replace(b'"model":"m"', b'"model":"n"')
    return msgspec.structs.replace(record, value=value)


def both(seed, ids, clock, partitions, *, learning=0, span=9, steps=120):
    """The run of an installation that names all, to its end, and one of any course with none."""
    made = world(seed, ids=ids, clock=clock, learning=learning, span=span)
    named = Shared(Named(*made), partitions, seed=seed).finish()
    unnamed = Shared(Open(*made), partitions, seed=seed).run(seed, steps)
    return named, unnamed


@law(12)
@given(SEEDS, CLOCKS, IDS, st.sampled_from([1, 2, 5]))
def test_whoever_is_not_named_is_judged_as_if_he_were(seed, clock, ids, partitions):
    """Any course, crash, stale owner, number of partitions: outputs, profiles, letters, books."""
    named, unnamed = both(seed, ids, clock, partitions)
    agree(named, unnamed)
    assert named.profiles() == unnamed.profiles()
    assert set(named.letters) == set(unnamed.letters)
    assert named.books() == unnamed.books()


@pytest.mark.parametrize("seed", [1, 2])
def test_whoever_is_not_named_learns_as_if_he_were(seed):
    """Grid, reference and readings are the same, though some partition never meets the model."""
    named, unnamed = both(seed, 150, "broker", 3, learning=30, span=45)
    agree(named, unnamed)
    assert sorted(named.references) == sorted(unnamed.references)
    assert named.profiles() == unnamed.profiles()
    assert {MODEL, OTHER} == {decode(one).model for one in unnamed.references}


def _row(model, number, time=T0):
    event = {"model": model, "version": "1", "prediction_id": f"q{number}", "timestamp": time}
    value = orjson.dumps({**event, "features": {"x": 1.0}, "prediction": 1, "score": 0.5})
    return Record(offset=number, timestamp=time, value=value)


def _few(models, **more):
    """A config that lets in so many models."""
    one = {"task": "binary", "timestamps": "ms", "classes": [0, 1], "pane": "10s", "lateness": "0s"}
    return Config(models={"*": {**one, **more}}, limits={"models": models})


def _letters(outputs):
    return [
        dict(one.headers)["__connect.errors.offset"] for one in outputs if one.topic != "journal"
    ]


def test_the_first_names_of_a_log_are_let_in_and_stay():
    """What comes beyond `limits.models` is a dead letter each time, also after a restore."""
    role = ProfilerRole(_few(2), {})
    profiler = role.fresh(0, 1)
    names = ["a", "b", "c", "a", "*", "c", "b", "not a name"]
    rows = [_row(name, i) for i, name in enumerate(names)]
    profiler.step("predictions", rows[:4])
    first = profiler.flush()
    profiler = role.restored(0, 1, profiler.snapshot())
    profiler.step("predictions", rows)
    assert [b"2", b"4", b"5", b"7"] == sorted(_letters([*first, *profiler.flush()]))
    assert 4 == profiler.accounting()["predictions"].counted


def test_each_log_lets_in_by_itself():
    """Who is let in by one log takes no place in another, so the order of logs changes nothing."""
    role = ProfilerRole(_few(1), {})
    label = {"model": "b", "prediction_id": "q1", "label": 1, "timestamp": T0}
    labels = [Record(offset=0, timestamp=T0, value=orjson.dumps(label))]
    reads = [("predictions", [_row("a", 0), _row("b", 1)]), ("labels", labels)]
    books = []
    for order in (reads, reads[::-1]):
        profiler = role.fresh(0, 1)
        for log, records in order:
            profiler.step(log, records)
        books.append((profiler.accounting(), _letters(profiler.flush())))
    assert books[0] == books[1]
    assert [b"1"] == books[0][1]


def test_a_flood_of_names_is_one_alert_and_no_more_memory():
    """6,000 names where 3 are let in: the rest are refused, and one incident of `*` says so."""
    config = _few(3)
    profiler = ProfilerRole(config, {}).fresh(0, 1)
    monitor = MonitorRole(config, {}).fresh(0, 1)
    said, sizes, journal = [], [], []
    for pane in range(30):
        rows = [_row(f"m{n}", n, T0 + pane * PANE) for n in range(pane * 200, pane * 200 + 200)]
        profiler.step("predictions", rows)
        for log in LOGS:
            profiler.tick(log, T0 + (pane + 1) * PANE)
        outputs = [one.value for one in profiler.flush() if one.topic == "journal"]
        journal += [
            Record(offset=len(journal) + i, timestamp=0, value=v) for i, v in enumerate(outputs)
        ]
        monitor.step("journal", journal)
        said += monitor.flush()
        sizes.append(len(profiler.snapshot()) + len(monitor.snapshot()))
    alerts = [orjson.loads(one.value) for one in said if one.topic == "alerts"]
    assert {("*", "firing")} == {(one["model"], one["status"]) for one in alerts}
    assert 1 == len({one["incident_id"] for one in alerts})
    assert ["input_quality"] == [one["signal"] for one in alerts[0]["signals"]]
    assert sizes[-1] < 1.3 * sizes[15]


def test_a_model_that_was_not_named_is_not_named_later():
    """Its counts lie under another key, so both machines refuse the snapshot and say why."""
    config = _few(2)
    profiler = ProfilerRole(config, {}).fresh(0, 1)
    profiler.step("predictions", [_row("a", 0)])
    monitor = MonitorRole(config, {}).fresh(0, 1)
    told = [one for one in profiler.flush() if one.topic == "journal"]
    assert {b"*"} == {one.key for one in told}
    records = [Record(offset=i, timestamp=0, value=one.value) for i, one in enumerate(told)]
    monitor.step("journal", records)
    now = Config(models={"*": config.models["*"], "a": config.models["*"]})
    for role, state in ((ProfilerRole, profiler), (MonitorRole, monitor)):
        with pytest.raises(SnapshotError, match=r"model a was let in by .* names it now"):
            role(now, {}).restored(0, 1, state.snapshot())


def test_a_star_may_come_later():
    """Into a config whose profilers run already: from then on others count, in what is unread."""
    before = Config(models={"a": _few(1).models["*"]})
    profiler = ProfilerRole(before, {}).fresh(0, 1)
    profiler.step("predictions", [_row("a", 0), _row("b", 1)])
    profiler.flush()
    now = Config(models={**before.models, "*": before.models["a"]})
    profiler = ProfilerRole(now, {}).restored(0, 1, profiler.snapshot())
    profiler.step("predictions", [_row("a", 0), _row("b", 1), _row("b", 2)])
    assert 2 == profiler.accounting()["predictions"].counted
    assert 3 == profiler.accounting()["predictions"].read
    assert [] == _letters(profiler.flush())


def test_who_is_not_named_begins_a_new_epoch_with_the_star():
    """All are let in anew from its places on; what an old profiler still says counts no more."""
    config = _few(1)
    profiler = ProfilerRole(config, {}).fresh(0, 1)
    monitor = MonitorRole(config, {}).fresh(0, 1)
    profiler.step("predictions", [_row("a", 0), _row("b", 1)])
    old = [one.value for one in profiler.flush() if one.topic == "journal"]
    monitor.step("journal", [Record(offset=i, timestamp=0, value=v) for i, v in enumerate(old)])
    starts = {log: (2 if log == "predictions" else 0,) for log in LOGS}
    epoch = Epoch(
        model="*", number=1, counted="now", before="then", since=T0, starts=starts, name="e"
    )
    again = ProfilerRole(config, {}, epochs={"*": epoch}).restored(0, 1, profiler.snapshot())
    judge = MonitorRole(config, {}, epochs={"*": epoch}).restored(0, 1, monitor.snapshot())
    again.step("predictions", [_row("a", 0), _row("b", 1), _row("b", 2), _row("a", 3)])
    outputs = again.flush()
    assert [b"3"] == _letters(outputs), "the first name of the new epoch has the place"
    told = [one.value for one in outputs if one.topic == "journal"]
    assert {("b", 1), ("*", 1)} == {(one.model, epoch_of(one)) for one in map(journal, told)}
    at = len(old)
    said = [*told, *old, *told]
    judge.step("journal", [Record(offset=at + i, timestamp=0, value=v) for i, v in enumerate(said)])
    assert {"a": 1, "b": 1, "*": 1} == {name: one.epoch for name, one in judge._models.items()}
