"""Whether annotators agree is a reading of the window, and judged by nobody."""

import msgspec
import numpy as np
import pytest

from detectors.residuals import residual_grid
from streams.monitor.watch import Part
from streams.monitor.watches.annotators import WINDOW, Annotators
from streams.monitor.watches.register import WATCHES
from tests.monitor.closing import closing
from tests.monitor.outcomes import LAYOUT, setting


def pairs(*rows):
    """The opinions of a pane: classes 0, 1, unseen, missing by the same of another annotator."""
    table = np.zeros((4, 4), np.int64)
    for row, counts in enumerate(rows):
        table[row, : len(counts)] = counts
    return (Part("", "*", 0, late=False, vector=table.ravel()),)


def watched(panes, watch=None):
    """What is said of the last of these panes; the watch is restored from bytes at every pane."""
    watch = watch or Annotators(setting())
    found = []
    for pane, opinions in enumerate(panes):
        found = watch.close(closing(pane, opinions=opinions))
        saved = watch.save()
        watch.load(saved)
        assert saved == watch.save()
    return {(one.signal, one.detector): one for one in found}


def test_agreement_is_told_with_and_without_chance():
    """Nine in ten agree, but eight in ten would by chance: half of the rest is theirs."""
    said = watched([pairs((90, 5), (5, 10))] * (WINDOW + 5))
    share, beyond = said["label:agreement", "pairs"], said["label:agreement", "kappa"]
    assert pytest.approx(100 / 110) == share.statistic
    chance = (95**2 + 15**2) / 110**2
    assert pytest.approx((100 / 110 - chance) / (1 - chance)) == beyond.statistic
    assert beyond.effect.low < beyond.statistic < beyond.effect.high
    assert {(WINDOW * 110, "context", False, "", "judged")} == {
        (one.rows, one.role, one.alarm, one.version, one.state) for one in said.values()
    }


def test_a_class_outside_the_grid_agrees_with_none():
    """And of two of them nobody knows whether they are the same."""
    said = watched([pairs((100, 0, 20), (0, 60), (0, 0, 70))])
    assert (180, pytest.approx(160 / 180)) == (
        said["label:agreement", "pairs"].rows,
        said["label:agreement", "pairs"].statistic,
    )


def test_where_only_one_class_was_said_there_is_a_share_alone():
    """Chance would make them agree."""
    assert [("label:agreement", "pairs")] == list(watched([pairs((100,))]))


def test_few_pairs_say_nothing_and_old_ones_are_forgotten():
    """Below a hundred there is no reading; after the window no state."""
    watch = Annotators(setting())
    assert {} == watched([pairs((50, 0), (0, 49))], watch)
    assert [] == watch.close(closing(WINDOW))
    assert Annotators(setting()).save() == watch.save()


def test_of_numbers_the_distance_of_both_labels_is_told():
    """Its median, on either side, in the unit of the target."""
    watch, cells = Annotators(setting()), residual_grid(10.0)
    watch._gaps, watch._width = cells, cells.width
    rng = np.random.default_rng(2)
    gaps = np.bincount(cells.codes(rng.normal(0, 2.0, 4_000)), minlength=cells.width)
    said = watched([(Part("", "*", 0, late=False, vector=gaps),)], watch)
    one = said["label:difference", "pairs"]
    assert pytest.approx(0.6745 * 2, rel=0.15) == one.statistic
    assert one.effect.low <= one.statistic <= one.effect.high


def test_models_with_one_annotator_pay_nothing():
    """No state, no reading; and the watch is one of those that see every pane."""
    watch = WATCHES["annotators"](setting())
    assert [] == watch.close(closing(0))
    assert msgspec.msgpack.encode([[]]) == watch.save()
    assert LAYOUT.agreements == LAYOUT.width("opinions")
