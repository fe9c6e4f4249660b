"""Swinging: panes lie further apart than their rows explain, up and down in turn around one level.

The counterpart of `widening` in time: quartiles of the leading metric over the newest panes, those
with few outcomes taken together until they have `LEAST_ROWS`. Swings cancel out in every figure of
the whole, so neither the error's detector nor a window of it need see them.

Evidence is that of a Shiryaev-Roberts e-detector. Before each pane a bet is made of what panes
before it have shown: that it lies beyond the tolerated border on one side or the other, nobody
knows on which. Its stake is the likelihood ratio of two mixtures, of a level beyond either border
(half and half) against the borders themselves, divided by the larger of its two means at the
borders. As a function of the misses it first falls and then rises (an exponential polynomial with
two changes of sign has two zeros at most, Descartes), so its mean as a function of the true share
does, too (the binomial is totally positive: Karlin 1968, Total Positivity, chapter 5). So it is
largest at a border, and 1 at most for every share between them, whatever the bet.

A bet is only made where the quartiles lie further out, on both sides, than rows and tolerance
explain, the median may still lie inside, and panes above and below have come in turn. A level that
falls, or rises, and stays has moved once, and is never bet on.

Promises: the expected number of panes with a bet until a false alarm is the budget's at least, if
panes go on to be as far apart as in the reference (`dispersion`); bounded state; a pane without
rows stakes nothing.
Leaves to others: which outcomes a pane has (`spread`), levels that move (`lane`), what follows.
"""

from collections.abc import Mapping
from itertools import pairwise
from math import exp, floor, hypot, log, log1p, sqrt
from typing import Final, NamedTuple

import numpy as np
from scipy import special

from detectors.alternatives import CAREFUL
from detectors.arrays import Floats
from streams.monitor.outcomes.widening import (
    LEAST_ROWS,
    MEMORY,
    MOST_ROWS,
    Border,
    Quartiles,
    Rate,
    State,
)

LEAST_PANES: Final = 16
"""Remembered panes before a bet: four in each quarter."""

TURNS: Final = 3
"""Changes of side among the remembered panes: a level that moves has one, one that is back two."""

QUARTILE: Final = 0.6745
"""Standard deviations from the middle of a normal law to its quartiles."""

_QUARTILE_ERROR: Final = 1.3626
"""Standard errors of the mean in one of a quartile, of normal values: sqrt(3) / (4 density)."""

REFERENCE_PANES: Final = 30
"""Panes that a reference has at least: so unsure is its dispersion, taken for normal."""

_EDGE: Final = 1e-6
_HALVINGS: Final = 14


class Levels(NamedTuple):
    """Shares of misses below and above what is tolerated."""

    low: float
    high: float


class Seen(NamedTuple):
    """Remembered panes in order: shares of misses (n,), rows (n,); quartiles of their hit rates.

    `noise` is the standard deviation of a share, of rows and the reference alone.
    """

    shares: Floats
    rows: Floats
    noise: float
    quartiles: Quartiles


