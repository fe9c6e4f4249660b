"""Evidence: where the raw records behind a finding lie.

Promises: ranges of offsets per log and source partition, both ends included; bounded.
Leaves to others: reading the records (`windage explain` prints a command for it).
"""

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from schemas.finding import Evidence, Finding
from schemas.grid import WHOLE
from schemas.log import Millis
from streams.monitor.intake import Taken

KEPT_PANES: Final = 200
"""Panes whose offsets are remembered; older evidence begins at the oldest of them."""

_OUTCOMES: Final = ("label", "error", "gain", "metric:", "calibration", "fairness:")
"""What the names of signals that need labels begin with."""

Range = tuple[int, int]
"""First and last offset."""


class SavedRanges(msgspec.Struct, frozen=True, kw_only=True):
    """Ranges in a snapshot."""

    panes: dict[int, dict[str, Range]]


class Ranges:
    """Offsets of the rows of recent panes, of all versions together."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._panes: dict[int, dict[str, Range]] = {}

    def add(self, pane: int, taken: Iterable[Taken]) -> None:
        """Remember where the rows that a pane took came from."""
        for one in taken:
            if one.key.segment != WHOLE:
                continue
            for log, place in (("predictions", 0), ("labels", 1)):
                if (one.key.kind == "predictions") != (log == "predictions") or one.first[
                    place
                ] < 0:
                    continue
                name = f"{log}/{one.key.partition}"
                spans = self._panes.setdefault(pane, {})
                first, last = spans.get(name, (one.first[place], one.offsets[place]))
                spans[name] = min(first, one.first[place]), max(last, one.offsets[place])
        for old in sorted(self._panes)[:-KEPT_PANES]:
            del self._panes[old]

    def attach(self, finding: Finding, pane: Millis) -> Finding:
        """The finding with the records from its change on."""
        log: Literal["predictions", "labels"] = (
            "labels" if finding.signal.startswith(_OUTCOMES) else "predictions"
        )
        since = (finding.change_point or finding.window_start) // pane
        spans: dict[int, Range] = {}
        for number, ranges in self._panes.items():
            if number < since or (number + 1) * pane > finding.window_end:
                continue
            for name, (first, last) in ranges.items():
                kind, _, partition = name.partition("/")
                if kind == log:
                    old = spans.get(int(partition), (first, last))
                    spans[int(partition)] = min(old[0], first), max(old[1], last)
        evidence = tuple(
            Evidence(log=log, partition=partition, first=first, last=last)
            for partition, (first, last) in sorted(spans.items())
        )
        return msgspec.structs.replace(finding, evidence=evidence)

    def save(self) -> SavedRanges:
        """The state, for a snapshot."""
        return SavedRanges(panes=self._panes)

    def load(self, saved: SavedRanges) -> None:
        """Take a snapshot up."""
        self._panes = {pane: dict(ranges) for pane, ranges in saved.panes.items()}
