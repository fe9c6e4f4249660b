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


@dataclass(frozen=True)
class Contrast:
    """One signal as a bank sees it: cells, and what it may change to."""

    width: int
    alternatives: tuple[Alternative, ...]


def contrasts_of(
    references: Sequence[SignalReference],
    *,
    tolerance: float | Sequence[float],
    null: Null = "joint",
    upward: bool | Sequence[bool] = False,
) -> list[Contrast]:
    """The contrast of every signal.

    `tolerance`, `null` and `upward` are those of `alternatives`, one for all or one per signal.
    """
    count = len(references)
    tolerances = [tolerance] * count if isinstance(tolerance, int | float) else tolerance
    upwards = [upward] * count if isinstance(upward, bool) else upward
    return [
        Contrast(reference.width, tuple(alternatives(reference, at_most, null=null, upward=up)))
        for reference, at_most, up in zip(references, tolerances, upwards, strict=True)
    ]


class Bank:
    """Detectors of S signals. Signals without rows in their reference never alarm.

    `tolerance`, `null` and `upward` are those of `contrasts_of`; `known` is what that has given
    before, for it is dear.
    """

    def __init__(
        self,
        references: Sequence[SignalReference],
        *,
        tolerance: float | Sequence[float],
        null: Null = "joint",
        upward: bool | Sequence[bool] = False,
        known: Sequence[Contrast] | None = None,
    ) -> None:
        contrasts = known or contrasts_of(references, tolerance=tolerance, null=null, upward=upward)
        self.contrasts = tuple(contrasts)
        found = [one.alternatives for one in contrasts]
        self.changes: tuple[tuple[Change, ...], ...] = tuple(
            tuple(one.change for one in own) for own in found
        )
        self._layout([one.width for one in contrasts], found)
        self._evidence = np.full(self._owner.shape, -np.inf)
        self._drift = np.zeros(self._owner.shape)
        self._since = np.zeros(self._owner.shape, np.int64)
        self.updates = np.zeros(len(found), np.int64)

    def _layout(self, widths: Sequence[int], found: Sequence[Sequence[Alternative]]) -> None:
        """One flat row of alternatives, signal after signal; cells of all signals in one row.

        A cell alternative is scored from cumulated counts at its first and last cell. The others
        share one stack of matrices (signals that have any, alternatives, cells).
        """
        flat = [one for own in found for one in own]
        sizes = np.array([len(own) for own in found], np.intp)
        self._widths = np.array(widths, np.intp)
        self._cells = np.concatenate([[0], np.cumsum(self._widths)]).astype(np.intp)
        self._owner: Codes = np.repeat(np.arange(len(found)), sizes)
        self._judged: Codes = np.flatnonzero(sizes)
        self._starts: Codes = (np.cumsum(sizes) - sizes)[self._judged]
        self._sizes = sizes
        self._bounds: Codes = np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)
        self._places = np.arange(len(flat))
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

    def update(self, counts: Sequence[Counts], number: int | None = None) -> None:
        """One pane: the counts (width,) of every signal, in the order of the references.

        Several signals may come as one vector, their cells one after the other. `number` is what
        `start` gives back for a change that begins now; None: the signal's updates before.
        """
        row = np.concatenate([*counts, [0]]).astype(float)
        assert len(row) == self._cells[-1] + 1, "one count per cell of every reference"
        cumulated = np.zeros(len(row))
        np.cumsum(row[:-1], out=cumulated[1:])
        at_cells = cumulated[self._cells]
        rows = at_cells[1:] - at_cells[:-1]
        score = rows[self._owner] * self._base
        score += (cumulated[self._high] - cumulated[self._low]) * self._extra
        if len(self._dense_at):
            dense = (self._stack @ row[self._take][:, :, None])[:, :, 0]
            score[self._dense_at] = dense[self._filled]
        if rows.all():
            self._advance(slice(None), score, number)
        else:
            at = np.flatnonzero(rows[self._owner])
            self._advance(at, score[at], number)
        self.updates += rows > 0

    def _advance(self, at: slice | Codes, score: Floats, number: int | None) -> None:
        """M <- (M + 1) w; and the walk whose last rise from 0 marks the change."""
        evidence = self._evidence[at]
        # log(1 + M) without overflow and cheaper than logaddexp
        top = np.maximum(evidence, 0.0)
        self._evidence[at] = top + np.log1p(np.exp(-np.abs(evidence))) + score
        drift = self._drift[at]
        begins = drift <= 0
        since = self._since[at]
        now = self.updates[self._owner[at]] if number is None else number
        self._since[at] = np.where(begins, now, since)
        self._drift[at] = np.maximum(drift, 0.0) + score

    @property
    def log_mean(self) -> Floats:
        """Log of the (weighted) mean evidence over the alternatives, (S,); -inf before any."""
        return self.verdicts()[0]

    def verdicts(self) -> tuple[Floats, Counts]:
        """`log_mean` and `start` together, (S,) each, for little more than one of them."""
        result, start = np.full(len(self._widths), -np.inf), np.full(len(self._widths), -1)
        if len(self._judged):
            weighted = self._evidence + self._prior
            top = np.maximum.reduceat(weighted, self._starts)
            known = np.isfinite(top)
            finite = np.where(known, top, 0.0)
            sizes = self._sizes[self._judged]
            spread = np.exp(weighted - np.repeat(finite, sizes))
            total = np.add.reduceat(spread, self._starts)
            # Before the first update the mean is 0.
            logs = finite + np.log(np.where(known, total, 1.0))
            result[self._judged] = np.where(known, logs, -np.inf)
            first = np.where(weighted == np.repeat(top, sizes), self._places, len(weighted))
            best = np.minimum.reduceat(first, self._starts)
            start[self._judged] = np.where(known, self._since[best], -1)
        return result, start

    @property
    def leading(self) -> tuple[Change | None, ...]:
        """The alternative with the most evidence, per signal; None where there is none yet."""
        return tuple(
            self.changes[signal][best] if best >= 0 else None
            for signal, best in enumerate(self._best())
        )

    @property
    def start(self) -> Counts:
        """Update (its `number`) with which the leading alternative began, (S,).

        An estimate of the change point. -1 where nothing leads.
        """
        return self.verdicts()[1]

    def reset(self, signal: int) -> None:
        """Forget the evidence of one signal; its updates go on counting."""
        own = slice(self._bounds[signal], self._bounds[signal + 1])
        self._evidence[own] = -np.inf
        self._drift[own] = 0.0

    def state(self, first: int = 0, last: int | None = None) -> BankState:
        """What `load` needs of the signals from `first` to before `last` (None: to the end)."""
        signals = slice(first, len(self._widths) if last is None else last)
        own = slice(self._bounds[signals.start], self._bounds[signals.stop])
        return BankState(
            signals=signals.stop - signals.start,
            alternatives=int(own.stop - own.start),
            evidence=self._evidence[own].astype("<f8").tobytes(),
            drift=self._drift[own].astype("<f8").tobytes(),
            since=self._since[own].astype("<i8").tobytes(),
            updates=self.updates[signals].astype("<i8").tobytes(),
        )

    def takes(self, state: BankState, first: int | None = None) -> bool:
        """Whether `load` takes a state: its signals have as many alternatives as these."""
        whole, first = first is None, first or 0
        last = first + state.signals
        if last > len(self._widths) or (whole and last < len(self._widths)):
            return False
        return int(self._bounds[last] - self._bounds[first]) == state.alternatives

    def load(self, state: BankState, first: int | None = None) -> None:
        """Continue where `state` was taken, with the signals from `first` on (None: it is all).

        Raises ValueError if these signals are not the state's, by number of alternatives.
        """
        if not self.takes(state, first):
            raise ValueError("the state belongs to a bank of other signals or alternatives")
        begin = first or 0
        last = begin + state.signals
        own = slice(self._bounds[begin], self._bounds[last])
        self._evidence[own] = np.frombuffer(state.evidence, "<f8")
        self._drift[own] = np.frombuffer(state.drift, "<f8")
        self._since[own] = np.frombuffer(state.since, "<i8")
        self.updates[begin:last] = np.frombuffer(state.updates, "<i8")

    def _best(self) -> list[int]:
        """Index of the leading alternative among its signal's own; -1 without evidence."""
        best = []
        weighted = self._evidence + self._prior
        for start, stop in zip(self._bounds[:-1].tolist(), self._bounds[1:].tolist(), strict=True):
            own = weighted[start:stop]
            best.append(int(own.argmax()) if len(own) and own.max() > -np.inf else -1)
        return best
