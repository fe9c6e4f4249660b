"""Shadows beside the version that serves: readings for whoever thinks of promoting one.

`shadow:agreement` is the share of decisions that both can have in common at most, as their
shares of each class allow no more (1 less their total variation); `shadow:error` is the shadow's
error rate beside the champion's.

Promises: readings only, that page nobody; a shadow's rows are in no other statistic.
Leaves to others: keeping them apart (`schemas.shadow`), comparing row by row, which needs both
answers to one request in one place.
"""

from typing import Final

import msgspec
import numpy as np

from schemas.finding import Finding, Measured
from schemas.grid import WHOLE
from schemas.journal import Counts
from streams.monitor.outcomes.blocks import Blocks
from streams.monitor.watch import Closing, Part, Setting

MOST: Final = 8
WINDOW: Final = 20
"""Panes that a reading rests on."""
LEAST: Final = 100
"""Rows below which nothing is said."""

Pane = tuple[int, list[int], list[int]]
"""A pane, rows by predicted cell, and outcomes (right, wrong)."""

_encoder: Final = msgspec.msgpack.Encoder(order="deterministic")
_decoder: Final = msgspec.msgpack.Decoder(dict[str, list[Pane]])


class Shadows:
    """The shadows of one model and the version with most rows beside them."""

    def __init__(self, setting: Setting) -> None:
        """`setting` gives the layout."""
        layout = setting.layout
        self._model, self._reference = setting.judging.model, setting.baseline.id
        self._block = layout.predictions.get("prediction")
        counted = setting.judging.labelled and "confusion" in layout.outcomes
        self._blocks = Blocks(layout) if counted else None
        self._panes: dict[str, list[Pane]] = {}

    def close(self, closing: Closing) -> list[Finding]:
        """Count a pane; gives two findings a shadow."""
        shadows = sorted({part.version for part in closing.shadows})
        if self._block is None or not (shadows or self._panes):
            return []
        asked = [*closing.predictions, *closing.shadows]
        answered = [*closing.outcomes, *closing.shadow_outcomes]
        for version in sorted({part.version for part in (*asked, *answered)}):
            self._count(version, closing.pane, asked, answered)
        first = closing.pane - WINDOW
        self._panes = {
            version: kept
            for version, panes in self._panes.items()
            if (kept := [pane for pane in panes if pane[0] > first])
        }
        found: list[Finding] = []
        champion = self._champion(closing.predictions)
        for version in shadows[:MOST] if champion else []:
            found += self._compare(version, champion, closing)
        return found

    def _count(self, version: str, pane: int, asked: list[Part], answered: list[Part]) -> None:
        assert self._block is not None
        span = self._block.span
        rows = np.zeros(self._block.width, np.int64)
        for part in _whole(asked, version):
            rows = rows + part.vector[span]
        outcomes = [0, 0]
        for part in _whole(answered, version) if self._blocks is not None else []:
            right, wrong = self._outcomes(part.vector)
            outcomes = [outcomes[0] + right, outcomes[1] + wrong]
        self._panes.setdefault(version, []).append((pane, rows.tolist(), outcomes))

    def _outcomes(self, vector: Counts) -> tuple[int, int]:
        assert self._blocks is not None
        table = self._blocks.table(self._blocks.compact(vector))
        classes = len(self._blocks.classes)
        right = int(np.trace(table[:classes, :classes]))
        return right, int(table[:, :-1].sum()) - right

    def _champion(self, predictions: list[Part]) -> str:
        """The version with most rows over the window."""
        serving = {part.version for part in predictions}
        rows = [(sum(sum(p[1]) for p in self._panes.get(v, ())), v) for v in sorted(serving)]
        return max(rows, default=(0, ""))[1]

    def _compare(self, version: str, champion: str, closing: Closing) -> list[Finding]:
        mine, theirs = self._sums(version), self._sums(champion)
        rows, others = sum(mine[0]), sum(theirs[0])
        if min(rows, others) < LEAST:
            return []
        shares = [np.array(cells) / sum(cells) for cells in (mine[0], theirs[0])]
        agreement = 1 - float(np.abs(shares[0] - shares[1]).sum()) / 2
        found = [self._finding(version, champion, "agreement", agreement, None, rows, closing)]
        if min(sum(mine[1]), sum(theirs[1])) >= LEAST:
            error, normal = (one[1] / sum(one) for one in (mine[1], theirs[1]))
            counted = sum(mine[1])
            found.append(self._finding(version, champion, "error", error, normal, counted, closing))
        return found

    def _sums(self, version: str) -> tuple[list[int], list[int]]:
        panes = self._panes.get(version, [])
        if not panes:
            return [0], [0, 0]
        cells = np.sum([pane[1] for pane in panes], axis=0).tolist()
        return cells, np.sum([pane[2] for pane in panes], axis=0).tolist()

    def _finding(
        self,
        version: str,
        champion: str,
        name: str,
        value: float,
        normal: float | None,
        rows: int,
        closing: Closing,
    ) -> Finding:
        pane = closing.span[1] - closing.span[0]
        return Finding(
            model=self._model,
            version=version,
            segment=WHOLE,
            signal=f"shadow:{name}",
            detector="window",
            state="judged",
            alarm=False,
            joins=False,
            inside=True,
            symptom="shift",
            statistic=value,
            threshold=normal,
            effect=Measured(current=value, baseline=normal),
            window_start=closing.span[1] - WINDOW * pane,
            window_end=closing.span[1],
            rows=rows,
            reference_id=champion,
            reference_rows=sum(self._sums(champion)[0]),
            role="context",
        )

    def save(self) -> bytes:
        """The state, for a snapshot."""
        return _encoder.encode(self._panes)

    def load(self, saved: bytes) -> None:
        """Take a snapshot up."""
        self._panes = _decoder.decode(saved)


def _whole(parts: list[Part], version: str) -> list[Part]:
    return [p for p in parts if p.version == version and p.segment == WHOLE and not p.late]
