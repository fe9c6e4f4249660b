"""BentoML: what `bentoml.monitor` writes to its log files (JSON Lines).

| BentoML | event of ours |
|---|---|
| a schema line, `{"meta_data": {..}, "columns": [{"name", "role", "type"}]}` | names the roles |
| role `feature` | `features` |
| role `prediction` (the first one) | `prediction`, or `score`, `probabilities` as it looks |
| role `target` (the first one) | a label |
| `request_id` | `prediction_id`; further rows of a request get `#1`, `#2`, ... |
| `timestamp` (of the server's clock, without a zone) | `timestamp`, taken for UTC |
| `meta_data.bento_name`, `.bento_version` | `model`, `version` |

The schema stands in a file of its own; it must come first: `cat schema/*.log data/*.log`. Other
roles are left out. After the documentation of monitoring in BentoML.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from schemas.inputs import Event, Label, Prediction, safe_names
from streams.adapters.asked import DEFAULT_VERSION, Asked, MisfitError, decoded, model_of
from streams.adapters.values import Json, answer, feature

_UNKNOWN: Final = "not available"
_ZONE_AT: Final = 19
"""Where the seconds of an ISO 8601 text end; a zone stands behind them."""


class _Column(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    role: str


class _Meta(msgspec.Struct, frozen=True, kw_only=True):
    bento_name: str = ""
    bento_version: str = ""


class _Schema(msgspec.Struct, frozen=True, kw_only=True):
    columns: list[_Column]
    meta_data: _Meta = _Meta()


_rows: Final = msgspec.json.Decoder(dict[str, Json])


class BentoMl:
    """Reads a schema and then rows."""

    waiting = 0

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._schema: _Schema | None = None
        self._request, self._number = "", 0

    def take(self, record: bytes) -> Iterator[Event]:
        """A prediction, and a label where the row has its target."""
        row = decoded(_rows, record, "line of BentoML's monitoring")
        if "columns" in row and "meta_data" in row:
            self._schema = self._read_schema(row)
            return
        schema = self._schema
        if schema is None:
            raise MisfitError("comes before the schema: cat schema/*.log data/*.log")
        request, at = row.get("request_id"), row.get("timestamp")
        if not isinstance(request, str) or not isinstance(at, str):
            raise MisfitError("has no request_id or timestamp")
        model = model_of(self._asked, schema.meta_data.bento_name, "meta_data.bento_name")
        name, instant = self._id(request), _zoned(at)
        features = [one.name for one in schema.columns if one.role == "feature"]
        predicted, target = _first(schema, "prediction"), _first(schema, "target")
        if predicted in row:
            said = answer(row[predicted], self._asked)
            yield Prediction(
                model=model,
                version=self._asked.version or _known(schema.meta_data.bento_version),
                prediction_id=name,
                timestamp=instant,
                features={
                    safe: feature(row.get(plain))
                    for safe, plain in zip(safe_names(features), features, strict=True)
                },
                prediction=said.prediction,
                score=said.score,
                probabilities=said.probabilities,
            )
        if row.get(target) is not None:
            outcome = answer(row[target], Asked()).prediction
            if outcome is not None:
                yield Label(model=model, prediction_id=name, label=outcome, timestamp=instant)

    def _read_schema(self, row: dict[str, Json]) -> _Schema:
        try:
            return msgspec.convert(row, _Schema)
        except msgspec.ValidationError as error:
            raise MisfitError(f"is no schema of BentoML's monitoring ({error})") from None

    def _id(self, request: str) -> str:
        """Rows of one request follow each other."""
        self._number = self._number + 1 if request == self._request else 0
        self._request = request
        return f"{request}#{self._number}" if self._number else request


def _first(schema: _Schema, role: str) -> str:
    """The first column of a role; a name that no column has if there is none."""
    return next((one.name for one in schema.columns if one.role == role), "")


def _known(version: str) -> str:
    return version if version and version != _UNKNOWN else DEFAULT_VERSION


def _zoned(text: str) -> str:
    """An ISO 8601 text with a zone: without one it is taken for UTC."""
    rest = text[_ZONE_AT:]
    return text if any(mark in rest for mark in "Zz+-") else f"{text}Z"
