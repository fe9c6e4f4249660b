"""Bins of the score: whether errors, or the meaning of scores, have moved at equal scores.

Signals `error|score` (more errors than the reference at this score: inputs alone do not do that)
and `calibration` (more or fewer positives than the reference at this score). Both alarm, with
the bins that lead as cells.

Promises: bins hold about equal parts of the reference's rows; each signal is one in the budget.
Leaves to others: the error rate as a whole (`lane`), how far scores are off (`metric:ece`).
"""

from typing import Final

import msgspec
import numpy as np

from detectors.grid import NumericGrid
from detectors.merging import quantile_groups
from schemas.finding import Finding
from schemas.grid import WHOLE
from schemas.journal import Counts
from streams.monitor.outcomes.blocks import Blocks
from streams.monitor.outcomes.normal import Normal
from streams.monitor.outcomes.stack import SavedStack, Stack, Subject, indicator
from streams.monitor.watch import Closing, Setting

BINS: Final = 8

SIGNALS: Final = ("error|score", "calibration")


class SavedBins(msgspec.Struct, frozen=True, kw_only=True):
    """Bins in a snapshot: stacks by version and signal."""

    stacks: list[tuple[str, str, SavedStack]]


class Bins:
    """The stacks of every version, over all rows."""

    def __init__(self, setting: Setting, blocks: Blocks, normal: Normal) -> None:
        """`normal` is the reference; it may still be growing."""
        self._setting, self._blocks, self._normal = setting, blocks, normal
        self.reset()

    def reset(self) -> None:
        """Judge against the reference that stands now."""
        self._stacks: dict[tuple[str, str], Stack] = {}
        self._groups: Counts | None = None
        counts, score = self._normal.counts(), self._blocks.layout.score
        if counts is None or not isinstance(score, NumericGrid) or "wrong" not in self._blocks:
            return
        rows = self._blocks.part(counts, "wrong").reshape(-1, 2).sum(axis=1)[:-1]
        if rows.sum() <= 0:
            return
        self._groups = quantile_groups(rows / rows.sum(), BINS).astype(np.int64)
        self._names = _names(score, self._groups)

    def close(self, closing: Closing, kept: frozenset[str]) -> list[Finding]:
        """Judge the outcomes that arrived in a pane; only versions of `kept` are remembered."""
        self._stacks = {key: stack for key, stack in self._stacks.items() if key[0] in kept}
        if self._groups is None or "outcomes" in closing.building:
            return []
        found: list[Finding | None] = []
        for part in closing.outcomes:
            if part.segment != WHOLE:
                continue
            sides = self._sides(self._blocks.compact(part.vector))
            found += [
                self._stack(part.version, signal).update(closing.pane, sides[signal])
                for signal in SIGNALS
            ]
        return [one for one in found if one is not None]

    def _sides(self, compact: Counts) -> dict[str, Counts]:
        """Of each signal the rows (bins, [no, yes])."""
        right, wrong = self._blocks.part(compact, "wrong").reshape(-1, 2).T
        sides = self._blocks.by_score(compact)
        assert sides is not None
        return {
            "error|score": self._merged(right, wrong),
            "calibration": self._merged(*sides),
        }

    def _merged(self, no: Counts, yes: Counts) -> Counts:
        assert self._groups is not None
        bins = int(self._groups[-1]) + 1
        return np.column_stack(
            [np.bincount(self._groups, one[:-1], bins).astype(np.int64) for one in (no, yes)]
        )

    def _stack(self, version: str, signal: str) -> Stack:
        stack = self._stacks.get((version, signal))
        if stack is None:
            counts = self._normal.counts()
            assert counts is not None
            stack = Stack(
                Subject(
                    version=version,
                    segment=WHOLE,
                    signal=signal,
                    upward=signal == "error|score",
                    harm=signal == "error|score",
                    reference_id=self._normal.reference_id,
                ),
                self._names,
                [
                    indicator(int(no), int(yes), self._normal.dispersion)
                    for no, yes in self._sides(counts)[signal].tolist()
                ],
                self._setting.judging,
                self._setting.threshold,
            )
            self._stacks[version, signal] = stack
        return stack

    def restart(self, version: str, segment: str, signal: str) -> None:
        """Begin a signal's detectors anew."""
        if segment == WHOLE and (version, signal) in self._stacks:
            self._stacks[version, signal].restart()

    def save(self) -> SavedBins:
        """The state, for a snapshot."""
        return SavedBins(
            stacks=[(*key, stack.save()) for key, stack in sorted(self._stacks.items())]
        )

    def load(self, saved: SavedBins) -> None:
        """Take a snapshot up, after the reference has been."""
        self.reset()
        for version, signal, stack in saved.stacks:
            self._stack(version, signal).load(stack)


def _names(score: NumericGrid, groups: Counts) -> tuple[str, ...]:
    """What to call each bin: its lowest and highest score."""
    names = []
    for group in range(int(groups[-1]) + 1):
        cells = np.flatnonzero(groups == group)
        low, high = (score.names[int(cells[i])] for i in (0, -1))
        names.append(f"score {low}" if low == high else f"score {_ends(low, high)}")
    return tuple(names)


def _ends(low: str, high: str) -> str:
    first = low.split(" to ", maxsplit=1)[0]
    return f"{first} to {high.rsplit(' to ', maxsplit=1)[-1]}"
