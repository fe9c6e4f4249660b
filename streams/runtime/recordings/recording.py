"""A recording: files of predictions, labels and model events as one stream in time.

Promises: memory is bounded by a block and by the labels that wait; each log's content is a
function of the files alone, whatever the block size.
Leaves to others: driving the machines (`replay`), meaning of columns (`mapping`).
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import orjson

from schemas.inputs import safe_names
from schemas.log import Millis
from streams.runtime.recordings.files import BLOCK_ROWS, FileError, Table, open_table
from streams.runtime.recordings.labels import LabelSource, Waiting, open_labels
from streams.runtime.recordings.mapping import Columns, assign
from streams.runtime.recordings.rows import Entries, LineWriter, RowWriter

DEFAULT_VERSION: Final = "1"


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """What is appended together: entries by log, and the latest instant among them so far."""

    entries: dict[str, Entries]
    last: Millis


class Recording:
    """Predictions of one model in a file, with its labels and model events."""

    def __init__(
        self,
        predictions: Path,
        *,
        model: str,
        version: str = DEFAULT_VERSION,
        columns: Columns | None = None,
        labels: Path | None = None,
        label_delay: Millis = 0,
        events: Sequence[Entries] = (),
        block_rows: int = BLOCK_ROWS,
    ) -> None:
        """`events` are records of `model-events`, by time. FileError if a file cannot be read."""
        wanted = columns or Columns()
        path = str(predictions)
        self._path = path
        self.model = model
        self._table: Table = open_table(predictions, block_rows)
        self._labels: LabelSource | None = None
        self._events = events
        if self._table.model is not None:
            self.columns = Columns(id="prediction_id", timestamp="timestamp")
            self._writer: RowWriter | LineWriter = LineWriter(path)
        else:
            here = _without_label(wanted, self._table) if labels is not None else wanted
            self.columns = assign(self._table.columns, here, path)
            if labels is not None:
                self.columns = msgspec.structs.replace(self.columns, label=None)
            self._writer = RowWriter(
                model, version, self.columns, label_delay=label_delay, path=path
            )
        if labels is not None:
            self._labels = open_labels(
                labels, wanted, model, delay=label_delay, block_rows=block_rows
            )

    @property
    def has_labels(self) -> bool:
        """Whether labels come at all."""
        return self._labels is not None or self.columns.label is not None

    @property
    def rows(self) -> int:
        """About how many predictions there are."""
        return self._table.count()

    @property
    def uneven(self) -> int:
        """Rows that were cut or padded, of those read so far."""
        return self._table.uneven

    def lacking(self, declared: str | Iterable[str]) -> list[str]:
        """Which of the features declared (or `auto`) no column is; in records there may be any."""
        if isinstance(declared, str) or self._table.model is not None:
            return []
        held = set(safe_names(self.columns.features))
        return [name for name in declared if name not in held]

    def chunks(self) -> Iterator[Chunk]:
        """The recording from its first row on; FileError if there is none."""
        waiting = {"labels": Waiting(), "model-events": Waiting()}
        for events in self._events:
            waiting["model-events"].add(events)
        last: Millis | None = None
        for block in self._table.blocks():
            predictions, labels = self._writer.predictions(block)
            if not predictions.times:
                continue
            last = max(last or 0, *predictions.times)
            waiting["labels"].add(labels)
            if self._labels is not None:
                waiting["labels"].add(self._labels.after(predictions))
            due = {log: held.until(last) for log, held in waiting.items()}
            yield Chunk(entries={"predictions": predictions, **due}, last=last)
        if last is None:
            raise FileError(f"{self._path}: has columns and no rows")
        if self._labels is not None:
            waiting["labels"].add(self._labels.rest(last))
        rest = {log: held.rest() for log, held in waiting.items()}
        last = max([last, *(time for entries in rest.values() for time in entries.times)])
        yield Chunk(entries=rest, last=last)


def model_events(lines: Sequence[bytes], times: Sequence[Millis]) -> Entries:
    """Records of `model-events` from JSON objects, keyed by their model."""
    keys: list[bytes | None] = [str(orjson.loads(line)["model"]).encode() for line in lines]
    return Entries(times=list(times), keys=keys, values=list(lines))


def _without_label(wanted: Columns, table: Table) -> Columns:
    """With labels in a file of their own, a label column named by the user is looked for there."""
    if wanted.label in table.columns:
        return wanted
    return msgspec.structs.replace(wanted, label=None)
