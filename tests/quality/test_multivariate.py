"""Features together through the whole product, on columns that nothing was tuned on.

Another seed is another stream (WINDAGE_SEED). What is drawn here differs in laws, panes and numbers
of features from what the constants of `detectors/together` were looked at with.
"""

import numpy as np
import pytest
from scipy import signal, stats

from tests.quality.test_promises import random
from tests.quality.told import config, row_of, tell

REFERENCE = 5_000
TOGETHER = {"watch": "features", "detector": "pca"}


def normal(rng, rows, k, correlation):
    """Rows of k normal columns, all of one correlation (a column of them: by row)."""
    common, own = rng.normal(size=(rows, 1)), rng.normal(size=(rows, k))
    share = np.asarray(correlation).reshape(-1, 1)
    return np.sqrt(share) * common + np.sqrt(1 - share) * own


LAWS = {
    "normal": lambda z, _: z,
    "exponential": lambda z, _: stats.expon.isf(stats.norm.sf(z)),
    "t5, tails together": lambda z, rng: z / np.sqrt(rng.chisquare(5, (len(z), 1)) / 5),
    "mixed": lambda z, rng: np.column_stack(
        [z[:, 0] > 0.5, np.round(3 * z[:, 1]), np.exp(3 * z[:, 2]), np.abs(z[:, 3]), z[:, 4:]]
    ),
    "two groups": lambda z, rng: z + 2 * (rng.random((len(z), 1)) < 0.2) * np.arange(z.shape[1]),
    "AR(1) .5": lambda z, _: signal.lfilter([np.sqrt(0.75)], [1, -0.5], z, axis=0),
    "some missing": lambda z, rng: np.where(rng.random(z.shape) < 0.03, np.nan, z),
}


def told(values, pane, **monitor):
    """What is said of columns f0, f1, ... whose correlations are watched."""
    monitors = [TOGETHER | monitor]
    names = {f"f{i}": "numeric" for i in range(values.shape[1])}
    wanted = config(pane, REFERENCE, 1, 40_000, monitors=monitors, features=names)
    return tell(wanted, dict(zip(names, values.T, strict=True)), readings=True)


def joint(said):
    """The drift events of features together."""
    return [one for one in said.drift if one["signal"] == "features"]


def opened(said):
    """Rows after which features together opened an incident; None: they did not."""
    ends = [one["current"]["window"]["end"] for one in joint(said) if one["transition"] == "opened"]
    return row_of(min(ends)) if ends else None


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
def test_stationary_rows_of_any_law_are_quiet_at_tolerance_nought(law):
    """One false alarm of the whole model in 40,000 rows is allowed; this signal has a ninth."""
    rng = random(31, len(law))
    values = LAWS[law](normal(rng, REFERENCE + 40_000, 7, 0.4), rng).astype(float)
    said = told(values, 80, tolerance=0)
    judged = [one for one in said.readings if one["detector"] == "pca"]
    assert [] == joint(said)
    assert 400 <= sum(one["state"] == "judged" for one in judged)


@pytest.mark.slow
@pytest.mark.parametrize(("k", "most"), [(2, 500), (9, 500)])
def test_a_correlation_that_falls_from_8_to_2_is_found_at_equal_margins(k, most):
    rng, at = random(32, k), REFERENCE + 10_000
    rows = np.arange(at + 5_000)
    values = normal(rng, len(rows), k, 0.4)
    values[:, :2] = normal(rng, len(rows), 2, np.where(rows < at, 0.8, 0.2))
    said = told(values, 100)
    assert {"features"} == {one["signal"] for one in said.drift}
    assert 0 < opened(said) - at <= most
    assert "f0 ~ f1 fell from 0." in joint(said)[0]["explanation"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("signs", "tolerance", "most"), [("alike", 0, 20_000), ("turns", 0.05, 3_000)]
)
def test_a_tenth_of_a_deviation_in_each_of_ten_is_found_by_all_together(signs, tolerance, most):
    """In turns it is against what they do together, and far off; alike they are often so.

    By itself no feature says so: the model's own tolerance is .1.
    """
    rng, at = random(33, len(signs)), REFERENCE + 10_000
    values = normal(rng, at + 20_000, 10, 0.4)
    values[at:] += 0.1 if signs == "alike" else 0.1 * (-1.0) ** np.arange(10)
    said = told(values, 100, tolerance=tolerance)
    assert not any(one["signal"].startswith("feature:") for one in said.drift)
    assert 0 < opened(said) - at <= most
    assert "T2 sees its mean" in joint(said)[0]["explanation"]
