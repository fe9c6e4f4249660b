"""Typed records to columns and cells: one array per feature and batch.

Promises: what is computed depends on the records alone, never on how they were batched; a value
outside the grid has a cell of its own (below, above, unseen, missing).
Leaves to others: decoding (`decode`), time and identity (`profiler`, `join`), counting (`panes`).
"""

from collections.abc import Callable, Sequence
from itertools import repeat, starmap
from math import isfinite
from operator import attrgetter
from struct import Struct
from struct import error as PackError  # noqa: N812 - it is a class
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec.structs import astuple

from detectors.bins import Bins
from detectors.grid import NumericGrid
from schemas.frames.events import Events
from schemas.frames.frame import Frame, number_of
from schemas.grid import Grid, Layout, SegmentGrid, SignalGrid
from schemas.rows import Ints

Floats = npt.NDArray[np.float64]
Cells = npt.NDArray[np.uint16]

_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
"""Odd constant of Fibonacci hashing (2**64 / golden ratio)."""

_SHIFT: Final = np.uint64(29)


class PredictionColumns(NamedTuple):
    """A batch of predictions of one model, aligned (n,)."""

    numbers: Floats
    """Numeric features (n, numeric features), NaN for missing."""
    features: Cells
    """Cells (n, features), in the grid's order."""
    scores: Floats
    score: Cells
    target: Cells
    value: Floats
    """Predictions as numbers (regression; of a ranking how long lists are), else NaN."""
    segments: Cells
    """Codes (n, segmentations)."""
    latency_ms: Floats
    failed: npt.NDArray[np.bool_]


def floats(values: Sequence[Any]) -> Floats:
    """Numbers and None as an array, NaN for None and for texts that are no numbers."""
    try:
        return np.array(values, np.float64)
    except (TypeError, ValueError):
        return np.array([np.nan if number_of(one) is None else number_of(one) for one in values])


class Categories:
    """Cells of raw category values: one dictionary look-up each."""

    def __init__(self, signal: SignalGrid) -> None:
        """Enter every spelling of each category."""
        categories = signal.categories
        self._unseen = len(categories)
        index: dict[Any, int] = {}
        for code, text in enumerate(categories):
            index[text] = code
            number = _canonical_int(text)
            if number is not None:
                index.setdefault(number, code)
        for text, value in (("true", True), ("false", False)):
            if text in index:
                index[value] = index[text]
        index[None] = self._unseen + 1
        self._find = index.get

    def codes(self, values: Sequence[Any]) -> Cells:
        """Cells (n,): a category, unseen, or missing."""
        found = map(self._find, values, repeat(self._unseen))
        return np.fromiter(found, np.uint16, len(values))


def _canonical_int(text: str) -> int | None:
    """The whole number that `category_text` would have written as `text`."""
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit():
        return None
    number = int(text)
    return number if str(number) == text else None


