"""The story of the demo: which records come, and when, the same through every runtime.

Promises: a function of the example's files; which labels never come is decided by their ids;
what the operator says is an input like any other.
Leaves to others: carrying the records (`embedded`, `kafka`), the files (`examples/employment`).
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec
import orjson
from msgspec.structs import replace

from schemas.baseline import Baseline
from schemas.config import Config
from schemas.instants import rfc3339
from schemas.log import Millis
from streams.cli.baselines import baseline_of_rows
from streams.cli.configured import load_config
from streams.cli.endings import UNREACHABLE, OperatorError
from streams.runtime.recordings.mapping import Columns
from streams.runtime.recordings.recording import Chunk, Recording, model_events
from streams.runtime.recordings.rows import FIRST_INSTANT, Entries

MODEL: Final = "employment"
EVERY: Final[Millis] = 450_000
"""Between two rows; 500 rows are a pane."""

LABELS_LATER: Final = 2_000
"""Rows after which a label is known."""

NEVER: Final = 10
"""One label in so many never comes."""

INJECTED_ROWS: Final = 69_126
ALL_ROWS: Final = 208_892
ACCEPTED_AT: Final = 100_000
"""The row at which a person accepts the first change as the new normal."""

NORMAL_SINCE: Final = 70_000
"""The row from which on that person holds the stream for normal."""

REFERENCE: Final = "nannyml_employment_ma_reference.csv.gz"
PREDICTIONS: Final = "nannyml_employment_ma_analysis.csv.gz"
LABELS: Final = "nannyml_employment_ma_analysis_target.csv.gz"
LABEL: Final = "employed"


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """What is told. `chunks` gives the records from the first on."""

    config: Config
    baseline: Baseline
    rows: int
    chunks: Callable[[], Iterator[Chunk]]

    @property
    def pane(self) -> Millis:
        """The length of a pane."""
        return self.config.models[MODEL].pane


def example() -> Path:
    """The folder of the example; OperatorError where the project was installed without it."""
    folder = Path(__file__).parents[3] / "examples" / MODEL
    if not (folder / PREDICTIONS).is_file():
        message = f"{folder}: not there; the demo runs from a clone of the repository"
        raise OperatorError(message, UNREACHABLE)
    return folder


def open_story(scratch: Path, *, inject: bool = False, rows: int | None = None) -> Story:
    """The story of the files; `scratch` is a folder for injected ones, `rows` cuts it short."""
    folder = source = example()
    config = load_config(folder / "windage.yaml")
    model = config.models[MODEL]
    columns = Columns(
        id="id",
        prediction="prediction",
        score="predicted_probability",
        label=LABEL,
        every=EVERY,
        features=tuple(model.features),
    )
    baseline = baseline_of_rows(folder / REFERENCE, MODEL, model, config, columns)
    total = INJECTED_ROWS if inject else ALL_ROWS
    if inject:
        # A program of its own, because examples are no part of the product.
        command = [sys.executable, str(folder / "inject.py"), "--into", str(scratch)]
        subprocess.run(command, check=True)  # noqa: S603 - our own program
        source = scratch
    count = total if rows is None else min(rows, total)

    def chunks() -> Iterator[Chunk]:
        recording = Recording(
            source / PREDICTIONS,
            model=MODEL,
            columns=columns,
            labels=source / LABELS,
            label_delay=LABELS_LATER * EVERY,
            events=[said_by_the_operator()],
        )
        return cut(recording.chunks(), instant_of(count))

    return Story(config=config, baseline=baseline, rows=count, chunks=chunks)


def instant_of(row: int) -> Millis:
    """When a row comes."""
    return FIRST_INSTANT + row * EVERY


def row_of(instant: Millis) -> int:
    """The row that comes at an instant, or next."""
    return -(-(instant - FIRST_INSTANT) // EVERY)


def never_labelled(key: bytes) -> bool:
    """Whether the label of this id never comes."""
    return int.from_bytes(blake2b(key, digest_size=4).digest()) % NEVER == 0


def said_by_the_operator() -> Entries:
    """The one thing a person says: what was a change is the normal state from now on."""
    event = {
        "model": MODEL,
        "type": "reference_reset",
        "id": "demo-new-normal",
        "timestamp": rfc3339(instant_of(ACCEPTED_AT)),
        "from": rfc3339(instant_of(NORMAL_SINCE)),
        "author": "operator",
        "note": "people in group quarters are no longer surveyed: accepted as the new normal",
    }
    return model_events([orjson.dumps(event)], [instant_of(ACCEPTED_AT)])


def cut(chunks: Iterator[Chunk], end: Millis) -> Iterator[Chunk]:
    """The records of the rows before `end`, without the labels that never come."""
    last: Millis = FIRST_INSTANT
    for chunk in chunks:
        entries = {log: _before(one, log, end) for log, one in chunk.entries.items()}
        last = max([last, *(one.times[-1] for one in entries.values() if one.times)])
        if any(one.times for one in entries.values()):
            yield replace(chunk, entries=entries, last=last)


def _before(entries: Entries, log: str, end: Millis) -> Entries:
    limit = end + LABELS_LATER * EVERY if log == "labels" else end
    kept = [
        number
        for number, (time, key) in enumerate(zip(entries.times, entries.keys, strict=True))
        if time < limit and not (log == "labels" and key is not None and never_labelled(key))
    ]
    return Entries(
        times=[entries.times[number] for number in kept],
        keys=[entries.keys[number] for number in kept],
        values=[entries.values[number] for number in kept],
    )
