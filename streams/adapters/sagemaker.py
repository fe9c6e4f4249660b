"""SageMaker: what data capture of an endpoint stores, and ground truth for it (JSON Lines).

| SageMaker | event of ours |
|---|---|
| `captureData.endpointInput.data`, a row each | `features` (`--features` names CSV columns) |
| `captureData.endpointOutput.data`, a row each | `prediction`, `score` or `probabilities` |
| `eventMetadata.inferenceId`, else `.eventId` | `prediction_id`; further rows get `#1`, `#2`, ... |
| `eventMetadata.inferenceTime` | `timestamp` |
| `groundTruthData.data` | a label for that id |
| `encoding` CSV, JSON, BASE64 (of either) | how the rows are read |

After the documentation of data capture and of ground truth labels in Model Monitor. The model is
not in the record: `--model`. JSON bodies are `{"instances": [..]}`, `{"predictions": [..]}`, one
row an object or a list.
"""

import binascii
from base64 import b64decode
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from schemas.inputs import Event, Label, Prediction
from schemas.instants import Timestamp
from streams.adapters.asked import DEFAULT_VERSION, Asked, MisfitError, decoded, model_of
from streams.adapters.values import Json, answer, csv_rows, features_of, limited

_ROWS: Final = ("instances", "predictions", "inputs", "outputs", "data")


class _Body(msgspec.Struct, frozen=True, kw_only=True):
    data: str
    encoding: str = "CSV"
    content_type: str = msgspec.field(name="observedContentType", default="")


class _Capture(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    endpoint_input: _Body | None = None
    endpoint_output: _Body | None = None


class _About(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    event_id: str
    inference_id: str | None = None
    inference_time: Timestamp | None = None


class _Record(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    event_metadata: _About
    capture_data: _Capture | None = None
    ground_truth_data: _Body | None = None


_decoder: Final = msgspec.json.Decoder(_Record)
_json: Final = msgspec.json.Decoder()


class SageMaker:
    """Reads captured requests and ground truth."""

    waiting = 0

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def take(self, record: bytes) -> Iterator[Event]:
        """A prediction for each row of a request, or a label for each row of ground truth."""
        one = decoded(_decoder, record, "captured request of SageMaker")
        about = one.event_metadata
        name = about.inference_id or about.event_id
        model = model_of(self._asked, None, "the record")
        at = self._asked.now if about.inference_time is None else about.inference_time
        if one.ground_truth_data is not None:
            for number, row in enumerate(_rows(one.ground_truth_data)):
                outcome = answer(row, Asked()).prediction
                if outcome is None:
                    raise MisfitError("holds ground truth that is no label")
                yield Label(
                    model=model, prediction_id=_id(name, number), label=outcome, timestamp=at
                )
            return
        if one.capture_data is None or one.capture_data.endpoint_input is None:
            raise MisfitError("has neither captureData.endpointInput nor groundTruthData")
        if one.capture_data.endpoint_output is None:
            raise MisfitError("has no captureData.endpointOutput: capture input and output")
        asked, answered = map(
            _rows, (one.capture_data.endpoint_input, one.capture_data.endpoint_output)
        )
        if len(asked) != len(answered):
            raise MisfitError(f"asks for {len(asked)} rows and answers {len(answered)}")
        for number, (row, out) in enumerate(zip(asked, answered, strict=True)):
            said = answer(out, self._asked)
            yield Prediction(
                model=model,
                version=self._asked.version or DEFAULT_VERSION,
                prediction_id=_id(name, number),
                timestamp=at,
                features=features_of(row, self._asked),
                prediction=said.prediction,
                score=said.score,
                probabilities=said.probabilities,
            )


def _id(name: str, number: int) -> str:
    """The first row has the request's id, so that a label for it needs no number."""
    return f"{name}#{number}" if number else name


def _rows(body: _Body) -> Sequence[Json]:
    """The rows of a body by its encoding."""
    text = body.data
    if body.encoding == "BASE64":
        try:
            text = b64decode(text, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise MisfitError("holds a body that is no text in BASE64") from None
    if body.encoding == "JSON" or "json" in body.content_type:
        return _json_rows(text)
    if body.encoding in ("CSV", "BASE64"):
        return csv_rows(text)
    raise MisfitError("holds a body in an encoding other than CSV, JSON, BASE64")


def _json_rows(text: str) -> Sequence[Json]:
    """The rows of a JSON body: under one of the usual names, an array, or one object alone."""
    lines = text.splitlines()
    if len(lines) > 1 and all(line.lstrip()[:1] in ("{", "[") for line in lines if line.strip()):
        try:
            return limited([_json.decode(line) for line in lines if line.strip()])
        except msgspec.DecodeError:
            pass  # one document over several lines
    tree = decoded(_json, text.encode(), "JSON body")
    if isinstance(tree, dict):
        rows = next((tree[name] for name in _ROWS if isinstance(tree.get(name), list)), None)
        return [tree] if rows is None else limited(rows)
    return limited(tree) if isinstance(tree, list) else [tree]
