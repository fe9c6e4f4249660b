"""Arize: records as its clients log them, one JSON object each, fields by their documented names.

| Arize | event of ours |
|---|---|
| `model_id`, `model_version` | `model`, `version` |
| `prediction_id` | `prediction_id` |
| `prediction_timestamp` (seconds) | `timestamp` of the prediction, and of a label beside it |
| `features`, `tags` (a value, or `{value, type}`) | `features`, `tags` |
| `embedding_features` (`{vector, ..}`) | `features`, as a list of numbers |
| `prediction_label` (a value, or `[label, score]`) | `prediction`, `score` |
| `prediction_score` | `score` |
| `actual_label` (a value, or `[label, score]`) | a label |
| `environment` other than production | left out |

After the documentation of `Client.log` of Arize's Python SDK. SHAP values, prompts and responses
are not read.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from schemas.inputs import Event, FeatureValue, Label, Prediction, safe_names
from schemas.instants import Timestamp
from streams.adapters.asked import DEFAULT_VERSION, Asked, MisfitError, decoded, model_of
from streams.adapters.values import Json, answer, feature

_PRODUCTION: Final = "production"


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    prediction_id: str | int | float | None = None
    model_id: str | None = None
    model_version: str | None = None
    environment: str = _PRODUCTION
    prediction_timestamp: Timestamp | None = None
    prediction_label: Json = None
    prediction_score: float | None = None
    actual_label: Json = None
    features: dict[str, Json] = {}
    embedding_features: dict[str, Json] = {}
    tags: dict[str, Json] = {}


_decoder: Final = msgspec.json.Decoder(_Record)


class Arize:
    """Reads records of Arize."""

    waiting = 0

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def take(self, record: bytes) -> Iterator[Event]:
        """A prediction, its label, or both."""
        one = decoded(_decoder, record, "record of Arize")
        if one.environment.rpartition(".")[2].lower() != _PRODUCTION:
            return
        if one.prediction_id is None:
            raise MisfitError("has no prediction_id")
        if one.prediction_label is None and one.actual_label is None:
            raise MisfitError("has neither prediction_label nor actual_label")
        model, name = model_of(self._asked, one.model_id, "model_id"), str(one.prediction_id)
        at = self._asked.now if one.prediction_timestamp is None else one.prediction_timestamp
        if one.prediction_label is not None:
            label, score = _pair(one.prediction_label)
            said = answer(label, self._asked)
            yield Prediction(
                model=model,
                version=self._asked.version or one.model_version or DEFAULT_VERSION,
                prediction_id=name,
                timestamp=at,
                features=_values({**one.features, **one.embedding_features}),
                prediction=said.prediction,
                score=one.prediction_score if score is None else score,
                probabilities=said.probabilities,
                tags={k: v for k, v in _values(one.tags).items() if not isinstance(v, list)},
            )
        if one.actual_label is not None:
            outcome = answer(_pair(one.actual_label)[0], Asked()).prediction
            if outcome is not None:
                yield Label(model=model, prediction_id=name, label=outcome, timestamp=at)


def _pair(label: Json) -> tuple[Json, float | None]:
    """A label and its score, where both are in one."""
    match label:
        case [str() | bool() | int() as name, int() | float() as score]:
            return name, float(score)
    return label, None


def _values(typed: dict[str, Json]) -> dict[str, FeatureValue]:
    """Features or tags by safe names, taken out of what says their type."""
    return dict(zip(safe_names(list(typed)), map(_value, typed.values()), strict=True))


def _value(value: Json) -> FeatureValue:
    match value:
        case {"value": inner} | {"vector": inner}:
            return feature(inner)
    return feature(value)
