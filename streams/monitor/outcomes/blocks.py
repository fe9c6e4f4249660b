"""Blocks: the part of an outcomes' vector that metrics are read from, and how to read it.

Promises: a compact vector merges by addition like the whole one; error slices are left out,
because they are as wide as all features together.
Leaves to others: formulas (`detectors.metrics`), which rows are in the vector.
"""

from typing import Final

import numpy as np

from detectors.grid import NumericGrid
from detectors.metrics import classes, lists, numbers, ranking, scoring
from detectors.metrics.interval import Interval
from detectors.metrics.quantiles import quantile
from schemas.grid import Layout
from schemas.journal import Counts

LOWER_IS_BETTER: Final = frozenset(
    {
        "log_loss",
        "brier",
        "ece",
        "mae",
        "rmse",
        "mape",
        "false_positive_rate",
        "false_negative_rate",
    }
)
_HIGHER: Final = {"accuracy", "precision", "recall", "f1", "auc", "gini", "r2"}
DIRECTED: Final = LOWER_IS_BETTER | _HIGHER | {"ndcg", "average_precision"}
"""Metrics of which more, or less, is better; the others only describe."""

_RESIDUALS: Final = {"residual_p10": 0.1, "residual_p50": 0.5, "residual_p90": 0.9}


class Blocks:
    """The kept blocks of one layout."""

    def __init__(self, layout: Layout) -> None:
        """`layout` of a model with labels."""
        kept = {n: b for n, b in layout.outcomes.items() if not n.startswith("slice:")}
        cells = [np.arange(block.start, block.start + block.width) for block in kept.values()]
        self._cells = np.concatenate(cells) if cells else np.zeros(0, np.intp)
        starts = np.cumsum([0, *(block.width for block in kept.values())]).tolist()
        self._at = {
            name: slice(start, start + block.width)
            for (name, block), start in zip(kept.items(), starts, strict=False)
        }
        self.layout = layout
        grid = layout.grid
        self.classes = grid.target.categories if grid.target else ()
        self.positive = self.classes.index(grid.positive) if grid.positive in self.classes else None
        self.scores: scoring.Cells | None = None
        if isinstance(layout.score, NumericGrid) and "calibration" in kept:
            values = layout.score.values
            if min(layout.score.edges) >= 0 and max(layout.score.edges) <= 1:
                self.scores = scoring.score_cells(layout.score.edges, values)

    @property
    def width(self) -> int:
        """Cells of a compact vector."""
        return len(self._cells)

    def compact(self, vector: Counts) -> Counts:
        """The kept blocks of a whole outcomes' vector, one after the other."""
        return vector[self._cells]

    def part(self, compact: Counts, name: str) -> Counts:
        """One block of a compact vector."""
        return compact[self._at[name]]

    def __contains__(self, name: str) -> bool:
        """Whether a block is there."""
        return name in self._at

    def table(self, compact: Counts) -> Counts:
        """Outcomes (predicted cells, label cells)."""
        block = self.part(compact, "confusion")
        width = int(np.sqrt(len(block)))
        return block.reshape(width, width)

    def rows(self, compact: Counts) -> int:
        """Outcomes with a known label; lists in which nothing is relevant have one, too."""
        if self.layout.ranking is not None:
            return int(self.part(compact, "ranking")[0])
        if self.layout.regression is not None:
            return int(self.part(compact, "residual")[0])
        return int(self.table(compact)[:, :-1].sum())

    def by_score(self, compact: Counts) -> tuple[Counts, Counts] | None:
        """No and yes per score cell, the missing one last: of the positive class, or of right."""
        if "wrong" not in self:
            return None
        if self.positive is None:
            right, wrong = self.part(compact, "wrong").reshape(-1, 2).T
            return wrong, right
        assert self.layout.score is not None
        table = self.part(compact, "calibration").reshape(self.layout.score.width, -1)
        yes = table[:, self.positive]
        return table[:, :-1].sum(axis=1) - yes, yes

    @property
    def leader(self) -> str:
        """The name of the leading metric."""
        if self.layout.ranking is not None:
            return "ndcg"
        return "accuracy" if self.layout.regression is None else "mae"

    def leading(self, compact: Counts, dispersion: float = 1.0) -> dict[str, Interval]:
        """The one metric that alarms: accuracy, MAE of numbers, or NDCG of rankings."""
        if self.layout.ranking is not None:
            found = self.metrics(compact, dispersion)
            return {name: one for name, one in found.items() if name == self.leader}
        if self.layout.regression is not None:
            found = numbers.numbers(
                self.layout.regression, self.part(compact, "residual"), dispersion
            )
            return {name: one for name, one in found.items() if name == "mae"}
        right = classes.accuracy(self.table(compact), len(self.classes), dispersion)
        return {} if right is None else {"accuracy": right}

    def metrics(self, compact: Counts, dispersion: float = 1.0) -> dict[str, Interval]:
        """Every metric that these outcomes can tell, with its interval."""
        if self.layout.ranking is not None:
            return lists.lists(self.layout.ranking, self.part(compact, "ranking"), dispersion)
        if self.layout.regression is not None:
            found = numbers.numbers(
                self.layout.regression, self.part(compact, "residual"), dispersion
            )
            if "percentage" in self:
                sums = self.part(compact, "percentage")
                found |= numbers.percentage(self.layout.percentage, sums, dispersion)
            return found | self._residuals(compact, dispersion)
        table = self.table(compact)
        out: dict[str, Interval] = {}
        right = classes.accuracy(table, len(self.classes), dispersion)
        if right is None:
            return {}
        out["accuracy"] = right
        if self.positive is None:
            out |= classes.macro(table, len(self.classes), dispersion)
        else:
            out |= classes.binary(table, self.positive, dispersion)
        return out | self._scored(compact, dispersion)

    def _scored(self, compact: Counts, dispersion: float) -> dict[str, Interval]:
        """Metrics of the score; of the confidence where no class is positive: only calibration."""
        sides = self.by_score(compact)
        if sides is None:
            return {}
        no, yes = sides
        out: dict[str, Interval | None] = {}
        if self.positive is not None:
            area = ranking.auc(no[:-1], yes[:-1], dispersion)
            out["auc"] = area
            out["gini"] = None if area is None else ranking.gini(area)
        if self.scores is not None:
            out["ece"] = scoring.ece(no, yes, self.scores, dispersion)
            if self.positive is not None:
                for name, of in (("log_loss", scoring.log_loss), ("brier", scoring.brier)):
                    loss = of(no, yes, self.scores, dispersion)
                    out[name] = None if loss is None else loss.interval
        return {name: one for name, one in out.items() if one is not None}

    def _residuals(self, compact: Counts, dispersion: float) -> dict[str, Interval]:
        """Quantiles of the residual."""
        if self.layout.residuals is None:
            return {}
        counts, values = self.part(compact, "error"), self.layout.residuals.values
        found = {
            name: quantile(counts[:-1], values[:-1], share, dispersion)
            for name, share in _RESIDUALS.items()
        }
        return {name: one for name, one in found.items() if one is not None}
