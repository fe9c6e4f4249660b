"""Open profiles: what one partition has counted in panes that are not over yet.

Laws obeyed here: a profile is a sum of integers, so it does not depend on batches; it is written
when its pane is over, whole, under its key; it is forgotten only when rows have moved the
watermark past `arrived`.
Leaves to others: cells (`columns`), which outcomes count (`join`), watermarks (`clock`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from schemas.grid import WHOLE, Layout
from schemas.journal import Counts, Profile, ProfileKey, ProfileKind, Sparse
from schemas.log import InputLog, Millis
from schemas.refusals import refused_of
from schemas.rows import Ints

Matrix = npt.NDArray[np.int64]

BlockCount = Callable[[Ints, int], Matrix]
"""Counts one block of the vector: (group of each row, groups) -> (groups, width)."""

Targets = Callable[[int], tuple[str, ...]]
"""The segments that the group of a row counts in."""

_FEW_ATOMS: Final = 64
"""Up to here, rows are counted once per combination of segments and the sums are shared out;
beyond, once per segmentation (wide vectors of many combinations cost more than they save)."""


_FEW_CODES: Final = 1 << 12
"""Up to here, groups are told by counting instead of sorting."""


_WHOLE: Final[tuple[ProfileKind, ...]] = ("sets", "opinions", "products")
"""Kinds of profiles that segments do not matter to."""


class Placed(NamedTuple):
    """Where rows (n,) belong: version codes, panes, arrival panes, segment codes, offsets."""

    versions: Ints
    panes: Ints
    arrived: Ints
    segments: npt.NDArray[np.uint16]
    prediction_offsets: Ints
    label_offsets: Ints

    def only(self, rows: npt.NDArray[np.bool_]) -> "Placed":
        """The rows of a mask (n,)."""
        return Placed(
            self.versions[rows],
            self.panes[rows],
            self.arrived[rows],
            self.segments[rows],
            self.prediction_offsets[rows],
            self.label_offsets[rows],
        )


class Watermarks(NamedTuple):
    """Of one partition: predictions and outcomes, with ticks and by rows alone."""

    predictions: Millis
    outcomes: Millis
    predictions_rows: Millis
    outcomes_rows: Millis

    def of(self, kind: ProfileKind) -> tuple[Millis, Millis]:
        """The watermark that closes a profile of `kind`, and the one that forgets it."""
        if kind in ("predictions", "agreements", "sets", "products"):
            return self.predictions, self.predictions_rows
        return self.outcomes, self.outcomes_rows


class OpenProfile(msgspec.Struct, kw_only=True):
    """A profile that still grows; `written` is False while it has grown since last written."""

    vector: Counts
    rows: int = 0
    last: list[int]
    first: list[int]
    written: bool = False


class SavedProfile(msgspec.Struct, frozen=True, array_like=True):
    """An open profile in a snapshot."""

    key: ProfileKey
    vector: Sparse
    rows: int
    last: list[int]
    first: list[int]
    written: bool


class Panes:
    """The open profiles of one model in one partition."""

    def __init__(self, layout: Layout, *, partition: int, pane: Millis) -> None:
        """`pane` is the length of a pane."""
        self._layout = layout
        self._grid_id = layout.grid.id
        self._partition = partition
        self._pane = pane
        self._names = [segment.labels() for segment in layout.grid.segments]
        self._open: dict[ProfileKey, OpenProfile] = {}

    def __len__(self) -> int:
        """How many profiles are open."""
        return len(self._open)

    def add(
        self,
        kind: ProfileKind,
        placed: Placed,
        versions: Sequence[str],
        blocks: Iterable[tuple[slice, BlockCount]],
        sign: int = 1,
    ) -> None:
        """Count rows: `blocks` are stretches of the vector, each counted for given groups."""
        if not len(placed.panes):
            return
        counters = list(blocks)
        for groups, first, targets in self._passes(placed, whole=kind in _WHOLE):
            sums = self._sums(kind, counters, groups, len(first))
            rows = np.bincount(groups, minlength=len(first))
            last = [_reduce(np.maximum, c, groups, len(first), -1) for c in placed[4:]]
            least = [_reduce(np.minimum, c, groups, len(first), 1 << 62) for c in placed[4:]]
            for g, row in enumerate(first):
                version = versions[placed.versions[row]]
                pane, arrived = int(placed.panes[row]), int(placed.arrived[row])
                for segment in targets(row):
                    key = ProfileKey(
                        self._layout.grid.epoch,
                        self._grid_id,
                        kind,
                        version,
                        segment,
                        pane,
                        arrived,
                        self._partition,
                    )
                    profile = self._profile(key)
                    profile.vector += sign * sums[g]
                    profile.rows += sign * int(rows[g])
                    profile.last = [
                        max(a, int(b[g])) for a, b in zip(profile.last, last, strict=True)
                    ]
                    profile.first = [
                        min(a, int(b[g])) for a, b in zip(profile.first, least, strict=True)
                    ]
                    profile.written = False

    def note(self, log: InputLog, refusals: Iterable[tuple[int, Counts, tuple[int, int]]]) -> None:
        """Add records (not rows) of a log to the refusals of panes.

        Each: the pane, cells (width,) of `schemas/refusals`, first and last offset in their log.
        """
        for arrived, cells, span in refusals:
            self._note(log, arrived, cells, span)

    def _note(self, log: InputLog, arrived: int, cells: Counts, span: tuple[int, int]) -> None:
        profile = self._profile(
            ProfileKey(
                self._layout.grid.epoch,
                self._grid_id,
                "refusals",
                "",
                WHOLE,
                arrived,
                arrived,
                self._partition,
            )
        )
        place = 0 if log == "predictions" else 1
        profile.vector += cells
        profile.rows = sum(refused_of(profile.vector).values())
        profile.first[place] = min(profile.first[place], span[0])
        profile.last[place] = max(profile.last[place], span[1])
        profile.written = False

    def close(self, marks: Watermarks) -> list[Profile]:
        """The profiles whose pane is over and that have grown, in the order of their keys."""
        out = []
        for key in sorted(self._open):
            profile = self._open[key]
            closing, forgetting = marks.of(key.kind)
            over = (key.arrived + 1) * self._pane
            if not profile.written and closing >= over:
                out.append(self._record(key, profile))
                profile.written = True
            if profile.written and forgetting >= over:
                del self._open[key]
        return out

    def save(self) -> list[SavedProfile]:
        """The open profiles, for a snapshot."""
        return [
            SavedProfile(k, Sparse.pack(p.vector), p.rows, p.last, p.first, p.written)
            for k, p in sorted(self._open.items())
        ]

    def load(self, saved: Iterable[SavedProfile]) -> None:
        """Take up the open profiles of a snapshot."""
        for one in saved:
            profile = self._profile(one.key)
            one.vector.add_to(profile.vector)
            profile.rows, profile.written = one.rows, one.written
            profile.last, profile.first = list(one.last), list(one.first)

    def _profile(self, key: ProfileKey) -> OpenProfile:
        profile = self._open.get(key)
        if profile is None:
            width = self._layout.width(key.kind)
            profile = OpenProfile(
                vector=np.zeros(width, np.int64), last=[-1, -1], first=[1 << 62, 1 << 62]
            )
            self._open[key] = profile
        return profile

    def _record(self, key: ProfileKey, profile: OpenProfile) -> Profile:
        first = [-1 if a == 1 << 62 else a for a in profile.first]
        return Profile(
            model=self._layout.grid.model,
            key=key,
            rows=profile.rows,
            vector=Sparse.pack(profile.vector),
            offsets=(profile.last[0], profile.last[1]),
            first=(first[0], first[1]),
        )

    def _sums(
        self, kind: ProfileKind, counters: list[tuple[slice, BlockCount]], groups: Ints, n: int
    ) -> Matrix:
        out = np.zeros((n, self._layout.width(kind)), np.int64)
        for span, count in counters:
            out[:, span] = count(groups, n)
        return out

    def _passes(self, placed: Placed, *, whole: bool) -> Iterator[tuple[Ints, Ints, Targets]]:
        """Groupings of the rows: (group of each row, a row of each group, its segments).

        `whole`: segments do not matter.
        """
        radix = [placed.versions, placed.panes, placed.arrived]
        if whole or not self._names:
            groups, first = grouped(radix)
            yield groups, first, lambda _: (WHOLE,)
            return
        codes = placed.segments
        groups, first = grouped([*radix, *codes.T.astype(np.int64)])
        if len(first) <= _FEW_ATOMS:
            yield (
                groups,
                first,
                lambda row: (
                    WHOLE,
                    *(names[codes[row, s]] for s, names in enumerate(self._names)),
                ),
            )
            return
        groups, first = grouped(radix)
        yield groups, first, lambda _: (WHOLE,)
        for s, names in enumerate(self._names):
            groups, first = grouped([*radix, codes[:, s].astype(np.int64)])
            yield groups, first, lambda row, s=s, names=names: (names[codes[row, s]],)  # type: ignore[misc]


def grouped(columns: Sequence[Ints]) -> tuple[Ints, Ints]:
    """Rows that agree in all columns: (group of each row (n,), one row of each group)."""
    n = len(columns[0])
    mixed = np.zeros(n, np.int64)
    for column in columns:
        low, high = int(column.min()), int(column.max())
        if low == high:
            continue
        ranks = column - low
        if high - low >= 1 << 20:  # far apart (years of panes): rank them first
            ranks = np.unique(column, return_inverse=True)[1]
            low, high = 0, int(ranks.max())
        if int(mixed.max()) >= (1 << 62) // (high - low + 1):
            mixed = np.unique(mixed, return_inverse=True)[1]
        mixed = mixed * (high - low + 1) + ranks
    if not mixed.any():
        return np.zeros(n, np.int64), np.zeros(1, np.int64)
    if int(mixed.max()) > _FEW_CODES:
        _, first, groups = np.unique(mixed, return_index=True, return_inverse=True)
        return groups, first
    met = np.bincount(mixed) > 0
    groups = (np.cumsum(met) - 1)[mixed]
    first = np.empty(int(met.sum()), np.int64)
    first[groups[::-1]] = np.arange(n - 1, -1, -1)  # the last to be written is the first row
    return groups, first


def _reduce(ufunc: np.ufunc, values: Ints, groups: Ints, n: int, start: int) -> Ints:
    out = np.full(n, start, np.int64)
    ufunc.at(out, groups, values)
    return out
