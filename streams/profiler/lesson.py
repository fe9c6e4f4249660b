"""A lesson: decoded rows of a model that has no grid yet, for the monitor to learn from.

Promises: rows as they came, in columns; they build grid and reference and are never counted.
Leaves to others: what is learned (`streams/learning`).
"""

from collections.abc import Sequence
from math import isnan
from typing import Any

from schemas.grid import category_text
from schemas.journal import LearningBatch
from schemas.typed import EXACT
from streams.columns import score_of
from streams.join import Arrivals


def lesson(model: str, partition: int, rows: Arrivals, events: Sequence[Any]) -> LearningBatch:
    """Typed predictions as columns; a feature or tag that a row lacks is None there."""
    names = sorted({name for event in events for name in event.features})
    tags = sorted({name for event in events for name in event.tags or ()})
    return LearningBatch(
        model=model,
        partition=partition,
        epoch=0,
        offsets=rows.offsets.tolist(),
        arrived=rows.arrived.tolist(),
        features={n: [_plain(event.features.get(n)) for event in events] for n in names},
        predictions=[_plain(event.prediction) for event in events],
        scores=[_score(event) for event in events],
        segments={n: [(event.tags or {}).get(n) for event in events] for n in tags},
    )


def _score(event: Any) -> float | None:  # noqa: ANN401 - a struct made at run time
    if event.score is not None:
        return float(event.score)
    score = score_of(event.probabilities, None)
    return None if isnan(score) else score


def _plain(value: object) -> float | str | None:
    """A raw value: numbers stay numbers, the rest is named."""
    if isinstance(value, bool):
        return category_text(value)
    if isinstance(value, int | float):
        # As in the slow path of decoding: a whole number that no float holds is missing.
        return float(value) if isinstance(value, float) or abs(value) <= EXACT else None
    return value if isinstance(value, str) else None
