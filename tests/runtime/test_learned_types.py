"""Types of features that nobody declared, as they are learned from the first rows."""

import numpy as np
import pytest

from schemas.config_model import ModelConfig
from streams.learning import LearningRows, build_grid

ROWS = 3_000


def kind(values):
    """The type that a column is taken for."""
    model = ModelConfig(task="none", labels="none")
    rows = LearningRows(features={"x": values.tolist()}, predictions=[], scores=[], tags={})
    (feature,) = build_grid("m", model, rows).features
    return feature.type


@pytest.mark.parametrize(
    "law",
    [
        lambda r: r.poisson(3, ROWS),
        lambda r: r.geometric(0.4, ROWS),
        lambda r: r.binomial(10, 0.5, ROWS),
        lambda r: np.round(r.normal(20, 3, ROWS)),
        lambda r: r.normal(size=ROWS),
        lambda r: r.integers(0, 60, ROWS),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_what_is_counted_or_measured_is_numeric(law, seed):
    assert "numeric" == kind(law(np.random.default_rng(seed)).astype(float))


@pytest.mark.parametrize(
    "law",
    [
        lambda r: r.integers(0, 7, ROWS),
        lambda r: r.integers(1, 13, ROWS),
        lambda r: r.integers(0, 2, ROWS),
        lambda r: r.choice(12, ROWS, p=r.dirichlet(np.ones(12))),
        lambda r: r.choice([0, 1, 2, 3, 4, 8, 9], ROWS, p=[0.4, 0.2, 0.25, 0.02, 0.05, 0.03, 0.05]),
        lambda r: np.minimum(r.zipf(2, ROWS), 20),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_codes_are_categories(law, seed):
    assert "categorical" == kind(law(np.random.default_rng(seed)).astype(float))
