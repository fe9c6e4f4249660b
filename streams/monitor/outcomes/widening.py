"""Widening: the parts of a segmentation move apart while the part in the middle stays where it is.

Quartiles over the parts of the leading metric (accuracy; of numbers the share of errors no larger
than half of the reference's). When the upper one rises and the lower one falls at a stable median,
some parts gain what others lose, and no figure of the whole moves.

Evidence is that of a Shiryaev-Roberts e-detector. Before each pane a bet is made of what panes
before it have shown: on parts beyond their reference and what is tolerated there, up or down. Its
stake is a likelihood ratio against that border, so it is expected to be 1 at most while all parts
are inside, whatever the bet (Ramdas et al. 2023, Game-theoretic statistics, Statistical Science
38: betting on the past alone). A bet is only made where at least a quarter of the parts has gained
and a quarter lost, the quartiles lie further apart than in the reference, and the median holds.
So what moves all parts together is never bet on.

Promises: the expected number of panes with a bet until a false alarm is the budget's at least;
bounded state; a part without rows stakes nothing.
Leaves to others: which parts have labels (`spread`), what follows (policy).
"""

from collections.abc import Mapping
from math import exp, inf, log, log1p, sqrt
from typing import Final, NamedTuple

import msgspec
import numpy as np

from detectors.alternatives import CAREFUL
from detectors.metrics.interval import wilson

LEAST_PARTS: Final = 4
"""Parts that have quartiles: those of fewer lie between two of them. `fairness` compares two."""

SHARE: Final = 0.25
"""Of the parts: as many at least have gained, and lost, when both quartiles move apart."""

MEMORY: Final = 50
"""Panes over which what is remembered of a part fades to a third, as a window holds at most."""

MOST_ROWS: Final = 1000
"""Outcomes of a part that are remembered at most; older ones fade for newer ones."""

LEAST_ROWS: Final = 30
"""Remembered outcomes of a part, before anything is staked on it."""

_EDGE: Final = 1e-6
_EMPTY: Final = -1e300
"""Log of no evidence, finite so that it can be saved."""


class Rate(NamedTuple):
    """Misses among the rows of a part."""

    misses: float
    rows: float

    @property
    def share(self) -> float:
        """The share of misses, half of a row's doubt added."""
        return (self.misses + 0.5) / (self.rows + 1)


class Border(NamedTuple):
    """What is normal for a part: its share of misses, and how far it may be off on either side."""

    was: float
    low: float
    high: float

    @classmethod
    def of(cls, reference: Rate, tolerance: float, dispersion: float) -> "Border":
        """`tolerance` in points; the doubt of a finite reference is added to it."""
        seen = wilson(reference.misses, reference.rows, dispersion)
        error = 0.0 if seen is None else seen.error
        was, reach = reference.misses / reference.rows, tolerance + CAREFUL * error
        return cls(was, max(was - reach, _EDGE), min(was + reach, 1 - _EDGE))


class Quartiles(NamedTuple):
    """Of the hit rates of parts."""

    p25: float
    p50: float
    p75: float

    @classmethod
    def of(cls, misses: list[float]) -> "Quartiles":
        """From shares of misses, one a part, all parts alike."""
        return cls(*(float(q) for q in np.quantile(1 - np.array(misses), (0.25, 0.5, 0.75))))

    @property
    def width(self) -> float:
        """Between the outer ones."""
        return self.p75 - self.p25


class State(msgspec.Struct, array_like=True):
    """What is kept of a segmentation (of panes): evidence, panes with a bet, since when, parts."""

    evidence: float = _EMPTY
    walk: float = 0.0
    bets: int = 0
    since: int = -1
    parts: dict[str, tuple[float, float]] = {}


