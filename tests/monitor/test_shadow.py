"""Shadows stay out of the champion's statistics and have readings of their own."""

import re

import numpy as np
import pytest

from schemas.shadow import counted_as, is_shadow
from schemas.vocabulary import NAME_PATTERN
from streams.monitor.shadow import WINDOW, Shadows
from streams.monitor.watch import Part
from tests.monitor.closing import closing
from tests.monitor.outcomes import LAYOUT, setting


def asked(version, no, yes):
    """Predictions by class."""
    vector = np.zeros(LAYOUT.width("predictions"), np.int64)
    first = LAYOUT.predictions["prediction"].start
    vector[first], vector[first + 1] = no, yes
    return Part(version, "*", 0, late=False, vector=vector)


def answered(version, right, wrong):
    """Outcomes."""
    vector = np.zeros(LAYOUT.width("outcomes"), np.int64)
    table = np.zeros((4, 4), np.int64)
    table[0, 0], table[0, 1] = right, wrong
    vector[LAYOUT.outcomes["confusion"].span] = table.ravel()
    return Part(version, "*", 0, late=False, vector=vector)


def test_a_shadow_has_a_name_no_producer_can_send():
    """So it meets no version, not even its own."""
    name = counted_as("2", "shadow")
    assert (True, False) == (is_shadow(name), bool(re.match(NAME_PATTERN, name)))
    assert ("2", "2", False) == (counted_as("2", "canary"), counted_as("2", None), is_shadow("2"))


def test_agreement_and_errors_are_readings_beside_the_champion():
    """10 points of the decisions moved: at most 90 % agree; nothing alarms."""
    watch, shadow = Shadows(setting()), counted_as("2", "shadow")
    for pane in range(WINDOW + 5):
        found = watch.close(
            closing(
                pane,
                predictions=[asked("1", 700, 300)],
                outcomes=[answered("1", 84, 16)],
                shadows=(asked(shadow, 60, 40),),
                shadow_outcomes=(answered(shadow, 8, 2),),
            )
        )
        other = Shadows(setting())
        other.load(watch.save())
        watch = other
    said = {one.signal: one for one in found}
    assert pytest.approx(0.9) == said["shadow:agreement"].statistic
    assert (0.2, 0.16) == (said["shadow:error"].statistic, said["shadow:error"].threshold)
    assert {("context", False, "1", shadow)} == {
        (one.role, one.alarm, one.reference_id, one.version) for one in found
    }
    assert WINDOW * 100 == said["shadow:agreement"].rows


def test_without_shadows_nothing_is_kept():
    """No cost for models that have none."""
    watch = Shadows(setting())
    assert [] == watch.close(closing(0, predictions=[asked("1", 700, 300)]))
    assert b"\x80" == watch.save()
