"""Bytes to typed records: a fast path for good batches, a slow one that saves what can be saved.

Promises: any bytes in, no exception out; a record is decoded or refused with one code of a fixed
vocabulary, and messages never quote the input. One unreadable feature becomes missing, the rest
of its record stands.
Leaves to others: columns and values' cells (`columns`), time and identity (`profiler`, `join`).
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from schemas.envelope import EnvelopeError, open_envelope
from schemas.grid import Grid
from schemas.inputs import Label, Metric, ModelEvent
from schemas.log import LogRecord
from schemas.rows import Refusal

MODEL_EVENT_TYPE: Final = "windage.model-event.v1"
_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
EXACT: Final = 1 << 53
"""Beyond it whole numbers have no floats of their own."""

_UNREADABLE: Final = (
    msgspec.DecodeError,
    UnicodeDecodeError,
    RecursionError,
    TypeError,
    ValueError,
)

T = TypeVar("T")

Category = str | int | float | bool | None


class Limits(NamedTuple):
    """What a record may be at most: bytes, features a prediction."""

    event_bytes: int
    features: int


class Decoded(NamedTuple):
    """Records of one kind with their positions in the batch, and what was not of that kind."""

    events: list[Any]
    positions: list[int] | None
    """None: every record of the batch, in order."""
    refused: list[Refusal]
    controls: list[tuple[int, ModelEvent]]
    """Model events written into this log (end of stream), with their positions."""
    tombstones: int


class RefusedError(Exception):
    """A record that is not ours to count, with its code; never leaves this room."""

    def __init__(self, code: str, message: str) -> None:
        """`code` and `message` are of the fixed vocabulary."""
        super().__init__(message)
        self.code = code


def prediction_type(grid: Grid | None) -> type[msgspec.Struct]:
    """The struct of one model's predictions: its features as typed fields f0, f1, ...

    Without a grid (learning) features are a dict of anything.
    """
    features: Any = dict[str, Any]
    target: Any = Category
    if grid is not None:
        target = float | None if grid.task == "regression" else Category
        kinds = [float | None if f.type == "numeric" else Category for f in grid.features]
        names = {f"f{i}": feature.name for i, feature in enumerate(grid.features)}
        features = msgspec.defstruct(
            "Features",
            [(field, kind, None) for field, kind in zip(names, kinds, strict=True)],
            rename=names,
            gc=False,
        )
    return msgspec.defstruct(
        "Prediction",
        [
            ("model", str),
            ("prediction_id", str),
            ("timestamp", int | float | str),
            ("prediction", target),
            ("features", features, msgspec.field(default_factory=features)),
            ("version", str, ""),
            ("score", float | None, None),
            ("probabilities", dict[str, float] | None, None),
            ("tags", dict[str, str] | None, None),
            ("role", str, "champion"),
            ("probe_id", str | None, None),
            ("latency_ms", float | None, None),
            ("error", str | None, None),
        ],
        gc=grid is None,
    )


class Decoder:
    """Decodes one kind of record; `numeric` names the features that must be numbers."""

    def __init__(
        self, kind: type[msgspec.Struct], limits: Limits, grid: Grid | None = None
    ) -> None:
        """`kind` is a struct type; `grid` says how features may be saved."""
        self._kind = kind
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(kind).decode
        self._limits = limits
        self._numeric = {f.name: f.type == "numeric" for f in grid.features} if grid else {}

    def batch(self, records: Sequence[LogRecord]) -> Decoded:
        """Decode a batch in order."""
        decode = self._decode
        limit = self._limits.event_bytes
        try:
            values = [record.value for record in records]
            if max(map(len, values), default=0) <= limit:  # type: ignore[arg-type]
                return Decoded([decode(value) for value in values], None, [], [], 0)  # type: ignore[arg-type]
        except _UNREADABLE:
            pass
        return self._one_by_one(records)

    def _one_by_one(self, records: Sequence[LogRecord]) -> Decoded:
        out = Decoded([], [], [], [], 0)
        positions = out.positions or []
        tombstones = 0
        for position, record in enumerate(records):
            value = record.value
            if value is None:
                tombstones += 1
                continue
            try:
                event = self._one(record, value)
            except RefusedError as refused:
                out.refused.append(Refusal(position, refused.code, str(refused)))
                continue
            if isinstance(event, ModelEvent) and self._kind is not ModelEvent:
                out.controls.append((position, event))
            else:
                out.events.append(event)
                positions.append(position)
        return out._replace(positions=positions, tombstones=tombstones)

    def _one(self, record: LogRecord, value: bytes) -> Any:  # noqa: ANN401 - a struct made at run time
        if len(value) > self._limits.event_bytes:
            raise RefusedError("too_large", "the record exceeds the size limit")
        try:
            return self._decode(value)
        except _UNREADABLE:
            return self._save(record)

    def _save(self, record: LogRecord) -> Any:  # noqa: ANN401 - a struct made at run time
        """The slow path: unwrap, repair features, decode again; RefusedError if it can't be."""
        try:
            envelope = open_envelope(record.headers, record.value or b"")
        except EnvelopeError as error:
            raise RefusedError("malformed", "the envelope cannot be read") from error
        tree = _parse(envelope.content)
        if envelope.type == MODEL_EVENT_TYPE and self._kind is not ModelEvent:
            return _convert(tree, ModelEvent)
        if "features" in tree and self._kind not in (Label, Metric, ModelEvent):
            tree["features"] = self._repaired(tree["features"])
        if isinstance(tree.get("tags"), dict):
            tree["tags"] = {k: v for k, v in tree["tags"].items() if isinstance(v, str)}
        for name in ("prediction", "label", "value", "score"):
            number = tree.get(name)
            if isinstance(number, float) and not math.isfinite(number):
                raise RefusedError("non_finite", f"{name} is not a finite number")
            if isinstance(number, int) and abs(number) > EXACT:
                raise RefusedError("non_finite", f"{name} is beyond 2**53")
        return _convert(tree, self._kind)

    def _repaired(self, features: object) -> dict[str, object]:
        """Features with each unreadable value missing; RefusedError if they are no features."""
        if not isinstance(features, dict):
            raise RefusedError("schema", "features must be an object")
        if len(features) > self._limits.features:
            raise RefusedError("schema", "too many features")
        if not all(_NAME.fullmatch(name) for name in features):
            raise RefusedError("schema", "a feature's name is not allowed")
        kinds = self._numeric or dict.fromkeys(features)
        return {name: _sound(features.get(name), numeric=kinds[name]) for name in kinds}


