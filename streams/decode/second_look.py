"""The second look: records one by one, whose envelopes, tables and odd values are all understood.

Promises: what the typed decoder takes, this takes alike; one unreadable feature is missing, and
its record stands; a record is refused for the first reason found, never in the input's own words.
Leaves to others: which records need it (`decoder`), what can be said without it (`glance`).
"""

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

from schemas.envelope import EnvelopeError, is_plain, open_envelope
from schemas.grid import Grid
from schemas.inputs import LONGEST_LIST, Label, ModelEvent
from schemas.log import LogRecord
from schemas.rows import ALONE
from schemas.tables import Table, TableError, is_columns, of_arrow, of_columns
from schemas.typed import EXACT, FEATURE_NAME, label_types, prediction_type
from streams.decode.limits import Limits, RefusedError
from streams.decode.trees import UNREADABLE, parsed

MODEL_EVENT_TYPE: Final = "windage.model-event.v1"

_SHORT: Final = 200
"""Characters of an error worth remembering: a longer one quotes the input."""

T = TypeVar("T")


class SecondLook:
    """Understands one kind of record: predictions of a grid or of a model that learns, or another.

    `extra` are well formed names of features that were met and are not in the grid; `grown` says
    that there are new ones.
    """

    def __init__(
        self, kind: type[msgspec.Struct] | None, limits: Limits, grid: Grid | None
    ) -> None:
        """`kind` None: predictions, whose features `grid` knows."""
        self._predictions = kind is None
        self._tabular = kind is None or kind is Label
        own = {"label", "value"} & set(kind.__struct_fields__) if kind else {"prediction", "score"}
        self._measured = sorted(own)
        self._kind = kind or prediction_type(grid, task=limits.task)
        if kind is Label:
            self._kind = label_types(ranked=limits.ranked).plain
        self._limits = limits
        self.depth = limits.depth
        self._learning = grid is None
        self._numeric = {f.name: f.type == "numeric" for f in grid.features} if grid else {}
        self.extra: dict[str, None] = {}
        self.grown = False

    @property
    def crowded(self) -> bool:
        """Whether more names were met than one record may have."""
        return len(self._numeric) + len(self.extra) > self._limits.features

    def rows(self, record: LogRecord, kind: Any) -> list[tuple[int, Any]]:  # noqa: ANN401
        """What a record holds: its one event (row ALONE), or the rows of its table, in order.

        What is refused is the RefusedError itself. `kind` is the type of many sound rows at once,
        None where each has to be looked at.
        """
        try:
            self._limits.weigh(record)
            found = self._opened(record)
        except RefusedError as refused:
            return [(ALONE, refused)]
        if not isinstance(found, Table):
            return [(ALONE, found)]
        trees = list(found)
        events = _sound_rows(trees, kind) if kind is not None and found.finite else None
        return list(enumerate(map(self._event_or_refusal, trees) if events is None else events))

    def _event_or_refusal(self, tree: dict[str, Any]) -> Any:  # noqa: ANN401 - as below
        try:
            return self._event(tree)
        except RefusedError as refused:
            return refused

    def _opened(self, record: LogRecord) -> Any:  # noqa: ANN401 - a struct made at run time
        """A record unwrapped, as an event or a table; RefusedError if it is none."""
        content, type_ = record.value or b"", None
        try:
            if not is_plain(record.headers, content):
                envelope = open_envelope(record.headers, content)
                if envelope.media == "arrow":
                    return self._arrow(envelope.content)
                content, type_ = envelope.content, envelope.type
            tree = parsed(content, self._limits.depth)
            if self._tabular and is_columns(tree):
                return of_columns(tree)
        except EnvelopeError as error:
            raise RefusedError("malformed", "the envelope cannot be read") from error
        except TableError as error:
            raise RefusedError(error.code, str(error)) from error
        if len(record.value or b"") > self._limits.event_bytes:
            raise RefusedError("too_large", "the record exceeds the size limit")
        if type_ == MODEL_EVENT_TYPE and self._kind is not ModelEvent:
            return _convert(tree, ModelEvent)
        return self._event(tree)

    def _arrow(self, content: bytes) -> Table:
        if not self._tabular:
            raise RefusedError("schema", "this log takes single events, no batches")
        return of_arrow(content, self._limits.timestamps, self._limits.batch_bytes)

    def _event(self, tree: dict[str, Any]) -> Any:  # noqa: ANN401 - a struct made at run time
        """An event with its features repaired; RefusedError if it cannot be."""
        if "features" in tree and self._predictions:
            tree["features"] = self._repaired(tree["features"])
        if isinstance(tree.get("tags"), dict):
            tree["tags"] = {k: v for k, v in tree["tags"].items() if isinstance(v, str)}
        for name in self._measured:
            number = tree.get(name)
            if isinstance(number, float) and not math.isfinite(number):
                raise RefusedError("non_finite", f"{name} is not a finite number")
            if isinstance(number, int) and abs(number) > EXACT:
                raise RefusedError("non_finite", f"{name} is beyond 2**53")
        try:
            return _convert(tree, self._kind)
        except RefusedError as refused:
            raise (_of_lists(tree, refused) if self._limits.ranked else refused) from refused

    def _repaired(self, features: object) -> dict[str, object]:
        """Features with each unreadable value missing; RefusedError if they are no features."""
        if not isinstance(features, dict):
            raise RefusedError("schema", "features must be an object")
        if len(features) > self._limits.features:
            raise RefusedError("schema", "too many features")
        known = self._numeric
        new = features.keys() - known.keys() - self.extra.keys()
        if not all(map(FEATURE_NAME.fullmatch, new)):
            raise RefusedError("schema", "a feature's name is not allowed")
        if self._learning:
            return {name: _sound(value, numeric=None) for name, value in features.items()}
        if new and len(known) + len(self.extra) + len(new) <= self._limits.features:
            self.extra.update(dict.fromkeys(sorted(new)))
            self.grown = True
        kept = known.keys() & features.keys()
        return {name: _sound(features[name], numeric=known[name]) for name in kept}

    # -- what a tree must be for a refusal without it (`glance`) -----------------------------------

    def harmless(self, tree: dict[str, Any]) -> bool:
        """Whether nothing in the tree is refused before its fields are converted, in order."""
        features = tree.get("features", _NONE)
        if self._predictions and features is not _NONE:
            known = self._numeric.keys()
            if type(features) is not dict or not (
                features.keys() <= known or features.keys() <= known | self.extra.keys()
            ):
                return False
            if len(features) > self._limits.features:
                return False
        for name in self._measured:
            number = tree.get(name)
            if type(number) is int and abs(number) > EXACT:
                return False
        return True


