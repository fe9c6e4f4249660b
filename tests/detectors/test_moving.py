"""E-detectors whose reference moves, and references blended."""

import numpy as np
import pytest

from detectors.blend import blend
from detectors.moving import Moving, priors_of, weights_of
from detectors.reference import reference_of
from detectors.shiryaev_roberts import Bank, contrasts_of

SHARES = np.append(np.full(12, 1 / 12.0), [0.0])
"""Below, ten cells, above, missing."""


def reference(rng, shares=SHARES, kind="numeric", panes=100, rows=100):
    return reference_of(kind, rng.multinomial(rows, shares, size=panes))


def weights(one, tolerance=0.1):
    return weights_of(one.kind, contrasts_of([one], tolerance=tolerance)[0])


@pytest.mark.parametrize("kind", ["numeric", "categorical", "binary"])
def test_priors_are_a_share_of_one_at_most(kind):
    assert 1 == pytest.approx(priors_of(kind, 2 if kind == "binary" else 20).sum())


def test_every_alternative_has_a_slot_of_its_own():
    rng = np.random.default_rng(1)
    one = reference(rng)
    found = weights(one)
    assert len(contrasts_of([one], tolerance=0.1)[0].alternatives) == len(found.slots)
    assert len(found.slots) == len(set(found.slots.tolist()))
    assert found.slots.max() < len(priors_of("numeric", one.width))


def test_against_one_reference_it_is_the_bank():
    """With equal weights a slot's evidence is the bank's, alternative by alternative."""
    rng = np.random.default_rng(2)
    one = reference(rng, np.array([0.7, 0.2, 0.06, 0.04, 0.0]), "categorical")
    bank, moving, own = Bank([one], tolerance=0.1), Moving("categorical", 5), weights(one)
    for pane in range(50):
        counts = rng.multinomial(100, [0.6, 0.2, 0.16, 0.04, 0.0])
        bank.update([counts], pane)
        moving.update(own, counts, pane)
    evidence = np.frombuffer(moving.state()[0], "<f8")
    wanted = np.frombuffer(bank.state().evidence, "<f8")
    assert wanted == pytest.approx(evidence[own.slots])
    assert int(bank.start[0]) == moving.start


def test_a_pane_without_rows_changes_nothing():
    rng = np.random.default_rng(3)
    moving, own = Moving("numeric", 13), weights(reference(rng))
    moving.update(own, rng.multinomial(100, SHARES), 0)
    before = moving.state()
    moving.update(own, np.zeros(13, np.int64), 1)
    assert before == moving.state()


def test_a_snapshot_goes_on_as_if_nothing_had_happened():
    rng = np.random.default_rng(4)
    first, second = Moving("numeric", 13), Moving("numeric", 13)
    own = weights(reference(rng))
    first.update(own, rng.multinomial(100, SHARES), 0)
    second.load(first.state())
    counts = rng.multinomial(100, SHARES)
    first.update(own, counts, 1)
    second.update(own, counts, 1)
    assert first.state() == second.state()
    with pytest.raises(ValueError, match="other cells"):
        Moving("binary", 2).load(first.state())


def test_parts_that_differ_alarm_no_more_often_than_promised():
    """Two parts with laws far apart: 40 runs of 250 panes at a run length of 1,000 panes."""
    rng = np.random.default_rng(5)
    laws = [SHARES, np.append(np.append(np.linspace(0.01, 0.2, 11), 0), 0.0)]
    laws[1] = laws[1] / laws[1].sum()
    alarms = 0
    for _ in range(40):
        own = [weights(reference(rng, law)) for law in laws]
        moving = Moving("numeric", 13)
        for pane in range(250):
            moving.update(own[pane % 2], rng.multinomial(100, laws[pane % 2]), pane)
            if moving.log_mean >= np.log(1000):
                alarms += 1
                moving.reset()
    assert alarms <= 40 * 250 / 1000


def test_a_shift_in_both_parts_is_found():
    rng = np.random.default_rng(6)
    up = np.append(np.append(np.linspace(0.02, 0.16, 12), [0.0])[:12], 0.0)
    up = up / up.sum()
    own = weights(reference(rng))
    moving = Moving("numeric", 13)
    for pane in range(30):
        moving.update(own, rng.multinomial(100, SHARES if pane < 10 else up), pane)
    assert moving.log_mean >= np.log(1000)
    assert 8 <= moving.start <= 12


def test_a_blend_has_the_shares_of_its_parts_by_rows():
    rng = np.random.default_rng(7)
    a = reference(rng, np.array([0.9, 0.1]), "binary")
    b = reference(rng, np.array([0.5, 0.5]), "binary")
    mixed = blend([(a, 300), (b, 100), (a, 0)])
    assert 0.75 * a.shares[1] + 0.25 * b.shares[1] == pytest.approx(mixed.shares[1], abs=1e-3)
    assert mixed.rows <= a.rows + b.rows
    assert a is blend([(a, 5), (a, 6)])
    assert blend([(a, 0)]) is None