def _sound(value: object, *, numeric: bool | None) -> object:
    """A feature's value if it can be counted, else None. `numeric` None: not known yet."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > EXACT:
        return None
    if numeric:
        return None if isinstance(value, bool) or not isinstance(value, int | float) else value
    return value if isinstance(value, str | int | float | bool) else None


class _Routing(msgspec.Struct):
    model: str


_routing: Final = msgspec.json.Decoder(_Routing)


def model_of(record: LogRecord) -> str:
    """The model a record names; RefusedError if it names none."""
    try:
        return _routing.decode(record.value or b"").model
    except _UNREADABLE:
        pass
    try:
        content = open_envelope(record.headers, record.value or b"").content
    except EnvelopeError as error:
        raise RefusedError("malformed", "the envelope cannot be read") from error
    name = _parse(content).get("model")
    if not isinstance(name, str):
        raise RefusedError("schema", "required field model is missing")
    return name


def _parse(content: bytes) -> dict[str, Any]:
    """The object in `content`; NaN and Infinity are let in here, to be judged by their place."""
    try:
        tree = json.loads(content.decode("utf-8"))
        json.dumps(tree, ensure_ascii=False).encode("utf-8")  # lone surrogates end here
    except (ValueError, RecursionError) as error:
        raise RefusedError("malformed", "not a JSON text in UTF-8") from error
    if not isinstance(tree, dict):
        raise RefusedError("schema", "not a JSON object")
    return tree


def _convert(tree: dict[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(tree, kind)
    except (msgspec.ValidationError, RecursionError, ValueError, OverflowError) as error:
        raise RefusedError("schema", _schema_message(error)) from error


def _schema_message(error: Exception) -> str:
    """Where the record departs from the schema, without the input's own words."""
    text = str(error)
    where = text.rpartition(" - at `")[2].rstrip("`") if " - at `" in text else "$"
    missing = re.fullmatch(r"Object missing required field `([a-z_]+)`.*", text)
    if missing:
        return f"required field {missing[1]} is missing"
    place = where if re.fullmatch(r"\$[.a-z_\[\]0-9]*", where) else "$"
    return f"wrong type at {place}"
