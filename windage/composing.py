"""Arguments of a call to the bytes of an event, under a publisher's privacy rules.

Promises: what is composed is an event of the public contract; a wrong argument is an
ArgumentError that names it and never quotes its value; a feature value that JSON cannot say becomes
missing and is counted, the rest of the event stands.
Leaves to others: batches (`batches`), waiting and sending (`outbox`).
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from windage import fields as rules
from windage.counts import Counts
from windage.fields import ArgumentError, checked, name_matches
from windage.identity import new_id
from windage.privacy import Privacy
from windage.values import UnreadableError, encode, instant, row, scalar

EVENT_BYTES: Final = 256 * 1024
"""A larger event is refused by the product (its default for `limits.event`)."""

FEATURES: Final = 500
_NAMES_REMEMBERED: Final = 10_000


class Message(NamedTuple):
    """One record to be sent: topic without its prefix, key, JSON; `rows`: events in it."""

    topic: str
    key: bytes
    value: bytes
    rows: int = 1

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.value)


class Composer:
    """Composes the events of one model."""

    def __init__(self, model: str, version: str | None, privacy: Privacy, counts: Counts) -> None:
        """ValueError for a model or version that cannot be a name."""
        for where, text in (("model", model), ("version", version)):
            if text is not None and not name_matches(text):
                raise ArgumentError(where, "1 to 128 of A-Z a-z 0-9 _ . : - are needed")
        self.model = model
        self.version = version
        self.privacy = privacy
        self.counts = counts
        self._names: set[str] = set()

    def prediction(
        self,
        features: object,
        prediction: object,
        score: object,
        pid: str,
        fields: Mapping[str, Any],
    ) -> Message:
        """One scored request; `pid` is its id before hashing."""
        said = dict(fields)
        tags = said.pop("tags", None)
        event: dict[str, Any] = {
            "model": self.model,
            "version": said.pop("version", None) or self.version,
            "prediction_id": self.privacy.identity(pid),
            "timestamp": self._instant(said.pop("timestamp", None)),
        }
        if event["version"] is None:
            raise ArgumentError("version", "it is needed, here or of the publisher")
        if event["version"] is not self.version:
            event.update(checked({"version": event["version"]}, rules.PREDICTION))
        if features is not None:
            event["features"] = self.row("features", features)
        event["prediction"] = None  # present also where there is none: a request without an answer
        event.update(checked({"prediction": prediction, "score": score}, _ANSWER))
        if said:
            event.update(checked(said, rules.PREDICTION))
        if tags:
            event["tags"] = self.tags(tags)
        if self.privacy.sample < 1:
            event["sampled_rate"] = self.privacy.sample
        return self._message("predictions", event["prediction_id"], event)

    def label(self, pid: str, label: object, fields: Mapping[str, Any]) -> Message:
        """The outcome of a prediction."""
        said = dict(fields)
        event: dict[str, Any] = {
            "model": self.model,
            "prediction_id": self.privacy.identity(pid),
            "timestamp": self._instant(said.pop("timestamp", None)),
            **checked({"label": label}, {"label": rules.outcome}),
        }
        if "label" not in event:
            raise ArgumentError("label", "it is missing")
        event.update(checked(said, rules.LABEL))
        return self._message("labels", event["prediction_id"], event)

    def metric(self, name: object, value: object, fields: Mapping[str, Any]) -> Message:
        """A figure of the business or of operations."""
        said = dict(fields)
        tags = said.pop("tags", None)
        event: dict[str, Any] = {
            "model": self.model,
            "timestamp": self._instant(said.pop("timestamp", None)),
            **checked({"name": name, "value": value}, {"name": rules.name, "value": rules.number}),
        }
        for needed in ("name", "value"):
            if needed not in event:
                raise ArgumentError(needed, "it is missing")
        event.update(checked(said, rules.METRIC))
        if tags:
            event["tags"] = self.tags(tags)
        return self._message("metrics", self.model, event)

    def event(self, type: object, fields: Mapping[str, Any]) -> Message:
        """Something that happened to the model. Without an `id` it is given a new one."""
        said = {"id": new_id(), **fields}
        if "from_" in said:
            said["from"] = said.pop("from_")
        event: dict[str, Any] = {
            "model": self.model,
            "timestamp": self._instant(said.pop("timestamp", None)),
            **checked({"type": type}, {"type": rules.one_of(*rules.EVENT_TYPES)}),
            **checked(said, rules.EVENT),
        }
        if "type" not in event:
            raise ArgumentError("type", "it is missing")
        return self._message("model-events", self.model, event)

    def row(self, where: str, features: object) -> dict[str, Any]:
        """Names and values of one row, as they are sent; not yet as JSON."""
        try:
            found = row(features)
        except UnreadableError as error:
            raise ArgumentError(where, str(error)) from None
        out: dict[str, Any] = {}
        privacy = self.privacy
        for key, value in found.items():
            name = key if type(key) is str else str(key)
            if name not in self._names:
                self._learn(where, name)
            if not privacy.touches:
                out[name] = value
            elif privacy.keeps(name):
                out[name] = self._hidden(where, name, value)
        if len(out) > FEATURES:
            raise ArgumentError(where, f"at most {FEATURES} are taken")
        return out

    def tags(self, tags: object) -> dict[str, str]:
        """Names and texts of the tags of one event."""
        out: dict[str, str] = {}
        for name, value in self.row("tags", tags).items():
            try:
                found = rules.tag(value)
            except (ValueError, TypeError):
                self.counts.repair(1, f"the tag {name}")
                continue
            if found is not None:
                out[name] = found
        return out

    def _hidden(self, where: str, name: str, value: object) -> Any:  # noqa: ANN401
        """A value after hashing; what cannot be read must not slip through unhashed."""
        try:
            return self.privacy.cell(name, value)
        except (ValueError, TypeError):
            self.counts.repair(1, f"{where}.{name}")
            return None

    def _learn(self, where: str, name: str) -> None:
        if not name_matches(name):
            what = "a name must be 1 to 128 of A-Z a-z 0-9 _ . : -, so rename the column"
            raise ArgumentError(where, what)
        if len(self._names) < _NAMES_REMEMBERED:
            self._names.add(name)

    def _instant(self, given: object) -> str | int | float:
        try:
            return instant(given)
        except (ValueError, TypeError) as error:
            raise ArgumentError("timestamp", str(error)) from None

    def _message(self, topic: str, key: str, event: dict[str, Any]) -> Message:
        try:
            value = encode(event)
        except (ValueError, TypeError, RecursionError):
            value = self._repaired(event)
        if len(value) > EVENT_BYTES:
            raise TooLargeError(topic, f"an event has at most {EVENT_BYTES} bytes")
        return Message(topic, key.encode(), value)

    def _repaired(self, event: dict[str, Any]) -> bytes:
        """The event with each feature that cannot be said as missing."""
        features = event.get("features", {})
        sound: dict[str, Any] = {}
        for name, value in features.items():
            try:
                found = scalar(value)
                encode(found)
            except (ValueError, TypeError, RecursionError):
                self.counts.repair(1, f"features.{name}")
                found = None
            sound[name] = found
        try:
            return encode({**event, "features": sound} if features else event)
        except (ValueError, TypeError, RecursionError):
            where = next((f for f, v in event.items() if not _sayable(v)), "event")
            raise ArgumentError(where, "it cannot be said in JSON") from None


class TooLargeError(ArgumentError):
    """An event beyond the size limit."""


_ANSWER: Final[dict[str, rules.Rule]] = {"prediction": rules.target, "score": rules.number}


def _sayable(value: object) -> bool:
    try:
        encode(value)
    except (ValueError, TypeError, RecursionError):
        return False
    return True
