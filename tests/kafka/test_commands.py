"""Commands that look, say and mend, against a real broker.

The topics hold what an embedded installation has written, so that no worker need run for it.
"""

import json
import subprocess
import sys
import time
import uuid
from collections import Counter
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata
from typer.testing import CliRunner

from schemas import access
from schemas.load import load_text
from streams import snapshot as snapshots
from streams.cli.app import app
from streams.cli.endings import tell
from streams.runtime import topics
from streams.runtime.installation.reading import Span, SqliteReader
from streams.runtime.installation.writing import KafkaWriter, Letter
from streams.runtime.kafka.connection import connection_of
from streams.runtime.kafka.reading import KafkaReader
from streams.runtime.kafka.survey import survey
from streams.snapshot import Meta
from tests.cli.installation import CONFIG, build

OUTPUTS = ("readings", "drift-events", "alerts", "retrain-requests", "references")
ROOT = Path(__file__).resolve().parents[2]


def config_text(bootstrap, prefix, partitions=2):
    return (
        f'kafka: {{bootstrap: "{bootstrap}"}}\n'
        f'topics: {{prefix: "{prefix}", partitions: {partitions}}}\n' + CONFIG
    )


def loaded(text):
    return load_text(text, {}, lambda name: Path(name).read_text())


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return the directory of an embedded installation."""
    return build(tmp_path_factory.mktemp("written"), bad=3)


def put_on(broker, directory):
    """Write what the directory holds to topics of a new prefix; gives the text of their config."""
    text = config_text(broker.bootstrap, f"t{uuid.uuid4().hex[:10]}-")
    config = loaded(text)
    topics.create(config)
    with SqliteReader(directory) as reader:
        told = [one for topic in (*OUTPUTS, "dead-letters") for one in reader.read(topic)]
        for topic in ("predictions", "labels"):
            told += reader.read(topic, Span(newest=50))
    KafkaWriter(config).write(
        [Letter(topic=r.topic, key=r.key, value=r.value, headers=r.headers) for r in told]
    )
    return text


@pytest.fixture(scope="module")
def text(broker, written):
    """Return the config of an installation whose inputs no test here adds to."""
    return put_on(broker, written)


@pytest.fixture
def installed(text, tmp_path, monkeypatch):
    """Return that installation, with its config in the folder where commands run."""
    monkeypatch.chdir(tmp_path)
    Path("windage.yaml").write_text(text)
    return loaded(text)


@pytest.fixture
def fresh(broker, written, tmp_path, monkeypatch):
    """Return an installation of one test alone."""
    monkeypatch.chdir(tmp_path)
    text = put_on(broker, written)
    Path("windage.yaml").write_text(text)
    return loaded(text)


def run(*arguments, code=0):
    ended = CliRunner().invoke(app, [str(one) for one in arguments])
    found = ended.exit_code
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        found = tell(ended.exception)
    assert code == found, (ended.output, ended.exception)
    return [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]


def without_drills():
    return [one for one in run("incidents", "--json") if not one["drill"]]


def test_looking_and_saying(installed):
    """Status, incidents and explain say what the topics hold; a verdict lands among the events."""
    (document,) = run("status", "--json")
    (model,) = document["models"]
    assert ("shop", "red", 1) == (model["model"], model["state"], len(model["incidents"]))
    assert {"malformed": 3} == document["dead_letters"]
    (incident,) = without_drills()
    (told,) = run("explain", incident["incident_id"][:6], "--json")
    commands = told["evidence"][0]["commands"]
    topic = installed.topics.name("predictions")
    assert any(f"kcat -C -b {installed.kafka.bootstrap} -t {topic} -p 0" in c for c in commands)
    run("close", incident["incident_id"], "--verdict", "data_issue")
    (after,) = without_drills()
    assert "data_issue" == after["verdict"]
    readings = run("tail", "readings", "--last", "5", "--no-follow", "--json")
    assert 5 == len(readings)


def test_tail_follows(installed):
    """What is written while it listens is printed at once."""
    assert without_drills(), "there is an alert to begin with"
    process = subprocess.Popen(
        [sys.executable, "-m", "streams.cli", "tail", "alerts", "--last", "1", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )
    try:
        first = json.loads(process.stdout.readline())
        assert "windage.alert.v1" == first["type"]
        run("drill", "shop")
        firing = json.loads(process.stdout.readline())
        resolved = json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()
    assert ["firing", "resolved"] == [one["data"]["status"] for one in (firing, resolved)]
    assert firing["data"]["labels"]["drill"] == "true"


def test_the_doctor(installed):
    """A sound set of topics is sound; a missing one is named, with what to do."""
    (document,) = run("doctor", "--json")
    states = {check["check"]: check["state"] for check in document["checks"]}
    assert {"ok"} == {states[name] for name in ("broker", "topics", "partitions", "settings")}
    assert ("ok", "ok") == (states["reference of shop"], states["predictions"])
    assert "warn" == states["lag"]  # no worker has run
    absent = config_text(installed.kafka.bootstrap, "absent-")
    Path("absent.yaml").write_text(absent)
    (document,) = run("doctor", "--config", "absent.yaml", "--json", code=2)
    check = next(check for check in document["checks"] if check["check"] == "topics")
    assert ("fail", "windage topics create") == (check["state"], check["todo"])


def test_dead_letters_go_back_once(fresh):
    """What was sent is remembered on the broker, beside the offsets of a group of its own."""
    with KafkaReader(fresh) as reader:
        before = len(list(reader.read("predictions")))
    assert 3 == run("dead-letters", "replay", "--json")[0]["replayed"]
    assert (0, 3) == tuple(
        run("dead-letters", "replay", "--json")[0][name] for name in ("replayed", "replayed_before")
    )
    with KafkaReader(fresh) as reader:
        records = list(reader.read("predictions"))
    again = [one for one in records if (one.value or b"").startswith(b"{no json")]
    assert before + 3 == len(records)
    assert {(b"bad0", b"{no json 0", (("x", b"0"),))} <= {
        (one.key, one.value, tuple(one.headers)) for one in again
    }
    assert [True] * 3 == [one["replayed"] for one in run("dead-letters", "show", "--json")]


def store(config, role, position):
    """Write a snapshot as a worker would."""
    inputs = {"profiler": ("predictions", "labels"), "monitor": ("journal",)}[role]
    names = {log: config.topics.name(log) for log in inputs}
    there = survey(connection_of(config.kafka), names.values())
    meta = Meta(
        order=(1,),
        positions=dict.fromkeys(inputs, position),
        topics={log: there[name].identity for log, name in names.items()},
    )
    cut = snapshots.split(b"x" * 1_000, meta, limit=400)
    state = f"{role}-state"
    KafkaWriter(config).write(
        [
            Letter(topic=state, key=one.key, value=one.value, partition=0)
            for one in (*cut.records, cut.manifest)
        ]
    )


def test_state_moves_to_topics_that_have_its_offsets(fresh):
    """Bound to the new topics; refused where they are shorter, other, or hold a state already."""
    store(fresh, "profiler", 1)
    store(fresh, "monitor", 0)
    (told,) = run("state", "export", "moved.state", "--json")
    assert 2 == len(told["snapshots"])
    assert 1 == told["references"]
    elsewhere = config_text(fresh.kafka.bootstrap, f"t{uuid.uuid4().hex[:10]}-")
    Path("elsewhere.yaml").write_text(elsewhere)
    there = loaded(elsewhere)
    topics.create(there)
    place = ("moved.state", "--config", "elsewhere.yaml")
    run("state", "import", *place, code=2)  # its topics end before the snapshot's offsets
    KafkaWriter(there).write(
        [
            Letter(topic=topic, key=b"p0", value=b"{}", partition=0)
            for topic in ("predictions", "labels")
        ]
    )
    run("state", "import", *place)
    with KafkaReader(there) as reader:
        records = [r for r in reader.read("profiler-state") if r.partition == 0]
    found = snapshots.assemble([snapshots.StateRecord(r.key, r.value) for r in records])
    identity = survey(connection_of(there.kafka), [there.topics.name("predictions")])
    assert b"x" * 1_000 == found.snapshot
    assert identity[there.topics.name("predictions")].identity == found.meta.topics["predictions"]
    run("state", "import", *place, code=2)  # a state is there now
    other = elsewhere.replace("pane: 10s", "pane: 20s")
    Path("other.yaml").write_text(other)
    run("state", "import", "moved.state", "--config", "other.yaml", code=2)


def test_lag_is_what_the_profilers_have_not_acknowledged(fresh):
    """Of partitions nobody has acknowledged, everything."""
    name = fresh.topics.name("predictions")
    with KafkaReader(fresh) as reader:
        counts = Counter(one.partition for one in reader.read("predictions"))
        assert reader.lag() is None
        consumer = KafkaConsumer(
            bootstrap_servers=fresh.kafka.bootstrap, group_id=access.group_of(fresh, "profiler")
        )
        place = TopicPartition(name, 0)
        consumer.assign([place])
        consumer.commit({place: OffsetAndMetadata(10, "", -1)})
        consumer.close()
        lag = reader.lag()
    assert counts[0] - 10 + counts[1] == lag["predictions"]
    assert {"predictions", "labels", "metrics", "model-events"} == set(lag)


def test_a_bootstrap_is_enough_to_look(broker):
    """Without any config, default names; nothing there is nothing found."""
    began = time.monotonic()
    assert [] == run("incidents", "--bootstrap", broker.bootstrap, "--json")
    assert 30 > time.monotonic() - began
