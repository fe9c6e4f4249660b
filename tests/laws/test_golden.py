"""States that an earlier program wrote are taken up, and say what an undisturbed run says."""

import shutil
import time

import pytest

from streams.monitor.machine import FORMAT as MONITOR
from streams.profiler.machine import FORMAT as PROFILER
from streams.snapshot import SnapshotError
from tests.laws.golden import DATABASE, FOLDER, ROWS, embedded, files, from_states, halfway, row

PROFILERS = sorted(FOLDER.glob("profiler-*.bin"))
MONITORS = sorted(FOLDER.glob("monitor-*.bin"))


def test_each_format_has_its_state():
    """The files of today's formats are here, so that tomorrow's program is tested with them."""
    assert set(files()) <= {path.name for path in (*PROFILERS, *MONITORS)}


WORDS = ("status", "transition", "state", "breach", "kind", "severity", "signal", "segment")
"""Fields that say something, beside the numbers that it was judged by."""


def words(spoken):
    """What was said, by id, without its numbers."""
    return {
        name: (topic, key, {field: body.get(field) for field in WORDS})
        for name, (topic, key, body) in spoken.items()
    }


@pytest.mark.parametrize("path", PROFILERS, ids=lambda path: path.stem)
def test_a_former_profiler_goes_on(path):
    """Nothing is lost, counted twice, or said otherwise."""
    mill = from_states(path.read_bytes(), halfway().stored)
    assert [] == mill.problems
    assert halfway().finish().spoken() == mill.spoken()


@pytest.mark.parametrize("path", MONITORS, ids=lambda path: path.stem)
def test_a_former_monitor_goes_on(path):
    """The same said with the same ids; numbers may be those of a better statistic."""
    (_, state), *_ = halfway().slots[0].values()
    mill = from_states(state, path.read_bytes())
    assert [] == mill.problems
    assert words(halfway().finish().spoken()) == words(mill.spoken())


def test_a_former_directory_goes_on(tmp_path):
    """A log and states of the embedded runtime: what was counted stands, and counting goes on."""
    shutil.copy(FOLDER / DATABASE, tmp_path / DATABASE)
    runtime = embedded(tmp_path)
    try:
        runtime.run_until_idle()
        before = runtime.accounting()["predictions"]
        assert (ROWS, 1) == (before["counted"], before["dead_lettered"])
        assert 1 == len(runtime.outputs("dead-letters"))
        runtime.append("predictions", b"new", row("new", time.time_ns() // 1_000_000))
        runtime.run_until_idle()
        assert ROWS + 1 == runtime.accounting()["predictions"]["counted"]
    finally:
        runtime.stop()


def test_a_state_of_tomorrow_is_refused():
    """Its format is named, and nothing is guessed."""
    mill = halfway()
    (_, state), *_ = mill.slots[0].values()
    for role, ours, snapshot in zip(
        mill.world.roles(), (PROFILER, MONITOR), (state, mill.stored), strict=True
    ):
        newer = snapshot.replace(
            b"\xa6format" + bytes([ours]), b"\xa6format" + bytes([ours + 1]), 1
        )
        with pytest.raises(SnapshotError, match=f"format {ours + 1}, newer than {ours}"):
            role.restored(0, 1, newer)
