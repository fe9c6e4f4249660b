"""The join: which predictions and labels are new, and which belong together.

Laws obeyed here:
  - identity is (model, version, id); one label joins every version that scored its id;
  - duplicate, join and expiry compare a record's time with the watermark at the *other record's
    own offset*: never with what happens to be in memory still;
  - an outcome counts unless both its records were counted before the snapshot (so re-reading
    after a restore may go in any order).
Leaves to others: decoding, watermarks (`clock`), counting (`panes`), rows' storage (`ledger`).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.annotators import Annotators
from schemas.frames.ids import Ids
from schemas.log import Millis
from schemas.rows import (
    ACCEPTED,
    CONFLICT,
    DUPLICATE,
    EXPIRED,
    OPINION,
    SKIPPED,
    Ints,
    Joined,
    Verdicts,
)
from streams.join.couples import merged, once
from streams.join.ledger import NONE, Column, Ledger, first_needed
from streams.join.opinions import Hearing, Opinions, Said
from streams.join.sampling import chosen

_TIMES: Final = {"offset": "<i8", "time": "<i8", "seen": "<i8", "reach": "<i8", "arrived": "<i8"}
_PREDICTION: Final = {**_TIMES, "version": "<i4", "digest": "<u8", "joined": "<i8"}
_OPINION: Final = {"annotator": "<u8", "beside": "u1"}
"""Who gave a label, and whether it only stands beside the one that counts (`opinions`)."""
_ANSWER: Final = {"label": "<i4", "value": "<f8", "revision": "<i4", "joins": "<i4"}
_LABEL: Final = {**_TIMES, **_ANSWER, **_OPINION}
HERE: Final = 0
BACK: Final = 1
THERE: Final = 2
_ELSEWHERE: Final = {"place": "<i8", "blind": "<i8", "kept": "u1"}
"""Of rows that are also kept elsewhere (`shelf`): their place, and whether they are there already
(`HERE`: not yet, `BACK`: they came from there, `THERE`: they were read since, and are there, too).

