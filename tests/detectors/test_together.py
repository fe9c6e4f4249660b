"""Columns together: exact sums, components measured on other rows, evidence that keeps its word."""

import msgspec
import numpy as np
import pytest
from scipy import integrate, stats

from detectors.components import LEAST_BLOCKS, Components, Standard, components_of
from detectors.products import LARGEST, STEPS, Products
from detectors.together import Together, _cumulant


def blocks(values, rows):
    """Sums of panes of so many rows of values (n, k) in units."""
    steps = np.clip(np.rint(values * STEPS), -LARGEST, LARGEST)
    groups = np.arange(len(steps)) // rows
    return list(Products(values.shape[1]).count(steps, groups=groups, n_groups=groups[-1] + 1))


def normal(n, k, rho, rng, shift=0.0):
    """Rows of normal columns with one correlation."""
    root = np.linalg.cholesky(np.full((k, k), rho) + (1 - rho) * np.eye(k))
    return rng.normal(size=(n, k)) @ root.T + shift


def made(n, k, rho, rng, rows=50):
    """A reference of such rows."""
    return components_of(blocks(normal(n, k, rho, rng), rows), k)


def alarm(standard, panes, threshold, tolerance=0.0):
    """The first pane beyond a threshold, and what leads there; None: none."""
    components = Components(standard)
    detector = Together(components, tolerance)
    for number, pane in enumerate(panes):
        detector.update(components.view(pane), number)
        if detector.log_mean >= threshold:
            return number, detector.leading[0]
    return None


def test_sums_are_exact_integers_and_rows_with_a_gap_count_nowhere():
    rng = np.random.default_rng(1)
    scores = rng.integers(-LARGEST, LARGEST + 1, size=(500, 4)).astype(float)
    scores[::7, 2] = np.nan
    whole = scores[~np.isnan(scores).any(axis=1)].astype(np.int64)
    (found,) = Products(4).count(scores, groups=np.zeros(500, np.intp), n_groups=1)
    products = (whole.T @ whole)[np.triu_indices(4)]
    assert [len(whole), *whole.sum(axis=0), *products] == found.tolist()


def test_sums_of_parts_add_up_to_those_of_all():
    rng = np.random.default_rng(2)
    scores = rng.integers(-4000, 4000, size=(999, 3)).astype(float)
    block, one = Products(3), np.zeros(999, np.intp)
    whole = block.count(scores, groups=one, n_groups=1)[0]
    parts = block.count(scores, groups=rng.integers(0, 5, 999), n_groups=5)
    assert whole.tolist() == parts.sum(axis=0).tolist()


def test_a_view_is_what_numpy_says_of_the_rows():
    """Means and correlations of a pane; T2 as Hotelling's with the honest variances."""
    rng = np.random.default_rng(3)
    standard = made(6000, 4, 0.5, rng)
    rows = normal(400, 4, 0.5, rng, 0.2)
    components = Components(standard)
    view = components.view(blocks(rows, 400)[0])
    y = (rows - standard.means) / standard.spreads
    np.testing.assert_allclose(y.mean(axis=0), view.shifts, atol=2 / STEPS)
    np.testing.assert_allclose(np.corrcoef(rows.T), view.correlation, atol=5e-3)
    along = np.array(standard.directions).reshape(-1, 4) @ y.mean(axis=0)
    t2 = 400 * (along**2 / standard.variances / standard.dispersion[: len(along)]).sum()
    assert Together(components, 0.0).t2(view) == pytest.approx(t2, rel=0.02)


