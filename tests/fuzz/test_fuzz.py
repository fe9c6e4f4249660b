"""Fuzzing: each door answers as it promises, soon, whatever comes, and keeps none of it."""

import base64
import json
import random
import resource
import time
from pathlib import Path

import pytest

from schemas.log import Record
from streams.runtime.roles import ProfilerRole
from tests.fuzz.doors import config
from tests.fuzz.targets import NOW, TARGETS
from tests.laws.world import BASELINE, MODEL

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.json"))
STRETCH = 100
SLOWEST_SECONDS = 30.0
"""Of CPU, for a stretch of payloads: a hang, not a busy machine."""

GROWTH_KB = 48 * 1024


def thrown(target, seeds):
    """Throw stretches of payloads; the seed is named where one fails."""
    for seed in seeds:
        begun = time.process_time()
        try:
            TARGETS[target](random.Random(seed), STRETCH)
        except Exception as error:
            raise AssertionError(f"{target}, seed {seed}") from error
        assert SLOWEST_SECONDS > time.process_time() - begun, f"{target}, seed {seed} took long"


@pytest.mark.parametrize("target", TARGETS)
def test_a_few_payloads(target):
    """A few hundred at each door, the same every time."""
    thrown(target, range(4))


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_many_payloads(target):
    """More than 50,000 over all doors; memory does not grow from the first tenth on."""
    thrown(target, range(1_000, 1_010))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    thrown(target, range(1_010, 1_090))
    assert GROWTH_KB > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_what_once_failed(path):
    """Payloads that failed in the past: one letter each at most, and the books add up."""
    past = json.loads(path.read_text())
    value = base64.b64decode(past["value"])
    headers = tuple((name, base64.b64decode(text)) for name, text in past["headers"])
    profiler = ProfilerRole(config(), {MODEL: BASELINE}).fresh(0, 1)
    record = Record(offset=0, timestamp=NOW, key=None, value=value, headers=headers)
    profiler.step(past["log"], [record])
    letters = [one for one in profiler.flush() if one.topic == "dead-letters"]
    assert past["letters"] == len(letters)
    tally = profiler.accounting()[past["log"]]
    assert tally.read == tally.counted + tally.dead_lettered + tally.control
