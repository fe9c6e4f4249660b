"""Real predictions: the estimate follows the fall before its labels, and holds where it is quiet.

The targets are those of quality row Q10 and of the demo: rows 0 to 69,125 are quiet, rows 133,619
to 143,889 are the block in which accuracy falls to .764; labels come 2,000 rows later.
"""

import orjson
import pytest

from schemas.instants import parse
from streams.cli.demo.foresight import Foresight
from streams.cli.demo.story import MODEL, open_story, row_of
from streams.runtime.replay import Replay
from streams.runtime.roles import MonitorRole, ProfilerRole

BLOCK = 133_619, 143_890


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Return the readings of accuracy (estimated, of cohorts, checks) of the first 146,000 rows."""
    story = open_story(tmp_path_factory.mktemp("scratch"), rows=146_000)
    roles = [made(story.config, {MODEL: story.baseline}) for made in (ProfilerRole, MonitorRole)]
    foresight, readings = Foresight(row_of), []
    for output in Replay(*roles).run(story.chunks(), [MODEL]):
        if output.topic == "readings" and b"accuracy" in output.value:
            foresight.take(output.value)
            readings.append(orjson.loads(output.value))
    return foresight, readings


@pytest.mark.slow
def test_estimates_hold_within_a_hundredth_in_every_quiet_20000_rows(told):
    quiet = [one for one in told[0].averages() if 0 <= one.first and one.last <= 60_500]
    assert 3 == len(quiet)
    assert all(abs(one.estimated - one.realised) <= 0.01 for one in quiet)


@pytest.mark.slow
def test_the_estimate_falls_in_the_block_before_any_of_its_labels(told):
    first, last = BLOCK
    estimates = {
        row_of(parse(one["current"]["window"]["end"])): one["effect"]
        for one in told[1]
        if one["detector"] == "estimate" and one["segment"] == "*"
    }
    before_labels = {row: e for row, e in estimates.items() if first + 1_000 < row < first + 2_000}
    assert before_labels
    for effect in before_labels.values():
        assert effect["current"] < effect["baseline"] - 0.04
        assert effect["high"] < effect["baseline"]
    inside = [e["current"] for row, e in estimates.items() if first + 2_000 < row < last]
    assert pytest.approx(0.764, abs=0.02) == sum(inside) / len(inside)
