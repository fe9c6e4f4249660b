"""The embedded runtime: counted once, said once, whatever kills it."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from streams.runtime import embedded
from streams.runtime.embedded import Embedded
from streams.runtime.intake import Intake, Overloaded
from streams.runtime.sqlite_log import Entry, Group, LogError, SqliteLog
from tests.runtime.counting import CountingMonitors, CountingProfiler, CountingProfilers

ROOT = Path(__file__).parents[2]


def opened(directory, **options):
    return Embedded(CountingProfilers(), CountingMonitors(), directory, **options)


@pytest.fixture
def runtime(tmp_path):
    """A runtime that is turned by hand."""
    runtime = opened(tmp_path)
    yield runtime
    runtime.stop()


def readings(runtime):
    return [orjson.loads(record.value) for record in runtime.outputs("readings", limit=100_000)]


def numbers(runtime, *values):
    runtime.append_many([runtime.entry("predictions", b"k", b'{"n":%d}' % n) for n in values])


def test_what_is_appended_is_counted(runtime):
    """Records go through both machines and the outputs can be read by offset."""
    numbers(runtime, 1, 2, 3)
    runtime.run_until_idle()
    numbers(runtime, 4)
    runtime.append("labels", b"k", b'{"n":5}')
    runtime.run_until_idle()
    assert [{"predictions": 6}, {"labels": 5, "predictions": 10}] == [
        reading["sums"] for reading in readings(runtime)
    ]
    assert 1 == len(runtime.outputs("readings", after=0))
    assert {"predictions": 0, "labels": 0, "metrics": 0, "model-events": 0} == runtime.backlog()


def test_a_restart_goes_on_and_repeats_nothing(tmp_path):
    """Outputs, snapshot and positions are one transaction."""
    for n in range(3):
        runtime = opened(tmp_path)
        numbers(runtime, n)
        runtime.run_until_idle()
        runtime.stop()
    runtime = opened(tmp_path)
    runtime.run_until_idle()
    assert [0, 1, 3] == [reading["sums"]["predictions"] for reading in readings(runtime)]
    runtime.stop()


@pytest.mark.parametrize("partitions", [1, 4])
def test_partitions_add_up(tmp_path, partitions):
    """Keys are spread over partitions, the monitor hears all of them."""
    runtime = opened(tmp_path, partitions=partitions)
    rows = [runtime.entry("predictions", b"k%d" % n, b'{"n":%d}' % n) for n in range(200)]
    runtime.append_many(rows)
    runtime.run_until_idle()
    assert {"predictions": 200} == readings(runtime)[-1]["rows"]
    assert all(runtime.log.end("predictions", partition) > 0 for partition in range(partitions))
    runtime.stop()


def test_a_bad_record_is_a_dead_letter_with_its_bytes(runtime):
    """It stands once in dead-letters, as it came."""
    runtime.append("predictions", b"k", b"\xff\x00 nothing")
    runtime.run_until_idle()
    runtime.run_until_idle()
    assert [b"\xff\x00 nothing"] == [record.value for record in runtime.outputs("dead-letters")]


def check_after_kill(directory, acknowledged):
    """What was acknowledged is there, counted once and said once; gives the last number."""
    runtime = opened(directory)
    runtime.run_until_idle()
    stored = runtime.log.read("predictions", 0, 0, 1_000_000)
    found = [orjson.loads(record.value)["n"] for record in stored]
    assert list(range(len(found))) == found, "appended in order, none missing, none twice"
    assert all(number < len(found) for number in acknowledged)
    said = readings(runtime)
    assert {"predictions": sum(found)} == said[-1]["sums"]
    totals = [reading["rows"]["predictions"] for reading in said]
    assert sorted(set(totals)) == totals, "no output twice, none out of order"
    runtime.stop()
    return found[-1]


def serving(*arguments):
    command = [sys.executable, "-m", "tests.runtime.serving", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)


@pytest.mark.parametrize("seed", range(2))
def test_kill_9_at_any_moment(tmp_path, seed):
    """Killed from outside, several times, while intake and machines run."""
    chance = random.Random(seed)
    last = -1
    for _ in range(4):
        with serving("threads", tmp_path, last + 1, 5000) as process:
            first = process.stdout.readline()
            time.sleep(chance.uniform(0, 0.4))
            process.send_signal(signal.SIGKILL)
            lines = [first, *process.stdout.read().split()]
        last = check_after_kill(tmp_path, [int(line) for line in lines if line.strip()])


def test_kill_9_at_each_statement(tmp_path):
    """Killed before each BEGIN and COMMIT of a record's way, one after the other."""
    last = -1
    for at in (5, 6, 7, 8, 9):  # 1 to 4 are those of the first record
        with serving("steps", tmp_path, last + 1, at) as process:
            lines = process.stdout.read().split()
        assert -signal.SIGKILL == process.returncode
        last = check_after_kill(tmp_path, [int(line) for line in lines])


