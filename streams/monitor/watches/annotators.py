"""Annotators: how far those who label the same predictions agree.

Reading `label:agreement` of the last `WINDOW` panes, twice: Cohen's kappa (detector `kappa`, none
while only one class was said) and the plain share of pairs that agree (detector `pairs`). Of
numbers it is `label:difference`: the median distance of both labels, in the unit of the target (of
rankings, of what both say of a list's NDCG).
A pair is the label that counts and the one of another annotator; a class outside the grid agrees
with none, and pairs of which both are outside are left out, because who knows whether they agree.

Promises: readings only, that page nobody; a model with one annotator pays nothing.
Leaves to others: who is another annotator, and which label counts (`join.opinions`).
"""

from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np

from detectors.metrics.interval import Interval, wilson
from detectors.metrics.kappa import kappa
from detectors.metrics.quantiles import quantile
from schemas.finding import Finding, Measured
from schemas.grid import WHOLE
from schemas.journal import Counts, Sparse
from streams.monitor.outcomes.telling import Teller
from streams.monitor.watch import Closing, Setting

WINDOW: Final = 20
"""Panes that a reading rests on."""
LEAST: Final = 100
"""Pairs below which nothing is said: limits of fewer promise too much (`metrics.kappa`)."""


class Saved(msgspec.Struct, frozen=True, array_like=True):
    """The watch in a snapshot: the opinions of panes, the oldest first."""

    panes: list[tuple[int, Sparse]]


class Annotators:
    """The annotators of one model."""

    def __init__(self, setting: Setting) -> None:
        """`setting` gives the layout."""
        self._model, layout = setting.judging.model, setting.layout
        self._width, self._gaps = layout.width("opinions"), layout.gaps
        self._classes = 0 if layout.target is None else layout.target.width
        self._panes: list[tuple[int, Sparse]] = []

    def close(self, closing: Closing) -> list[Finding]:
        """Count a pane; gives the readings of the window, none below `LEAST` pairs."""
        came = [(closing.pane, Sparse.pack(part.vector)) for part in closing.opinions]
        first = closing.pane - WINDOW
        self._panes = [one for one in self._panes + came if one[0] > first]
        if not self._panes:
            return []
        sums = np.zeros(self._width, np.int64)
        for _, counts in self._panes:
            counts.add_to(sums)
        pane = closing.span[1] - closing.span[0]
        teller = Teller(
            model=self._model,
            version="",
            segment=WHOLE,
            span=(closing.span[1] - WINDOW * pane, closing.span[1]),
            reference_id="",
            reference_rows=0,
        )
        said = self._agreement(sums) if self._gaps is None else self._difference(sums)
        return [
            teller.tell(
                f"label:{name}",
                detector,
                statistic=one.value,
                effect=Measured(current=one.value, low=one.low, high=one.high),
                rows=one.rows,
            )
            for name, detector, one in said
            if one is not None and one.rows >= LEAST
        ]

    def _agreement(self, sums: Counts) -> Iterator[tuple[str, str, Interval | None]]:
        # The last two cells are a class outside the grid, and none; no label is without a class.
        table = sums.reshape(self._classes, self._classes)[:-1, :-1].copy()
        table[-1, -1] = 0
        yield "agreement", "kappa", kappa(table)
        yield "agreement", "pairs", wilson(float(np.trace(table)), int(table.sum()))

    def _difference(self, sums: Counts) -> Iterator[tuple[str, str, Interval | None]]:
        assert self._gaps is not None
        sizes = np.abs(self._gaps.values[:-1])
        order = np.argsort(sizes, kind="stable")
        yield "difference", "pairs", quantile(sums[order], sizes[order], 0.5)

    def save(self) -> bytes:
        """The state, for a snapshot."""
        return msgspec.msgpack.encode(Saved(self._panes))

    def load(self, saved: bytes) -> None:
        """Take a snapshot up."""
        self._panes = list(msgspec.msgpack.decode(saved, type=Saved).panes)
