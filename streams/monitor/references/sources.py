"""Sources: where the references come from that a model is compared with beside its training file.

`rolling 30d`: the last 30 days. `seasonal hour_of_week`: the same hour of the weeks before.
`previous`: the version before this one.

Promises: a reference is made of earlier panes alone; panes of an open incident or of a named
period of the calendar are never in it; state is bounded (see `history`, `seasons`).
Leaves to others: judging (`comparison`).
"""

from typing import Final, Protocol

import msgspec

from schemas.durations import parse_duration
from schemas.journal import Counts, Sparse
from schemas.log import Millis
from streams.monitor.references.history import History, SavedHistory
from streams.monitor.references.seasons import SEASONS, moment

MAX_SEGMENTS: Final = 16
"""Segments with a history; the whole comes first, and further ones are not compared."""

MAX_VERSIONS: Final = 4
"""Versions with a history of their own; the one heard of first gives way."""

MIN_PANES: Final = 30
"""Slots of a rolling reference or of a predecessor's, so that dispersion is known."""

MIN_TURNS: Final = 8
"""The same of one part of a season."""

LAG_PANES: Final = 10
"""The newest panes are not yet part of a rolling reference: a change is seen before it is in."""

_STEPS: Final = 30
"""How often a rolling reference moves on in its own length."""

PREVIOUS_REACH: Final[Millis] = 30 * 86_400_000


class Source(Protocol):
    """What keeps panes, and says which of them are the reference of a pane."""

    def add(self, version: str, segment: str, pane: int, row: Counts) -> None:
        """Keep the counts of a pane."""

    def drop(self, first: int, last: int) -> bool:
        """Forget the panes first..last; whether any was kept."""

    def forget(self, version: str | None, before: int) -> None:
        """Forget the panes of a version (None: all) before one."""

    def period(self, pane: int) -> int:
        """A number that changes when the reference does."""

    def rows(self, version: str, segment: str, pane: int) -> list[Counts]:
        """The vectors that are the reference of a pane; empty where they are too few."""

    def save(self) -> bytes:
        """The state, for a snapshot."""

    def load(self, saved: bytes) -> None:
        """Take a snapshot up."""


