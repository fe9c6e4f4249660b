"""Shiryaev-Roberts e-detectors for many signals at once.

For alternatives k with weights w_k per pane: M_k <- (M_k + 1) w_k; a signal alarms when the mean
of its M_k, weighted by their priors, reaches A. Without a change beyond the tolerance the
expected number of panes until then is at least A, for independent panes.

Promises: works in logarithms, never overflows, never NaN; a pane without rows changes nothing;
`state` and `load` are exact.
Leaves to others: A (`budget`), what to do on an alarm, when to `reset`.
Source: Shin, Ramdas, Rinaldo (2024), E-detectors, arXiv 2203.03532, definition 2.2 and section 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detectors.alternatives import Alternative, Change, Null, alternatives
from detectors.arrays import Codes, Counts, Floats
from detectors.reference import SignalReference


@dataclass(frozen=True, kw_only=True)
class BankState:
    """Everything that changes in a bank: little-endian float64 and int64, and the shape."""

    signals: int
    alternatives: int
    evidence: bytes
    drift: bytes
    since: bytes
    updates: bytes


class Bank:
    """Detectors of S signals. Signals without rows in their reference never alarm.

    `tolerance`, `null` and `upward` are those of `alternatives`, one for all or one per signal.
    """

    def __init__(
        self,
        references: Sequence[SignalReference],
        *,
        tolerance: float | Sequence[float],
        null: Null = "joint",
        upward: bool | Sequence[bool] = False,
    ) -> None:
        count = len(references)
        tolerances = [tolerance] * count if isinstance(tolerance, int | float) else tolerance
        upwards = [upward] * count if isinstance(upward, bool) else upward
        found = [
            alternatives(reference, at_most, null=null, upward=up)
            for reference, at_most, up in zip(references, tolerances, upwards, strict=True)
        ]
        self.changes: tuple[tuple[Change, ...], ...] = tuple(
            tuple(one.change for one in own) for own in found
        )
        self._layout(references, found)
        self._evidence = np.full(self._owner.shape, -np.inf)
        self._drift = np.zeros(self._owner.shape)
        self._since = np.zeros(self._owner.shape, np.int64)
        self.updates = np.zeros(count, np.int64)

    def _layout(
        self, references: Sequence[SignalReference], found: Sequence[Sequence[Alternative]]
    ) -> None:
        """One flat row of alternatives, signal after signal; cells of all signals in one row.

        A cell alternative is scored from cumulated counts at its first and last cell. The others
        share one stack of matrices (signals that have any, alternatives, cells).
        """
        flat = [one for own in found for one in own]
        sizes = np.array([len(own) for own in found], np.intp)
        self._widths = np.array([reference.width for reference in references], np.intp)
        self._cells = np.concatenate([[0], np.cumsum(self._widths)]).astype(np.intp)
        self._owner: Codes = np.repeat(np.arange(len(found)), sizes)
        self._judged: Codes = np.flatnonzero(sizes)
        self._starts: Codes = (np.cumsum(sizes) - sizes)[self._judged]
        self._sizes = sizes
        first = self._cells[self._owner]
        low = [min(one.change.cells, default=0) for one in flat]
        high = [max(one.change.cells, default=-1) + 1 for one in flat]
        self._low = first + np.array(low, np.intp)
        self._high = first + np.array(high, np.intp)
        self._prior = np.log([one.prior for one in flat])
        self._base = np.array([one.base for one in flat], float)
        self._extra = np.array([one.extra for one in flat], float)
        dense = [[one.cells for one in own if one.cells is not None] for own in found]
        self._dense: Codes = np.flatnonzero([len(own) > 0 for own in dense])
        self._dense_at: Codes = np.flatnonzero([one.cells is not None for one in flat])
        depth = max((len(own) for own in dense), default=0)
        width = max((int(self._widths[i]) for i in self._dense), default=0)
        self._stack = np.zeros((len(self._dense), depth, width))
        for row, signal in enumerate(self._dense):
            own = np.array(dense[signal])
            self._stack[row, : own.shape[0], : own.shape[1]] = own
        filled = np.array([[i < len(dense[s]) for i in range(depth)] for s in self._dense], bool)
        self._filled = filled.reshape(len(self._dense), depth)
        cell = np.arange(width)
        inside = cell < self._widths[self._dense][:, None]
        self._take = np.where(inside, self._cells[self._dense][:, None] + cell, self._cells[-1])

    def update(self, counts: Sequence[Counts]) -> None:
        """One pane: the counts (width,) of every signal, in the order of the references."""
        row = np.concatenate([*counts, [0]]).astype(float)
        assert len(row) == self._cells[-1] + 1, "one count per cell of every reference"
        cumulated = np.concatenate([[0.0], np.cumsum(row[:-1])])
        rows = np.diff(cumulated[self._cells])
        score = rows[self._owner] * self._base
        score += (cumulated[self._high] - cumulated[self._low]) * self._extra
        if len(self._dense_at):
            dense = (self._stack @ row[self._take][:, :, None])[:, :, 0]
            score[self._dense_at] = dense[self._filled]
        if rows.all():
            self._advance(slice(None), score)
        else:
            at = np.flatnonzero(rows[self._owner])
            self._advance(at, score[at])
        self.updates += rows > 0

    def _advance(self, at: slice | Codes, score: Floats) -> None:
        """M <- (M + 1) w; and the walk whose last rise from 0 marks the change."""
        evidence = self._evidence[at]
        # log(1 + M) without overflow and cheaper than logaddexp
        top = np.maximum(evidence, 0.0)
        self._evidence[at] = top + np.log1p(np.exp(-np.abs(evidence))) + score
        drift = self._drift[at]
        begins = drift <= 0
        since = self._since[at]
        self._since[at] = np.where(begins, self.updates[self._owner[at]], since)
        self._drift[at] = np.maximum(drift, 0.0) + score

    @property
    def log_mean(self) -> Floats:
        """Log of the (weighted) mean evidence over the alternatives, (S,); -inf before any."""
        result = np.full(len(self._widths), -np.inf)
        if len(self._judged):
            weighted = self._evidence + self._prior
            top = np.maximum.reduceat(weighted, self._starts)
            finite = np.where(np.isfinite(top), top, 0.0)
            spread = np.exp(weighted - np.repeat(finite, self._sizes[self._judged]))
            total = np.add.reduceat(spread, self._starts)
            with np.errstate(divide="ignore"):  # before the first update the mean is 0
                result[self._judged] = finite + np.log(total)
        return result

    @property
    def leading(self) -> tuple[Change | None, ...]:
        """The alternative with the most evidence, per signal; None where there is none yet."""
        return tuple(
            self.changes[signal][best] if best >= 0 else None
            for signal, best in enumerate(self._best())
        )

    @property
    def start(self) -> Counts:
        """Update (0-based, of each signal) with which the leading alternative began, (S,).

        An estimate of the change point. -1 where nothing leads.
        """
        return np.array(
            [
                self._since[self._first(signal) + best] if best >= 0 else -1
                for signal, best in enumerate(self._best())
            ],
            np.int64,
        )

    def reset(self, signal: int) -> None:
        """Forget the evidence of one signal; its updates go on counting."""
        own = slice(self._first(signal), self._first(signal) + int(self._sizes[signal]))
        self._evidence[own] = -np.inf
        self._drift[own] = 0.0

    def state(self) -> BankState:
        """What `load` needs."""
        return BankState(
            signals=len(self._widths),
            alternatives=len(self._owner),
            evidence=self._evidence.astype("<f8").tobytes(),
            drift=self._drift.astype("<f8").tobytes(),
            since=self._since.astype("<i8").tobytes(),
            updates=self.updates.astype("<i8").tobytes(),
        )

    def load(self, state: BankState) -> None:
        """Continue where `state` was taken. Raises ValueError if it is of another bank's shape."""
        if (state.signals, state.alternatives) != (len(self._widths), len(self._owner)):
            raise ValueError("the state belongs to a bank of other signals or alternatives")
        self._evidence = np.frombuffer(state.evidence, "<f8").astype(float)
        self._drift = np.frombuffer(state.drift, "<f8").astype(float)
        self._since = np.frombuffer(state.since, "<i8").astype(np.int64)
        self.updates = np.frombuffer(state.updates, "<i8").astype(np.int64)

    def _first(self, signal: int) -> int:
        return int(self._sizes[:signal].sum())

    def _best(self) -> list[int]:
        """Index of the leading alternative among its signal's own; -1 without evidence."""
        best = []
        weighted = self._evidence + self._prior
        first = np.cumsum(self._sizes) - self._sizes
        for start, size in zip(first.tolist(), self._sizes.tolist(), strict=True):
            own = weighted[start : start + size]
            best.append(int(own.argmax()) if len(own) and own.max() > -np.inf else -1)
        return best
