"""What a model is, told from a sample of its predictions.

Promises: a function of the file's first block, its length and what was said on the command line.
Leaves to others: roles of columns (`recordings.mapping`), types of features (the machines learn).
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from schemas.config_model import ModelConfig
from schemas.durations import parse_duration, show_duration
from schemas.log import Millis
from streams.cli.endings import REFUSED, OperatorError
from streams.runtime.recordings.mapping import Columns
from streams.runtime.recordings.recording import Recording
from streams.runtime.recordings.sample import events_of

NAME: Final = "model"
"""Of the model, where neither a config nor records name it."""

_PANE_ROWS: Final = 10
_REFERENCE_ROWS: Final = 5_000
_FEWEST_ROWS: Final = 30
"""Of a reference: the config allows no fewer."""

_PANES_WANTED: Final = 40
"""Panes in a reference: a few more than the 30 it must have."""

_MANY: Final = 50
"""Numbers with more distinct values than this are quantities, not classes."""

_DAY: Final[Millis] = 86_400_000
_PANES: Final[tuple[Millis, ...]] = (
    *(1_000 * seconds for seconds in (1, 2, 5, 10, 15, 30)),
    *(60_000 * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(3_600_000 * hours for hours in (1, 2, 3, 6, 12)),
    *(_DAY * days for days in (1, 2, 7, 14, 28)),
)
"""Panes that people say."""


def every_of(text: str | None) -> Millis | None:
    """The time between rows that was said on the command line."""
    if text is None:
        return None
    try:
        every = parse_duration(text)
    except ValueError as error:
        raise OperatorError(f"--every: {error}", REFUSED) from None
    if every <= 0:
        raise OperatorError("--every: must be more than 0", REFUSED)
    return every


class Sample:
    """The first block of a recording, looked at; the recording itself is used up by it."""

    def __init__(self, recording: Recording) -> None:
        chunk = next(iter(recording.chunks()), None)
        entries = {} if chunk is None else chunk.entries
        self._predictions = entries.get("predictions")
        self._labels = entries.get("labels")
        self.recording = recording
        self.columns = recording.columns

    @property
    def every(self) -> Millis:
        """The time between rows: as made, or as it was on average."""
        if self.columns.every is not None:
            return self.columns.every
        times = self._predictions.times if self._predictions is not None else []
        return max(1, (times[-1] - times[0]) // max(1, len(times) - 1)) if times else 1

    @property
    def pane(self) -> Millis:
        """Ten rows; where rows have times of their own, as a person would say it.

        Then also short enough that the reference has its panes, however the rows are bunched.
        """
        plain = max(1_000, _PANE_ROWS * self.every)
        if self.columns.every is not None:
            return plain
        times = self._predictions.times if self._predictions is not None else []
        dated = bool(times) and all(time % _DAY == 0 for time in times)
        nearest = min(_PANES, key=lambda span: abs(math.log(span / plain)))
        if dated:
            return max(nearest, _DAY)
        early = times[: self.reference_rows]
        fitting = (span for span in reversed(_PANES) if span <= nearest)
        enough = (span for span in fitting if len({t // span for t in early}) >= _PANES_WANTED)
        return next(enough, nearest)

    @property
    def reference_rows(self) -> int:
        """A fifth of the rows, at most 5,000."""
        return max(_FEWEST_ROWS, min(_REFERENCE_ROWS, self.recording.rows // 5))

    @property
    def features(self) -> int:
        """How many features there are: columns, or names in records."""
        told = (one for one in self._values("features") if one)
        return len(self.columns.features) or len({name for one in told for name in one})

    @property
    def labelled(self) -> bool:
        """Whether there are predictions and labels that belong to them."""
        return self._predicted and self.recording.has_labels

    @property
    def _predicted(self) -> bool:
        return any(value is not None for value in self._values("prediction"))

    def _values(self, field: str) -> list[Any]:
        source = self._labels if field == "label" else self._predictions
        return [event.get(field) for event in ([] if source is None else events_of(source.values))]

    def task(self) -> str:
        """The task: none without predictions, else by their distinct values and the labels'."""
        if not self._predicted:
            return "none"
        told = [value for field in ("prediction", "label") for value in self._values(field)]
        return task_of([value for value in told if value is not None])


def task_of(values: Sequence[object]) -> str:
    """The task whose targets are `values`: numbers of many values or with fractions regress.

    Lists are those of a ranking.
    """
    if any(isinstance(value, list) for value in values):
        return "ranking"
    distinct = {str(value) for value in values}
    numbers = [value for value in values if isinstance(value, int | float)]
    fractions = any(not float(value).is_integer() for value in numbers)
    if len(numbers) == len(values) and (fractions or len(distinct) > _MANY):
        return "regression"
    return "binary" if len(distinct) <= 2 else "multiclass"  # noqa: PLR2004 - that is binary


def infer_model(sample: Sample, said: dict[str, Any]) -> dict[str, Any]:
    """The config of the model, as one would write it; `said` on the command line goes first."""
    task = sample.task()
    pane = sample.pane
    if "pane" in said:
        try:
            pane = parse_duration(said["pane"])
        except ValueError as error:
            raise OperatorError(f"--pane: {error}", REFUSED) from None
    rows = sample.reference_rows
    span = sample.every * sample.recording.rows
    model: dict[str, Any] = {
        "task": task,
        "pane": show_duration(pane),
        "lateness": "0s",
        "clock": "event",
    }
    if sample.labelled:
        model["labels"] = {"horizon": show_duration(max(_DAY, 2 * pane, min(span, 30 * _DAY)))}
    else:
        model["labels"] = "none"
    model["reference"] = {"from": "first", "rows": rows, "min_duration": "0s"}
    return {**model, **said}


def in_words(task: str, columns: Columns, features: int) -> str:
    """The task, which column is what, and how many features there are."""
    roles = ("id", "timestamp", "prediction", "score", "label")
    named = [f"{role} {name}" for role in roles if (name := getattr(columns, role)) is not None]
    return (
        f"task {task} ({', '.join(named) or 'features only'}), "
        f"{features} feature{'s' * (features != 1)}"
    )


def limits_for(columns: Columns) -> dict[str, Any]:
    """What a config must allow beyond the usual, so that a row of the file is not refused."""
    from schemas.config_links import Limits

    count = len(columns.features)
    return {"limits": {"features": count}} if count > Limits().features else {}


def validated(model: dict[str, Any], path: Path) -> ModelConfig:
    """The config as machines take it; what was said and is not allowed is the operator's."""
    from pydantic import ValidationError

    try:
        return ModelConfig.model_validate(model)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "-".join(str(step) for step in first["loc"]).replace("_", "-")
        reason = first.get("ctx", {}).get("reason") or first["msg"].removeprefix("Value error, ")
        raise OperatorError(f"{path}: {place}: {reason}", REFUSED) from None


def without_roles(columns: Columns, every: Millis | None) -> Columns:
    """The columns a user named, with the time between rows."""
    import msgspec

    return msgspec.structs.replace(columns, every=every)
