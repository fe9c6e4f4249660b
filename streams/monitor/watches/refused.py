"""Refused: the share of a model's records that are dead letters, and the breaker that goes with it.

While more than `limits.refused` of the records are refused, one incident stands: it holds
retraining back like any fault of data, and nothing is learned from the panes it covers
(`Closing.excepted`), because what is left of the input is no sample of anything.

Promises: a function of the panes alone, told also where all records are refused; the newest panes
that have enough records are judged together, at most `PANES`; nothing is said while nothing is
wrong, and nothing is charged to the budget: the rule is a share, not a test.
Leaves to others: refusing records (profiler), what follows (policy).
"""

from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np

from schemas.finding import Cell, Evidence, Finding, Measured
from schemas.grid import WHOLE
from schemas.journal import Counts, Sparse
from schemas.log import Millis
from schemas.refusals import LOGS, WIDTH, read_of, refused_of
from streams.monitor.intake import Taken
from streams.monitor.watch import Closing, Setting

SIGNAL: Final = "input_quality"

PANES: Final = 10
ENOUGH: Final = 100
"""Records that a share is taken of, from as few of the newest panes as have them."""

LEAST: Final = 20
"""With fewer records in all `PANES` nothing is said."""

REMEMBERED: Final = 1_000
"""Panes after an alarm in which the share is still told, so that its incident can be resolved."""


class SavedRefused(msgspec.Struct, frozen=True, array_like=True):
    """The watch in a snapshot."""

    panes: dict[int, Sparse]
    since: Millis | None
    alarmed: int | None


class Refused:
    """The refusals of one model."""

    def __init__(self, setting: Setting) -> None:
        """None were seen yet."""
        self._model, self._limit = setting.judging.model, setting.judging.refused
        self._panes: dict[int, Counts] = {}
        self._since: Millis | None = None
        """The begin of the pane from which on it alarms."""
        self._alarmed: int | None = None
        """The last pane that alarmed."""

    def wakes(self) -> int | None:
        """Panes with refused records close by themselves."""
        return None

    def close(self, closing: Closing) -> list[Finding]:
        """Whether too many records of the newest panes were refused."""
        pane, length = closing.pane, closing.span[1] - closing.span[0]
        if closing.refusals:
            self._panes[pane] = together(closing.refusals)
        self._panes = {at: cells for at, cells in self._panes.items() if at > pane - PANES}
        begin, cells = self._newest(pane)
        read, counts = read_of(cells), refused_of(cells)
        share = sum(counts.values()) / read if read else 0.0
        if read >= LEAST and share > self._limit:
            self._alarmed = pane
            self._since = closing.span[0] if self._since is None else self._since
        else:
            self._since = None
        if self._alarmed is None or pane - self._alarmed > REMEMBERED:
            return []
        return [
            Finding(
                model=self._model,
                version="",
                segment=WHOLE,
                signal=SIGNAL,
                detector="share",
                state="judged" if read >= LEAST else "too_few_rows",
                alarm=self._since is not None,
                joins=False,
                inside=self._since is None,
                symptom="refused",
                statistic=share,
                threshold=self._limit,
                effect=Measured(current=share, baseline=0.0),
                cells=_by_code(counts, read),
                change_point=self._since,
                window_start=begin * length,
                window_end=closing.span[1],
                rows=read,
                reference_id="",
                reference_rows=0,
                evidence=_evidence(closing.refusals),
            )
        ]

    def _newest(self, pane: int) -> tuple[int, Counts]:
        """The newest panes that have enough records: the first of them, and their counts."""
        cells, begin = np.zeros(WIDTH, np.int64), pane
        for at in sorted(self._panes, reverse=True):
            cells, begin = cells + self._panes[at], at
            if read_of(cells) >= ENOUGH:
                break
        return begin, cells

    def save(self) -> bytes:
        """The state, for a snapshot."""
        panes = {at: Sparse.pack(cells) for at, cells in sorted(self._panes.items())}
        return msgspec.msgpack.encode(SavedRefused(panes, self._since, self._alarmed))

    def load(self, saved: bytes) -> None:
        """Take a snapshot up."""
        one = msgspec.msgpack.decode(saved, type=SavedRefused)
        self._panes = {at: cells.full(WIDTH) for at, cells in one.panes.items()}
        self._since, self._alarmed = one.since, one.alarmed


def together(refusals: Iterable[Taken]) -> Counts:
    """The counts (WIDTH,) of all partitions."""
    cells = np.zeros(WIDTH, np.int64)
    for one in refusals:
        cells += one.vector
    return cells


def breaks(refusals: Iterable[Taken], limit: float) -> bool:
    """Whether so many records of one pane were refused that nothing is to be learned from it."""
    cells = together(refusals)
    read = read_of(cells)
    return read >= LEAST and sum(refused_of(cells).values()) > limit * read


def _by_code(counts: dict[str, int], read: int) -> tuple[Cell, ...]:
    """Refused records by code, as shares of those read, the most frequent first."""
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return tuple(Cell(name=code, reference=0.0, current=n / read) for code, n in ranked)


def _evidence(refusals: Iterable[Taken]) -> tuple[Evidence, ...]:
    """Where the refused records of this pane lie: from the first of them to the last one read."""
    return tuple(
        Evidence(log=log, partition=one.key.partition, first=one.first[at], last=one.offsets[at])
        for one in refusals
        for at, log in enumerate(LOGS)
        if 0 <= one.first[at] <= one.offsets[at]
    )