class Columns:
    """Turns the typed predictions of one model (see `decode.prediction_type`) into columns."""

    def __init__(self, layout: Layout) -> None:
        """Prepare the look-ups of the grid."""
        grid = layout.grid
        self._grid = grid
        self._layout = layout
        self._numeric = [i for i, f in enumerate(grid.features) if f.type == "numeric"]
        self._bins = Bins([NumericGrid(grid.features[i].edges) for i in self._numeric])
        score = self._layout.score
        self._score = Bins([score]) if isinstance(score, NumericGrid) else None
        self._texts = [i for i, f in enumerate(grid.features) if f.type != "numeric"]
        self._categories = {i: Categories(grid.features[i]) for i in self._texts}
        self._get_numbers = _getter(self._numeric)
        self._get_texts = _getter(self._texts)
        self._pack = Struct(f"={len(self._numeric)}d").pack
        self._plain = tuple(f"f{i}" for i in self._numeric)
        """The fields of features that are all numeric."""
        self._target = (
            Categories(grid.target) if grid.target and grid.target.type != "numeric" else None
        )
        tags = [segment.name for segment in grid.segments if segment.source == "tag"]
        fields = {name: f"t{i}" for i, name in enumerate(tags)}
        self._segments = [
            _segment_coder(segment, grid, fields.get(segment.name, "")) for segment in grid.segments
        ]

    def of_frame(self, frame: Frame) -> PredictionColumns:
        """Columns of the rows of tables."""
        if not self._texts:
            cells = self._bins.codes(frame.numbers)
        else:  # a feature behind the other, as those of numbers are
            cells = np.empty((len(self._grid.features), len(frame)), np.uint16).T
            cells[:, self._numeric] = self._bins.codes(frame.numbers)
        for i, coded in zip(self._texts, frame.texts, strict=True):
            cells[:, i] = self._categories[i].codes(coded.values)[coded.codes]
        value, target = self.targets(frame.targets.values)
        return PredictionColumns(
            numbers=frame.numbers,
            features=cells,
            scores=frame.score,
            score=self._score_cells(frame.score),
            target=target[frame.targets.codes],
            value=value[frame.targets.codes],
            segments=self._segment_codes(frame, frame.numbers, cells),
            latency_ms=frame.latency_ms,
            failed=frame.failed,
        )

    def of(self, typed: Events | Frame) -> PredictionColumns:
        """Columns of a batch of typed predictions."""
        if isinstance(typed, Frame):
            return self.of_frame(typed)
        events, n = typed.rows, len(typed)
        features = [event.features for event in events]
        # A feature behind the other, as of tables.
        cells = np.empty((len(self._grid.features), n), np.uint16).T
        numbers = np.empty((n, len(self._numeric)))
        if self._numeric:
            numbers = self._numbers(features)
            cells[:, self._numeric] = self._bins.codes(numbers)
        if self._texts:
            rows = [self._get_texts(f) for f in features]
            for i, texts_of in zip(self._texts, zip(*rows, strict=True), strict=False):
                cells[:, i] = self._categories[i].codes(texts_of)
        scores = self._scores(events)
        value, target = self.targets([event.prediction for event in events])
        return PredictionColumns(
            numbers=numbers,
            features=cells,
            scores=scores,
            score=self._score_cells(scores),
            target=target,
            value=value,
            segments=self._segment_codes(typed, numbers, cells),
            latency_ms=floats([event.latency_ms for event in events]),
            failed=np.array([event.error is not None for event in events], np.bool_),
        )

    def _numbers(self, features: Sequence[Any]) -> Floats:
        """Numeric features (n, numeric features) of structs; missing is NaN."""
        shape = len(features), len(self._numeric)
        kinds: set[Any] = set(map(type, features))
        plain = all(kind.__struct_fields__ == self._plain for kind in kinds)
        rows = map(astuple, features) if plain else map(self._get_numbers, features)
        try:  # as bytes: half of what an iterator of numbers costs
            flat = np.frombuffer(b"".join(starmap(self._pack, rows)))
        except PackError:  # a null
            return floats([self._get_numbers(one) for one in features]).reshape(shape)
        return flat.reshape(shape)

    def targets(self, values: Sequence[Any]) -> tuple[Floats, Cells]:
        """Predictions or labels as numbers (regression, else NaN) and as cells, both (n,)."""
        n = len(values)
        if self._target is not None:
            return np.full(n, np.nan), self._target.codes(values)
        if self._layout.target is None:
            return np.full(n, np.nan), np.zeros(n, np.uint16)
        numbers = floats(values)
        return numbers, self._layout.target.codes(numbers).astype(np.uint16)  # type: ignore[arg-type]

    def _score_cells(self, scores: Floats) -> Cells:
        if self._score is None:
            return np.zeros(len(scores), np.uint16)
        return self._score.codes(scores[:, None])[:, 0]

    def _scores(self, events: Sequence[Any]) -> Floats:
        """The score, or else the probability of the positive (or likeliest) class."""
        scores = floats([event.score for event in events])
        for i in np.flatnonzero(np.isnan(scores)).tolist():
            scores[i] = score_of(events[i].probabilities, self._grid.positive)
        return scores

    def labels(self, typed: Events | Frame) -> tuple[Floats, Cells]:
        """The labels of typed rows as `targets`; of a ranking packed lists, all in one cell."""
        if isinstance(typed, Frame):
            values, cells = self.targets(typed.targets.values)
            return values[typed.targets.codes], cells[typed.targets.codes]
        labels = [event.label for event in typed.rows]
        if self._layout.ranking is not None:
            return floats(labels), np.zeros(len(labels), np.uint16)
        return self.targets(labels)

    def _segment_codes(self, events: Events | Frame, numbers: Floats, cells: Cells) -> Cells:
        out = np.empty((len(events), len(self._segments)), np.uint16)
        for column, coder in enumerate(self._segments):
            out[:, column] = coder(events, numbers, cells)
        return out


