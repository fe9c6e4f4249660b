"""A lesson: decoded rows of a model that has no grid yet, for the monitor to learn from.

Promises: rows as they came, in columns, of what is declared and no more; they build the grid and
are never counted.
Leaves to others: what is learned (`streams/learning`).
"""

from collections.abc import Iterator, Sequence
from math import isnan
from typing import Any, Final

import numpy as np

from schemas.counting import Counting
from schemas.grid import category_text
from schemas.journal import LearningBatch
from schemas.typed import EXACT
from streams.columns import score_of
from streams.join import Arrivals

_CELLS: Final = 2_000_000
"""Of one batch: rows that share no names would make it as wide as they are many."""


def lessons(
    counting: Counting, partition: int, rows: Arrivals, events: Sequence[Any]
) -> Iterator[LearningBatch]:
    """Typed predictions as batches of bounded size; rows of one record stay together.

    Rows that arrived before what is to be learned from are left out.
    """
    if counting.since and events:
        kept = np.flatnonzero(rows.arrived * counting.pane >= counting.since)
        rows, events = rows.only(kept), [events[i] for i in kept.tolist()]
    if not events:
        return
    names = {name for event in events for name in event.features}
    cuts = np.flatnonzero(np.diff(rows.offsets)) + 1
    if len(names) * len(events) <= _CELLS or not len(cuts):
        yield lesson(counting, partition, rows, events)
        return
    cut = int(cuts[len(cuts) // 2])
    for part in (np.arange(cut), np.arange(cut, len(events))):
        own = [events[i] for i in part.tolist()]
        yield from lessons(counting, partition, rows.only(part), own)


def lesson(
    counting: Counting, partition: int, rows: Arrivals, events: Sequence[Any]
) -> LearningBatch:
    """Typed predictions as columns; a feature or tag that a row lacks is None there."""
    declared = counting.learned
    names = sorted({name for event in events for name in event.features})
    names = names if declared is None else [name for name in names if name in declared]
    numbers = {name for name in names if declared is not None and declared[name] == "numeric"}
    tags = sorted({name for event in events for name in event.tags or ()})
    tags = tags if counting.tags is None else [name for name in tags if name in counting.tags]
    return LearningBatch(
        model=counting.model,
        partition=partition,
        epoch=counting.epoch,
        offsets=rows.offsets.tolist(),
        arrived=rows.arrived.tolist(),
        features={
            n: [_plain(event.features.get(n), number=n in numbers) for event in events]
            for n in names
        },
        predictions=[_plain(event.prediction) for event in events],
        scores=[_score(event) for event in events],
        segments={n: [(event.tags or {}).get(n) for event in events] for n in tags},
    )


def _score(event: Any) -> float | None:  # noqa: ANN401 - a struct made at run time
    if event.score is not None:
        return float(event.score)
    score = score_of(event.probabilities, None)
    return None if isnan(score) else score


def _plain(value: object, *, number: bool = False) -> float | str | None:
    """A raw value: numbers stay numbers, the rest is named, or missing in a `number` feature."""
    if isinstance(value, bool):
        return category_text(value)
    if isinstance(value, int | float):
        # As in the slow path of decoding: a whole number that no float holds is missing.
        return float(value) if isinstance(value, float) or abs(value) <= EXACT else None
    return value if isinstance(value, str) and not number else None
