"""Logs of inference servers as CloudEvents, one a line: KServe's logger and Seldon's.

| CloudEvent | event of ours |
|---|---|
| `type` `org.kubeflow.serving.inference.request`, `.response` (KServe) | the two halves |
| `type` `io.seldon.serving.inference.request`, `.response` (Seldon Core 1) | the two halves |
| `requestid` (Seldon), else `id` | which halves belong together, and `prediction_id` |
| `inferenceservicename` | `model` |
| `time` of the request | `timestamp` |
| `data` (or `data_base64`) | rows (see `inference`); further rows get `#1`, `#2`, ... |
| `model_version` in an answer of V2 | `version` |

Structured mode, as a message dumper or a Kafka sink writes it. After the documentation of KServe's
inference logger and Seldon Core's payload logging. Other types (outlier, explain) are left out.
"""

import binascii
from base64 import b64decode
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

import msgspec

from schemas.inputs import Event, Prediction
from schemas.instants import Timestamp
from streams.adapters.asked import DEFAULT_VERSION, Asked, MisfitError, decoded, model_of
from streams.adapters.inference import answered, requested
from streams.adapters.pairs import Pairs
from streams.adapters.values import Json

_HALVES: Final = {
    "org.kubeflow.serving.inference.request": False,
    "org.kubeflow.serving.inference.response": True,
    "io.seldon.serving.inference.request": False,
    "io.seldon.serving.inference.response": True,
}


class _CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    id: str
    time: Timestamp | None = None
    requestid: str | None = None
    inferenceservicename: str | None = None
    data: Json = None
    data_base64: str | None = None


_decoder: Final = msgspec.json.Decoder(_CloudEvent)
_json: Final = msgspec.json.Decoder()


class Served:
    """Reads requests and answers, and puts them together."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._pairs: Pairs[_CloudEvent] = Pairs()

    @property
    def waiting(self) -> int:
        """Requests without an answer, and answers without a request."""
        return self._pairs.waiting

    def take(self, record: bytes) -> Iterator[Event]:
        """The predictions of a request, once both its halves have come."""
        half = decoded(_decoder, record, "CloudEvent")
        answers = _HALVES.get(half.type)
        if answers is None:
            return
        name = half.requestid or half.id
        pair = self._pairs.take(name, half, answers=answers)
        if pair is not None:
            yield from self._predictions(name, *pair)

    def _predictions(
        self, name: str, request: _CloudEvent, response: _CloudEvent
    ) -> Iterator[Event]:
        asked, body = self._asked, _data(response)
        rows, answers = requested(_data(request), asked), answered(body, asked)
        if len(rows) != len(answers):
            raise MisfitError(f"asks for {len(rows)} rows and answers {len(answers)}")
        model = model_of(asked, request.inferenceservicename, "inferenceservicename")
        version = body.get("model_version") if isinstance(body, Mapping) else None
        at = asked.now if request.time is None else request.time
        for number, (features, said) in enumerate(zip(rows, answers, strict=True)):
            yield Prediction(
                model=model,
                version=asked.version
                or (version if isinstance(version, str) else None)
                or DEFAULT_VERSION,
                prediction_id=f"{name}#{number}" if number else name,
                timestamp=at,
                features=features,
                prediction=said.prediction,
                score=said.score,
                probabilities=said.probabilities,
                latency_ms=_between(request.time, response.time),
            )


def _data(half: _CloudEvent) -> Json:
    """The body as a JSON value; it may come as text or in base 64."""
    text: bytes | None = None
    if half.data_base64 is not None:
        try:
            text = b64decode(half.data_base64, validate=True)
        except binascii.Error:
            raise MisfitError("holds data that are not in base 64") from None
    elif isinstance(half.data, str):
        text = half.data.encode()
    return half.data if text is None else decoded(_json, text, "JSON body")


def _between(start: Timestamp | None, end: Timestamp | None) -> float | None:
    """Milliseconds from request to answer; None where one has no time."""
    if not (isinstance(start, str) and isinstance(end, str)):
        return None
    try:
        spent = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    except (ValueError, TypeError):
        return None
    milliseconds = spent.total_seconds() * 1000
    return milliseconds if milliseconds >= 0 else None
