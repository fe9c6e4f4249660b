"""Shifts: whether a canary's scores are spread otherwise than its champion's, row for row.

At the octiles of the champion's scores the shares of both below are compared, in both directions
(`detectors.contest`). The evidence is the mean of these contests, so it may be looked at any time.

Promises: the octiles are fixed by the champion's rows of earlier panes and then stay.
Leaves to others: whether other scores are worse ones; nobody can tell without labels.
"""

from itertools import pairwise
from typing import Final

import numpy as np

from detectors.contest import worse
from detectors.distances import ks_values, psi_values
from schemas.finding import Measured
from schemas.journal import Counts
from streams.monitor.rollout.sides import added
from streams.monitor.rollout.trial import NOTHING, Pair, Trial, block, flat, mean, score

APART: Final = 0.1
"""How far apart the shares below an octile may be: as two normals .25 sd apart are."""
KNOWN: Final = 500
"""Scores of the champion from which on its octiles are fixed."""
_OCTILES: Final = tuple(i / 8 for i in range(1, 8))


def compare(trial: Trial, champion: Counts, canary: Counts) -> None:
    """Take the score cells (width,) of both in a pane, the missing ones last."""
    champion, canary = champion[:-1], canary[:-1]
    if not trial.cuts:
        trial.scores = [added(trial.scores[0] if trial.scores else [], champion)]
        if sum(trial.scores[0]) >= KNOWN:
            trial.cuts = _cuts(trial.scores[0])
            trial.shifts = [NOTHING] * (2 * len(trial.cuts))
            trial.scores = [[0] * (len(trial.cuts) + 1)] * 2
        return
    pairs = _pairs(trial.cuts, champion, canary)
    trial.shifts = [
        flat(worse(score(one), block(pair), APART))
        for one, pair in zip(trial.shifts, pairs, strict=True)
    ]
    bounds = [0, *(cut + 1 for cut in trial.cuts), len(champion)]
    trial.scores = [
        added(before, np.array([cells[low:high].sum() for low, high in pairwise(bounds)]))
        for before, cells in zip(trial.scores, (champion, canary), strict=True)
    ]


def evidence(trial: Trial) -> float:
    """The log e-value against scores that are spread alike."""
    return mean([one[4] for one in trial.shifts], max(1, len(trial.shifts)))


def rows(trial: Trial) -> tuple[int, int]:
    """Scores compared, of the champion and of the canary."""
    if not trial.cuts:
        return 0, 0
    return sum(trial.scores[0]), sum(trial.scores[1])


def effect(trial: Trial) -> Measured:
    """PSI (less what chance makes of equal ones) and KS between the cuts."""
    n, m = rows(trial)
    if not n or not m:
        return Measured()
    before, now = (np.array(cells, float) for cells in trial.scores)
    p, q = ((cells + 0.5) / (cells + 0.5).sum() for cells in (before, now))
    chance = (len(p) - 1) * (1 / n + 1 / m)
    return Measured(psi=float(psi_values(p, q)) - chance, ks=float(ks_values(before / n, now / m)))


def _cuts(cells: list[int]) -> list[int]:
    """The cells in which the octiles lie; the last cell divides nothing."""
    filled = np.cumsum(cells)
    found = np.searchsorted(filled, np.array(_OCTILES) * filled[-1])
    return sorted({int(cut) for cut in found if filled[cut] < filled[-1]})


def _pairs(cuts: list[int], champion: Counts, canary: Counts) -> list[Pair]:
    """Of each cut the rows below and those above, of both."""
    below: list[Pair] = []
    above: list[Pair] = []
    all_a, all_b = int(champion.sum()), int(canary.sum())
    for cut in cuts:
        low_a, low_b = int(champion[: cut + 1].sum()), int(canary[: cut + 1].sum())
        below.append(((all_a, low_a), (all_b, low_b)))
        above.append(((all_a, all_a - low_a), (all_b, all_b - low_b)))
    return below + above
