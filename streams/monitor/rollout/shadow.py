"""Shadows beside the version that serves: readings for whoever thinks of promoting one.

`shadow:agreement` is the share of requests to which the shadow answered as was answered (detector
`pairs`), with its interval. Where no request was answered by both (a shadow with ids of its own),
it is the share that both can have in common at most, as their shares of each class allow no more
(detector `window`: 1 less their total variation). Of numbers it is `shadow:difference`, the median
distance of both answers, in the unit of the target. `shadow:error` is the shadow's error rate
beside the champion's.

Promises: readings only, that page nobody; a shadow's rows are in no other statistic.
Leaves to others: keeping them apart (`schemas.shadow`), who answered what (`profiler.agreements`).
"""

from typing import Final, TypeVar

import msgspec
import numpy as np

from detectors.metrics.interval import Interval, wilson
from detectors.metrics.quantiles import quantile
from schemas.finding import Finding, Measured
from schemas.grid import WHOLE
from schemas.journal import Counts
from streams.monitor.outcomes.blocks import Blocks
from streams.monitor.watch import Closing, Part, Setting

MOST: Final = 8
UNKNOWN: Final = 2
"""Cells of a class that are no class: unseen, missing."""
WINDOW: Final = 20
"""Panes that a reading rests on."""
LEAST: Final = 100
"""Rows below which nothing is said."""

Pane = tuple[int, list[int], list[int]]
"""A pane, rows by predicted cell, and outcomes (right, wrong)."""
Pairs = tuple[int, list[int]]
"""A pane, and its pairs of answers: alike and not, or of numbers by the cell of their distance."""


_Kept = TypeVar("_Kept", Pane, Pairs)


class Saved(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The watch in a snapshot, by version."""

    panes: dict[str, list[Pane]]
    pairs: dict[str, list[Pairs]]


_encoder: Final = msgspec.msgpack.Encoder(order="deterministic")
_decoder: Final = msgspec.msgpack.Decoder(Saved | dict[str, list[Pane]])
"""A map is what an earlier version saved: panes alone."""


class Shadows:
    """The shadows of one model and the version with most rows beside them."""

    def __init__(self, setting: Setting) -> None:
        """`setting` gives the layout."""
        layout = setting.layout
        self._model, self._reference = setting.judging.model, setting.baseline.id
        # Lists are not kept, so there is nothing to compare of a ranking.
        self._block = None if layout.ranking else layout.predictions.get("prediction")
        counted = setting.judging.labelled and "confusion" in layout.outcomes
        self._blocks = Blocks(layout) if counted else None
        self._classes = 0 if self._block is None else self._block.width - UNKNOWN
        self._gaps = layout.residuals
        self._panes: dict[str, list[Pane]] = {}
        self._pairs: dict[str, list[Pairs]] = {}

    def close(self, closing: Closing) -> list[Finding]:
        """Count a pane; gives two findings a shadow."""
        shadows = sorted({part.version for part in closing.shadows})
        if self._block is None or not (shadows or self._panes or closing.agreements):
            return []
        asked = [*closing.predictions, *closing.shadows]
        answered = [*closing.outcomes, *closing.shadow_outcomes]
        for version in sorted({part.version for part in (*asked, *answered)}):
            self._count(version, closing.pane, asked, answered)
        for part in closing.agreements:
            if part.segment == WHOLE:
                pairs = closing.pane, self._alike(part.vector)
                self._pairs.setdefault(part.version, []).append(pairs)
        first = closing.pane - WINDOW
        self._panes = _since(first, self._panes)
        self._pairs = _since(first, self._pairs)
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

    def _alike(self, vector: Counts) -> list[int]:
        """What is kept of the agreements of a pane."""
        if self._gaps is not None:
            found: list[int] = vector.tolist()
            return found
        width = self._classes + UNKNOWN
        table = vector.reshape(width, width)
        alike = int(np.trace(table[: self._classes, : self._classes]))
        answered = int(table.sum()) - int(table[-1, -1])
        return [alike, answered - alike]

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
        found = [self._together(version, champion, (mine[0], theirs[0]), closing)]
        if min(sum(mine[1]), sum(theirs[1])) >= LEAST:
            error, normal = (one[1] / sum(one) for one in (mine[1], theirs[1]))
            effect = Measured(current=error, baseline=normal)
            said = "error", "window", effect, sum(mine[1])
            found.append(self._finding(version, champion, said, closing))
        return found

    def _together(
        self,
        version: str,
        champion: str,
        cells: tuple[list[int], list[int]],
        closing: Closing,
    ) -> Finding:
        """How alike the answers to the same requests are; without such how alike they can be."""
        pairs = [one for _, one in self._pairs.get(version, [])]
        counts = np.sum(pairs, axis=0) if pairs else np.zeros(2, np.int64)
        rows = int(counts.sum())
        if rows < LEAST:
            shares = [np.array(one) / sum(one) for one in cells]
            most = 1 - float(np.abs(shares[0] - shares[1]).sum()) / 2
            said = "agreement", "window", Measured(current=most), sum(cells[0])
        elif self._gaps is None:
            share = wilson(float(counts[0]), rows)
            said = "agreement", "pairs", _interval(share), rows
        else:
            sizes = np.abs(self._gaps.values[:-1])
            order = np.argsort(sizes, kind="stable")
            said = (
                "difference",
                "pairs",
                _interval(quantile(counts[order], sizes[order], 0.5)),
                rows,
            )
        return self._finding(version, champion, said, closing)

    def _sums(self, version: str) -> tuple[list[int], list[int]]:
        panes = self._panes.get(version, [])
        if not panes:
            return [0], [0, 0]
        cells = np.sum([pane[1] for pane in panes], axis=0).tolist()
        return cells, np.sum([pane[2] for pane in panes], axis=0).tolist()

    def _finding(
        self, version: str, champion: str, said: tuple[str, str, Measured, int], closing: Closing
    ) -> Finding:
        """`said`: name, detector, effect and rows."""
        name, detector, effect, rows = said
        pane = closing.span[1] - closing.span[0]
        return Finding(
            model=self._model,
            version=version,
            segment=WHOLE,
            signal=f"shadow:{name}",
            detector=detector,
            state="judged",
            alarm=False,
            joins=False,
            inside=True,
            symptom="shift",
            statistic=effect.current,
            threshold=effect.baseline,
            effect=effect,
            window_start=closing.span[1] - WINDOW * pane,
            window_end=closing.span[1],
            rows=rows,
            reference_id=champion,
            reference_rows=sum(self._sums(champion)[0]),
            role="context",
        )

    def save(self) -> bytes:
        """The state, for a snapshot."""
        return _encoder.encode(Saved(panes=self._panes, pairs=self._pairs))

    def load(self, saved: bytes) -> None:
        """Take a snapshot up."""
        one = _decoder.decode(saved)
        self._panes, self._pairs = (one.panes, one.pairs) if isinstance(one, Saved) else (one, {})


def _whole(parts: list[Part], version: str) -> list[Part]:
    return [p for p in parts if p.version == version and p.segment == WHOLE and not p.late]


def _since(first: int, kept: dict[str, list[_Kept]]) -> dict[str, list[_Kept]]:
    """What is of panes after `first`."""
    return {
        version: newer
        for version, panes in kept.items()
        if (newer := [pane for pane in panes if pane[0] > first])
    }


def _interval(found: Interval | None) -> Measured:
    if found is None:
        return Measured()
    return Measured(current=found.value, low=found.low, high=found.high)
