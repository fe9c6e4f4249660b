"""How a worker starts, or says in one line why it does not."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient

from schemas.config import Config
from streams.runtime import topics
from streams.runtime.kafka import survey
from streams.runtime.kafka.connection import Connection, connection_of
from streams.runtime.kafka.exits import RefusedError, UnreachableError
from streams.runtime.kafka.supervisor import Command, pause_s, supervise

PROGRAM = Path(__file__).with_name("counting.py")


def run_worker(bootstrap, names, **settings):
    """Run a counting worker to its end; it is expected to end by itself."""
    given = {"bootstrap": bootstrap, "inputs": ["predictions", "labels"], "group": "g"}
    given |= {"names": names, **settings}
    return subprocess.run(
        [sys.executable, str(PROGRAM), json.dumps(given)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def names_of(*logical):
    return {name: name for name in logical}


def test_a_dead_broker_is_one_clear_line_and_exit_code_3_within_15_seconds():
    """Nobody listens: the line names the address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        begun = time.monotonic()
        done = run_worker(address, names_of("predictions", "labels", "profiler-state"))
    assert time.monotonic() - begun < 15
    assert 3 == done.returncode
    assert [f"windage worker: Kafka does not answer at {address}"] == [
        line.partition(" (")[0] for line in done.stderr.splitlines()
    ]
    assert "" == done.stdout


@pytest.mark.slow
def test_a_broker_that_accepts_and_says_nothing_is_not_waited_for():
    """A half-open address counts as not answering, too."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        begun = time.monotonic()
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        done = run_worker(address, names_of("predictions", "labels", "profiler-state"))
    assert time.monotonic() - begun < 15
    assert 3 == done.returncode
    assert 1 == len(done.stderr.splitlines())


def test_inputs_with_different_partition_counts_are_refused_by_name(broker, make_topic):
    """Labels could not find their predictions: exit code 2, and both counts are named."""
    names = {"predictions": make_topic("predictions", 4), "labels": make_topic("labels", 3)}
    names["profiler-state"] = make_topic("profiler-state", 4, cleanup_policy="compact")
    done = run_worker(broker.bootstrap, names)
    assert 2 == done.returncode
    assert f"{names['predictions']} has 4" in done.stderr
    assert f"{names['labels']} has 3" in done.stderr


def test_missing_topics_are_named(broker, make_topic, topic_prefix):
    """A topic that is not there is an operator's mistake, not a reason to wait."""
    names = {"predictions": make_topic("predictions"), "labels": f"{topic_prefix}labels"}
    names["profiler-state"] = f"{topic_prefix}profiler-state"
    done = run_worker(broker.bootstrap, names)
    assert 2 == done.returncode
    assert f"{topic_prefix}labels, {topic_prefix}profiler-state" in done.stderr


def test_plaintext_beyond_this_machine_is_refused_before_anything_is_sent():
    """Unless it is allowed in so many words."""
    done = run_worker("192.0.2.1:9092", names_of("predictions", "labels", "profiler-state"))
    assert 2 == done.returncode
    assert "allow_insecure" in done.stderr
    Connection(bootstrap="192.0.2.1:9092", allow_insecure=True).check()


def config_of(bootstrap, prefix, **model):
    return Config.model_validate(
        {
            "kafka": {"bootstrap": bootstrap},
            "topics": {"prefix": prefix, "partitions": 2},
            "models": {"m": {"task": "binary", **model}},
        }
    )


def test_topics_are_created_as_planned_and_only_once(broker, topic_prefix):
    """After `create` nothing is missing and nothing differs; a second `create` does nothing."""
    config = config_of(broker.bootstrap, topic_prefix)
    made = topics.create(config)
    assert [False] * len(made) == [step.exists for step in made]
    again = topics.create(config)
    assert [True] * len(made) == [step.exists for step in again]
    assert [()] * len(made) == [step.differences for step in again]
    there = survey.survey(connection_of(config.kafka), [step.planned.name for step in made])
    survey.check_config(there, config)


