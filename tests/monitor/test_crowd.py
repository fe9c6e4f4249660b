"""Panes with more versions than are judged say so."""

import numpy as np
import pytest

from streams.monitor.lane import MAX_VERSIONS
from streams.monitor.watch import Part
from streams.monitor.watches.crowd import SIGNAL, Crowd
from tests.monitor.closing import closing
from tests.monitor.outcomes import LAYOUT, setting


def parts(versions, *, late=False, segment="*"):
    """Three rows of each version in pane 5."""
    vector = np.zeros(LAYOUT.width("predictions"), np.int64)
    vector[LAYOUT.predictions["feature:c"].span][0] = 3
    return [Part(str(n), segment, 5, late=late, vector=vector) for n in range(versions)]


@pytest.mark.parametrize(
    "few",
    [
        parts(MAX_VERSIONS),
        parts(1) + parts(MAX_VERSIONS + 9, late=True),
        parts(1) + parts(MAX_VERSIONS + 9, segment="region=eu"),
    ],
)
def test_nothing_is_said_while_all_are_judged(few):
    assert [] == Crowd(setting()).close(closing(5, predictions=few))


def test_one_version_too_many_is_told_in_one_reading_that_alarms_nobody():
    (said,) = Crowd(setting()).close(closing(5, predictions=parts(MAX_VERSIONS + 1)))
    assert (SIGNAL, "context") == (said.signal, said.role)
    assert (MAX_VERSIONS + 1, MAX_VERSIONS) == (said.statistic, said.threshold)
    assert 3 * (MAX_VERSIONS + 1) == said.rows
    assert not said.joins