def test_a_reference_needs_blocks_rows_and_columns_that_vary():
    rng = np.random.default_rng(4)
    rows = normal(3000, 3, 0.3, rng)
    assert components_of(blocks(rows, 3000 // LEAST_BLOCKS + 4), 3) is None
    assert components_of(blocks(rows[:50], 1), 3) is None
    rows[:, 1] = 0.5
    found = components_of(blocks(rows, 50), 3)
    assert (0, 2) == found.columns
    rows[:, 2] = -1.0
    assert components_of(blocks(rows, 50), 3) is None


def test_columns_that_are_one_give_finite_numbers_and_alarm_when_they_part():
    rng = np.random.default_rng(5)
    one = rng.normal(size=6000)
    rows = np.column_stack([one, one, rng.normal(size=6000)])
    standard = components_of(blocks(rows[:4000], 50), 3)
    same, apart = blocks(rows[4000:], 50), rows[4000:].copy()
    apart[:, 1] += 0.3 * rng.normal(size=2000)
    assert alarm(standard, same, 7.0) is None
    number, kind = alarm(standard, blocks(apart, 50), 7.0)
    assert number <= 4
    assert kind in ("error", "pairs")


@pytest.mark.parametrize("theta", [-0.4, -0.06, 0.06, 0.4])
def test_cumulants_are_those_of_normal_rows(theta):
    def expected(of):
        inner = lambda x: np.exp(of(x)) * stats.norm.pdf(x)
        return np.log(integrate.quad(inner, -12, 12)[0])

    square = expected(lambda x: theta * (x**2 - 1) / np.sqrt(2))
    pair = expected(lambda x: (theta * x) ** 2 / 2)  # the other of the pair is averaged out
    mean = expected(lambda x: theta * x)
    assert square == pytest.approx(_cumulant("spreads", theta, np.array([])))
    assert pair == pytest.approx(_cumulant("pairs", theta, np.array([])))
    assert mean == pytest.approx(_cumulant("means", theta, np.array([])))


def test_a_correlation_that_breaks_and_a_joint_shift_are_found_and_told_apart():
    rng = np.random.default_rng(6)
    standard = made(5000, 5, 0.6, rng)
    assert alarm(standard, blocks(normal(5000, 5, 0.6, rng), 50), 12.0) is None
    number, kind = alarm(standard, blocks(normal(5000, 5, 0.2, rng), 50), 12.0, 0.1)
    assert number <= 9
    assert kind in ("error", "pairs", "spreads")
    against = np.array([0.15, -0.15, 0.15, -0.15, 0.0])  # small in each, against what they do
    number, kind = alarm(standard, blocks(normal(5000, 5, 0.6, rng, against), 50), 12.0, 0.05)
    assert number <= 60
    assert kind in ("T2", "means")


def test_a_state_goes_on_exactly():
    rng = np.random.default_rng(7)
    standard = made(3000, 3, 0.5, rng)
    written = msgspec.msgpack.decode(msgspec.msgpack.encode(standard), type=Standard)
    assert standard == written
    components, panes = Components(written), blocks(normal(1000, 3, 0.4, rng), 50)
    straight, first = Together(components, 0.1), Together(components, 0.1)
    for number, pane in enumerate(panes):
        straight.update(components.view(pane), number)
        second = Together(components, 0.1)
        second.load(first.state())
        second.update(components.view(pane), number)
        first = second
    assert (straight.log_mean, straight.leading) == (first.log_mean, first.leading)
    other = Together(Components(made(3000, 5, 0.5, rng)), 0.1)
    other.load(first.state())
    assert -np.inf == other.log_mean  # a state of other columns is none


LAWS = {
    "normal": lambda z, _: z,
    "t3": lambda z, rng: z / np.sqrt(rng.chisquare(3, (len(z), 1)) / 3),
    "codes": lambda z, _: (z > np.linspace(-1, 1, z.shape[1])).astype(float),
    "one in five": lambda z, rng: np.where(rng.random(z.shape) < 0.8, 0.0, z),
}


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
def test_the_run_length_is_kept_without_a_change(law):
    """Alarms at tolerance 0 are no more than promised, over references that differ."""
    rng = np.random.default_rng([8, len(law)])
    promised, panes, alarms, references = 100, 1000, 0, 6
    for _ in range(references):
        rows = LAWS[law](normal(3000 + panes * 50, 6, 0.5, rng), rng)
        ranks = stats.rankdata(rows[:3000], axis=0)
        scores = np.empty_like(rows)
        for j in range(6):  # normal scores by the first rows, as a grid has them
            order = np.argsort(rows[:3000, j], kind="stable")
            known, held = rows[:3000, j][order], stats.norm.ppf(ranks[order, j] / 3001)
            scores[:, j] = np.interp(rows[:, j], known, held)
        left = blocks(scores[3000:], 50)
        standard = components_of(blocks(scores[:3000], 50), 6)
        while left:
            found = alarm(standard, left, np.log(promised))
            if found is None:
                break
            alarms += 1
            left = left[found[0] + 1 :]
    assert alarms <= references * panes / promised