class Rolling:
    """The last stretch of time, all versions together."""

    def __init__(self, span: Millis, width: int, pane: Millis) -> None:
        """`span` is how far back it goes."""
        self._width, self._pane, self._span = width, pane, span
        self._panes = span // pane
        self._step = max(1, self._panes // _STEPS)
        self._places: dict[str, History] = {}

    def add(self, version: str, segment: str, pane: int, row: Counts) -> None:
        """Keep the counts of a pane."""
        del version
        if segment not in self._places:
            if len(self._places) >= MAX_SEGMENTS:
                return
            self._places[segment] = History(self._width, self._pane, self._span)
        self._places[segment].add(pane, row)

    def drop(self, first: int, last: int) -> bool:
        """Forget the panes first..last; whether any was kept."""
        gone = [one.drop(first, last) for one in self._places.values()]
        return any(gone)  # of all, not of the first that has any

    def forget(self, version: str | None, before: int) -> None:
        """Forget what was before; versions share this reference."""
        del version
        self.drop(0, before - 1)

    def period(self, pane: int) -> int:
        """A thirtieth of the stretch."""
        return pane // self._step

    def rows(self, version: str, segment: str, pane: int) -> list[Counts]:
        """The slots within the stretch, up to a few panes ago."""
        del version
        history = self._places.get(segment)
        found = history.rows(pane - self._panes, pane - LAG_PANES) if history is not None else []
        return found if len(found) >= MIN_PANES else []

    def save(self) -> bytes:
        """The state, for a snapshot."""
        saved = {segment: one.save() for segment, one in self._places.items()}
        return msgspec.msgpack.encode(saved)

    def load(self, saved: bytes) -> None:
        """Take a snapshot up."""
        found = msgspec.msgpack.decode(saved, type=dict[str, SavedHistory])
        for segment, one in found.items():
            self._places[segment] = History(self._width, self._pane, self._span)
            self._places[segment].load(one)


class Unit(msgspec.Struct, array_like=True):
    """An hour or a day of a season: its turn, its first pane, its counts."""

    turn: int
    pane: int
    row: Counts


class Seasonal:
    """The same part of the season in its earlier turns, all versions together."""

    def __init__(self, season: str, width: int, pane: Millis) -> None:
        """`season` is one of `SEASONS`; its unit is at least a pane long."""
        self._season, self._kind = season, SEASONS[season]
        self._width, self._pane = width, pane
        self._each = max(1, self._kind.unit // pane)
        self._parts: dict[tuple[str, int], list[Unit]] = {}

    def add(self, version: str, segment: str, pane: int, row: Counts) -> None:
        """Keep the counts of a pane in its unit."""
        del version
        part, turn = moment(self._season, pane * self._pane)
        segments = {name for name, _ in self._parts}
        if segment not in segments and len(segments) >= MAX_SEGMENTS:
            return
        units = self._parts.setdefault((segment, part), [])
        first = pane // self._each * self._each
        for unit in reversed(units):
            if unit.pane == first:
                unit.row = unit.row + row
                return
        if not units or first > units[-1].pane:
            units.append(Unit(turn, first, row.copy()))
            del units[: -self._kind.kept]

    def drop(self, first: int, last: int) -> bool:
        """Forget the units that touch the panes first..last; whether there was any."""
        gone = False
        for place, units in self._parts.items():
            kept = [u for u in units if u.pane > last or u.pane + self._each <= first]
            gone = gone or len(kept) < len(units)
            self._parts[place] = kept
        return gone

    def forget(self, version: str | None, before: int) -> None:
        """Forget what was before; versions share this reference."""
        del version
        self.drop(0, before - 1)

    def period(self, pane: int) -> int:
        """One turn of one part."""
        part, turn = moment(self._season, pane * self._pane)
        return turn * self._kind.parts + part

    def rows(self, version: str, segment: str, pane: int) -> list[Counts]:
        """The units of the same part in earlier turns."""
        del version
        part, turn = moment(self._season, pane * self._pane)
        found = [u.row for u in self._parts.get((segment, part), []) if u.turn < turn]
        return found if len(found) >= MIN_TURNS else []

    def save(self) -> bytes:
        """The state, for a snapshot."""
        saved = [
            (segment, part, [(u.turn, u.pane, Sparse.pack(u.row)) for u in units])
            for (segment, part), units in sorted(self._parts.items())
        ]
        return msgspec.msgpack.encode(saved)

    def load(self, saved: bytes) -> None:
        """Take a snapshot up."""
        kind = list[tuple[str, int, list[tuple[int, int, Sparse]]]]
        self._parts = {
            (segment, part): [Unit(turn, pane, row.full(self._width)) for turn, pane, row in units]
            for segment, part, units in msgspec.msgpack.decode(saved, type=kind)
        }


class Previous:
    """The version that was heard of before this one, as it was in its last 30 days."""

    def __init__(self, width: int, pane: Millis) -> None:
        """No version yet."""
        self._width, self._pane = width, pane
        self._versions: dict[str, dict[str, History]] = {}

    def add(self, version: str, segment: str, pane: int, row: Counts) -> None:
        """Keep the counts of a pane."""
        if version not in self._versions:
            while len(self._versions) >= MAX_VERSIONS:
                del self._versions[next(iter(self._versions))]
            self._versions[version] = {}
        places = self._versions[version]
        if segment not in places:
            if len(places) >= MAX_SEGMENTS:
                return
            places[segment] = History(self._width, self._pane, PREVIOUS_REACH)
        places[segment].add(pane, row)

    def drop(self, first: int, last: int) -> bool:
        """Forget the panes first..last; whether any was kept."""
        every = [one for places in self._versions.values() for one in places.values()]
        gone = [one.drop(first, last) for one in every]
        return any(gone)  # of all, not of the first that has any

    def forget(self, version: str | None, before: int) -> None:
        """Forget the panes of a version (None: all) before one."""
        for name, places in self._versions.items():
            if version in (None, name):
                for history in places.values():
                    history.drop(0, before - 1)

    def period(self, pane: int) -> int:
        """It stays as it was when the version was first compared."""
        del pane
        return 0

    def rows(self, version: str, segment: str, pane: int) -> list[Counts]:
        """The slots of the predecessor before this pane."""
        names = list(self._versions)
        if version not in names or not names.index(version):
            return []
        history = self._versions[names[names.index(version) - 1]].get(segment)
        reach = PREVIOUS_REACH // self._pane
        found = history.rows(pane - reach, pane) if history is not None else []
        return found if len(found) >= MIN_PANES else []

    def save(self) -> bytes:
        """The state, for a snapshot."""
        saved = [
            (version, {segment: one.save() for segment, one in places.items()})
            for version, places in self._versions.items()
        ]
        return msgspec.msgpack.encode(saved)

    def load(self, saved: bytes) -> None:
        """Take a snapshot up."""
        kind = list[tuple[str, dict[str, SavedHistory]]]
        for version, places in msgspec.msgpack.decode(saved, type=kind):
            self._versions[version] = {}
            for segment, one in places.items():
                history = self._versions[version][segment] = History(
                    self._width, self._pane, PREVIOUS_REACH
                )
                history.load(one)


def source_of(comparison: str, width: int, pane: Millis) -> Source | None:
    """What a comparison of the config needs; None for the training reference."""
    name, _, rest = comparison.partition(" ")
    if name == "rolling":
        return Rolling(parse_duration(rest), width, pane)
    if name == "seasonal":
        return Seasonal(rest, width, pane)
    return Previous(width, pane) if name == "previous" else None
