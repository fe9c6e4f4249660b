"""A worker that does not get on is ended, one that was merely stopped is not; and what it says."""

import asyncio
import logging
import time

import pytest
from aiohttp.test_utils import TestClient, TestServer

from schemas.lamp import Lamp
from schemas.log import Output
from schemas.output_parts import Current, Effect, ReferenceRef, Window
from schemas.outputs import Reading, encode
from streams.runtime.kafka.pulse import Pulse, resident_bytes
from streams.runtime.kafka.speaking import Speaker
from streams.runtime.kafka.watchdog import Limits, Watchdog
from streams.web.access import Access
from streams.web.worker import Page

MIB = 1 << 20
LIMITS = Limits(stall_s=60.0, unsettled_s=72.0, memory=500 * MIB, red=400 * MIB)


class Watched:
    """A watchdog whose clock the test turns: it looks every half second."""

    def __init__(self):
        self.pulse = Pulse("profiler")
        self.left = []
        self.dog = Watchdog(self.pulse, LIMITS, leave=lambda code, line: self.left.append(code))
        self.now = self.pulse.moved = time.monotonic()

    def pass_by(self, seconds, *, beats=True, moves=False, memory=100 * MIB):
        """Let time pass."""
        for _ in range(int(seconds * 2)):
            self.now += 0.5
            if beats:
                self.dog._beat = self.now
            if moves:
                self.pulse.moved = self.now
            self.dog.look(self.now, memory)


@pytest.fixture
def watched():
    return Watched()


def test_records_that_wait_for_a_minute_uncounted_end_the_worker_with_its_stacks(watched, capfd):
    """The exit code is that of a bug of ours, and every thread's stack is on stderr."""
    watched.pulse.lag = {"predictions": 7}
    watched.pass_by(59)
    assert [] == watched.left
    watched.pass_by(2)
    assert 70 == watched.left[0]
    assert "most recent call first" in capfd.readouterr().err


def test_a_rebalance_without_an_end_ends_the_worker_with_its_stacks(watched, capfd):
    """Nothing waits for a worker that owns nothing, and yet it may never own anything again."""
    watched.pulse.unsettled_since = watched.now
    watched.pass_by(71, moves=True)
    assert [] == watched.left
    watched.pass_by(2, moves=True)
    assert 70 == watched.left[0]
    assert "most recent call first" in capfd.readouterr().err


def test_a_rebalance_while_kafka_is_away_is_not_our_fault(watched):
    """The exit code is that of a broker that cannot be reached."""
    watched.pulse.unsettled_since = watched.pulse.away_since = watched.now
    watched.pass_by(73, moves=True)
    assert 3 == watched.left[0]


def test_every_step_of_a_restore_gives_it_more_time(watched):
    """A state of many gigabytes is read for longer than a rebalance may last."""
    watched.pulse.unsettled_since = watched.now
    for _ in range(3):
        watched.pass_by(60)
        watched.pulse.unsettled_since = watched.now
    assert [] == watched.left


def test_a_settled_worker_is_not_made_unsettled_by_a_late_step():
    pulse = Pulse("monitor")
    pulse.settling()
    assert pulse.unsettled_since is None


def test_no_lag_and_progress_are_no_stall(watched):
    watched.pulse.lag = {"predictions": 0}
    watched.pass_by(200)
    watched.pulse.lag = {"predictions": 9}
    watched.pass_by(200, moves=True)
    assert [] == watched.left


def test_a_broker_that_is_away_is_named_instead(watched):
    """Exit code 3: nothing of ours hangs."""
    watched.pulse.lag = {"predictions": 7}
    watched.pulse.away_since = watched.now
    watched.pass_by(61)
    assert 3 == watched.left[0]


def test_a_process_that_was_stopped_has_a_fresh_term_when_it_wakes(watched):
    """SIGSTOP for ten minutes is not a stall of a minute."""
    watched.pulse.lag = {"predictions": 7}
    watched.pass_by(10)
    watched.now += 600
    watched.pass_by(59)
    assert [] == watched.left
    watched.pass_by(2)
    assert 70 == watched.left[0]


def test_an_event_loop_that_stands_still_is_ended(watched, capfd):
    watched.pass_by(59, beats=False)
    assert [] == watched.left
    watched.pass_by(3, beats=False)
    assert 70 == watched.left[0]
    assert "most recent call first" in capfd.readouterr().err


def test_memory_is_warned_of_and_then_the_worker_ends(watched, caplog):
    watched.pass_by(5, memory=450 * MIB)
    assert [] == watched.left
    assert 1 == caplog.text.count("near limits.memory"), "once a minute"
    watched.pass_by(0.5, memory=501 * MIB)
    assert [70] == watched.left
    assert resident_bytes() > MIB


async def test_a_loop_that_stood_still_is_measured(caplog):
    """The watching thread sees a blocked event loop, and the loop says so when it is back."""
    pulse = Pulse("monitor")
    dog = Watchdog(pulse, LIMITS, leave=lambda *_: None)
    dog.beat()
    dog._beat -= 3.5
    dog.beat()
    assert 2.5 < pulse.stood_s < 4
    assert "the event loop stood still for 3.0 s" in caplog.text


def said(capsys):
    return [line.partition("profiler: ")[2] for line in capsys.readouterr().err.splitlines()]


@pytest.fixture
def speaker():
    return Speaker("profiler", "broker:9092", Pulse("profiler"))


def record(name, text, *values, level=logging.ERROR):
    return logging.LogRecord(name, level, "x.py", 1, text, values, None)


