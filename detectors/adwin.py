"""ADWIN: a window that shortens itself when its mean has changed.

Promises: index for index river 0.26's ADWIN at one value per call; memory grows with the
logarithm of the window; a value that is not finite is ignored (`update` returns False) instead of
poisoning every later mean.
Leaves to others: standardising the values (bounds assume a range of about one), and what to do.
Source: Bifet, Gavalda (2007), Learning from time-changing data with adaptive windowing, SIAM
SDM 443-448 (algorithm ADWIN2, exponential histograms).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import fabs, isfinite, log, sqrt


@dataclass(kw_only=True)
class AdwinState:
    """Plain numbers: rows of buckets (totals, variances) from fine to coarse, and counters."""

    totals: list[list[float]] = field(default_factory=lambda: [[]])
    variances: list[list[float]] = field(default_factory=lambda: [[]])
    width: int = 0
    total: float = 0.0
    variance: float = 0.0
    ticks: int = 0
    alarmed: bool = False


@dataclass(frozen=True, kw_only=True)
class AdwinSettings:
    """`delta` bounds the false alarms of one check; a check is made every `clock` values."""

    delta: float = 0.002
    clock: int = 32
    max_buckets: int = 5
    min_window: int = 5
    grace: int = 10

    def __post_init__(self) -> None:
        if not 0 < self.delta < 1:
            raise ValueError("delta must lie between 0 and 1")
        if min(self.clock, self.max_buckets, self.min_window) < 1 or self.grace < 0:
            raise ValueError("clock, max_buckets and min_window must be at least 1")


class Adwin:
    """One stream of values."""

    def __init__(self, settings: AdwinSettings | None = None) -> None:
        self.settings = settings or AdwinSettings()
        self._state = AdwinState()

    def update(self, value: float) -> bool:
        """Take one value; True if the mean changed. The next value begins a new window."""
        if not isfinite(value):
            return False
        if self._state.alarmed:
            self._state = AdwinState()
        self._insert(value)
        self._compress()
        self._state.alarmed = self._check()
        return self._state.alarmed

    @property
    def mean(self) -> float | None:
        """Mean of the present window, None while it is empty."""
        return self._state.total / self._state.width if self._state.width else None

    @property
    def width(self) -> int:
        """Values in the present window."""
        return self._state.width

    def state(self) -> AdwinState:
        """A copy of everything `from_state` needs, in plain numbers."""
        return _copy(self._state)

    @classmethod
    def from_state(cls, settings: AdwinSettings, state: AdwinState) -> "Adwin":
        """Continue where `state` was taken."""
        detector = cls(settings)
        detector._state = _copy(state)
        return detector

    def _insert(self, value: float) -> None:
        s = self._state
        s.totals[0].append(value)
        s.variances[0].append(0.0)
        s.width += 1
        if s.width > 1:
            before = s.width - 1
            s.variance += before * (value - s.total / before) ** 2 / s.width
        s.total += value

    def _compress(self) -> None:
        """Merge the two oldest buckets of every row that is too full into the next row."""
        s = self._state
        row = 0
        while len(s.totals[row]) > self.settings.max_buckets:
            if row + 1 == len(s.totals):
                s.totals.append([])
                s.variances.append([])
            size = 2.0**row
            (t0, t1), (v0, v1) = s.totals[row][:2], s.variances[row][:2]
            s.totals[row + 1].append(t0 + t1)
            s.variances[row + 1].append(v0 + v1 + (t0 / size - t1 / size) ** 2 * size / 2)
            del s.totals[row][:2], s.variances[row][:2]
            row += 1

    def _check(self) -> bool:
        s = self._state
        s.ticks += 1
        if s.ticks % self.settings.clock or s.width <= self.settings.grace:
            return False
        changed = False
        while self._cut():
            changed = True
            self._drop_oldest()
        return changed

    def _oldest_first(self) -> Iterator[tuple[float, float]]:
        """Size and total of every bucket."""
        for row in range(len(self._state.totals) - 1, -1, -1):
            for total in self._state.totals[row]:
                yield 2.0**row, total

    def _cut(self) -> bool:
        """Whether some border splits the window into two parts of different mean."""
        s, least = self._state, self.settings.min_window
        spread = log(2 * log(s.width) / self.settings.delta)
        variance = s.variance / s.width
        n0, n1, u0, u1 = 0.0, float(s.width), 0.0, s.total
        for size, total in self._oldest_first():
            n0, n1, u0, u1 = n0 + size, n1 - size, u0 + total, u1 - total
            if n1 < least:
                return False
            if n0 < least:
                continue
            inverse = 1 / (n0 - least + 1) + 1 / (n1 - least + 1)
            bound = sqrt(2 * inverse * variance * spread) + 2 / 3 * spread * inverse
            if fabs(u0 / n0 - u1 / n1) > bound:
                return True
        return False

    def _drop_oldest(self) -> None:
        s = self._state
        size = 2.0 ** (len(s.totals) - 1)
        total, variance = s.totals[-1].pop(0), s.variances[-1].pop(0)
        s.width -= int(size)
        s.total -= total
        rest = s.total / s.width
        s.variance -= variance + size * s.width * (total / size - rest) ** 2 / (size + s.width)
        s.variance = max(s.variance, 0.0)
        _trim(s.totals)
        _trim(s.variances)


def _trim(rows: list[list[float]]) -> None:
    while len(rows) > 1 and not rows[-1]:
        rows.pop()


def _copy(state: AdwinState) -> AdwinState:
    def rows(values: Sequence[Sequence[float]]) -> list[list[float]]:
        return [list(row) for row in values]

    return AdwinState(
        totals=rows(state.totals),
        variances=rows(state.variances),
        width=state.width,
        total=state.total,
        variance=state.variance,
        ticks=state.ticks,
        alarmed=state.alarmed,
    )
