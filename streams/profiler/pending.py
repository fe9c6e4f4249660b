"""Pending: where predictions and labels of one model in one partition wait for each other.

In memory alone, or with a shelf: then rows leave memory, and come back with their ids.
Promises: both ways count the same; what could not be asked for, and what was lost, is in the
tallies under names of its own.
Leaves to others: who meets whom (`streams/join`), asking the store that is elsewhere (runtimes).
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from schemas.counting import Counting
from schemas.frames.events import Events
from schemas.grid import Layout
from schemas.log import InputLog, Millis
from schemas.rows import ACCEPTED, Joined, Verdicts
from streams.decode import Decoded
from streams.join import (
    Arrivals,
    Form,
    Found,
    Given,
    Join,
    Leaving,
    SavedShelf,
    Shelf,
    Wanted,
    chosen,
    source_of,
)
from streams.profiler.blocks import Mask, kept_content
from streams.profiler.saved import Tally
from streams.snapshot import SnapshotError

_LOGS: Final[tuple[InputLog, ...]] = ("predictions", "labels")


class Pending:
    """What may still meet."""

    def __init__(
        self,
        counting: Counting,
        layout: Layout | None,
        partition: int,
        tallies: Mapping[InputLog, Tally],
        reached: Mapping[InputLog, int],
        versions: Mapping[str, int],
    ) -> None:
        """`layout` None: the model is learning, in memory. What is told goes into `tallies`.

        `reached`: the offsets to read next; `versions`: their numbers. Both are the model's own
        and move with it.
        """
        content = kept_content(layout)
        self.content = np.dtype(list(content.items()))
        self._counting, self._tallies = counting, tallies
        self._reached, self._versions = reached, versions
        apart = counting.source if layout is not None and counting.labelled else None
        self.join = Join(
            counting.horizon, content, share=counting.share, elsewhere=apart is not None
        )
        self._shelf: Shelf | None = None
        if apart is not None and layout is not None:
            names = apart, counting.model, layout.grid.id, str(partition)
            self._shelf = Shelf(
                self.join,
                Form(content),
                model=counting.model,
                source=source_of(*names),
                pane=counting.pane,
                horizon=counting.horizon,
            )

    @property
    def joins(self) -> tuple[int, bool]:
        """Rows read without a look at what is elsewhere, or lost there; whether it serves now."""
        missed = sum(self._tallies[log].unasked + self._tallies[log].unkept for log in _LOGS)
        return missed, self._shelf is None or self._shelf.whole

    @property
    def nbytes(self) -> int:
        """Memory of what waits here."""
        return self.join.predictions.nbytes + self.join.labels.nbytes

    # -- what is elsewhere -------------------------------------------------------------------------

    def wanted(self, decoded: Decoded) -> Wanted | None:
        """What must come back before these rows are counted."""
        if self._shelf is None:
            return None
        ids = (Events(decoded.events) if decoded.frame is None else decoded.frame).ids
        if self._counting.share < 1.0:
            ids = ids.only(chosen(ids, self._counting.share))
        return self._shelf.wanted(ids) if len(ids) else None

    def recall(self, wanted: Wanted, found: Found | None) -> None:
        """Take it back; None: nobody answered."""
        if self._shelf is not None:
            self._give_up(self._shelf.recall(wanted, found, self._reached, self._versions))

    def leaving(self) -> Leaving | None:
        """What is to be stored elsewhere."""
        if self._shelf is None:
            return None
        return self._shelf.leaving(self._reached, self._versions)

    def left(self, leaving: Leaving, known: int | None) -> None:
        """It is stored, or (`known` None) could not be."""
        if self._shelf is not None:
            given = self._shelf.left(leaving, known, self._reached, self._counting.spare)
            self._give_up(given)

    def _give_up(self, given: Given) -> None:
        self._tallies["predictions"].unkept += given.predictions
        self._tallies["labels"].unkept += given.labels

    # -- tallies -----------------------------------------------------------------------------------

    def admitted(self, log: InputLog, rows: Arrivals, verdicts: Verdicts, new: Mask) -> None:
        """Tally rows that were read for the first time, of those that the join has just seen."""
        fresh, tally, unseen = new & (verdicts == ACCEPTED), self._tallies[log], self.join.unseen
        if self._counting.share < 1.0:
            kept = chosen(rows.ids, self._counting.share)
            tally.unsampled += int((fresh & ~kept).sum())
            fresh &= kept
        if self._shelf is not None:
            tally.unasked += int((fresh & unseen).sum())
            if log == "labels":
                told = verdicts == ACCEPTED if self._shelf.taking_over else fresh
                self._shelf.waits(rows.times[told & ~unseen])

    def met(self, one: Joined, fresh: Mask) -> None:
        """Outcomes were made, of which some (n,) are counted now for the first time."""
        first = (
            one.first
            if self._shelf is not None and self._shelf.taking_over
            else (one.first & fresh)
        )
        if self._shelf is not None and first.any():
            labels, marks = self.join.labels, one.labels[first]
            blind = labels.take("blind", marks) > 0
            self._shelf.met(labels.take("time", marks[~blind]), int((~fresh[first]).sum()))

    def orphans(self, before: Millis) -> int:
        """Labels whose horizon had passed before this instant without a prediction."""
        if self._shelf is not None:
            return self._shelf.orphans(before)
        return self.join.orphans(before, self._tallies["labels"].joined)

    # -- forgetting and keeping --------------------------------------------------------------------

    def forget(self, before: Millis) -> None:
        """Drop what nothing can refer to any more once watermarks have passed `before`."""
        if self._shelf is not None:
            self._shelf.settle(before)
        else:
            self.join.forget(before)

    def oldest(self, log: InputLog) -> tuple[int, Millis] | None:
        """Offset and watermark of the first row that is nowhere but here; None without any."""
        if self._shelf is not None:
            return self._shelf.oldest(log)
        table = self.join.predictions if log == "predictions" else self.join.labels
        if log not in _LOGS or not len(table):
            return None
        return int(table.column("offset")[0]), int(table.column("seen")[0])

    def save(self) -> SavedShelf | None:
        """What is elsewhere, for a snapshot; None where nothing is."""
        return None if self._shelf is None else self._shelf.save()

    def load(self, saved: SavedShelf | None) -> None:
        """Take a snapshot up; SnapshotError where it needs a store that is not configured."""
        if self._shelf is not None and saved is None:
            self._shelf.take_over(self.join.forgotten, self._tallies["labels"].joined)
        elif self._shelf is not None and saved is not None:
            self._shelf.load(saved, self._reached)
        elif saved is not None:
            raise SnapshotError(
                f"what waits for labels of {self._counting.model} lies in Redis, and the config"
                " names none"
            )