def test_a_failing_machine_is_started_again_from_the_last_commit(tmp_path, monkeypatch):
    """The failure is told while it lasts, and costs nothing once it is over."""
    monkeypatch.setattr(embedded, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(embedded, "COMMIT_SECONDS", 0.01)
    failing = []
    step = CountingProfiler.step

    def broken(self, log, records):
        step(self, log, records)  # breaks after it has counted: its state cannot be trusted
        if len(failing) < 3:
            failing.append(log)
            raise RuntimeError("broken")

    monkeypatch.setattr(CountingProfiler, "step", broken)
    runtime = opened(tmp_path)
    runtime.start()
    numbers(runtime, 1, 2, 3)
    wait_for(lambda: readings(runtime))
    assert [{"predictions": 6}] == [reading["sums"] for reading in readings(runtime)]
    assert 3 == len(failing)
    wait_for(lambda: runtime.failure is None)
    runtime.stop()


def wait_for(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)


def test_the_log_read_to_its_end_is_ticked(runtime):
    """A tick never promises more than the log can keep: what is appended later is not older."""
    numbers(runtime, 1)
    now = runtime.log.fence()
    runtime.run_until_idle(now)
    numbers(runtime, 2)
    ticked = {log for log, _ in runtime.profilers[0].ticks}
    assert {"predictions", "labels", "metrics", "model-events"} == ticked
    assert runtime.log.read("predictions", 0, 1, 1)[0].timestamp >= now


def test_append_times_never_go_back(tmp_path, monkeypatch):
    """A clock set back does not make new records older than old ones, nor a restart."""
    log = SqliteLog(tmp_path)
    log.append([Group(entries=[Entry(log="predictions", key=None, value=b"1")])])
    fence = log.fence()
    log.append([Group(entries=[Entry(log="predictions", key=None, value=b"2")])])
    log.close()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000)
    log = SqliteLog(tmp_path)
    log.append([Group(entries=[Entry(log="predictions", key=None, value=b"3")])])
    times = [record.timestamp for record in log.read("predictions", 0, 0, 9)]
    assert sorted(times) == times
    assert times[-1] >= fence
    log.close()


def test_one_process_at_a_time(runtime, tmp_path):
    """A second runtime on the same directory is refused."""
    with pytest.raises(LogError, match="another windage process"):
        opened(tmp_path)


def test_another_number_of_partitions_is_refused(tmp_path):
    """Ids would belong elsewhere."""
    opened(tmp_path).stop()
    with pytest.raises(LogError, match="has partitions 1"):
        opened(tmp_path, partitions=2)


