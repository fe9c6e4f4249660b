"""Opinions: labels of an id that has one, told apart by who gave them.

The newest label that counts decides: a higher revision is a correction, whoever gives it; a lower
one is stale; at the same revision the same annotator repeats or contradicts himself, and another
one has an opinion, which counts beside it and makes no outcome. Who gives no name is nobody else.
Laws obeyed here: the order of the log decides which label counts; what a row is depends on the
rows of its id before it that live by its own watermark, never on batches.
Leaves to others: which rows are suspects, and columns (`join`); what pairs say (monitor).
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.annotators import NOBODY, Annotators
from schemas.frames.ids import Ids
from schemas.log import Millis
from schemas.rows import ACCEPTED, CONFLICT, DUPLICATE, OPINION, Ints, Verdicts
from streams.join.ledger import Ledger

_NONE: Final = np.zeros(0, np.int64)


class Opinions(NamedTuple):
    """Pairs (n,): row numbers of a label that counts, and of one by another annotator."""

    truths: Ints = _NONE
    others: Ints = _NONE


class Said(NamedTuple):
    """Labels (n,) as they were read: class cells, numbers, revisions, annotators."""

    labels: Ints
    values: npt.NDArray[np.float64]
    revisions: Ints
    annotators: Annotators


class Earlier(NamedTuple):
    """One label that was read before: its place, and what it says."""

    place: int
    """The row of the ledger, or of this batch: less than 0 (`~row`)."""
    label: int
    value: float
    revision: int
    annotator: int
    beside: bool


class Hearing:
    """One batch of labels, settled row by row against those before."""

    def __init__(
        self, table: Ledger, ids: Ids, said: Said, moments: tuple[Ints, Ints], horizon: Millis
    ) -> None:
        """`table` holds the labels kept so far; `moments` are times and watermarks (n,)."""
        self._table, self._ids, self._said = table, ids, said
        self._times, self._seen = moments
        self._horizon = horizon
        self._fresh: dict[bytes, list[int]] = {}
        self.pairs: list[tuple[int, int]] = []
        """Places of labels that count, and rows of this batch with an opinion of them."""

    def settle(self, verdicts: Verdicts, suspects: Sequence[int], newest: Ints) -> None:
        """Write the verdicts of `suspects`, in log order; `newest` (n,): rows of their ids."""
        for i in suspects:
            verdict = self._verdict(i, self._living(i, int(newest[i]), verdicts))
            verdicts[i] = verdict
            if verdict in (ACCEPTED, OPINION):
                self._fresh.setdefault(self._ids.key(i), []).append(i)

    def _verdict(self, i: int, living: Iterator[Earlier]) -> int:
        """What row `i` is beside the rows of its id, the newest first."""
        revision, who = int(self._said.revisions[i]), int(self._said.annotators[i])
        for one in living:
            himself = who == one.annotator
            if one.beside and not (himself and revision == one.revision):
                continue
            if revision > one.revision:
                return ACCEPTED
            if revision < one.revision:
                return DUPLICATE
            if not himself and NOBODY not in (who, one.annotator):
                self.pairs.append((one.place, i))
                return OPINION
            return DUPLICATE if self._repeats(i, one) else CONFLICT
        return ACCEPTED

    def _repeats(self, i: int, one: Earlier) -> bool:
        value = float(self._said.values[i])
        alike = value == one.value or (np.isnan(value) and np.isnan(one.value))
        return bool(int(self._said.labels[i]) == one.label and alike)

    def _living(self, i: int, newest: int, verdicts: Verdicts) -> Iterator[Earlier]:
        """The rows of the id of row `i` that live by its watermark, from the newest back."""
        said, table, since = self._said, self._table, int(self._seen[i]) - self._horizon
        for j in reversed(self._fresh.get(self._ids.key(i), [])):
            if self._times[j] >= since:
                yield Earlier(
                    ~j,
                    int(said.labels[j]),
                    float(said.values[j]),
                    int(said.revisions[j]),
                    int(said.annotators[j]),
                    beside=bool(verdicts[j] == OPINION),
                )
        for row in table.chain(newest):
            if table.get("time", row) >= since:
                one = np.array([row])
                yield Earlier(
                    row,
                    table.get("label", row),
                    float(table.take("value", one)[0]),
                    table.get("revision", row),
                    table.get("annotator", row),
                    beside=bool(table.get("beside", row)),
                )

    def opinions(self, kept: Ints, numbers: Ints) -> Opinions:
        """The pairs by row numbers: rows `kept` (m,) of the batch have become `numbers` (m,).

        The label that counts is kept for as long as the opinion: a re-reading that had lost the
        first would take the second for it.
        """
        if not self.pairs:
            return Opinions()
        number = dict(zip(kept.tolist(), numbers.tolist(), strict=True))
        truths = np.array([t if t >= 0 else number[~t] for t, _ in self.pairs], np.int64)
        others = np.array([number[i] for _, i in self.pairs], np.int64)
        table = self._table
        times = table.take("time", others)
        np.maximum.at(table.column("reach"), truths - table.start, times)
        return Opinions(truths, others)
