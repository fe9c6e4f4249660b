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

_OUTCOMES: Final = ("label", "error", "gain", "metric:", "calibration", "fairness:", "spread")
"""What the names of signals that need labels begin with."""

Log = Literal["predictions", "labels"]

Range = tuple[int, int]
"""First and last offset."""


class SavedRanges(msgspec.Struct, frozen=True, kw_only=True):
    """Ranges in a snapshot."""

    panes: dict[int, dict[str, Range]]


class Ranges:
    """Offsets of the rows of recent panes, of all versions together."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._panes: dict[int, dict[tuple[Log, int], Range]] = {}

    def add(self, pane: int, taken: Iterable[Taken]) -> None:
        """Remember where the rows that a pane took came from."""
        for one in taken:
            if one.key.segment != WHOLE or one.key.kind == "refusals":
                continue
            logs: tuple[tuple[Log, int], ...] = (("predictions", 0), ("labels", 1))
            for log, place in logs:
                if (one.key.kind == "predictions") != (log == "predictions") or one.first[
                    place
                ] < 0:
                    continue
                name = log, one.key.partition
                spans = self._panes.setdefault(pane, {})
                first, last = spans.get(name, (one.first[place], one.offsets[place]))
                spans[name] = min(first, one.first[place]), max(last, one.offsets[place])
        while len(self._panes) > KEPT_PANES:
            del self._panes[min(self._panes)]

    def attach(self, findings: Iterable[Finding], pane: Millis) -> list[Finding]:
        """The findings; those that alarm or join with the records from their change on."""
        known: dict[tuple[Log, int, Millis], tuple[Evidence, ...]] = {}
        out = []
        for finding in findings:
            if (finding.alarm or finding.joins) and not finding.evidence:
                log: Log = "labels" if finding.signal.startswith(_OUTCOMES) else "predictions"
                since = (finding.change_point or finding.window_start) // pane
                span = log, since, finding.window_end // pane
                if span not in known:  # most findings of a pane began together
                    known[span] = self._between(*span)
                out.append(msgspec.structs.replace(finding, evidence=known[span]))
            else:
                out.append(finding)
        return out

    def _between(self, log: Log, since: int, until: int) -> tuple[Evidence, ...]:
        """Where the rows of panes since..until - 1 came from, by partition."""
        spans: dict[int, list[Range]] = {}
        for number, ranges in self._panes.items():
            if since <= number < until:
                for (name, partition), span in ranges.items():
                    if name == log:
                        spans.setdefault(partition, []).append(span)
        return tuple(
            Evidence(
                log=log,
                partition=partition,
                first=min(first for first, _ in found),
                last=max(last for _, last in found),
            )
            for partition, found in sorted(spans.items())
        )

    def save(self) -> SavedRanges:
        """The state, for a snapshot."""
        return SavedRanges(
            panes={
                pane: {f"{log}/{partition}": span for (log, partition), span in spans.items()}
                for pane, spans in self._panes.items()
            }
        )

    def load(self, saved: SavedRanges) -> None:
        """Take a snapshot up."""
        self._panes = {
            pane: {_named(name): span for name, span in spans.items()}
            for pane, spans in saved.panes.items()
        }


def _named(name: str) -> tuple[Log, int]:
    """The log and the partition of `log/partition`."""
    log, _, partition = name.rpartition("/")
    return ("labels" if log == "labels" else "predictions"), int(partition)
