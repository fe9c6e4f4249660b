"""Law 3 on the demo's stream: every runtime says the same, whatever is killed on the way."""

import os
import signal
import subprocess

import orjson
import pytest

from streams.cli.demo.embedded import TOPICS, EmbeddedStage
from streams.cli.demo.kafka import KafkaStage
from streams.cli.demo.story import MODEL, open_story
from streams.cli.endings import UNREACHABLE, OperatorError
from streams.runtime.replay import Replay
from streams.runtime.roles import MonitorRole, ProfilerRole

ROWS = 13_000
"""The first injected incident begins and may end within them."""


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    return open_story(tmp_path_factory.mktemp("scratch"), inject=True, rows=ROWS)


@pytest.fixture(scope="module")
def replayed(story):
    """Return what replay says: outputs by topic, without offsets."""
    said = Said()
    baselines = {MODEL: story.baseline}
    roles = ProfilerRole(story.config, baselines), MonitorRole(story.config, baselines)
    for output in Replay(*roles).run(story.chunks(), [MODEL]):
        if output.topic in TOPICS:
            said.take(output.topic, output.value)
    return said


class Said:
    """Outputs by topic; evidence offsets and sequence depend on partitions, and are left out."""

    def __init__(self):
        self.outputs = {topic: [] for topic in TOPICS}

    def take(self, topic, value):
        event = orjson.loads(value)
        event.pop("evidence" if topic == "drift-events" else "sequence", None)
        self.outputs[topic].append(event)

    def distinct(self):
        """Return each output once, in a fixed order: delivery is at least once."""
        return {
            topic: sorted({orjson.dumps(event) for event in events})
            for topic, events in self.outputs.items()
        }


def test_the_first_incident_is_in_these_rows(replayed):
    first = replayed.outputs["alerts"][0]
    assert "data_quality" == first["triage"]["class"]
    assert "feature:SCHL" == first["signals"][0]["signal"]


def test_embedded_says_what_replay_says(story, replayed, tmp_path):
    said, stage = Said(), EmbeddedStage(story, tmp_path)
    try:
        accounts = stage.play(said.take, lambda _: None)
    finally:
        stage.close()
    assert replayed.distinct() == said.distinct()
    assert ROWS == accounts["predictions"]["counted"]


@pytest.fixture
def stage(story, tmp_path):
    """Return the story on a broker of its own; skipped where there is no way to run one."""
    try:
        stage = KafkaStage(story, tmp_path, None)
    except OperatorError as error:
        required = os.environ.get("CI") == "true" or "WINDAGE_REQUIRE_KAFKA" in os.environ
        if error.code != UNREACHABLE or required:
            raise
        pytest.skip(str(error))
    yield stage
    stage.close()


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.parametrize("killed", [False, True], ids=["undisturbed", "killed half-way"])
def test_kafka_says_what_replay_says(stage, replayed, killed):
    said, rows, victims = Said(), [0], []

    def fed(chunk):
        rows[0] += len(chunk.entries["predictions"].times)
        if killed and not victims and rows[0] > ROWS // 2:
            victims.extend(children_of(stage.worker_pid))
            for victim in victims:
                os.kill(victim, signal.SIGKILL)

    accounts = stage.play(said.take, fed)
    assert killed == bool(victims)
    assert replayed.distinct() == said.distinct()
    assert ROWS == accounts["predictions"]["counted"]


def children_of(pid):
    """Return the worker processes that the supervisor keeps running."""
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=True)
    return [int(line) for line in listed.stdout.split()]