`blind` is 0 where all rows of the id were seen when the row was read; else the row met nobody of
the other log below the offset `blind - 1`.
"""


class Arrivals(NamedTuple):
    """Rows of one log, aligned: ids, places, offsets, event times, watermarks, arrival panes."""

    ids: Ids
    places: Ints
    offsets: Ints
    times: Ints
    seen: Ints
    arrived: Ints

    def only(self, kept: Ints) -> "Arrivals":
        """The records at positions `kept`."""
        return Arrivals(self.ids.only(kept), *(column[kept] for column in self[1:]))


class Join:
    """Predictions and labels of one model in one partition that may still meet."""

    def __init__(
        self,
        horizon: Millis,
        content: dict[str, str],
        *,
        share: float = 1.0,
        elsewhere: bool = False,
    ) -> None:
        """`content` names what is kept of a prediction for its outcome (column: dtype).

        `share` of the ids are kept; with `elsewhere` rows leave memory for a `shelf`.
        """
        self._horizon, self._share = horizon, share
        self.elsewhere = elsewhere
        more = _ELSEWHERE if elsewhere else {}
        self.predictions = Ledger({**_PREDICTION, **more, **content})
        self.labels = Ledger({**_LABEL, **more})
        self.cold = {"predictions": 0, "labels": 0}
        """Records before these offsets have left memory."""
        self.missed: dict[str, dict[int, int]] = {"predictions": {}, "labels": {}}
        """Places read blind before a restore that reads them again, and the `blind` of each."""
        self.answered = True
        """Whether what left memory of the ids at hand was brought back."""
        self.unseen = np.zeros(0, np.bool_)
        """Of the rows last read (n,): admitted without a look at what left memory of their ids."""
        self.forgotten = 0
        """Labels dropped so far; not opinions."""
        self.skip: dict[str, set[int]] = {"predictions": set(), "labels": set()}
        """Places refused earlier that lie in what a restore reads again."""

    # -- predictions ---------------------------------------------------------------------------

    def predict(
        self, rows: Arrivals, versions: Ints, digests: npt.NDArray[np.uint64], content: Column
    ) -> tuple[Verdicts, list[Joined]]:
        """Admit predictions; gives a verdict a row, and the outcomes with labels that waited.

        `content` is a structured array (n,) of the columns named at the start.
        """
        verdicts = self._verdicts("predictions", rows)
        wanted = (verdicts == ACCEPTED) & chosen(rows.ids, self._share)
        newest, suspects = self._suspects(self.predictions, rows.ids, wanted)
        if suspects:
            self._dedupe(rows, versions, digests, verdicts, suspects, newest)
        kept = np.flatnonzero(wanted & (verdicts == ACCEPTED))
        if not len(kept):
            return verdicts, []
        whole = len(kept) == len(rows.ids)
        ids = rows.ids if whole else rows.ids.only(kept)
        some = slice(None) if whole else kept
        columns: dict[str, Column | int] = {
            **_times(rows, some),
            **self._beside("predictions", rows, some, ids),
            "version": versions[some],
            "digest": digests[some],
            "joined": NONE,
        }
        columns |= {name: content[name][some] for name in content.dtype.names or ()}
        numbers = self.predictions.append(ids, columns)
        waiting = self.labels.newest(ids)
        hit = waiting != NONE
        return verdicts, self._meet_labels(numbers[hit], waiting[hit]) if hit.any() else []

    def _dedupe(
        self,
        rows: Arrivals,
        versions: Ints,
        digests: npt.NDArray[np.uint64],
        verdicts: Verdicts,
        suspects: Sequence[int],
        newest: Ints,
    ) -> None:
        """Settle, in log order, the rows whose id was seen before (its `newest` row (n,))."""
        fresh: dict[bytes, list[int]] = {}
        for i in suspects:
            key, version, seen = rows.ids.key(i), int(versions[i]), int(rows.seen[i])
            digest: int | None = None
            for j in reversed(fresh.get(key, [])):
                if versions[j] == version and seen <= rows.times[j] + self._horizon:
                    digest = int(digests[j])
                    break
            else:
                digest = self._live_digest(int(newest[i]), version, seen)
            if digest is None:
                fresh.setdefault(key, []).append(i)
            else:
                verdicts[i] = DUPLICATE if digest == int(digests[i]) else CONFLICT

    def _live_digest(self, newest: int, version: int, seen: Millis) -> int | None:
        """The payload of the newest live entry of a version, from row `newest` back, if any."""
        table = self.predictions
        for row in table.chain(newest):
            live = seen <= table.get("time", row) + self._horizon
            if live and table.get("version", row) == version:
                return table.get("digest", row)
        return None

    # -- labels --------------------------------------------------------------------------------

    def label(
        self,
        rows: Arrivals,
        labels: Ints,
        values: npt.NDArray[np.float64],
        revisions: Ints,
        annotators: Annotators,
    ) -> tuple[Verdicts, list[Joined], Opinions]:
        """Admit labels; gives a verdict a row, the outcomes they make, and opinions of others."""
        verdicts = self._verdicts("labels", rows)
        wanted = (verdicts == ACCEPTED) & chosen(rows.ids, self._share)
        newest, suspects = self._suspects(self.labels, rows.ids, wanted)
        said = Said(labels, values, revisions, annotators)
        hearing = Hearing(self.labels, rows.ids, said, (rows.times, rows.seen), self._horizon)
        if suspects:
            hearing.settle(verdicts, suspects, newest)
        kept = np.flatnonzero(wanted & ((verdicts == ACCEPTED) | (verdicts == OPINION)))
        if not len(kept):
            return verdicts, [], Opinions()
        whole = len(kept) == len(rows.ids)
        ids = rows.ids if whole else rows.ids.only(kept)
        some = slice(None) if whole else kept
        numbers = self.labels.append(
            ids,
            {
                **_times(rows, some),
                **self._beside("labels", rows, some, ids),
                "label": labels[some],
                "value": values[some],
                "revision": revisions[some],
                "joins": 0,
                "annotator": annotators[some],
                "beside": verdicts[some] == OPINION,
            },
        )
        return verdicts, self.meet(ids, numbers), hearing.opinions(kept, numbers)

    # -- meeting -------------------------------------------------------------------------------

    def meet(self, ids: Ids, numbers: Ints) -> list[Joined]:
        """Join new labels with the predictions of their ids."""
        newest = self.predictions.newest(ids)
        hit = newest != NONE
        if not hit.any():
            return []
        rows, marks = newest[hit], numbers[hit]
        plain, out = self._plain(rows, marks)
        for mark, row in zip(marks[~plain].tolist(), rows[~plain].tolist(), strict=True):
            # The oldest first: after a restore it may be the only one that was met before.
            for prediction in reversed(list(self.predictions.chain(row))):
                out += self._meet(prediction, mark)
        return merged(out)

    def _meet_labels(self, rows: Ints, newest: Ints) -> list[Joined]:
        """Join new predictions with the labels that waited for them, oldest first."""
        plain, out = self._plain(rows, newest)
        for row, last in zip(rows[~plain].tolist(), newest[~plain].tolist(), strict=True):
            for mark in reversed(list(self.labels.chain(last))):
                out += self._meet(row, mark)
        return merged(out)

    def _plain(self, rows: Ints, marks: Ints) -> tuple[npt.NDArray[np.bool_], list[Joined]]:
        """Join the pairs (n,) where nobody else is concerned: which they are, and their outcome."""
        plain = self.predictions.first(rows) & (self.predictions.take("joined", rows) == NONE)
        plain &= self.labels.first(marks)
        plain &= once(rows) & once(marks)
        a, b = rows[plain], marks[plain]
        fits = self._fits(a, b)
        return plain, [self._marry(a[fits], b[fits])] if fits.any() else []

    def _meet(self, prediction: int, mark: int) -> list[Joined]:
        """Join one pair if it fits: a first label, or a correction of the one it has."""
        a, b = np.array([prediction]), np.array([mark])
        if not self._fits(a, b)[0]:
            return []
        old = self.predictions.get("joined", prediction)
        if old == NONE:
            return [self._marry(a, b)]
        if old < self.labels.start or not (
            self.labels.get("revision", mark) > self.labels.get("revision", old)
        ):
            self._extend(a, np.array([old]), self.labels.get("time", mark))
            return []
        taken = self._outcome(a, np.array([old]), -1, moved_by=b)
        return [taken, self._marry(a, b, revision=True)]

    def _fits(self, rows: Ints, marks: Ints) -> npt.NDArray[np.bool_]:
        """Whether each pair is within the horizon, by times and by watermarks at own offsets.

        An opinion fits nobody.
        """
        take_p, take_l, horizon = self.predictions.take, self.labels.take, self._horizon
        time_p, time_l = take_p("time", rows), take_l("time", marks)
        near = np.abs(time_l - time_p) <= horizon
        near &= take_l("seen", marks) <= time_p + horizon
        near &= take_p("seen", rows) <= time_l + horizon
        near &= take_l("beside", marks) == 0
        if self.elsewhere:
            near &= take_p("offset", rows) >= take_l("blind", marks) - 1
            near &= take_l("offset", marks) >= take_p("blind", rows) - 1
        return np.asarray(near, np.bool_)

    def _marry(self, rows: Ints, marks: Ints, *, revision: bool = False) -> Joined:
        """Note the pairs in both ledgers; gives their outcome."""
        predictions, labels = self.predictions, self.labels
        first = labels.take("joins", marks) == 0
        predictions.put("joined", rows, marks)
        np.add.at(labels.column("joins"), marks - labels.start, 1)
        self._extend(rows, marks, labels.take("time", marks))
        self._extend(rows, marks, predictions.take("time", rows))
        out = self._outcome(rows, marks, 1, moved_by=marks if revision else None)
        return out._replace(first=first)

    def _extend(self, rows: Ints, marks: Ints, time: Ints | Millis) -> None:
        """Keep pairs together for as long as a record of `time` is needed.

        A pair is also kept for a label that fits but is no correction, or a re-reading that has
        lost the first label would take the second.
        """
        predictions, labels = self.predictions, self.labels
        predictions.put("reach", rows, np.maximum(predictions.take("reach", rows), time))
        np.maximum.at(labels.column("reach"), marks - labels.start, time)

    def _outcome(self, rows: Ints, marks: Ints, sign: int, moved_by: Ints | None) -> Joined:
        """The outcome of pairs; `moved_by` are the corrections, whose arrival then counts."""
        moving = marks if moved_by is None else moved_by
        arrived = np.maximum(
            self.predictions.take("arrived", rows), self.labels.take("arrived", moving)
        )
        return Joined(
            predictions=rows,
            labels=marks,
            prediction_offsets=self.predictions.take("offset", rows),
            label_offsets=self.labels.take("offset", moving),
            arrived=arrived,
            sign=sign,
            revision=moved_by is not None,
            first=np.zeros(len(rows), np.bool_),
        )

    # -- admission and forgetting ----------------------------------------------------------------

    def _verdicts(self, log: str, rows: Arrivals) -> Verdicts:
        """Which rows are too old for their log, or were refused before a restore."""
        self.unseen = np.zeros(len(rows.ids), np.bool_)
        verdicts = np.zeros(len(rows.ids), np.int8)
        verdicts[rows.seen > rows.times + self._horizon] = EXPIRED
        refused = self.skip[log]
        if refused and len(rows.places) and rows.places[0] <= max(refused):
            again = np.array([place in refused for place in rows.places.tolist()], np.bool_)
            verdicts[again & (verdicts == ACCEPTED)] = SKIPPED
        return verdicts

    @staticmethod
    def _suspects(table: Ledger, ids: Ids, wanted: npt.NDArray[np.bool_]) -> tuple[Ints, list[int]]:
        """The newest row of each id, and which wanted rows' id is known or may come twice."""
        newest = table.newest(ids)
        known = ((newest != NONE) | ids.again) & wanted
        return newest, np.flatnonzero(known).tolist()

    def _beside(
        self, log: str, rows: Arrivals, kept: Ints | slice, ids: Ids
    ) -> dict[str, Column | int]:
        """The columns of `_ELSEWHERE` for the rows of a batch that are kept."""
        if not self.elsewhere:
            return {}
        unseen = np.full(len(ids), not self.answered)
        for table in (self.predictions, self.labels):
            newest = table.newest(ids)
            here = newest != NONE  # what is here was read in sight, or its id's past is not known
            last = newest[here]
            unseen[here] = (table.take("blind", last) > 0) & (table.take("kept", last) != BACK)
        self.unseen[kept] = unseen
        before = self.cold["labels" if log == "predictions" else "predictions"]
        blind = np.where(unseen, before + 1, 0)
        if self.missed[
            log
        ]:  # read again after a restore, perhaps in sight now: missed all the same
            again = (self.missed[log].get(place, 0) for place in rows.places[kept].tolist())
            blind = np.maximum(blind, np.fromiter(again, np.int64, len(blind)))
        return {"place": rows.places[kept], "blind": blind, "kept": HERE}

    def forget(self, before: Millis) -> None:
        """Drop the oldest rows that nothing can refer to once watermarks have passed `before`."""
        for table in (self.predictions, self.labels):
            count = first_needed(table.column("reach"), before - self._horizon)
            if 0 < count < len(table):  # a record is read again whole, so it is kept whole
                offsets = table.column("offset")
                count = int(np.searchsorted(offsets[:count], offsets[count]))
            if table is self.labels:
                self.forgotten += int(np.count_nonzero(table.column("beside")[:count] == 0))
            table.drop(count)

    def orphans(self, before: Millis, joined: int) -> int:
        """Labels, dropped or kept, whose horizon passed without a prediction; `joined` of all did.

        Told by those still open: re-read after a restore, an old label may lack the prediction it
        joined, an open one never does.
        """
        table = self.labels
        counts = table.column("beside") == 0
        open_ = counts & (table.column("time") + self._horizon >= before)
        passed = self.forgotten + int(counts.sum()) - int(open_.sum())
        return passed - (joined - int((open_ & (table.column("joins") > 0)).sum()))


def _times(rows: Arrivals, kept: Ints | slice) -> dict[str, Column]:
    return {
        "offset": rows.offsets[kept],
        "time": rows.times[kept],
        "seen": rows.seen[kept],
        "reach": rows.times[kept],
        "arrived": rows.arrived[kept],
    }
