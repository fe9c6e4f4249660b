"""A frame: the rows of tables as typed columns, for which no row has to become an object.

Promises: holds only what is certain to mean what the same rows would mean one by one; where a
column leaves a doubt, UnsureError says so, and the rows are looked at one by one (`decode`).
Leaves to others: the columns' carriers (`arrow`, `lists`), cells (`columns`).
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final, NamedTuple, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from schemas.annotators import Annotators
from schemas.frames.ids import Ids
from schemas.grid import Grid
from schemas.instants import Timestamp, parse_many
from schemas.rows import Ints
from schemas.typed import EXACT
from schemas.vocabulary import TimestampUnit

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_SCALARS: Final = {str, int, float, bool, type(None)}
_LONGEST_ID: Final = 256
"""Of a label, in characters; so many bytes leave no doubt."""
_LAST_REVISION: Final = 2**31 - 1
_LONGEST_NAME: Final = 128
_STRANGE: Final = ("specversion", "probabilities", "weight", "annotator", "source", "columns")
"""Columns whose rows are looked at one by one."""


class UnsureError(Exception):
    """A column that is not plain; its rows need a second look."""


class Coded(NamedTuple):
    """A column (n,) of few values: `values[codes[i]]` is that of row i; null is None."""

    codes: Ints
    values: list[Any]

    def only(self, rows: Ints) -> "Coded":
        """Some of its rows."""
        return Coded(self.codes[rows], self.values)


class Column(Protocol):
    """One column of a table, whatever carries it; each method may raise UnsureError."""

    def floats(self, out: Floats, *, exact: bool) -> None:
        """Write numbers to `out` (n,), null as NaN; `exact`: none that a float cannot hold."""

    def nulls(self) -> int:
        """How many rows are null."""

    def coded(self) -> Coded:
        """Any values (n,)."""

    def ids(self) -> Ids:
        """Texts (n,), none of them null."""

    def instants(self) -> Ints | list[Timestamp]:
        """Epoch milliseconds (n,), or instants as producers write them; none of them null."""


class Source(NamedTuple):
    """The columns of `rows` rows: by field, and those of features and tags by name."""

    rows: int
    fields: Mapping[str, Column]
    features: Mapping[str, Column]
    tags: Mapping[str, Column]


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """Rows (n,) of one kind; what only the other kind has is empty.

    `numbers` (n, numeric features) and `texts` are in the order of the grid, `unread` are the rows
    whose instant cannot be read.
    """

    ids: Ids
    model: Coded
    versions: Coded
    times: Ints
    unread: list[int]
    targets: Coded
    """Predictions, or labels."""
    numbers: Floats
    texts: list[Coded]
    score: Floats
    latency_ms: Floats
    failed: Mask
    tags: dict[str, Coded]
    sets: Coded
    """The feature set of each row; "" where none is named."""
    revisions: Ints

    @property
    def counted_versions(self) -> Coded:
        """The version that each row (n,) is counted as; a frame has no rows of shadows."""
        return self.versions

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.times)

    def instants(self, _unit: TimestampUnit) -> tuple[Ints, list[int]]:
        """Epoch milliseconds (n,), and the rows that have none; the unit was known before."""
        return self.times.copy(), self.unread

    def strangers(self, model: str) -> Mask:
        """Which rows (n,) name another model."""
        other = np.array([name != model for name in self.model.values], np.bool_)
        return other[self.model.codes] if other.any() else np.zeros(len(self), np.bool_)

    @property
    def annotators(self) -> Annotators:
        """Who gave each label (n,): a frame has none that says so."""
        return np.zeros(len(self), np.uint64)

    @property
    def labels(self) -> Coded:
        """The label of each row (n,)."""
        return self.targets

    def only(self, rows: Ints) -> "Frame":
        """Some of its rows."""
        return Frame(
            ids=self.ids.only(rows),
            model=self.model.only(rows),
            versions=self.versions.only(rows),
            times=self.times[rows],
            unread=[],
            targets=self.targets.only(rows),
            numbers=self.numbers[rows],
            texts=[one.only(rows) for one in self.texts],
            score=self.score[rows],
            latency_ms=self.latency_ms[rows],
            failed=self.failed[rows],
            tags={name: one.only(rows) for name, one in self.tags.items()},
            sets=self.sets.only(rows),
            revisions=self.revisions[rows],
        )


def of_predictions(source: Source, grid: Grid, unit: TimestampUnit) -> Frame:
    """The frame of predictions that `grid` counts; UnsureError if a row needs a second look."""
    fields, n = source.fields, source.rows
    _plain(source)
    if "prediction" not in fields:
        raise UnsureError
    target = fields["prediction"].coded()
    if grid.task == "ranking":
        raise UnsureError  # lists are measured one by one
    allowed = {int, float, type(None)} if grid.task == "regression" else _SCALARS
    _measured(target, allowed)
    for name in ("role", "error", "probe_id"):
        if name in fields and "shadow" in _texts(fields[name], n).values:
            raise UnsureError  # rows of a shadow are told apart one by one
    numeric = [f.name for f in grid.features if f.type == "numeric"]
    numbers = np.empty((len(numeric), n))
    for name, row in zip(numeric, numbers, strict=True):
        _floats(source.features.get(name), row, exact=True)
    if not np.isfinite(numbers).all():
        numbers[~np.isfinite(numbers)] = np.nan
    score, latency = np.empty(n), np.empty(n)
    _floats(fields.get("score"), score, exact=True)
    _floats(fields.get("latency_ms"), latency, exact=False)
    unsaid = fields["score"].nulls() if "score" in fields else n
    if np.isinf(score).any() or int(np.isnan(score).sum()) > unsaid:
        raise UnsureError
    errors = _texts(fields.get("error"), n)
    said = np.array([error is not None for error in errors.values], np.bool_)
    tagged = [s.name for s in grid.segments if s.source == "tag"]
    return Frame(
        **_common(source, unit),
        targets=target,
        numbers=numbers.T,
        texts=[
            _category(source.features.get(f.name), n) for f in grid.features if f.type != "numeric"
        ],
        score=score,
        latency_ms=latency,
        failed=said[errors.codes],
        tags={name: _tag(source.tags.get(name), n) for name in tagged},
        sets=_tag(fields.get("feature_set"), n),
        revisions=np.ones(n, np.int64),
    )


def of_labels(source: Source, unit: TimestampUnit) -> Frame:
    """The frame of labels; UnsureError if a row needs a second look."""
    fields, n = source.fields, source.rows
    _plain(source)
    if "label" not in fields:
        raise UnsureError
    target = fields["label"].coded()
    _measured(target, _SCALARS - {type(None)})
    common = _common(source, unit)
    lengths = common["ids"].ends - common["ids"].begins
    names = common["model"].values
    if lengths.min() < 1 or lengths.max() > _LONGEST_ID:
        raise UnsureError
    if not all(1 <= len(name) <= _LONGEST_NAME for name in names):
        raise UnsureError
    revisions = np.ones(n, np.int64)
    if "revision" in fields:
        coded = fields["revision"].coded()
        if not all(type(one) is int and 0 <= one <= _LAST_REVISION for one in coded.values):
            raise UnsureError
        revisions = np.array(coded.values, np.int64)[coded.codes]
    nothing = np.empty(n)
    return Frame(
        **common,
        targets=target,
        numbers=np.empty((n, 0)),
        texts=[],
        score=nothing,
        latency_ms=nothing,
        failed=np.zeros(n, np.bool_),
        tags={},
        sets=Coded(np.zeros(n, np.int64), [""]),
        revisions=revisions,
    )


def _plain(source: Source) -> None:
    """UnsureError if there is a column that this room does not know how to read."""
    if not source.rows or any(name in source.fields for name in _STRANGE):
        raise UnsureError


def _common(source: Source, unit: TimestampUnit) -> dict[str, Any]:
    """What every event has, by the name of the frame's field."""
    fields, n = source.fields, source.rows
    if not {"model", "prediction_id", "timestamp"} <= fields.keys():
        raise UnsureError
    instants = fields["timestamp"].instants()
    if isinstance(instants, np.ndarray):
        times, unread = instants, list[int]()
    elif set(map(type, instants)) <= {int, float, str}:
        times, unread = parse_many(instants, unit)
    else:
        raise UnsureError
    model = _texts(fields["model"], n)
    if None in model.values:
        raise UnsureError
    versions = _texts(fields.get("version"), n)
    return {
        "ids": fields["prediction_id"].ids(),
        "model": model,
        "versions": Coded(versions.codes, ["" if v is None else v for v in versions.values]),
        "times": times,
        "unread": unread,
    }


