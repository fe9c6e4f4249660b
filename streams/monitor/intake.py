"""Intake: which profiles count, how far a model is, and what a closing pane takes.

Laws obeyed here: of each partition the largest watermark heard for the present grid stands, and
the model's is the least of all N (nothing heard is minus infinity); a profile replaces another of
its key only if it counted at least as far in both logs; a pane takes of each profile what it has
not taken yet; a key is forgotten only when rows have moved its partition past `arrived`.
Leaves to others: what the taken counts mean (`panel`), who may ask (`model`).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec
import numpy as np

from schemas.grid import Layout
from schemas.journal import Counts, Profile, ProfileKey, Progress, Sparse
from schemas.log import DAWN, DUSK, Millis


class Held(msgspec.Struct, kw_only=True):
    """A profile's newest version, and what of it has been taken already."""

    vector: Counts
    rows: int
    offsets: tuple[int, int]
    first: tuple[int, int]
    taken: Counts | None = None
    taken_rows: int = 0


class SavedHeld(msgspec.Struct, frozen=True, array_like=True):
    """A held profile in a snapshot."""

    key: ProfileKey
    vector: Sparse
    rows: int
    offsets: tuple[int, int]
    first: tuple[int, int]
    taken: Sparse | None
    taken_rows: int


class SavedIntake(msgspec.Struct, frozen=True, kw_only=True):
    """The intake in a snapshot."""

    progress: list[Progress]
    held: list[SavedHeld]
    next_pane: int | None


class Taken(NamedTuple):
    """What one profile gives to a closing pane."""

    key: ProfileKey
    vector: Counts
    rows: int
    offsets: tuple[int, int]
    first: tuple[int, int]


def further(old: Progress, new: Progress) -> Progress:
    """What a partition said last, with the largest watermarks of both."""
    return msgspec.structs.replace(
        new,
        predictions=max(old.predictions, new.predictions),
        outcomes=max(old.outcomes, new.outcomes),
        predictions_rows=max(old.predictions_rows, new.predictions_rows),
        outcomes_rows=max(old.outcomes_rows, new.outcomes_rows),
        events=max(old.events, new.events),
    )


