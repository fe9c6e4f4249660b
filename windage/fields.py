"""The fields of what is published, beside those every call names: their types and their rules.

Promises: these are fields of the public contract; a name that is none is refused with the nearest
one that is.
Leaves to others: putting events together (`composing`).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypedDict

from windage.values import UnreadableError, instant, one, row, scalar

Role = Literal["champion", "canary", "shadow"]
Direction = Literal["higher_is_better", "lower_is_better"]

name_matches: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}", re.ASCII).fullmatch
"""Whether a text may name a model, version, feature, tag or metric."""

TOPICS: Final = ("predictions", "labels", "metrics", "model-events")


class ArgumentError(ValueError):
    """An argument that cannot be sent; `where` names it."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where = where


class PredictionFields(TypedDict, total=False):
    """What may be said of a prediction beside features, prediction, score and id."""

    version: str
    timestamp: Any
    probabilities: Any
    tags: Mapping[str, Any]
    role: Role
    feature_set: str
    probe_id: str
    latency_ms: float
    cost: float
    error: str
    queue_depth: float


class LabelFields(TypedDict, total=False):
    """What may be said of a label beside its id and value."""

    timestamp: Any
    weight: float
    annotator: str
    source: Literal["truth", "feedback"]
    revision: int


class MetricFields(TypedDict, total=False):
    """What may be said of a metric beside name and value."""

    timestamp: Any
    kind: Literal["kpi", "operational"]
    direction: Direction
    tags: Mapping[str, Any]


EventFields = TypedDict(
    "EventFields",
    {
        "version": str,
        "id": str,
        "timestamp": Any,
        "author": str,
        "note": str,
        "traffic_share": float,
        "incident_id": str,
        "request_id": str,
        "verdict": Literal["true_drift", "false_alarm", "data_issue"],
        "root_cause": str,
        "resolution": str,
        "prevention": str,
        "matchers": Mapping[str, str],
        "from": Any,
        "from_": Any,
        "until": Any,
        "severity": Literal["yellow", "red"],
        "deployment": Mapping[str, Any],
    },
    total=False,
)
"""What may be said of a model event beside its type; `from_` is `from`, which Python keeps."""


def refuse_unknown(fields: Iterable[str], known: Iterable[str]) -> None:
    """ArgumentError for the first field that is none, with the nearest that is."""
    known = sorted(known)
    for name in fields:
        if name not in known:
            hint = (
                nearest(name, {*known, "prediction", "score", "tags"})
                or f"known are {', '.join(known)}"
            )
            raise ArgumentError(name, f"there is no such field; {hint}")


def nearest(word: str, known: Iterable[str]) -> str:
    """A question after the most similar known word; empty if none is similar."""
    import difflib  # noqa: PLC0415 - only for who has mistyped

    near = difflib.get_close_matches(word, list(known), 1)
    return f"did you mean {near[0]}?" if near else ""


def target(value: Any) -> Any:  # noqa: ANN401 - a class, or a number
    """A prediction or label: one text, number or truth; None only where None was given.

    A list, or an array of several, is that of a ranking: items in the order shown, or relevances.
    """
    found = scalar(value)
    if isinstance(value, list | tuple) or (isinstance(found, list) and len(found) != 1):
        if any(item is None or isinstance(item, list) for item in found):
            raise UnreadableError("a list must be of finite numbers, or of texts")
        return found
    return single(value)


def outcome(value: Any) -> Any:  # noqa: ANN401 - a class, a number, or relevances
    """A label: as `target`, but what is in a list are relevances."""
    found = target(value)
    if isinstance(found, list) and not all(type(n) in (int, float) and n >= 0 for n in found):
        raise UnreadableError("relevances must be numbers of 0 or more")
    return found


def single(value: Any) -> Any:  # noqa: ANN401 - a text, number or truth
    """One value; None only where None was given."""
    found = one(value)
    if found is None and value is not None:
        raise UnreadableError("it is not a finite number")
    return found


def number(value: Any) -> float | int | None:  # noqa: ANN401
    """One finite number; None only where None was given."""
    found = single(value)
    if isinstance(found, bool | str):
        raise UnreadableError("a number is needed")
    return found  # type: ignore[no-any-return]


def text(value: Any) -> str:  # noqa: ANN401
    """One text."""
    found = scalar(value)
    if not isinstance(found, str):
        raise UnreadableError("a text is needed")
    return found


def name(value: Any) -> str:  # noqa: ANN401
    """A name of a model, version or metric."""
    found = text(value)
    if not name_matches(found):
        raise UnreadableError("1 to 128 of A-Z a-z 0-9 _ . : - are needed")
    return found


