"""The e-detector: what it says, and how the bank keeps it."""

import json
from dataclasses import asdict
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.arcsine import angle, points_as_angle, share
from detectors.grid import category_grid, numeric_grid
from detectors.reference import dispersion, reference_of
from detectors.shiryaev_roberts import Bank, BankState
from tests.detectors.references import (
    AGE,
    COUNTRY,
    ERROR,
    GRID,
    REFERENCE,
    numeric,
    plain,
    random_reference,
)


def panes_of(draw, count=60, rows=100, seed=2):
    rng = np.random.default_rng(seed)
    return [numeric(draw(rng, rows)) for _ in range(count)]


def found(reference, panes, tolerance=0.1):
    bank = Bank([reference], tolerance=tolerance)
    for counts in panes:
        bank.update([counts])
    assert bank.log_mean[0] > log(1e4)
    return bank.leading[0]


def test_a_larger_tolerance_makes_the_same_change_less_certain():
    evidence = []
    for tolerance in (0.0, 0.05, 0.1, 0.3):
        bank = Bank([AGE], tolerance=tolerance)
        for counts in panes_of(lambda rng, n: rng.normal(0.5, 1, n)):
            bank.update([counts])
        evidence.append(bank.log_mean[0])
    assert sorted(evidence, reverse=True) == evidence


def _with_missing(rng, n):
    x = rng.normal(size=n)
    x[rng.random(n) < 0.3] = np.nan
    return x


@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        (lambda rng, n: rng.normal(1, 1, n), ("mean", "up", "shape", 1.0)),
        (lambda rng, n: rng.normal(-0.5, 1, n), ("mean", "down", "shape", -0.5)),
        (lambda rng, n: rng.normal(0, 1.6, n), ("spread", "up", "shape", 1.5)),
        (lambda rng, n: rng.normal(0, 0.6, n), ("spread", "down", "shape", 0.6)),
        (_with_missing, ("cell", "up", "missing", 0.25)),
        (lambda rng, n: np.where(rng.random(n) < 0.1, 99.0, rng.normal(size=n)),
         ("cell", "up", "above", 0.05)),
        (lambda rng, n: np.where(rng.random(n) < 0.1, -99.0, rng.normal(size=n)),
         ("cell", "up", "below", 0.05)),
    ],
)  # fmt: skip
def test_it_says_how_a_numeric_signal_changed(draw, expected):
    change = found(AGE, panes_of(draw))
    assert expected == (change.kind, change.direction, change.place, change.size)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([0.25, 0.37, 0.25, 0.13, 0, 0], ("down", "category", (0,))),
        ([0.28, 0.21, 0.14, 0.37, 0, 0], ("up", "category", (3,))),
        ([0.32, 0.24, 0.16, 0.08, 0.2, 0], ("up", "unseen", (4,))),
        ([0.32, 0.24, 0.16, 0.08, 0, 0.2], ("up", "missing", (5,))),
    ],
)
def test_it_says_how_a_category_changed(shares, expected):
    rng = np.random.default_rng(3)
    change = found(COUNTRY, [rng.multinomial(100, shares) for _ in range(60)])
    assert expected == (change.direction, change.place, change.cells)


def test_ages_piling_up_at_both_ends_are_seen_though_the_mean_stands():
    draw = lambda rng, n: np.where(rng.random(n) < 0.5, -1.2, 1.2) + rng.normal(0, 0.05, n)
    assert found(AGE, panes_of(draw)).kind in {"cell", "spread"}


def test_a_constant_that_becomes_another_is_seen_within_a_hundred_rows():
    grid = numeric_grid(np.full(1000, 0.0035))
    reference = plain("numeric", numeric(np.full(1000, 0.0035), grid))
    bank = Bank([reference], tolerance=0.1)
    for _ in range(100):
        bank.update([numeric(np.full(10, 0.0035), grid)])
    assert bank.log_mean[0] < log(100)  # without a change the mean of M is at most its panes
    for _ in range(10):
        bank.update([numeric(np.full(10, 0.004), grid)])
    assert bank.log_mean[0] > log(1e6)
    assert "above" == bank.leading[0].place


def test_the_start_is_the_pane_of_the_change():
    rng = np.random.default_rng(4)
    bank = Bank([AGE], tolerance=0.1)
    for i in range(60):
        bank.update([numeric(rng.normal(0.5 * (i >= 40), 1, 100))])
    assert 38 <= bank.start[0] <= 42
    assert 60 == bank.updates[0]