class Intake:
    """The profiles and watermarks of one model on one grid."""

    def __init__(self, layout: Layout, *, labelled: bool, pane: Millis) -> None:
        """`pane` is the length of a pane."""
        self._layout = layout
        self._grid_id = layout.grid.id
        self._labelled = labelled
        self._pane = pane
        self._progress: dict[int, Progress] = {}
        self._held: dict[ProfileKey, Held] = {}
        self.next_pane: int | None = None
        """The pane to close next; None before the first row."""

    def hear(self, progress: Progress) -> None:
        """Keep the largest of what a partition has said."""
        if (progress.epoch, progress.grid) != (self._layout.grid.epoch, self._grid_id):
            return
        old = self._progress.get(progress.partition)
        self._progress[progress.partition] = progress if old is None else further(old, progress)

    def admit(self, profile: Profile) -> None:
        """Take a profile in, unless it is of another grid, forgotten, or older than ours."""
        key = profile.key
        if (key.epoch, key.grid) != (self._layout.grid.epoch, self._grid_id):
            return
        held = self._held.get(key)
        if held is None:
            if self._forgettable(key):
                return
            held = Held(
                vector=np.zeros(self._layout.width(key.kind), np.int64),
                rows=0,
                offsets=(-1, -1),
                first=profile.first,
            )
            self._held[key] = held
        elif not (profile.offsets[0] >= held.offsets[0] and profile.offsets[1] >= held.offsets[1]):
            return
        held.vector = np.zeros_like(held.vector)
        profile.vector.add_to(held.vector)
        held.rows, held.offsets, held.first = profile.rows, profile.offsets, profile.first

    @property
    def watermark(self) -> Millis:
        """Before this instant every partition is complete, in all its logs."""
        said = list(self._progress.values())
        if not said or len(said) < said[0].partitions:
            return DAWN
        if self._labelled:
            return min(min(one.outcomes, one.events) for one in said)
        return min(min(one.predictions, one.events) for one in said)

    @property
    def joins(self) -> tuple[int, bool]:
        """Rows that could not be joined so far, of all partitions, and whether they can be now."""
        said = self._progress.values()
        return sum(one.missed for one in said), all(one.whole for one in said)

    def closable(self, wakes: Callable[[], int | None] = lambda: None) -> Iterator[int]:
        """The panes that are over and not closed yet, in order; the caller takes each.

        A stretch without any row is passed over in one step, so that an idle year costs nothing;
        `wakes` names a pane in it that closes all the same, if that is not the end of the stream.
        """
        while True:
            begin = self.next_pane if self.next_pane is not None else DAWN
            waiting = (
                key.arrived
                for key, one in self._held.items()
                if one.taken is None and (key.kind != "refusals" or one.rows)
            )
            upcoming = min((a for a in waiting if a >= begin), default=None)
            due = wakes()
            if due is not None and due >= begin and not self.ended(due):
                upcoming = due if upcoming is None else min(upcoming, due)
            if upcoming is None or upcoming >= self.watermark // self._pane:
                return  # nothing to say of empty panes until a row comes
            self.next_pane = upcoming
            yield upcoming
            self.next_pane = upcoming + 1

    def ended(self, pane: int) -> bool:
        """Whether no prediction comes after a pane, because the stream is over.

        A function of the logs as far as they are read: an end that is known already, because all
        of a recording came at once, ends no wait that predictions have ended.
        """
        said = self._progress.values()
        if any(one.predictions < DUSK for one in said):
            return False
        return not any(key.arrived > pane and key.kind == "predictions" for key in self._held)

    def take(self, pane: int) -> list[Taken]:
        """What arrived by `pane` and was not taken before, in the order of the keys."""
        out = []
        for key in sorted(k for k in self._held if k.arrived <= pane):
            held = self._held[key]
            vector = held.vector if held.taken is None else held.vector - held.taken
            rows = held.rows - held.taken_rows
            if held.taken is None or vector.any() or rows:
                out.append(Taken(key, vector, rows, held.offsets, held.first))
            held.taken, held.taken_rows = held.vector, held.rows
            if self._forgettable(key):
                del self._held[key]
        return out

    def _forgettable(self, key: ProfileKey) -> bool:
        """Whether rows have moved the key's own partition past it."""
        said = self._progress.get(key.partition)
        if said is None:
            return False
        mark = said.predictions_rows if key.kind == "predictions" else said.outcomes_rows
        return mark >= (key.arrived + 1) * self._pane

    def save(self) -> SavedIntake:
        """The state, for a snapshot."""
        return SavedIntake(
            progress=[one for _, one in sorted(self._progress.items())],
            held=[_saved(key, one) for key, one in sorted(self._held.items())],
            next_pane=self.next_pane,
        )

    def load(self, saved: SavedIntake) -> None:
        """Take a snapshot up."""
        self._progress = {one.partition: one for one in saved.progress}
        self._held = dict(self._loaded(saved.held))
        self.next_pane = saved.next_pane

    def _loaded(self, saved: Iterable[SavedHeld]) -> Iterator[tuple[ProfileKey, Held]]:
        for one in saved:
            vector = np.zeros(self._layout.width(one.key.kind), np.int64)
            one.vector.add_to(vector)
            taken = None
            if one.taken is not None:
                taken = np.zeros_like(vector)
                one.taken.add_to(taken)
            yield (
                one.key,
                Held(
                    vector=vector,
                    rows=one.rows,
                    offsets=one.offsets,
                    first=one.first,
                    taken=taken,
                    taken_rows=one.taken_rows,
                ),
            )


def _saved(key: ProfileKey, one: Held) -> SavedHeld:
    vector = Sparse.pack(one.vector)
    taken: Sparse | None = vector  # of most profiles all has been taken
    if one.taken is not one.vector:
        taken = None if one.taken is None else Sparse.pack(one.taken)
    return SavedHeld(key, vector, one.rows, one.offsets, one.first, taken, one.taken_rows)
