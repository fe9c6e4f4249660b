"""Feature sets: rows of a version that are made in another way than before, with no deployment.

Who computes features says in which version (`feature_set`). When that changes and the model does
not, nobody has asked the model: it is a fault of the pipeline until somebody says otherwise.

Signal `feature_set`, one incident while rows of a set come that the version did not have in its
first `KNOWN` panes. It is known from then on when a deployment of the model is said, for `GRACE`
panes, when a new normal is asked for, or after `LASTING` panes.

Promises: a function of the panes alone; `LEAST` rows are needed; nothing is charged to the budget:
the rule is no test.
Leaves to others: counting (profiler), which cell is whose (`schemas.sets`), what follows (policy).
"""

from typing import Final

import msgspec
import numpy as np

from schemas.finding import Finding, Measured
from schemas.grid import WHOLE
from schemas.log import Millis
from streams.monitor.roster import Roster
from streams.monitor.watch import Closing, Setting

SIGNAL: Final = "feature_set"

LEAST: Final = 20
"""Rows of a new set before anything is said: a few may be somebody's test."""

KNOWN: Final = 30
"""Panes with rows of a version whose sets are its own: not every producer is heard in the first."""

GRACE: Final = 10
"""Panes after a deployment in which rows of its set may come for the first time."""

LASTING: Final = 200
"""Panes after which what is new is normal."""

REMEMBERED: Final = 1_000
"""Panes after an alarm in which the share is still told, so that its incident can be resolved."""

DEPLOYMENTS: Final = frozenset({"deployed", "promoted", "rolled_back", "reference_reset"})


class Known(msgspec.Struct, array_like=True):
    """The sets of one version: cells that are known, and new ones by first pane and rows so far."""

    panes: int
    cells: list[int]
    new: dict[int, tuple[int, int]]
    alarmed: int | None = None


class Saved(msgspec.Struct, frozen=True, array_like=True):
    """The watch in a snapshot."""

    seen: dict[str, int]
    versions: dict[str, Known]
    deployed: int | None


class FeatureSets:
    """The feature sets of one model."""

    def __init__(self, setting: Setting) -> None:
        """None were seen yet."""
        self._model, self._pane = setting.judging.model, setting.judging.pane
        self._roster = Roster()
        self._versions: dict[str, Known] = {}
        self._deployed: int | None = None

    def close(self, closing: Closing) -> list[Finding]:
        """Whether versions have rows of sets that they did not have."""
        pane = closing.pane
        if any(event.type in DEPLOYMENTS for _, event in closing.events):
            self._deployed = pane
        shares: dict[str, tuple[int, int]] = {}
        for part in closing.sets:
            kept, gone = self._roster.admit(part.version, pane)
            if gone is not None:
                self._versions.pop(gone, None)
            if kept:
                counts = {int(c): int(part.vector[c]) for c in np.flatnonzero(part.vector)}
                shares[part.version] = self._count(part.version, pane, counts)
        settled = self._deployed is not None and pane - self._deployed <= GRACE
        found = []
        for version, known in sorted(self._versions.items()):
            self._settle(known, pane, all_of_it=settled)
            new, rows = shares.get(version, (0, 0))
            found += self._told(version, known, closing, (new, rows))
        return found

    def _count(self, version: str, pane: int, counts: dict[int, int]) -> tuple[int, int]:
        """Add a pane's rows by cell; gives those of new sets, and all."""
        known = self._versions.setdefault(version, Known(0, [], {}))
        if known.panes < KNOWN:
            known.panes += 1
            known.cells = sorted({*known.cells, *counts})
        fresh = {cell: rows for cell, rows in counts.items() if cell not in known.cells}
        for cell, rows in fresh.items():
            first, before = known.new.get(cell, (pane, 0))
            known.new[cell] = first, before + rows
        return sum(fresh.values()), sum(counts.values())

    def _settle(self, known: Known, pane: int, *, all_of_it: bool) -> None:
        """What is normal by now is known."""
        old = [c for c, (first, _) in known.new.items() if all_of_it or pane - first >= LASTING]
        known.cells = sorted({*known.cells, *old})
        for cell in old:
            del known.new[cell]

    def _told(
        self, version: str, known: Known, closing: Closing, rows: tuple[int, int]
    ) -> list[Finding]:
        """The finding of a version; none while nothing is wrong, nor in panes without rows."""
        pane, (new, total) = closing.pane, rows
        proven = [first for first, seen in known.new.values() if seen >= LEAST]
        alarm = bool(proven) and new > 0
        if alarm:
            known.alarmed = pane
        told = known.alarmed is not None and pane - known.alarmed <= REMEMBERED
        if not told or not total:
            return []
        since: Millis | None = min(proven) * self._pane if alarm else None
        return [
            Finding(
                model=self._model,
                version=version,
                segment=WHOLE,
                signal=SIGNAL,
                detector="sets",
                state="judged",
                alarm=alarm,
                joins=False,
                inside=not alarm,
                symptom="replaced",
                statistic=new / total,
                threshold=0.0,
                effect=Measured(current=new / total, baseline=0.0),
                change_point=since,
                window_start=closing.span[0],
                window_end=closing.span[1],
                rows=total,
                reference_id="",
                reference_rows=0,
            )
        ]

    def rebuild(self, version: str | None, _since: Millis) -> None:
        """A new normal is asked for: what a version has by now belongs to it."""
        for name, known in self._versions.items():
            if version in (None, name):
                known.cells, known.new = sorted({*known.cells, *known.new}), {}

    def save(self) -> bytes:
        """The state, for a snapshot."""
        for known in self._versions.values():
            known.new = dict(sorted(known.new.items()))
        versions = dict(sorted(self._versions.items()))
        return msgspec.msgpack.encode(Saved(self._roster.save(), versions, self._deployed))

    def load(self, saved: bytes) -> None:
        """Take a snapshot up."""
        one = msgspec.msgpack.decode(saved, type=Saved)
        self._roster.load(one.seen)
        self._versions, self._deployed = dict(one.versions), one.deployed
