"""Shadows stay out of the champion's statistics and have readings of their own."""

import re

import msgspec
import numpy as np
import pytest

from detectors.residuals import residual_grid
from schemas.shadow import counted_as, is_shadow
from schemas.vocabulary import NAME_PATTERN
from streams.monitor.rollout.shadow import WINDOW, Shadows
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
    assert b"\x92\x80\x80" == watch.save()


def paired(alike, other, missing=0):
    """The agreements of a pane: classes said by both, by one each, by none."""
    table = np.zeros((4, 4), np.int64)
    table[0, 0], table[1, 0], table[3, 3] = alike, other, missing
    return Part(counted_as("2", "shadow"), "*", 0, late=False, vector=table.ravel())


def watched(watch, panes, **parts):
    """The last pane's findings by signal; the watch is restored from bytes at every pane."""
    for pane in range(panes):
        found = watch.close(closing(pane, **parts))
        saved, kept = watch.save(), Shadows(setting())
        kept._gaps = watch._gaps
        kept.load(saved)
        watch = kept
        assert saved == watch.save()
    return {one.signal: one for one in found}


def test_answers_to_the_same_requests_are_compared_row_by_row():
    """Equal shares of classes hide that every fifth answer is another one."""
    shadow = counted_as("2", "shadow")
    said = watched(
        Shadows(setting()),
        WINDOW + 5,
        predictions=[asked("1", 70, 30)],
        shadows=(asked(shadow, 70, 30),),
        agreements=(paired(80, 20, missing=7),),
    )["shadow:agreement"]
    assert ("pairs", 0.8, WINDOW * 100, "context") == (
        said.detector,
        said.statistic,
        said.rows,
        said.role,
    )
    assert 0.77 < said.effect.low < 0.8 < said.effect.high < 0.83


def test_of_numbers_the_distance_of_both_answers_is_told():
    """Its median, on either side, in the unit of the target."""
    watch, shadow = Shadows(setting()), counted_as("2", "shadow")
    watch._gaps = cells = residual_grid(10.0)
    rng = np.random.default_rng(2)
    gaps = np.bincount(cells.codes(rng.normal(0, 2.0, 4_000)), minlength=cells.width)
    parts = Part(shadow, "*", 0, late=False, vector=gaps)
    said = watched(
        watch,
        3,
        predictions=[asked("1", 70, 30)],
        shadows=(asked(shadow, 70, 30),),
        agreements=(parts,),
    )["shadow:difference"]
    assert pytest.approx(0.6745 * 2, rel=0.15) == said.statistic
    assert said.effect.low <= said.statistic <= said.effect.high


def test_a_state_from_before_there_were_pairs_is_taken_up():
    """It held the panes alone."""
    watch = Shadows(setting())
    watch.load(msgspec.msgpack.encode({"1": [(3, [1, 2], [0, 0])]}))
    assert b"\x92" == watch.save()[:1]
