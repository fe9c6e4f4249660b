"""The alternatives of the e-detector: what each is expected to be without a change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.alternatives import OWED, _corners, alternatives
from detectors.arcsine import angle, share
from tests.detectors.references import AGE, ERROR, GRID, REFERENCE, numeric, plain, random_reference


def weights(one, width):
    """Log weight of each cell."""
    if one.cells is not None:
        return one.cells
    log_weight = np.full(width, one.base)
    log_weight[list(one.change.cells)] += one.extra
    return log_weight


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.05, 0.1, 0.3]))
def test_no_alternative_is_expected_above_one_without_a_change(seed, tolerance):
    reference = random_reference(seed)
    for one in alternatives(reference, tolerance):
        log_weight = weights(one, reference.width)
        assert np.isfinite(log_weight).all()
        assert reference.shares @ np.exp(log_weight) <= 1 + 1e-9


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.05, 0.1, 0.3, 1.0, 2.5]))
def test_no_alternative_is_expected_above_one_at_the_corners_of_the_tolerance(seed, tolerance):
    reference = random_reference(3 * seed)  # numeric
    if reference.counts[:-1].sum() == 0:
        return
    missing = reference.shares[-1]
    laws = [np.append(law * (1 - missing), missing) for law in _corners(reference, tolerance)]
    for one in alternatives(reference, tolerance):
        if one.change.place == "missing":
            continue  # judged by its own share
        for law in laws:
            assert law @ np.exp(weights(one, reference.width)) <= 1 + 1e-9


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.1]))
def test_a_share_within_the_tolerance_is_not_expected_above_one(seed, tolerance):
    reference = random_reference(3 * seed + 1)  # categorical
    for one in alternatives(reference, tolerance):
        cell = one.change.cells[0]
        for sign in (-1, 1):
            p = float(share(angle(reference.shares[cell]) + sign * tolerance))
            weight = np.exp(weights(one, reference.width))
            other = weight[(cell + 1) % reference.width]
            assert p * weight[cell] + (1 - p) * other <= 1 + 1e-9


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.1]))
def test_every_weight_pays_for_the_doubt_of_its_reference(seed, tolerance):
    """A shape's by the rows that have a value, the others by all."""
    reference = random_reference(seed)
    for one in alternatives(reference, tolerance):
        shares, rows = reference.shares, reference.rows
        if one.cells is not None:
            shares, rows = shares / shares[:-1].sum(), int(reference.counts[:-1].sum())
            shares = np.append(shares[:-1], 0.0)
        expected = shares @ np.exp(one.phi * weights(one, reference.width))
        assert np.log(expected) <= -OWED * one.phi / rows + 1e-9


@given(st.integers(0, 10**6), st.booleans())
def test_priors_sum_to_one(seed, upward):
    found = alternatives(random_reference(seed), 0.1, upward=upward)
    assert not found or sum(one.prior for one in found) == pytest.approx(1)


def test_missing_values_make_mean_and_spread_no_surer():
    """A column with a value in one row of ten says of its mean what those rows alone would say."""
    values = numeric(REFERENCE[:500])
    sparse = values.copy()
    sparse[-1] = 9 * values.sum()
    found = (alternatives(plain("numeric", counts), 0.1) for counts in (values, sparse))
    alone, among = ([one for one in every if one.cells is not None] for every in found)
    assert len(alone) == len(among) > 0
    for expected, one in zip(alone, among, strict=True):
        assert expected.cells == pytest.approx(one.cells)


def test_one_sided_nulls_are_never_weaker_than_the_joint_one():
    joint = {one.change: one for one in alternatives(AGE, 0.1)}
    for one in alternatives(AGE, 0.1, null="one_sided"):
        mine, other = weights(one, GRID.width), weights(joint[one.change], GRID.width)
        assert (mine[:-1] >= other[:-1] - 1e-12).all()


def test_upward_keeps_only_what_rises():
    assert {"up"} == {one.change.direction for one in alternatives(ERROR, 0.0, upward=True)}
    assert {(1,)} == {one.change.cells for one in alternatives(ERROR, 0.0)}