_NONE: Final[dict[str, Any]] = {}


def _of_lists(tree: dict[str, Any], refused: RefusedError) -> RefusedError:
    """The refusal of a ranking's record, in its own words where a list is the reason."""
    place = re.match(r"wrong type at \$\.(label|prediction)", str(refused))
    if place is None:
        return refused
    if place[1] == "prediction":
        return RefusedError("schema", _OF_SHOWN)
    label = tree["label"]
    if isinstance(label, list) and any(type(n) is float and not math.isfinite(n) for n in label):
        return RefusedError("non_finite", "label holds a number that is not finite")
    return RefusedError("schema", _OF_RELEVANCES)


_OF_RELEVANCES: Final = (
    "label must be a list, as the model is a ranking: how relevant each item was, a number of 0 or"
    f" more, in the order shown; at most {LONGEST_LIST:,}"
)
_OF_SHOWN: Final = (
    "prediction must be a list, as the model is a ranking: the items in the order shown, at most"
    f" {LONGEST_LIST:,}, or how many there were"
)


def _sound_rows(trees: Sequence[dict[str, Any]], rows: Any) -> list[Any] | None:  # noqa: ANN401
    """All rows of a table at once where none needs a second look, as on the fast path."""
    try:
        events: list[Any] = msgspec.convert(trees, rows)
    except UNREADABLE:
        return None
    return events


def _sound(value: object, *, numeric: bool | None) -> object:
    """A feature's value if it can be counted, else None. `numeric` None: not known yet."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > EXACT:
        return None
    if numeric:
        return None if isinstance(value, bool) or not isinstance(value, int | float) else value
    return value if isinstance(value, str | int | float | bool) else None


def _convert(tree: dict[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(tree, kind)
    except (msgspec.ValidationError, RecursionError, ValueError, OverflowError) as error:
        text = str(error)
        said = _schema_message(text) if len(text) < _SHORT else _departure(text)
        raise RefusedError("schema", said) from error


def _departure(text: str) -> str:
    """Where the record departs from the schema, without the input's own words."""
    where = text.rpartition(" - at `")[2].rstrip("`") if " - at `" in text else "$"
    missing = re.fullmatch(r"Object missing required field `([a-z_]+)`.*", text)
    if missing:
        return f"required field {missing[1]} is missing"
    place = where if re.fullmatch(r"\$[.a-z_\[\]0-9]*", where) else "$"
    return f"wrong type at {place}"


_schema_message: Final = lru_cache(maxsize=1024)(_departure)
