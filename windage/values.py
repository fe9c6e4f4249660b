"""What a program holds, as JSON can say it: numpy scalars, dates, decimals, rows of frames.

Promises: NaN, infinity and what has no value in JSON become None, and their places are told;
nothing is imported to recognise a value, only its own methods are asked.
Leaves to others: which fields there are (`composing`), columns of many rows (`columns`).
"""

import json
import math
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, Final

PLAIN: Final = frozenset({str, int, bool, type(None)})
"""Types that are what they are; floats must be looked at first."""

_MISSING_TYPES: Final = frozenset({"NAType", "NaTType"})
"""What pandas calls its missing values."""


class UnreadableError(ValueError):
    """A value that JSON cannot say."""


def _default(value: object) -> object:
    """What the encoder asks about a value it does not know."""
    found = scalar(value)
    if isinstance(found, list):
        return [scalar(item) for item in found]
    return found


_encoder: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_default
)


def encode(tree: object) -> bytes:
    """JSON in UTF-8; ValueError or TypeError where something in it cannot be said."""
    return _encoder.encode(tree).encode()


def scalar(value: Any) -> Any:  # noqa: ANN401 - whatever a program passes
    """One value as str, int, float, bool, None, or a list of them; UnreadableError if it is none.

    A float that is not finite is None: in a feature, missing is the honest word for it.
    """
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [scalar(item) for item in value]
    return _foreign(value)


def _foreign(value: Any) -> Any:  # noqa: ANN401
    """Values of other types, told by what they can do."""
    if isinstance(value, Enum):
        return scalar(value.value)
    if isinstance(value, str | int | float):  # subclasses, such as numpy.float64 and numpy.str_
        base = str if isinstance(value, str) else int if isinstance(value, int) else float
        return scalar(base(value))
    if type(value).__name__ in _MISSING_TYPES:
        return None
    if isinstance(value, date):  # a datetime is a date; pandas.Timestamp is a datetime
        return value.isoformat()
    if type(value).__name__ == "Decimal":
        return float(value) if value.is_finite() else None
    if hasattr(value, "tolist"):  # arrays and scalars of numpy, and whatever acts like them
        found = value.tolist()
        if type(found) is not type(value):
            return scalar(found)
    if hasattr(value, "item"):  # tensors of one value
        return scalar(value.item())
    if type(value).__name__ == "UUID":
        return str(value)
    raise UnreadableError(f"a {type(value).__name__} has no place in JSON")


def one(value: Any) -> Any:  # noqa: ANN401
    """A value that must be single: an array of one element is its element."""
    found = scalar(value)
    while isinstance(found, list):
        if len(found) != 1:
            raise UnreadableError(f"one value is needed, not {len(found)}")
        found = found[0]
    return found


def row(features: Any) -> Mapping[Any, Any]:  # noqa: ANN401
    """The names and values of one row: a dict, a Series, a named tuple, a row of a database.

    UnreadableError for what has no names (a list, an array).
    """
    if isinstance(features, Mapping):
        return features
    for method in ("to_dict", "_asdict", "model_dump"):
        if hasattr(features, method):
            found = getattr(features, method)()
            if isinstance(found, Mapping):
                return found
    mapping = getattr(features, "_mapping", None)  # rows of SQLAlchemy
    if isinstance(mapping, Mapping):
        return mapping
    if hasattr(features, "keys") and hasattr(features, "__getitem__"):
        names: Iterable[Any] = features.keys()
        return {name: features[name] for name in names}
    fields = getattr(features, "__dataclass_fields__", None)
    if fields is not None and not isinstance(features, type):
        return {name: getattr(features, name) for name in fields}
    raise UnreadableError(f"features need names; a {type(features).__name__} has none")


def instant(value: Any = None) -> str | int | float:  # noqa: ANN401
    """An instant as sent: RFC 3339 of now or of an aware datetime; texts and numbers as given."""
    if value is None:
        return _rfc3339(datetime.fromtimestamp(time.time(), UTC))
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise UnreadableError("a datetime needs a time zone, such as datetime.UTC")
        return _rfc3339(value.astimezone(UTC))
    found = scalar(value)
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        raise UnreadableError("an instant is a datetime, an RFC 3339 text or an epoch number")
    return found


def _rfc3339(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