def test_before_any_update_there_is_no_evidence():
    bank = Bank([AGE, ERROR], tolerance=0.1)
    assert [-np.inf, -np.inf] == bank.log_mean.tolist()
    assert (None, None) == bank.leading
    assert [-1, -1] == bank.start.tolist()


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 1e6])
def test_alarms_do_not_change_with_unit_and_origin(scale):
    rng = np.random.default_rng(5)
    stream = rng.normal(size=(30, 50)) + np.linspace(0, 1, 30)[:, None]

    def path(move):
        grid = numeric_grid(move(REFERENCE))
        bank = Bank([plain("numeric", numeric(move(REFERENCE), grid))], tolerance=0.1)
        evidence = []
        for pane in stream:
            bank.update([numeric(move(pane), grid)])
            evidence.append(bank.log_mean[0])
        return evidence

    assert path(lambda x: x) == path(lambda x: scale * x + 3 * scale)


def mixed_bank():
    return Bank([AGE, COUNTRY, ERROR, AGE], tolerance=[0.1, 0.05, 0.0, 0.2])


def mixed_panes(count, seed):
    rng = np.random.default_rng(seed)
    return [
        [
            numeric(rng.normal(size=80)),
            rng.multinomial(80, [0.4, 0.3, 0.2, 0.1, 0, 0]),
            rng.multinomial(80, [0.9, 0.1]),
            numeric(rng.normal(size=80)) * (i % 3 > 0),
        ]
        for i in range(count)
    ]


def test_a_bank_equals_its_signals_one_by_one():
    bank = mixed_bank()
    alone = [
        Bank([reference], tolerance=t)
        for reference, t in ((AGE, 0.1), (COUNTRY, 0.05), (ERROR, 0.0), (AGE, 0.2))
    ]
    for pane in mixed_panes(30, 6):
        bank.update(pane)
        for one, counts in zip(alone, pane, strict=True):
            one.update([counts])
    np.testing.assert_allclose([one.log_mean[0] for one in alone], bank.log_mean, rtol=1e-12)
    assert tuple(one.leading[0] for one in alone) == bank.leading
    assert [one.start[0] for one in alone] == bank.start.tolist()


def test_a_pane_without_rows_changes_nothing():
    bank = mixed_bank()
    for pane in mixed_panes(5, 7):
        bank.update(pane)
    expected = bank.state()
    bank.update([0 * counts for counts in mixed_panes(1, 7)[0]])
    assert expected == bank.state()


def test_a_snapshot_changes_nothing_that_follows():
    bank, other = mixed_bank(), mixed_bank()
    for pane in mixed_panes(10, 8):
        bank.update(pane)
    stored = {k: v.hex() if isinstance(v, bytes) else v for k, v in asdict(bank.state()).items()}
    back = json.loads(json.dumps(stored))
    other.load(
        BankState(**{k: bytes.fromhex(v) if isinstance(v, str) else v for k, v in back.items()})
    )
    for pane in mixed_panes(10, 9):
        bank.update(pane)
        other.update(pane)
    assert bank.state() == other.state()
    assert bank.log_mean.tolist() == other.log_mean.tolist()


def test_a_snapshot_of_another_bank_is_refused():
    with pytest.raises(ValueError, match="other signals"):
        mixed_bank().load(Bank([AGE], tolerance=0.1).state())


def test_reset_forgets_one_signal_only():
    bank = mixed_bank()
    for pane in mixed_panes(10, 10):
        bank.update(pane)
    before = bank.log_mean
    bank.reset(1)
    after = bank.log_mean
    assert -np.inf == after[1]
    assert [before[i] for i in (0, 2, 3)] == [after[i] for i in (0, 2, 3)]


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_any_reference_and_any_counts_stay_free_of_nan(seed, other):
    reference = random_reference(seed)
    bank = Bank([reference], tolerance=0.1)
    rng = np.random.default_rng(other)
    for _ in range(5):
        bank.update([rng.integers(0, 10**6, reference.width) * rng.integers(0, 2)])
    assert not np.isnan(bank.log_mean).any()
    assert bank.log_mean[0] < np.inf


def test_a_signal_without_reference_never_alarms():
    empty = plain("numeric", np.zeros(GRID.width))
    bank = Bank([empty, AGE], tolerance=0.1)
    bank.update([numeric(REFERENCE), numeric(REFERENCE)])
    assert -np.inf == bank.log_mean[0]
    assert np.isfinite(bank.log_mean[1])
    assert np.isfinite(Bank([AGE], tolerance=5.0).updates).all()