class Swinging:
    """The detector of the panes of one version."""

    def __init__(self, border: Border, dispersion: float) -> None:
        """`border` of the whole; `dispersion` >= 1 of panes, as measured in the reference."""
        # What panes vary by beyond their rows is as unsure as a variance of so many values.
        unsure = CAREFUL * sqrt(2 / (REFERENCE_PANES - 1)) * max(dispersion - 1, 0.0)
        self._border, self._dispersion = border, max(dispersion, 1.0) + unsure
        self.state = State(parts={})
        """Its parts are panes by their numbers, in order; the last may still lack rows."""
        self._known: tuple[Seen | None, Levels | None] | None = None
        """What follows from the remembered panes, once it was asked for."""

    def update(self, pane: int, seen: Mapping[str, Rate]) -> None:
        """Take what a pane brings (one rate); bet first on what the panes before have shown."""
        for one in seen.values():
            parts = self.state.parts
            name, held = next(reversed(parts.items()), ("", (0.0, float(LEAST_ROWS))))
            if held[1] >= LEAST_ROWS:
                name, held = f"{pane:015}", (0.0, 0.0)  # so that names sort as numbers do
            rate = Rate(held[0] + one.misses, held[1] + one.rows)
            if rate.rows >= LEAST_ROWS:
                self._bet(int(name), rate)
            parts[name] = (rate.misses, rate.rows)
            if len(parts) > MEMORY:
                del parts[next(iter(parts))]
            self._known = None

    def restart(self) -> None:
        """Begin anew; the panes are remembered, because they were as they were."""
        self.state = State(parts=self.state.parts)

    @property
    def apart(self) -> bool:
        """Whether panes swing further than is tolerated, at a stable median."""
        return self._memory()[1] is not None

    def first(self, pane: int) -> int:
        """The oldest pane that is remembered at `pane`."""
        return int(next(iter(self.state.parts), pane))

    @property
    def rows(self) -> int:
        """Remembered outcomes."""
        return int(sum(rows for _, rows in self.state.parts.values()))

    @property
    def quartiles(self) -> tuple[Quartiles, Quartiles] | None:
        """As rows and the reference explain them, and as they are; None of too few panes."""
        seen, _ = self._memory()
        if seen is None:
            return None
        middle, reach = 1 - self._border.was, QUARTILE * seen.noise
        was = Quartiles(max(middle - reach, 0.0), middle, min(middle + reach, 1.0))
        return was, seen.quartiles

    @property
    def widened(self) -> float:
        """By how much the quartiles lie further apart than rows and the reference explain."""
        found = self.quartiles
        return 0.0 if found is None else found[1].width - found[0].width

    def _memory(self) -> tuple[Seen | None, Levels | None]:
        """What is remembered, and the levels between which it swings if it does."""
        if self._known is None:
            seen = self._seen()
            self._known = seen, None if seen is None else self._levels(seen)
        return self._known

    def _seen(self) -> Seen | None:
        rates = np.array([one for one in self.state.parts.values() if one[1] >= LEAST_ROWS])
        if len(rates) < LEAST_PANES:
            return None
        misses, rows = rates.T
        was, shares = self._border.was, misses / rows
        noise = sqrt(self._dispersion * was * (1 - was) * float(np.mean(1 / rows)))
        return Seen(shares, rows, noise, Quartiles.of(shares.tolist()))

    def _bet(self, pane: int, seen: Rate) -> None:
        """Stake on a pane what those before it have shown, if it is time."""
        _, levels = self._memory()
        if levels is None:
            return
        state, stake = self.state, log_stake(seen, levels, self._border, self._dispersion)
        # M <- (M + 1) e, in logarithms; the walk's last rise from 0 dates the change.
        top = max(state.evidence, 0.0)
        state.evidence = top + log1p(exp(-abs(state.evidence))) + stake
        if state.walk <= 0 or state.since < 0:
            state.since = pane
        state.walk = max(state.walk, 0.0) + stake
        state.bets += 1

    def _levels(self, seen: Seen) -> Levels | None:
        """The shares of misses between which panes seem to swing; None: no bet."""
        border = self._border
        if not self._swings(seen):
            return None
        noise = self._dispersion * border.was * (1 - border.was) * len(seen.rows) / seen.rows.sum()
        excess = float(np.average((seen.shares - border.was) ** 2, weights=seen.rows)) - noise
        reach = sqrt(max(excess, 0.0))
        low, high = max(border.was - reach, _EDGE), min(border.was + reach, 1 - _EDGE)
        return Levels(low, high) if low < border.low and high > border.high else None

    def _swings(self, seen: Seen) -> bool:
        """Whether panes lie on both sides in turn, their middle where it was."""
        border, count = self._border, len(seen.shares)
        out, doubt = QUARTILE * seen.noise, CAREFUL * _QUARTILE_ERROR * seen.noise / sqrt(count)
        lower, upper = 1 - seen.quartiles.p75, 1 - seen.quartiles.p25
        if border.was - lower <= hypot(out, border.was - border.low) + doubt:
            return False
        if upper - border.was <= hypot(out, border.high - border.was) + doubt:
            return False
        # Ranks between which the true median lies, however panes are spread (binomial law).
        ranked, half, ranks = np.sort(seen.shares), count / 2, CAREFUL * sqrt(count) / 2
        least, most = (
            ranked[max(floor(half - ranks), 0)],
            ranked[min(floor(half + ranks), count - 1)],
        )
        if most < border.low or least > border.high:
            return False
        beyond = [one for one in seen.shares.tolist() if not border.low <= one <= border.high]
        sides = [one > border.high for one in beyond]
        return sum(one is not other for one, other in pairwise(sides)) >= TURNS


def log_stake(seen: Rate, levels: Levels, border: Border, dispersion: float = 1.0) -> float:
    """Log of what a pane pays: `levels` (low, high) beyond both borders, against the borders.

    Rows count as `dispersion` fewer, and as `MOST_ROWS` at most; 0.0 of less than one.
    """
    rows = floor(min(seen.rows / dispersion, MOST_ROWS))
    if rows < 1:
        return 0.0
    misses = np.append(np.arange(rows + 1.0), seen.misses / seen.rows * rows)
    low, high = (_log(one, misses, rows) for one in (border.low, border.high))
    bet = np.logaddexp(*(_log(one, misses, rows) for one in levels)) - log(2)
    ways = special.gammaln(rows + 1) - special.gammaln(misses + 1)
    ways -= special.gammaln(rows - misses + 1)
    ways[-1] = -np.inf  # what was seen is no further outcome
    least, most = 0.0, 1.0
    for _ in range(_HALVINGS):
        # The mixture of the borders against which a bet gains most pays the same at both.
        share = (least + most) / 2
        ratio = bet - np.logaddexp(log(share) + high, log1p(-share) + low)
        at_low, at_high = (float(np.exp(ways + one + ratio).sum()) for one in (low, high))
        least, most = (share, most) if at_high > at_low else (least, share)
    return float(ratio[-1]) - log(max(at_low, at_high))


def _log(share: float, misses: Floats, rows: int) -> Floats:
    """Log likelihood of a share of misses."""
    return np.asarray(misses * log(share) + (rows - misses) * log1p(-share))
