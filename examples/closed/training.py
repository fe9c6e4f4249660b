"""Training and judging models of scikit-learn.

Promises: the same rows and seed give the same model; what judges a candidate was not trained on.
Leaves to others: which rows there are (`world`), what follows (`retrain_service`).
"""

from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from closed.world import FEATURES, NUMERIC, Labels, Mask, People, Table

SEED: Final = 7
CATEGORICAL: Final = [name not in NUMERIC for name in FEATURES]
GROUP_QUARTERS: Final = 16
"""RELP from here on: people who live in no household, one in fourteen."""

OLDEST: Final = 80


class Model(Protocol):
    """Something that scores rows."""

    def scores(self, features: Table) -> Table:
        """The probability of label 1, for each row."""


class Boosted:
    """Gradient-boosted trees."""

    def __init__(self, people: People, weights: Table | None = None) -> None:
        """Train on rows, weighted if weights are given."""
        self._trees = HistGradientBoostingClassifier(
            max_iter=100,
            max_leaf_nodes=15,
            early_stopping=False,
            categorical_features=CATEGORICAL,
            random_state=SEED,
        )
        with threadpool_limits(1):  # more threads sum in another order
            self._trees.fit(people.features, people.labels, sample_weight=weights)

    def scores(self, features: Table) -> Table:
        """The probability of label 1, for each row."""
        with threadpool_limits(1):
            found: Table = self._trees.predict_proba(features)[:, 1]
        return found


class Trial(NamedTuple):
    """A set of rows that candidates are judged on; `rows` chooses those that count."""

    name: str
    people: People
    rows: Mask


class Result(NamedTuple):
    """Accuracy of both on one set."""

    name: str
    rows: int
    champion: float
    candidate: float

    @property
    def gain(self) -> float:
        """Points of accuracy that the candidate is better by, as a share."""
        return self.candidate - self.champion


def accuracy(model: Model, people: People) -> float:
    """The share of right answers."""
    right: NDArray[np.bool_] = (model.scores(people.features) > 0.5) == people.labels  # noqa: PLR2004
    return float(right.mean())


def compare(champion: Model, candidate: Model, trials: list[Trial]) -> list[Result]:
    """Both models on each set."""
    results = []
    for trial in trials:
        people = trial.people.only(trial.rows)
        scores = (accuracy(champion, people), accuracy(candidate, people))
        results.append(Result(trial.name, len(people.ids), *scores))
    return results


def trials(frozen: People, recent: People, segment: Mask) -> list[Trial]:
    """The frozen, the recent and the edge-case set.

    `segment` says which frozen rows are in the segment that drifted: their labels mean something
    else now, so only the others judge.
    """
    rare = (frozen.column("RELP") >= GROUP_QUARTERS) | (frozen.column("AGEP") >= OLDEST)
    return [
        Trial("frozen", frozen, ~segment),
        Trial("recent", recent, np.ones(len(recent.ids), np.bool_)),
        Trial("edge", frozen, ~segment & rare),
    ]


def shuffled(people: People) -> People:
    """The rows with labels of others: what a broken join makes."""
    labels: Labels = np.random.default_rng(SEED).permutation(people.labels)
    return people._replace(labels=labels)