@pytest.mark.parametrize("p", [0.05, 0.2])
def test_without_a_change_alarms_are_rarer_than_promised(p):
    rng = np.random.default_rng(11)
    references = [plain("binary", [2000 - k, k]) for k in rng.binomial(2000, p, 200)]
    bank = Bank(references, tolerance=0.0)
    alarms, promised, panes = 0, 200, 400
    for _ in range(panes):
        bank.update(list(rng.multinomial(10, [1 - p, p], 200)))
        for signal in np.flatnonzero(bank.log_mean >= log(promised)):
            alarms += 1
            bank.reset(signal)
    assert alarms <= 200 * panes / promised


def test_numeric_alarms_are_rarer_than_promised():
    rng = np.random.default_rng(12)
    samples = rng.normal(size=(60, 1000))
    grids = [numeric_grid(x) for x in samples]
    pairs = zip(samples, grids, strict=True)
    bank = Bank([plain("numeric", numeric(x, g)) for x, g in pairs], tolerance=0.0)
    alarms, promised, panes = 0, 200, 300
    for _ in range(panes):
        bank.update([numeric(rng.normal(size=10), grid) for grid in grids])
        for signal in np.flatnonzero(bank.log_mean >= log(promised)):
            alarms += 1
            bank.reset(signal)
    assert alarms <= 60 * panes / promised


def test_dispersion_of_independent_rows_is_about_one_and_of_bursts_above():
    rng = np.random.default_rng(13)
    calm = rng.multinomial(100, [0.5, 0.3, 0.2], 200)
    shares = rng.dirichlet(np.array([0.5, 0.3, 0.2]) * 20, 200)
    bursts = rng.multinomial(100, shares)
    np.testing.assert_allclose([1, 1, 1], dispersion(calm), atol=0.3)
    assert dispersion(bursts).min() > 3  # 1 + (100 - 1) / (20 + 1) = 5.7


def test_dispersion_is_sane_where_it_cannot_be_judged():
    assert [1, 1, 1] == dispersion(np.zeros((5, 3), np.int64)).tolist()
    assert [1, 1, 1] == dispersion(np.array([[5, 5, 5]])).tolist()
    rare = dispersion(np.array([[500, 500, 0], [400, 600, 1], [650, 350, 0]]))
    assert rare[2] == pytest.approx(rare[:2].mean(), rel=1e-3)


def test_bursts_make_evidence_weaker():
    rng = np.random.default_rng(14)
    calm = rng.multinomial(100, [0.5, 0.3, 0.2, 0, 0], 50)
    shares = rng.dirichlet(np.array([0.5, 0.3, 0.2]) * 20, 50)
    bursts = np.pad(rng.multinomial(100, shares), ((0, 0), (0, 2)))
    banks = [Bank([reference_of("categorical", panes)], tolerance=0.0) for panes in (calm, bursts)]
    for bank in banks:
        for _ in range(20):
            bank.update([np.array([30, 40, 30, 0, 0])])
    assert banks[1].log_mean[0] < banks[0].log_mean[0] / 2


def test_correlated_rows_widen_the_mean_more_than_single_cells():
    rng = np.random.default_rng(15)
    x = np.zeros(10_000)
    for i in range(1, len(x)):
        x[i] = 0.7 * x[i - 1] + rng.normal()
    grid = numeric_grid(x)
    panes = np.array([numeric(part, grid) for part in x.reshape(200, 50)])
    reference = reference_of("numeric", panes)
    assert reference.pattern_dispersion[0] > 1.5 * np.median(reference.dispersion)
    assert reference.pattern_dispersion[0] == pytest.approx(1.7 / 0.3, rel=0.3)


def test_a_reference_expects_mass_beyond_its_extremes():
    assert AGE.shares.sum() == pytest.approx(1)
    assert AGE.shares[0] == pytest.approx(1 / 5001)
    assert AGE.shares[-1] == 0
    assert AGE.scores @ AGE.present == pytest.approx(0, abs=1e-9)


def test_categories_come_from_counts():
    grid = category_grid(["a"] * 50 + ["b"] * 30)
    assert 4 == grid.width
    assert [0.625, 0.375, 0, 0] == plain("categorical", [50, 30, 0, 0]).shares.tolist()


def test_points_become_an_angle():
    tolerance = points_as_angle(0.2, 0.02)
    assert 0.22 == pytest.approx(float(share(angle(0.2) + tolerance)))