def test_a_state_ahead_of_its_log_is_refused(tmp_path):
    """A log that was replaced under the snapshot is recognised, not guessed about."""
    runtime = opened(tmp_path)
    numbers(runtime, 1, 2)
    runtime.run_until_idle()
    runtime.stop()
    with sqlite3.connect(tmp_path / "windage.sqlite") as file:
        file.execute("DELETE FROM predictions")
    file.close()
    with pytest.raises(LogError, match="ahead of the log"):
        opened(tmp_path)


def test_a_name_is_accepted_once(tmp_path):
    """A repeated entry is left out, a repeated group gets its first receipt, a new body refusal."""
    log = SqliteLog(tmp_path)
    one = Entry(log="predictions", key=None, value=b"1", name="ce:1")
    group = Group(entries=[one], name="key", digest=b"a")
    (first,) = log.append([group])
    (again,) = log.append([group])
    (other,) = log.append([Group(entries=[one], name="key", digest=b"b")])
    (elsewhere, twice) = log.append([Group(entries=[one]), Group(entries=[one, one])])
    assert [0] == first.offsets
    assert ([0], True) == (again.offsets, again.repeated)
    assert ([], True) == (other.offsets, other.conflict)
    assert [[None], [None, None]] == [elsewhere.offsets, twice.offsets]
    assert 1 == log.end("predictions")
    log.close()


def test_trimming_keeps_offsets_and_what_is_needed(tmp_path, monkeypatch):
    """Old records that were read go, learning or unread ones stay, offsets go on."""
    runtime = opened(tmp_path, models=["m"], keep=0)
    numbers(runtime, *range(10))
    runtime.run_until_idle()
    time.sleep(0.005)
    runtime.trim()
    assert 10 == len(runtime.log.read("predictions", 0, 0, 100)), "its model has no grid yet"
    runtime.stop()
    runtime = opened(tmp_path, keep=0)
    numbers(runtime, 10)
    time.sleep(0.005)
    runtime.trim()
    kept = [record.offset for record in runtime.log.read("predictions", 0, 0, 100)]
    assert [10] == kept, "everything counted is gone"
    runtime.stop()
    runtime = opened(tmp_path)
    numbers(runtime, 11)
    runtime.run_until_idle()
    assert {"predictions": sum(range(12))} == readings(runtime)[-1]["sums"]
    runtime.stop()


def test_many_writers_share_commits(tmp_path):
    """Each gets the offset of its own record."""
    log = SqliteLog(tmp_path)
    intake = Intake(log, lambda: None)
    intake.start()

    def write(n):
        entry = Entry(log="predictions", key=None, value=b"%d" % n)
        return n, intake.submit(Group(entries=[entry])).result().offsets[0]

    with ThreadPoolExecutor(16) as pool:
        offsets = dict(pool.map(write, range(400)))
    intake.stop()
    stored = {int(record.value): record.offset for record in log.read("predictions", 0, 0, 1000)}
    assert stored == offsets
    log.close()


def test_too_much_waiting_is_turned_away(tmp_path, monkeypatch):
    """What waits for the disk is bounded."""
    monkeypatch.setattr("streams.runtime.intake.WAITING_ENTRIES", 1)
    log = SqliteLog(tmp_path)
    intake = Intake(log, lambda: None)
    entry = Entry(log="predictions", key=None, value=b"1")
    intake.submit(Group(entries=[entry, entry]))
    with pytest.raises(Overloaded):
        intake.submit(Group(entries=[entry]))
    log.close()


def test_a_failed_append_is_told_to_whoever_waits(tmp_path, monkeypatch):
    """No receipt without a commit."""
    log = SqliteLog(tmp_path)
    intake = Intake(log, lambda: None)
    monkeypatch.setattr(log, "append", lambda groups: 1 / 0)
    intake.start()
    entry = Entry(log="predictions", key=None, value=b"1")
    with pytest.raises(ZeroDivisionError):
        intake.submit(Group(entries=[entry])).result()
    monkeypatch.undo()
    assert [0] == intake.submit(Group(entries=[entry])).result().offsets
    intake.stop()
    log.close()
