"""How a worker ends: what must not be tried again is told in full, with the code that says so."""

import pytest

from schemas.journal import Profile, ProfileKey, Sparse, encode
from schemas.log import Record
from streams.monitor import Monitor
from streams.runtime.kafka import exits
from streams.snapshot import SnapshotError


class LeftError(Exception):
    """Instead of the end of the process."""


@pytest.fixture
def left(monkeypatch, capsys):
    """Return a function that ends for an error; gives code and line."""

    def leave(code):
        raise LeftError(code)

    def ended(error, doing):
        with pytest.raises(LeftError) as told:
            exits.leave_because(error, doing)
        return told.value.args[0], capsys.readouterr().err

    monkeypatch.setattr("streams.runtime.kafka.exits.os._exit", leave)
    return ended


def test_a_monitor_stops_at_what_a_newer_profiler_counted(left):
    """It says so, does not pass the record over, and is not started again for nothing."""
    key = ProfileKey(0, "g", "opinions", "", "*", 1, 1, 0)
    empty = Sparse(b"", b"")
    known = Profile(model="m", key=key, rows=1, vector=empty, offsets=(0, -1), first=(0, -1))
    monitor = Monitor({}, baselines={})
    values = encode(known), encode(known).replace(b"opinions", b"tomorrow")
    with pytest.raises(SnapshotError) as stopped:
        monitor.step(
            "journal",
            [Record(offset=n, timestamp=0, value=one) for n, one in enumerate(values)],
        )
    code, line = left(stopped.value, "counting journal[0] at 0")
    assert exits.REFUSED == code
    assert "refused: the journal record at offset 1 " in line
    assert "monitors are upgraded before profilers" in line
    assert {"journal": 1} == monitor.positions()


def test_a_bug_of_ours_is_named_and_quotes_nothing(left):
    """It may be tried again; a message might hold a record."""
    code, line = left(ValueError("amount 4711"), "counting predictions[0] at 0")
    assert exits.BROKEN == code
    assert "ValueError" in line
    assert "4711" not in line
