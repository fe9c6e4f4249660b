"""A stack: shares of yes in several bins, watched together as one signal.

Each bin has a sequential e-detector of its own against the reference's share in that bin; their
mean is an e-detector again (a mean of Shiryaev-Roberts statistics is one), so the whole signal
keeps one run length, whatever the number of bins.

Promises: one update a pane; a bin without rows changes nothing; bounded state.
Leaves to others: which rows fall into which bin (callers), what follows (policy).
Source: Shin, Ramdas, Rinaldo (2024), E-detectors, arXiv 2203.03532, section 4.
"""

from collections.abc import Sequence
from math import sqrt
from typing import Final

import msgspec
import numpy as np
from scipy import special

from detectors.arcsine import angle
from detectors.reference import SignalReference
from detectors.shiryaev_roberts import Bank, BankState
from schemas.finding import Cell, Finding, Measured, Symptom
from schemas.journal import Counts
from schemas.judging import Judging
from streams.monitor.outcomes.windows import SavedWindows, Windows

_KEPT_PANES: Final = 1000
"""Panes whose times are kept for change points."""

_DOUBT: Final = 0.1
"""Chance that some bin of an unchanged stack looks outside, shared by the bins."""

_LEADING: Final = 5


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a stack is of. `upward`: only more yes is watched for. `harm`: yes is an error."""

    version: str
    segment: str
    signal: str
    symptom: Symptom = "shift"
    upward: bool = False
    harm: bool = False
    reference_id: str = ""


class SavedStack(msgspec.Struct, frozen=True, kw_only=True):
    """A stack in a snapshot."""

    bank: BankState
    panes: list[int]
    window: SavedWindows


class Stack:
    """One signal of several bins, in one place."""

    def __init__(
        self,
        subject: Subject,
        names: Sequence[str],
        references: Sequence[SignalReference],
        judging: Judging,
        threshold: float,
    ) -> None:
        """A name and a binary reference for each bin; `threshold` as of a signal of a panel."""
        self.subject, self._names = subject, names
        self._judging, self._threshold = judging, threshold
        self._bank = Bank(
            references, tolerance=judging.tolerance, null=judging.null, upward=subject.upward
        )
        self._was = np.array([float(one.shares[1]) for one in references])
        self._before = angle(self._was)
        self._known = [one.rows > 0 for one in references]
        self._each = [(float(one.dispersion[1]), one.rows) for one in references]
        self._margin = float(special.ndtri(1 - _DOUBT / (2 * len(names))))
        self._rows = sum(one.rows for one in references)
        self._dispersion = max(float(one.dispersion.max()) for one in references)
        self._panes: list[int] = []
        self._window = Windows(2 * len(names), lambda vector: int(vector.sum()))

    def update(self, pane: int, counts: Counts) -> Finding | None:
        """Judge the counts (bins, [no, yes]) of a pane; None where it has no rows."""
        if not counts.any():
            return None
        self._bank.update(list(counts))
        self._panes.append(pane)
        del self._panes[:-_KEPT_PANES]
        self._window.add((self.subject.version, self.subject.segment), pane, counts.ravel())
        return self._finding(pane)

    def restart(self) -> None:
        """Begin the detectors of all bins anew."""
        for bin_ in range(len(self._names)):
            self._bank.reset(bin_)
        self._panes = []

    def _finding(self, pane: int) -> Finding:
        logs, start = self._bank.verdicts()
        top = float(logs.max())
        mean = top + float(np.log(np.exp(logs - top).mean())) if np.isfinite(top) else top
        window = self._window.sum((self.subject.version, self.subject.segment))
        seen = window.counts.reshape(-1, 2)
        length = self._judging.pane
        effect, inside, cells = self._effect(seen)
        alarm = mean >= self._threshold
        leading = int(logs.argmax())
        since = int(self._bank.updates[leading] - start[leading])
        change = self._panes[-min(max(since, 1), len(self._panes))] * length
        return Finding(
            model=self._judging.model,
            version=self.subject.version,
            segment=self.subject.segment,
            signal=self.subject.signal,
            detector="shiryaev_roberts",
            state="judged",
            alarm=alarm,
            joins=alarm,
            inside=inside,
            symptom=self.subject.symptom,
            statistic=mean if np.isfinite(mean) else None,
            threshold=self._threshold,
            e_value=float(np.exp(min(mean - np.log(len(self._panes)), 700.0))),
            effect=effect,
            cells=cells,
            change_point=change,
            window_start=window.first * length,
            window_end=(pane + 1) * length,
            rows=int(seen.sum()),
            reference_id=self.subject.reference_id,
            reference_rows=self._rows,
            dispersion=self._dispersion,
        )

    def _effect(self, seen: Counts) -> tuple[Measured, bool, tuple[Cell, ...]]:
        """How far the window's bins (bins, 2) are from the reference's, and which lead."""
        cells, total, gap, expected, worst, inside = [], int(seen.sum()), 0.0, 0.0, 0.0, True
        each = seen.sum(axis=1)
        shares = seen[:, 1] / np.maximum(each, 1)
        shifts = angle(shares) - self._before
        columns = (each.tolist(), shares.tolist(), shifts.tolist(), self._was.tolist())
        for name, known, (dispersion, before), rows, now, shift, was in zip(
            self._names, self._known, self._each, *columns, strict=True
        ):
            if not rows or not known:
                continue
            noise = sqrt(dispersion * (1 / rows + 1 / before))
            size = shift if self.subject.upward else abs(shift)
            inside = inside and size <= self._judging.tolerance + self._margin * noise
            worst, gap = max(worst, size), gap + abs(now - was) * rows / total
            expected += was * rows / total
            cells.append((-abs(shift), Cell(name=name, reference=was, current=now)))
        leading = tuple(cell for _, cell in sorted(cells, key=lambda one: (one[0], one[1].name)))
        observed = int(seen[:, 1].sum()) / total
        told = (observed, expected) if self.subject.harm else (gap, 0.0)
        effect = Measured(size=worst, current=told[0], baseline=told[1])
        return effect, inside, leading[:_LEADING]

    def save(self) -> SavedStack:
        """The state, for a snapshot."""
        return SavedStack(
            bank=self._bank.state(), panes=list(self._panes), window=self._window.save()
        )

    def load(self, saved: SavedStack) -> None:
        """Take a snapshot up."""
        if self._bank.takes(saved.bank):  # under another tolerance it begins anew
            self._bank.load(saved.bank)
        self._panes = list(saved.panes)
        self._window.load(saved.window)


def indicator(no: int, yes: int, dispersion: float) -> SignalReference:
    """The reference of one bin: rows without and with, and how bursty they are taken to be."""
    return SignalReference(
        kind="binary",
        counts=np.array([no, yes], np.int64),
        rows=no + yes,
        dispersion=np.full(2, max(dispersion, 1.0)),
    )