@pytest.mark.parametrize(
    ("topic", "setting", "model", "said"),
    [
        ("labels", {"message.timestamp.type": "CreateTime"}, {}, "producer's time"),
        ("labels", {"retention.ms": "1000"}, {}, "partners could not be found"),
        ("dead-letters", {"max.message.bytes": "1000"}, {}, "records of 1000 bytes"),
    ],
)
def test_topics_that_cannot_carry_the_config_are_refused(
    broker, topic_prefix, topic, setting, model, said
):
    """Producer time under the broker's clock, too short a retention, too small a limit."""
    config = config_of(broker.bootstrap, topic_prefix, **model)
    there = {
        step.planned.name: survey.Topic(
            name=step.planned.name,
            partitions=step.planned.partitions,
            replication=1,
            identity="",
            settings=step.planned.configs,
        )
        for step in topics.plan(config, {})
    }
    survey.check_config(there, config)
    name = topic_prefix + topic
    there[name] = survey.Topic(
        name=name,
        partitions=2,
        replication=1,
        identity="",
        settings={**there[name].settings, **setting},
    )
    with pytest.raises(RefusedError, match=said):
        survey.check_config(there, config)


def test_differences_from_the_plan_are_named_and_not_mended(broker, topic_prefix, make_topic):
    """An existing topic is left as it is."""
    make_topic("predictions", 1)
    config = config_of(broker.bootstrap, topic_prefix)
    topics.create(config)
    step = next(s for s in topics.look(config) if s.planned.topic == "predictions")
    assert "partitions is 1, not 2" in step.differences
    with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap)) as admin:
        described = admin.describe_topics([f"{topic_prefix}predictions"])
    assert 1 == len(described[0]["partitions"])


def test_the_survey_of_a_dead_broker_names_it():
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1"):
        survey.survey(Connection(bootstrap="127.0.0.1:1"), ["x"])


def python(name, program):
    return Command(name=name, arguments=(sys.executable, "-c", program))


def test_the_supervisor_starts_a_dead_worker_again_and_passes_on_signals(tmp_path):
    """One worker dies at once each time, one lives; SIGTERM ends the living and returns 0."""
    log = tmp_path / "log"
    dies = f"open({str(log)!r}, 'a').write('d')"
    lives = (
        "import signal, sys, time\n"
        f"signal.signal(15, lambda *_: (open({str(log)!r}, 'a').write('t'), sys.exit(0)))\n"
        "time.sleep(60)"
    )
    alarm = threading.Timer(3.0, signal.raise_signal, (signal.SIGTERM,))
    alarm.start()
    assert 0 == supervise([python("dies", dies), python("lives", lives)])
    said = log.read_text()
    assert 2 <= said.count("d") <= 5
    assert 1 == said.count("t")


def test_the_supervisor_stops_all_when_one_must_not_be_started_again():
    """Exit code 2 of one is the exit code of all."""
    begun = time.monotonic()
    sleeps = python("sleeps", "import time; time.sleep(60)")
    assert 2 == supervise([sleeps, python("refuses", "raise SystemExit(2)")])
    assert time.monotonic() - begun < 10


def test_nobody_outlives_a_supervisor_that_is_killed(tmp_path):
    """A supervisor is ended by kill -9: its children stop in order, and no two fleets are left."""
    note = tmp_path / "pid"
    child = (
        "import os, pathlib, time\n"
        "from streams.runtime.kafka.supervisor import follow_supervisor\n"
        f"pathlib.Path({str(note)!r}).write_text(str(os.getpid()))\n"
        "follow_supervisor()\n"
        "time.sleep(120)"
    )
    program = (
        "import sys\n"
        "from streams.runtime.kafka.supervisor import Command, supervise\n"
        f"supervise([Command(name='c', arguments=(sys.executable, '-c', {child!r}))])"
    )
    root = Path(__file__).resolve().parents[2]
    supervisor = subprocess.Popen([sys.executable, "-c", program], cwd=root)
    until(lambda: note.exists() and note.read_text())
    pid = int(note.read_text())
    supervisor.kill()
    supervisor.wait()
    until(lambda: not running(pid))


def until(true, seconds=30):
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def running(pid):
    """Whether a process is there, and not just waiting to be reaped by somebody else."""
    try:
        return "Z" != Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_pauses_grow_and_are_bounded():
    assert 0.0 == pause_s(0)
    assert 0.3 < pause_s(1) <= 0.5
    assert 20 < pause_s(50) <= 30
