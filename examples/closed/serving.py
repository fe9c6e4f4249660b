"""A model server: scores what comes, with a champion and perhaps a canary, and publishes it.

Promises: which version scores a row is a function of its id and the canary's share of the traffic;
a larger share keeps the rows of a smaller one.
Leaves to others: which version may serve (`retrain_service`).
"""

from hashlib import blake2b
from typing import Final, NamedTuple

import numpy as np

import windage
from closed.training import Model
from closed.world import FEATURES, NUMERIC, People, instant_of

FLUSH_S: Final = 60
_WHOLE: Final = 2**32


class Scored(NamedTuple):
    """Rows [first, first + n): the version that scored each, and its answer."""

    first: int
    versions: list[str]
    predictions: list[int]


class ModelServer:
    """Serves `models` by version."""

    def __init__(self, publisher: windage.Publisher, version: str, model: Model) -> None:
        self.champion = version
        self.models = {version: model}
        self.canary = ""
        self.share = 0.0
        self.served: list[Scored] = []
        self._publisher = publisher

    def admit(self, version: str, model: Model, share: float) -> None:
        """Let a new version have a share (0 to 1) of the traffic."""
        self.models[version] = model
        self.canary, self.share = version, share

    def promote(self) -> None:
        """The canary is the champion."""
        self.champion, self.canary, self.share = self.canary, "", 0.0

    def withdraw(self) -> None:
        """The champion has all the traffic again."""
        self.canary, self.share = "", 0.0

    def serve(self, first: int, people: People) -> None:
        """Score the rows from `first` on, and publish the predictions, a batch for each version."""
        versions = [self._version(pid) for pid in people.ids]
        predictions = np.zeros(len(versions), np.int64)
        for version in sorted(set(versions)):
            rows = np.flatnonzero([one == version for one in versions])
            own = people.only(rows)
            scores = self.models[version].scores(own.features)
            predictions[rows] = scores > 0.5  # noqa: PLR2004 - more likely than not
            self._publisher.predictions(
                features_of(own),
                prediction=predictions[rows].tolist(),
                score=scores.tolist(),
                ids=own.ids,
                version=version,
                role="canary" if version == self.canary else "champion",
                timestamp=[instant_of(first + int(row)) for row in rows],
            )
        self.served.append(Scored(first, versions, predictions.tolist()))

    def _version(self, pid: str) -> str:
        place = int.from_bytes(blake2b(pid.encode(), digest_size=4, person=b"route").digest())
        return self.canary if self.canary and place < self.share * _WHOLE else self.champion


def features_of(people: People) -> dict[str, list[float] | list[str]]:
    """Columns as a service publishes them: categories as texts."""
    return {
        name: people.column(name).tolist()
        if name in NUMERIC
        else [f"{value:g}" for value in people.column(name)]
        for name in FEATURES
    }


def settled(publisher: windage.Publisher) -> None:
    """Wait until all that was published is durable; RuntimeError if something was not taken."""
    if not publisher.flush(FLUSH_S) or publisher.dropped:
        raise RuntimeError(f"not all was published: {publisher.counts.reasons or 'no answer'}")
