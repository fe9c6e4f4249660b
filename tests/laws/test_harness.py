"""The simulation can see: with one rule of the machines left out, some schedule shows it."""

import pytest

from streams.clock import LogClock
from streams.join import Join
from streams.monitor.intake import Intake
from streams.panes import Panes
from streams.profiler.model import ModelCounter
from tests.simulation.run import some


def without_skips(monkeypatch):
    """A restore forgets which offsets were refused."""
    usual = ModelCounter.load

    def load(self, saved):
        usual(self, saved)
        self._join.skip = {"predictions": set(), "labels": set()}

    monkeypatch.setattr(ModelCounter, "load", load)


def without_rebuilding(monkeypatch):
    """A restore begins at the snapshot's offsets, with an empty store."""
    usual = ModelCounter.load

    def load(self, saved):
        usual(self, saved)
        self._read = dict(self._boundary)

    monkeypatch.setattr(ModelCounter, "load", load)


def with_the_newest_clock(monkeypatch):
    """A restore re-reads with the watermark of the snapshot, not with the one of that time."""
    usual = ModelCounter.save

    def save(self):
        saved = usual(self)
        for log, clock in self._clocks.items():
            one = saved.logs[log]
            saved.logs[log] = type(one)(
                one.next, one.rebuild_from, clock.largest, one.ticked, one.refused, one.tally
            )
        return saved

    monkeypatch.setattr(ModelCounter, "save", save)


def with_forgetting_by_memory(monkeypatch):
    """What is no longer needed is dropped at once, whatever still may refer to it."""
    usual = Join.forget
    monkeypatch.setattr(Join, "forget", lambda self, before: usual(self, before + 25_000))


def with_ticks_that_decide(monkeypatch):
    """A tick moves the pane that rows arrive in."""
    usual = LogClock.tick

    def tick(self, now):
        usual(self, now)
        self.largest = max(self.largest, now)

    monkeypatch.setattr(LogClock, "tick", tick)


def with_profiles_that_add_up(monkeypatch):
    """A profile that is written again is added to what the monitor has."""
    usual = Intake.admit

    def admit(self, profile):
        held = self._held.get(profile.key)
        before = None if held is None else held.vector
        usual(self, profile)
        if before is not None and profile.key in self._held:
            self._held[profile.key].vector = self._held[profile.key].vector + before

    monkeypatch.setattr(Intake, "admit", admit)


def with_any_partition_for_all(monkeypatch):
    """The watermark of the partitions heard of stands for all."""
    usual = Intake.hear

    def hear(self, progress):
        usual(self, progress)
        for number, one in self._progress.items():
            self._progress[number] = type(one)(
                **{n: getattr(one, n) for n in one.__struct_fields__} | {"partitions": 1}
            )

    monkeypatch.setattr(Intake, "hear", hear)


def with_profiles_that_come_back(monkeypatch):
    """A profile that was taken and forgotten is admitted once more."""
    usual = Intake.take

    def take(self, pane):
        out = usual(self, pane)
        self._held = {k: v for k, v in self._held.items() if k.arrived > pane}
        return out

    monkeypatch.setattr(Intake, "take", take)
    monkeypatch.setattr(Intake, "_forgettable", lambda self, key: False)


def with_offsets_counted_twice(monkeypatch):
    """The record at the snapshot's offset is taken for new and for old."""
    usual = ModelCounter.load

    def load(self, saved):
        usual(self, saved)
        self._boundary = {log: max(0, n - 1) for log, n in self._boundary.items()}

    monkeypatch.setattr(ModelCounter, "load", load)


def with_profiles_written_once(monkeypatch):
    """A pane that was closed by a tick is not written again when more is counted in it."""
    usual = Panes.add

    def add(self, kind, placed, versions, blocks, sign=1):
        before = {key: one.written for key, one in self._open.items()}
        usual(self, kind, placed, versions, blocks, sign)
        for key, written in before.items():
            self._open[key].written = written

    monkeypatch.setattr(Panes, "add", add)


BOUND = 150
"""Simulations within which a broken rule must show."""

BROKEN = [
    without_skips,
    without_rebuilding,
    with_the_newest_clock,
    with_forgetting_by_memory,
    with_ticks_that_decide,
    with_profiles_that_add_up,
    with_any_partition_for_all,
    with_profiles_that_come_back,
    with_offsets_counted_twice,
    with_profiles_written_once,
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_a_broken_rule_shows(broken, monkeypatch):
    """Each rule of the design is there because leaving it out breaks a law."""
    broken(monkeypatch)
    assert some(range(BOUND), first=True).failures