def _texts(column: Column | None, n: int) -> Coded:
    """A column of texts and nulls; all null where there is none."""
    if column is None:
        return Coded(np.zeros(n, np.int64), [None])
    coded = column.coded()
    if not set(map(type, coded.values)) <= {str, type(None)}:
        raise UnsureError
    return coded


def _tag(column: Column | None, n: int) -> Coded:
    """The texts of a tag; whatever else a row has is no tag."""
    coded = Coded(np.zeros(n, np.int64), [None]) if column is None else column.coded()
    return coded._replace(values=[v if isinstance(v, str) else "" for v in coded.values])


def _floats(column: Column | None, out: Floats, *, exact: bool) -> None:
    """Write a column of numbers to `out` (n,), NaN where there is none."""
    if column is None:
        out[:] = np.nan
    else:
        column.floats(out, exact=exact)


def _category(column: Column | None, n: int) -> Coded:
    """A categorical feature; what no category can be is missing."""
    if column is None:
        return Coded(np.zeros(n, np.int64), [None])
    coded = column.coded()
    return coded._replace(values=[v if _sound(v) else None for v in coded.values])


def _measured(coded: Coded, allowed: set[type]) -> None:
    """UnsureError unless all values are allowed and such as can be counted."""
    if not set(map(type, coded.values)) <= allowed or not all(map(_sound, coded.values)):
        raise UnsureError


def number_of(value: Any) -> float | None:  # noqa: ANN401 - whatever a producer sent
    """The number that a value is or writes; None if it is none, or not finite."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def _sound(value: object) -> bool:
    """Whether a value is no number that is not finite, or that a float cannot hold."""
    if type(value) is float:
        return isfinite(value)
    return type(value) in _SCALARS and (not isinstance(value, int) or abs(value) <= EXACT)
