"""Sides: what a canary and its champion did in a pane, as rows and hits by measure and place.

`error`: wrong answers, or numbers whose residual (rankings: whose miss, 1 - NDCG) is larger than
80 % of the champion's. `failed`: no answer. `slow`: slower than 95 % of the champion's.
`estimate`: for each answer the chance that it is wrong, by what its score has meant for the
champion so far.

Promises: what makes a hit is fixed before the pane, by the champion's rows of earlier ones.
Leaves to others: what the hits prove (`canary`).
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.grid import WHOLE
from schemas.journal import Counts
from streams.monitor.outcomes.blocks import Blocks
from streams.monitor.rollout.trial import Hits, Pair, Trial
from streams.monitor.watch import Closing, Part, Setting

SLOW: Final = 0.95
"""An answer is slow beyond this quantile of the champion's."""
FAR: Final = 0.8
"""A number is wrong beyond this quantile of the champion's absolute residuals."""
KNOWN: Final = 1_000
"""Outcomes of the champion from which on its scores say how often it errs."""
_KEPT: Final = 50_000
"""Outcomes from which on the older ones count half: what scores mean may change."""
_SMOOTH: Final = 5
"""Rows of the usual mixture of labels that are added to each score."""

Mask = npt.NDArray[np.bool_]


class Sides:
    """How both versions of one layout are looked at."""

    def __init__(self, setting: Setting) -> None:
        """`setting` gives the layout, and whether there are labels."""
        self._layout = layout = setting.layout
        kept = layout.outcomes if setting.judging.labelled else {}
        self._blocks = Blocks(layout) if "confusion" in kept else None
        self._sizes: npt.NDArray[np.float64] | None = None
        if layout.residuals is not None and "error" in kept:
            self._sizes = np.abs(layout.residuals.values)
            if layout.ranking is not None:
                self._sizes = self._sizes[:-1]
        self._scored = "decision" in layout.predictions and "calibration" in kept
        self.meanings: list[int] = []
        """The champion's outcomes by score cell and label (score cells x target cells,)."""

    @property
    def labelled(self) -> bool:
        """Whether errors can be compared."""
        return self._blocks is not None or self._sizes is not None

    def of(self, version: str, trial: Trial, closing: Closing) -> dict[str, dict[str, Pair]]:
        """By measure and place, what the champion and the canary did."""
        asked = both(closing.predictions, trial.champion, version)
        out: dict[str, dict[str, Pair]] = {"failed": {}, "slow": {}}
        slow = _beyond(trial.latency, None, SLOW)
        span = self._layout.predictions["latency"].span
        for place, (champion, canary) in asked.items():
            out["failed"][place] = self._failed(champion), self._failed(canary)
            if slow is not None:
                out["slow"][place] = _hits(champion[span], slow), _hits(canary[span], slow)
        if WHOLE in asked:
            trial.latency = added(trial.latency, asked[WHOLE][0][span])
        answered = both(closing.outcomes, trial.champion, version)
        if self._blocks is not None:
            out["error"] = {
                place: (self._wrong(champion), self._wrong(canary))
                for place, (champion, canary) in answered.items()
            }
        elif self._sizes is not None:
            out["error"] = self._far(trial, answered)
        chances = self._chances()
        if chances is not None:
            out["estimate"] = {
                place: (self._expected(champion, chances), self._expected(canary, chances))
                for place, (champion, canary) in asked.items()
            }
        return out

    def learn(self, outcomes: list[Part], canaries: set[str]) -> None:
        """Note what scores mean, by the outcomes of whoever serves."""
        if not self._scored:
            return
        span = self._layout.outcomes["calibration"].span
        for part in outcomes:
            if part.segment == WHOLE and not part.late and part.version not in canaries:
                self.meanings = added(self.meanings, part.vector[span])
        if sum(self.meanings) > _KEPT:
            self.meanings = [one // 2 for one in self.meanings]

    def rows(self, vector: Counts) -> int:
        """Rows of a predictions' vector."""
        name = "prediction" if "prediction" in self._layout.predictions else "latency"
        return int(vector[self._layout.predictions[name].span].sum())

    def _far(self, trial: Trial, answered: dict[str, tuple[Counts, Counts]]) -> dict[str, Pair]:
        """Rows whose number is far off, for both versions by place."""
        span = self._layout.outcomes["error"].span
        if self._layout.ranking is not None:  # lists without anything relevant missed nothing
            span = slice(span.start, span.stop - 1)
        far = _beyond(trial.residuals, self._sizes, FAR)
        if WHOLE in answered:
            trial.residuals = added(trial.residuals, answered[WHOLE][0][span])
        if far is None:
            return {}
        return {
            place: (_hits(champion[span], far), _hits(canary[span], far))
            for place, (champion, canary) in answered.items()
        }

    def _failed(self, vector: Counts) -> Hits:
        failed = int(vector[self._layout.predictions["failed"].span].sum())
        return max(self.rows(vector), failed), failed

    def _wrong(self, vector: Counts) -> Hits:
        assert self._blocks is not None
        table = self._blocks.table(self._blocks.compact(vector))
        rows = int(table[:, :-1].sum())
        classes = len(self._blocks.classes)
        return rows, rows - int(np.trace(table[:classes, :classes]))

    def _chances(self) -> npt.NDArray[np.float64] | None:
        """How often each class is wrong at each score (score cells, classes); None: not known."""
        if self._blocks is None or not self.meanings:
            return None
        assert self._layout.score is not None
        classes = len(self._blocks.classes)
        table = np.array(self.meanings, np.int64).reshape(self._layout.score.width, -1)
        labels = table[:, :-1].sum(axis=0)
        if labels.sum() < KNOWN:
            return None
        smooth = table[:, :-1] + _SMOOTH * labels / labels.sum()
        shares: npt.NDArray[np.float64] = smooth[:, :classes] / smooth.sum(axis=1)[:, None]
        return 1 - shares

    def _expected(self, vector: Counts, chances: npt.NDArray[np.float64]) -> Hits:
        """Rows with a score and a known class, and how many of them are likely wrong."""
        assert self._layout.score is not None
        cells = vector[self._layout.predictions["decision"].span]
        table = cells.reshape(self._layout.score.width, -1)[:-1, : chances.shape[1]]
        return int(table.sum()), float((table * chances[:-1]).sum())


def both(parts: list[Part], champion: str, canary: str) -> dict[str, tuple[Counts, Counts]]:
    """The rows of both versions, by segment, where both have some in this pane."""
    rows: dict[tuple[str, str], Counts] = {
        (part.segment, part.version): part.vector for part in parts if not part.late
    }
    places = [segment for segment, version in rows if version == canary]
    return {
        place: (rows[place, champion], rows[place, canary])
        for place in places
        if (place, champion) in rows
    }


def added(before: list[int], seen: Counts) -> list[int]:
    """Cells so far, with those of one more pane."""
    total: list[int] = (np.array(before or [0] * len(seen), np.int64) + seen).tolist()
    return total


def _hits(cells: Counts, bad: Mask) -> Hits:
    return int(cells.sum()), int(cells[bad].sum())


def _beyond(
    cells: list[int], sizes: npt.NDArray[np.float64] | None, quantile: float
) -> Mask | None:
    """The cells (width,) that lie wholly beyond a quantile of the rows in `cells`; None: no rows.

    `sizes` (width,): what makes a cell bad, NaN the most; None: the cells are in that order.
    """
    counts = np.array(cells, np.int64)
    if not counts.sum():
        return None
    ranks = np.arange(len(counts), dtype=np.float64)
    if sizes is not None:
        ranks = np.where(np.isnan(sizes), np.inf, sizes)
    order = np.argsort(ranks, kind="stable")
    enough = np.cumsum(counts[order]) >= quantile * counts.sum()
    beyond: Mask = ranks > ranks[order[int(np.argmax(enough))]]
    return beyond