class Widening:
    """The detector of one segmentation of one version."""

    def __init__(self, borders: Mapping[str, Border], tolerance: float, dispersion: float) -> None:
        """`borders` of all parts that have a reference; `tolerance` in points."""
        self._borders, self._tolerance, self._dispersion = borders, tolerance, dispersion
        self.state = State(parts={})

    def update(self, pane: int, seen: Mapping[str, Rate]) -> None:
        """Take what a pane brings of each part; bet first on what the panes before have shown."""
        bets = self._bets()
        stake = sum(
            _stake(seen[name], bet, self._borders[name], self._dispersion)
            for name, bet in bets.items()
            if name in seen
        )
        state = self.state
        if bets:
            # M <- (M + 1) e, in logarithms; the walk's last rise from 0 dates the change.
            top = max(state.evidence, 0.0)
            state.evidence = top + log1p(exp(-abs(state.evidence))) + stake
            if state.walk <= 0 or state.since < 0:
                state.since = pane
            state.walk = max(state.walk, 0.0) + stake
            state.bets += 1
        keep = 1 - 1 / MEMORY
        kept = {name: (misses * keep, rows * keep) for name, (misses, rows) in state.parts.items()}
        for name, one in seen.items():
            if name in self._borders:
                misses, rows = kept.get(name, (0.0, 0.0))
                misses, rows = misses + one.misses, rows + one.rows
                fade = min(1.0, max(MOST_ROWS, one.rows) / rows) if rows else 1.0
                kept[name] = misses * fade, rows * fade
        state.parts = kept

    def restart(self) -> None:
        """Begin anew; what parts were like is remembered, because they still are."""
        self.state = State(parts=self.state.parts)

    @property
    def apart(self) -> bool:
        """Whether the quartiles are further apart than is tolerated, at a stable median."""
        return bool(self._bets())

    def first(self, pane: int) -> int:
        """The oldest pane that is remembered at `pane`."""
        return max(0, pane + 1 - MEMORY)

    @property
    def rows(self) -> int:
        """Remembered outcomes."""
        return int(sum(rows for _, rows in self.state.parts.values()))

    @property
    def quartiles(self) -> tuple[Quartiles, Quartiles] | None:
        """In the reference and now, of the parts that have rows; None of too few parts."""
        known = self._known()
        if len(known) < LEAST_PARTS:
            return None
        was = Quartiles.of([self._borders[name].was for name in known])
        return was, Quartiles.of([one.share for one in known.values()])

    @property
    def stable(self) -> bool:
        """Whether the median is where it was, but for the tolerance and noise."""
        found = self.quartiles
        if found is None:
            return False
        # The median of normal values has 1.25 times the error of their mean.
        known = self._known().values()
        errors = [one.share * (1 - one.share) / one.rows for one in known]
        noise = 1.25 * sqrt(self._dispersion * sum(errors)) / len(errors)
        return abs(found[1].p50 - found[0].p50) <= self._tolerance + CAREFUL * noise

    @property
    def widened(self) -> float:
        """By how much the quartiles lie further apart than in the reference."""
        found = self.quartiles
        return 0.0 if found is None else found[1].width - found[0].width

    def _known(self) -> dict[str, Rate]:
        return {
            name: Rate(misses, rows)
            for name, (misses, rows) in sorted(self.state.parts.items())
            if rows >= LEAST_ROWS
        }

    def _bets(self) -> dict[str, float]:
        """The share of misses to expect of each part that lies beyond its border, if it is time."""
        if self.widened <= 0 or not self.stable:
            return {}
        known = self._known()
        lost = {n: one.share for n, one in known.items() if one.share > self._borders[n].high}
        gained = {n: one.share for n, one in known.items() if one.share < self._borders[n].low}
        if min(len(lost), len(gained)) < SHARE * len(known):
            return {}
        return lost | gained


def _stake(seen: Rate, bet: float, border: Border, dispersion: float) -> float:
    """Log of the likelihood ratio of a part's pane: the bet against the border on its side."""
    null = border.high if bet > border.high else border.low
    bet = min(max(bet, _EDGE), 1 - _EDGE)
    hits = seen.rows - seen.misses
    gain = seen.misses * log(bet / null) + hits * log((1 - bet) / (1 - null))
    return gain / dispersion


def log_evidence(state: State) -> float | None:
    """Log of the detector's statistic; None before any bet."""
    return None if state.evidence in (_EMPTY, -inf) else state.evidence