def one_of(*words: str) -> Callable[[Any], str]:
    """A field with a closed vocabulary."""

    def chosen(value: Any) -> str:  # noqa: ANN401
        found = text(value)
        if found not in words:
            hint = nearest(found, words)
            raise UnreadableError(f"one of {', '.join(words)} is needed. {hint}".rstrip(". "))
        return found

    return chosen


def identifier(value: Any) -> str:  # noqa: ANN401
    """The id of a prediction: a text of 1 to 256 characters; numbers and UUIDs are written out."""
    found = one(value)
    found = str(found) if isinstance(found, int) and not isinstance(found, bool) else found
    if not isinstance(found, str) or not 1 <= len(found) <= 256:  # noqa: PLR2004
        raise UnreadableError("a text of 1 to 256 characters is needed")
    found.encode()  # a lone surrogate is an error here, and not later in a thread
    return found


def probabilities(value: Any) -> dict[str, float | int]:  # noqa: ANN401
    """Class probabilities by class; a plain list is that of the classes 0, 1, 2, ..."""
    if hasattr(value, "keys") or hasattr(value, "items"):
        pairs: Iterable[tuple[Any, Any]] = row(value).items()
    else:
        found = scalar(value)
        if not isinstance(found, Sequence) or isinstance(found, str):
            raise UnreadableError("a mapping from class to probability is needed")
        pairs = enumerate(found)
    out: dict[str, float | int] = {}
    for key, share in pairs:
        if (checked := number(share)) is None:
            raise UnreadableError("a probability is missing")
        out[str(key)] = checked
    return out


def tag(value: Any) -> str | None:  # noqa: ANN401
    """The value of a tag as text: what is counted by is a name, so 1 and "1" are the same."""
    found = scalar(value)
    if found is None or isinstance(found, str):
        return found
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, list):
        raise UnreadableError("a tag has one value")
    return repr(found)


def count(value: Any) -> int:  # noqa: ANN401
    """A whole number that is not negative."""
    found = one(value)
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise UnreadableError("a whole number of at least 0 is needed")
    return found


def size(value: Any) -> float | int | None:  # noqa: ANN401
    """A number that is not negative."""
    found = number(value)
    if found is not None and found < 0:
        raise UnreadableError("it must not be negative")
    return found


Rule = Callable[[Any], Any]

PREDICTION: Final[dict[str, Rule]] = {
    "version": name,
    "timestamp": instant,
    "probabilities": probabilities,
    "role": one_of("champion", "canary", "shadow"),
    "feature_set": text,
    "probe_id": text,
    "latency_ms": size,
    "cost": number,
    "error": text,
    "queue_depth": size,
}
"""Rules of the fields of a prediction; tags are looked at like features."""

LABEL: Final[dict[str, Rule]] = {
    "timestamp": instant,
    "weight": size,
    "annotator": text,
    "source": one_of("truth", "feedback"),
    "revision": count,
}

METRIC: Final[dict[str, Rule]] = {
    "timestamp": instant,
    "kind": one_of("kpi", "operational"),
    "direction": one_of("higher_is_better", "lower_is_better"),
}

EVENT_TYPES: Final = (
    "deployed",
    "canary_started",
    "approved",
    "rejected",
    "promoted",
    "rolled_back",
    "retraining_started",
    "retraining_failed",
    "retraining_finished",
    "external",
    "labels_redefined",
    "end_of_stream",
    "annotation",
    "silence",
    "incident_acknowledged",
    "incident_assigned",
    "incident_closed",
    "incident_missed",
    "reference_reset",
)

EVENT: Final[dict[str, Rule]] = {
    "version": name,
    "id": identifier,
    "timestamp": instant,
    "author": text,
    "note": text,
    "traffic_share": number,
    "incident_id": text,
    "request_id": text,
    "verdict": one_of("true_drift", "false_alarm", "data_issue"),
    "root_cause": text,
    "resolution": text,
    "prevention": text,
    "matchers": row,
    "from": instant,
    "until": instant,
    "severity": one_of("yellow", "red"),
    "deployment": row,
}


def checked(fields: Mapping[str, Any], rules: Mapping[str, Rule]) -> dict[str, Any]:
    """Fields as they are sent; those given as None are left out. ArgumentError names the field."""
    out: dict[str, Any] = {}
    for field, value in fields.items():
        rule = rules.get(field)
        if rule is None:
            refuse_unknown((field,), rules)
        elif value is not None:
            try:
                out[field] = rule(value)
            except (ValueError, TypeError) as error:
                raise ArgumentError(field, _said(error)) from error
    return out


def _said(error: Exception) -> str:
    """What is wrong, without quoting the value: only our own sentences are passed on."""
    return str(error) if isinstance(error, UnreadableError) else "it cannot be read"