def test_a_broker_that_is_away_is_one_line_and_one_when_it_is_back(speaker, capsys):
    for _ in range(500):
        speaker.emit(record("aiokafka", "Unable connect to node with id %s: %s", 1, "refused"))
        speaker.emit(record("aiokafka.cluster", "Unable to update metadata from %s", [1]))
        speaker.emit(record("aiokafka.consumer", "Heartbeat failed: coordinator is dead"))
    first = said(capsys)
    assert 1 == len(first)
    assert first[0].startswith("Kafka does not answer at broker:9092, trying again (Unable")
    speaker.answered()
    speaker.answered()
    (back,) = said(capsys)
    assert back.startswith("Kafka answers again after 0.")
    assert "(1500 complaints" in back


def test_what_is_said_at_every_rebalance_is_not_said(speaker, capsys):
    speaker.emit(record("aiokafka", "Heartbeat failed for group g because it is rebalancing"))
    speaker.emit(record("mode.timers", "Timer commit is overlapping", level=logging.WARNING))
    assert [] == said(capsys)


def test_other_complaints_come_once_a_minute_in_one_line(speaker, capsys):
    """The same template about two partitions is one complaint."""
    for number in range(40):
        speaker.emit(record("aiokafka.x", "Bad thing of partition %d\nsecond line", number))
    assert ["aiokafka.x: Bad thing of partition 0"] == said(capsys)


def test_our_own_lines_are_all_shown(speaker, capsys):
    for number in range(3):
        own = record("streams.runtime.kafka.worker", "owns %d", number, level=logging.INFO)
        speaker.emit(own)
    assert ["owns 0", "owns 1", "owns 2"] == said(capsys)


async def asked(page, path):
    async with TestClient(TestServer(page.application(Access()))) as client:
        answer = await client.get(path)
        return answer.status, await answer.text()


async def test_health_follows_progress():
    """Alive is not enough: records that wait uncounted for `limits.stall` make a worker unwell."""
    pulse = Pulse("profiler")
    page = Page(pulse, stall_s=60.0)
    assert 200 == (await asked(page, "/healthz"))[0]
    pulse.lag = {"predictions": 5}
    assert 200 == (await asked(page, "/healthz"))[0]
    pulse.moved -= 61
    status, body = await asked(page, "/healthz")
    assert 503 == status
    assert '"lag": 5' in body
    pulse.progress()
    assert 200 == (await asked(page, "/healthz"))[0]


async def test_ready_is_when_the_states_are_restored_and_metrics_show_the_pulse():
    pulse = Pulse("profiler")
    page = Page(pulse, stall_s=60.0)
    assert 503 == (await asked(page, "/readyz"))[0]
    pulse.ready, pulse.owned, pulse.records = True, (0, 3), 42
    pulse.lag = {"predictions": 5}
    pulse.accounts = {"predictions": {"counted": 40, "duplicate": 2}}
    assert (200, '{"ready": true, "partitions": [0, 3]}') == await asked(page, "/readyz")
    lines = (await asked(page, "/metrics"))[1].splitlines()
    assert 'windage_consumer_lag_records{topic="predictions"} 5.0' in lines
    assert 'windage_records_total{outcome="counted",topic="predictions"} 40.0' in lines
    assert "windage_worker_records_total 42.0" in lines


async def test_the_page_of_a_monitor_says_how_its_models_stand():
    """Incidents and budget are those of the state; readings those it has sent since it began."""
    pulse = Pulse("monitor")
    page = Page(pulse, stall_s=60.0, paces={"m": 90_000})
    assert "windage_statistic{" not in (await asked(page, "/metrics"))[1]
    pulse.lamps = [Lamp(model="m", until=1_000, incidents={"yellow": 0, "red": 2}, spent=0.5)]
    letter = Output(
        topic="dead-letters", key=None, value=b"?", headers=(("windage.error.code", b"schema"),)
    )
    pulse.heard([spoken("m"), spoken("gone"), letter])
    lines = (await asked(page, "/metrics"))[1].splitlines()
    assert 'windage_incidents{model="m",severity="red"} 2.0' in lines
    assert 'windage_false_alarm_budget_spent_ratio{model="m"} 0.5' in lines
    assert 'windage_pace_seconds{model="m"} 90.0' in lines
    assert 'windage_dead_letters_total{code="schema"} 1.0' in lines
    (lag,) = [one for one in lines if one.startswith('windage_pane_close_lag_seconds{model="m"}')]
    assert abs(time.time() - 1 - float(lag.split()[1])) < 60
    (statistic,) = [one for one in lines if one.startswith("windage_statistic{")]
    assert 'model="m"' in statistic
    assert any('role="monitor"' in one for one in lines if one.startswith("windage_build_info{"))


def spoken(model):
    """A reading as the monitor sends it."""
    window = Window(start="2026-01-01T00:00:00Z", end="2026-01-01T01:00:00Z")
    one = Reading(
        model=model, version="1", segment="*", monitor="score/window", signal="score",
        detector="window", statistic=0.2, threshold=0.1, breach=True, severity="yellow",
        effect=Effect(psi=0.2), reference=ReferenceRef(id="r", rows=5000),
        current=Current(rows=500, window=window), state="judged",
    )  # fmt: skip
    return Output(topic="readings", key=b"m", value=encode(one), timestamp=0)


async def test_the_page_is_served_beside_a_blocked_event_loop():
    """The worker's own loop sleeps; the page answers all the same."""
    from schemas.config_links import Http
    from streams.web.worker import serve

    port = serve(Pulse("profiler"), Http(port=0), 60.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    await writer.drain()
    time.sleep(0.5)  # noqa: ASYNC251 - blocks this loop on purpose
    assert b"200 OK" in await reader.readline()
    writer.close()
    await writer.wait_closed()
