"""A trial: what is known of one canary and of the champion beside it, and what that proves.

Promises: plain numbers, so that a snapshot is the trial itself; evidence is said as log e-values
whose threshold is the share of the error rate that its measure has.
Leaves to others: counting what both did (`sides`), when a trial begins and ends (`canary`).
"""

from collections.abc import Iterable
from math import exp, log
from typing import Final

import msgspec

from detectors.contest import Block, Score
from detectors.means import Race
from schemas.log import Millis

Flat = tuple[int, float, int, float, float]
"""A score in a snapshot."""
NOTHING: Final[Flat] = (0, 0.0, 0, 0.0, 0.0)
Hits = tuple[int, float]
"""Rows, and those of them that are a hit; or of each the chance that it is one, added up."""
Pair = tuple[Hits, Hits]
"""The champion's and the canary's."""


class Trial(msgspec.Struct, kw_only=True):
    """One canary; `harms` by measure and place, `ready` over this step's rows.

    `cuts`: cells up to which scores are compared, `shifts` a score a cut and direction, and
    `scores` the champion's cells until there are cuts, then rows of both between the cuts.
    `figures` by name, in the order in which both had a value, turned by `signs` so that larger is
    worse.
    """

    champion: str
    share: float | None = None
    since: Millis = 0
    harms: dict[str, dict[str, Flat]] = {}
    ready: Flat = NOTHING
    proven: list[str] = []
    latency: list[int] = []
    residuals: list[int] = []
    cuts: list[int] = []
    shifts: list[Flat] = []
    scores: list[list[int]] = []
    figures: dict[str, Race] = {}
    signs: dict[str, float] = {}


def block(pair: Pair) -> Block:
    """The hits of a pane as a block of a contest."""
    (rows_a, hits_a), (rows_b, hits_b) = pair
    return Block(rows_a=rows_a, hits_a=hits_a, rows_b=rows_b, hits_b=hits_b)


def score(flat: Flat) -> Score:
    """A score of a snapshot."""
    rows_a, hits_a, rows_b, hits_b, log_e = flat
    return Score(rows_a=rows_a, hits_a=hits_a, rows_b=rows_b, hits_b=hits_b, log_e=log_e)


def flat(one: Score) -> Flat:
    """A score for a snapshot."""
    return one.rows_a, one.hits_a, one.rows_b, one.hits_b, one.log_e


def mean(logs: Iterable[float], places: int) -> float:
    """The log of the mean of e-processes over all places; those without rows are 1 each."""
    known = list(logs)
    most = max([0.0, *known])
    rest = max(0, places - len(known)) * exp(-most)
    total = sum(exp(one - most) for one in known) + rest
    return most + log(total / max(places, len(known)))