def score_of(probabilities: dict[str, float] | None, positive: str | None) -> float:
    """The score that class probabilities stand for; NaN without any, or where one is not finite."""
    if not probabilities or not all(map(isfinite, probabilities.values())):
        return np.nan
    if positive is not None and positive in probabilities:
        return probabilities[positive]
    return max(probabilities.values())


SegmentCoder = Callable[[Events | Frame, Floats, Cells], Cells]


def _segment_coder(segment: SegmentGrid, grid: Grid, field: str) -> SegmentCoder:
    """How rows get their code in one segmentation (by tag: of `field`); the last is for others."""
    other = len(segment.labels()) - 1
    if segment.source == "tag":
        index = {value: i for i, value in enumerate(segment.values)}
        get = attrgetter(f"tags.{field}")

        def by_tag(typed: Events | Frame, _n: Floats, _c: Cells) -> Cells:
            if isinstance(typed, Frame):
                coded = typed.tags[segment.name]
                return _looked_up(index, coded.values, other)[coded.codes]
            try:
                values = list(map(get, typed.rows))
            except AttributeError:  # tags are null
                values = ["" if e.tags is None else get(e) for e in typed.rows]
            return _looked_up(index, values, other)

        return by_tag
    place = next(i for i, f in enumerate(grid.features) if f.name == segment.name)
    if segment.edges:
        edges = np.array([*segment.edges, np.nan])
        column = sum(f.type == "numeric" for f in grid.features[:place])

        def by_range(_e: Events | Frame, numbers: Floats, _c: Cells) -> Cells:
            return np.searchsorted(edges, numbers[:, column], side="right").astype(np.uint16)

        return by_range
    codes = np.full(65536, other, np.uint16)
    for i, category in enumerate(grid.features[place].categories):
        if category in segment.values:
            codes[i] = segment.values.index(category)
    return lambda _e, _n, cells: codes[cells[:, place]]


def _looked_up(index: dict[str, int], values: Sequence[str], other: int) -> Cells:
    return np.fromiter(map(index.get, values, repeat(other)), np.uint16, len(values))


def digest(times: Ints, columns: PredictionColumns) -> npt.NDArray[np.uint64]:
    """A fingerprint of each row's content (n,), to tell a repeat from a conflict."""
    parts = [times.view(np.uint64)]
    parts += [np.ascontiguousarray(c).view(np.uint64) for c in columns.numbers.T]
    parts += [np.ascontiguousarray(c).view(np.uint64) for c in (columns.scores, columns.value)]
    cells = (*columns.features.T, columns.target)
    mixed, high = np.zeros(len(times), np.uint64), np.empty(len(times), np.uint64)
    for part in (*parts, *cells):  # in place: there is nothing to compute but this
        mixed ^= part
        mixed *= _MIX
        mixed ^= np.right_shift(mixed, _SHIFT, out=high)
    return mixed


def _getter(fields: Sequence[int]) -> Callable[[Any], tuple[Any, ...]]:
    """Reads several fields f0, f1, ... of a struct as a tuple."""
    if not fields:
        return lambda _: ()
    if len(fields) == 1:
        one = attrgetter(f"f{fields[0]}")
        return lambda struct: (one(struct),)
    return attrgetter(*(f"f{i}" for i in fields))
