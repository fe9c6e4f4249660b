"""A class of label that the grid does not know: novelty, which asks for a model that knows it."""

import json
import random

import orjson
import pytest

from streams.runtime.assembly import open_replay
from streams.runtime.recordings.recording import Chunk
from streams.runtime.recordings.rows import Entries
from tests.monitor.absence import EVERY, T0, config

ROWS, FROM = 6_000, 4_000


def told(share, seed=5):
    """What is said where, from row 4,000 on, a share of labels is of a third class."""
    chance, asked, answered, times = random.Random(seed), [], [], []
    for number in range(ROWS):
        at = T0 + number * EVERY
        truth = chance.randint(0, 1)
        called = truth if chance.random() < 0.85 else 1 - truth
        own = {"model": "m", "prediction_id": f"p{number}", "timestamp": at}
        rest = {"version": "1", "prediction": called, "score": 0.9 * called + 0.05}
        asked.append(orjson.dumps(own | rest | {"features": {"x": chance.random()}}))
        new = number >= FROM and chance.random() < share
        answered.append(orjson.dumps(own | {"label": 7 if new else truth}))
        times.append(at)
    keys = [b"k"] * ROWS
    entries = {
        "predictions": Entries(times=times, keys=keys, values=asked),
        "labels": Entries(times=times, keys=keys, values=answered),
    }
    made = config(clock="event", labels={"horizon": "1h"}, classes=[0, 1])
    said = {}
    for output in open_replay(made, {}, step_rows=1_000).run(
        [Chunk(entries=entries, last=times[-1])], ["m"]
    ):
        if output.topic not in ("references", "dead-letters"):
            said.setdefault(output.topic, []).append(json.loads(output.value))
    return said


@pytest.mark.parametrize("seed", [5, 6])
def test_an_unseen_class_is_novelty_and_names_the_label(seed):
    """Not label drift, which is a matter of known classes; the model must learn it."""
    said = told(0.1, seed)
    alerts = [one for one in said["alerts"] if one["status"] == "firing"]
    assert {"novelty"} == {one["triage"]["class"] for one in alerts}
    assert {"label"} <= {one["signal"] for one in alerts[-1]["signals"]}
    assert "retrain_full" == alerts[-1]["recommended_action"]
    assert 1 == len({one["incident_id"] for one in alerts})


def test_without_a_new_class_nothing_is_said():
    assert [] == told(0.0).get("alerts", [])
