"""The learner: gathers the first rows of a model until they make a grid.

Promises: which rows make the grid is a function of the logs (whole panes, all partitions complete);
a row that is repeated counts once; rows are kept only as far as the grid needs them, and of one
pane and partition only the first ones, if they are very many.
Leaves to others: the grid itself (`learning`), counting the rows (they are read again).
"""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Final

import msgspec

from schemas.config_model import ModelConfig
from schemas.grid import Grid
from schemas.journal import LearningBatch, Progress
from schemas.log import DAWN, Millis
from streams.learning import Bounds, LearningRows, build_grid

MIN_PANES: Final = 30
"""Panes that a reference needs at least, so that their dispersion is known."""


MOST_KEPT: Final = 50_000
"""Rows kept of a stretch and partition, spread over its panes."""

LEAST_KEPT: Final = 1000
"""Rows kept of a pane and partition at least; where the reference is larger, as many as it has."""


class SavedLearner(msgspec.Struct, frozen=True, kw_only=True):
    """A learner in a snapshot."""

    batches: list[LearningBatch]
    seen: dict[int, int]
    watermarks: dict[int, Millis]
    partitions: int
    counts: dict[int, int] | None = None
    """Rows by pane, also those that are not kept; None: as the batches have them."""


class Learner:
    """The rows of one model that has no grid yet."""

    def __init__(
        self,
        name: str,
        model: ModelConfig,
        rows: int,
        bounds: Bounds = Bounds(),  # noqa: B008 - frozen
        stretch: tuple[int, int] = (0, 0),
    ) -> None:
        """`rows` are needed at least, over `MIN_PANES` panes; `bounds` of the grid.

        `stretch`: the first pane that may count, and how many do at least.
        """
        self._name, self._model, self._rows, self._bounds = name, model, rows, bounds
        self._first, panes = stretch
        self._until_pane = self._first + panes - 1
        self._most = max(1, MOST_KEPT // panes) if panes else max(LEAST_KEPT, rows)
        """Rows kept of a pane and partition."""
        self._batches: list[LearningBatch] = []
        self._seen: dict[int, int] = {}
        self._watermarks: dict[int, Millis] = {}
        self._partitions = 0
        self._counts: dict[int, int] = {}
        """Rows by the pane they arrived in."""
        self._kept: Counter[tuple[int, int]] = Counter()
        """Rows kept, by partition and pane."""

    def admit(self, batch: LearningBatch) -> None:
        """Take the rows of a batch that were not seen before."""
        seen = self._seen.get(batch.partition, -1)
        fresh = [i for i, offset in enumerate(batch.offsets) if offset > seen]
        if fresh:
            self._seen[batch.partition] = batch.offsets[-1]
        fresh = [i for i in fresh if batch.arrived[i] >= self._first]
        if not fresh:
            return
        for i in fresh:
            self._counts[batch.arrived[i]] = self._counts.get(batch.arrived[i], 0) + 1
        self._keep(batch, fresh)

    def _keep(self, batch: LearningBatch, fresh: Sequence[int]) -> None:
        """Keep the rows `fresh` of a batch that may make the grid, and forget who cannot."""
        last = self._last_pane()
        if last is not None and max(self._counts) > last:
            # More rows can only make the last pane an earlier one.
            self._counts = {pane: n for pane, n in self._counts.items() if pane <= last}
            self._batches = [_rows(one, _until(one, last)) for one in self._batches]
            self._batches = [one for one in self._batches if one.offsets]
            self._kept = Counter({key: n for key, n in self._kept.items() if key[1] <= last})
        kept = []
        for i in fresh:
            place = batch.partition, batch.arrived[i]
            if (last is None or place[1] <= last) and self._kept[place] < self._most:
                self._kept[place] += 1
                kept.append(i)
        if kept:
            self._batches.append(_rows(batch, kept))

    @property
    def first_pane(self) -> int:
        """The first pane that any row arrived in."""
        return min(chain.from_iterable(batch.arrived for batch in self._batches), default=0)

    def hear(self, progress: Progress) -> None:
        """Keep the largest watermark heard of a partition that is learning too."""
        if progress.grid:
            return
        self._partitions = progress.partitions
        old = self._watermarks.get(progress.partition, DAWN)
        self._watermarks[progress.partition] = max(old, progress.predictions)

    def learned(self, pane: Millis) -> tuple[Grid, int] | None:
        """The grid and the last pane it was learned from, once enough panes are complete."""
        if not self._watermarks or len(self._watermarks) < self._partitions:
            return None
        last = self._last_pane()
        if last is None or min(self._watermarks.values()) < (last + 1) * pane:
            return None
        return build_grid(self._name, self._model, self._until(last), self._bounds), last

    def _last_pane(self) -> int | None:
        """The first arrival pane by which enough rows are there."""
        total = 0
        for number, arrived in enumerate(sorted(self._counts), start=1):
            total += self._counts[arrived]
            if total >= self._rows and number >= MIN_PANES:
                return max(arrived, self._until_pane)
        return None

    def _until(self, last: int) -> LearningRows:
        """The rows that arrived by pane `last`."""
        features: dict[str, list[float | str | None]] = {}
        tags: dict[str, list[str | None]] = {}
        predictions: list[float | str | None] = []
        scores: list[float | None] = []
        for batch in self._batches:
            kept = _until(batch, last)
            for column, values in batch.features.items():
                features.setdefault(column, []).extend(values[i] for i in kept)
            for tag, texts in batch.segments.items():
                tags.setdefault(tag, []).extend(texts[i] for i in kept)
            predictions += [batch.predictions[i] for i in kept]
            scores += [batch.scores[i] for i in kept]
        return LearningRows(features, predictions, scores, tags)

    def save(self) -> SavedLearner:
        """The state, for a snapshot."""
        return SavedLearner(
            batches=self._batches,
            seen=self._seen,
            watermarks=self._watermarks,
            partitions=self._partitions,
            counts=self._counts,
        )

    def load(self, saved: SavedLearner) -> None:
        """Take a snapshot up."""
        self._batches, self._seen = list(saved.batches), dict(saved.seen)
        self._watermarks, self._partitions = dict(saved.watermarks), saved.partitions
        self._kept = Counter((one.partition, at) for one in saved.batches for at in one.arrived)
        counts = saved.counts
        if counts is None:
            counts = Counter(chain.from_iterable(one.arrived for one in saved.batches))
        self._counts = dict(counts)


def _until(batch: LearningBatch, last: int) -> list[int]:
    """The rows of a batch that arrived by pane `last`."""
    return [i for i, arrived in enumerate(batch.arrived) if arrived <= last]


def _rows(batch: LearningBatch, rows: Sequence[int]) -> LearningBatch:
    """Some rows of a batch."""
    if len(rows) == len(batch.offsets):
        return batch
    return LearningBatch(
        model=batch.model,
        partition=batch.partition,
        epoch=batch.epoch,
        offsets=[batch.offsets[i] for i in rows],
        arrived=[batch.arrived[i] for i in rows],
        features={n: [c[i] for i in rows] for n, c in batch.features.items()},
        predictions=[batch.predictions[i] for i in rows],
        scores=[batch.scores[i] for i in rows],
        segments={n: [c[i] for i in rows] for n, c in batch.segments.items()},
    )
