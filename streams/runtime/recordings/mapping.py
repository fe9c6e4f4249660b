"""Which column of a file is what: named by the user, else found by its usual name.

Promises: a column the user names exists, or the error names the nearest one; a column has one
role; every column without a role is a feature.
Leaves to others: reading the file (`files`), writing records (`rows`).
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final, Literal, get_args

import msgspec

from schemas.log import Millis
from streams.runtime.recordings.files import FileError

Role = Literal["id", "timestamp", "prediction", "score", "label", "version"]

USUAL: Final[dict[Role, tuple[str, ...]]] = {
    "id": ("prediction_id", "id", "uuid", "request_id"),
    "timestamp": ("timestamp", "event_time", "datetime", "ts"),
    "prediction": ("prediction", "predicted", "y_pred", "pred", "y_hat", "yhat"),
    "score": ("score", "predicted_probability", "probability", "y_score", "proba"),
    "label": ("label", "y_true", "target", "ground_truth", "actual", "truth"),
    "version": ("model_version",),
}
"""Names looked for, best first, where the user names none; letter case is ignored."""

DEFAULT_EVERY: Final[Millis] = 1000
"""Time between rows where a file has no timestamps and nothing is said."""


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """Columns by role; None: the file has none (or, for `every`, it has timestamps)."""

    id: str | None = None
    timestamp: str | None = None
    prediction: str | None = None
    score: str | None = None
    label: str | None = None
    version: str | None = None
    every: Millis | None = None
    features: tuple[str, ...] = ()


def assign(names: Sequence[str], wanted: Columns, path: str = "") -> Columns:
    """The roles of the columns `names`; what `wanted` leaves open is found by its usual name.

    `wanted.features` empty means all that have no role. FileError if a wanted column is absent or
    has two roles.
    """
    found: dict[str, str | None] = {}
    taken = {column for role in get_args(Role) if (column := getattr(wanted, role))}
    for role in get_args(Role):
        column = getattr(wanted, role)
        if column is not None:
            _must_exist(column, names, path)
            if column in found.values():
                raise FileError(f"{path}: column {column!r} has two roles")
        elif not (role == "timestamp" and wanted.every is not None):
            column = _usual(role, [name for name in names if name not in taken])
        found[role] = column
    for feature in wanted.features:
        _must_exist(feature, names, path)
    roles = set(found.values())
    features = wanted.features or tuple(name for name in names if name not in roles)
    every = None if found["timestamp"] is not None else wanted.every or DEFAULT_EVERY
    return Columns(**found, every=every, features=features)


def _usual(role: Role, names: Sequence[str]) -> str | None:
    by_lower = {name.lower(): name for name in reversed(names)}
    return next((by_lower[usual] for usual in USUAL[role] if usual in by_lower), None)


def _must_exist(column: str, names: Sequence[str], path: str) -> None:
    if column not in names:
        near = get_close_matches(column, names, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(names[:20])}"
        raise FileError(f"{path}: no column {column!r}{hint}")
