"""Rows and answers of models as serving tools write them: nameless lists, objects, tensors, CSV.

Promises: a value that can be no feature (an object, a list of texts) is missing; a list of two or
more shares that add up to one is class probabilities; names are made safe and stay in order.
Leaves to others: where the rows stand in a record (the formats).
"""

import csv
import math
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final, TypeGuard, TypeVar

import msgspec

from schemas.inputs import FeatureValue, Outcome, safe_names
from streams.adapters.asked import Asked, MisfitError

ROWS: Final = 10_000
"""Rows of one request at most."""

_SUM: Final = 1e-3
"""How far class probabilities may be from one together: they are often printed with few digits."""

_PREDICTIONS: Final = ("prediction", "predicted_label", "predict", "class", "label", "y_pred")
_SCORES: Final = ("score", "probability", "predicted_probability", "proba")
_PROBABILITIES: Final = ("probabilities", "predict_proba", "scores")

Json = object
"""A JSON value."""

Row = TypeVar("Row")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a model said of one row."""

    prediction: Outcome | None = None
    score: float | None = None
    probabilities: dict[str, float] | None = None


def features_of(row: Json, asked: Asked, names: Sequence[str] = ()) -> dict[str, FeatureValue]:
    """The features of one row: an object by its keys, a list by `asked.features` or `names`.

    Without any names they are `f0`, `f1`, ... MisfitError if there are more or fewer values.
    """
    if isinstance(row, Mapping):
        return dict(zip(safe_names(list(row)), map(feature, row.values()), strict=True))
    values = row if isinstance(row, list | tuple) else [row]
    known = asked.features or tuple(names) or tuple(f"f{i}" for i in range(len(values)))
    if len(known) != len(values):
        raise MisfitError(f"has {len(values)} features in a row, {len(known)} names are known")
    return dict(zip(safe_names(known), map(feature, values), strict=True))


def feature(value: Json) -> FeatureValue:
    """A value as a feature; what can be none is missing."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple) and value and all(map(_is_number, value)):
        return [float(one) for one in value]
    return None


def answer(value: Json, asked: Asked) -> Answer:
    """What came out of a model for one row: a class or number, probabilities, or an object."""
    if isinstance(value, Mapping):
        return _named(value, asked)
    if isinstance(value, list | tuple):
        if len(value) == 1:
            return answer(value[0], asked)
        shares = _shares_in(value)
        if shares is not None:
            return _shares(dict(zip(map(str, range(len(shares))), shares, strict=True)))
        raise MisfitError("answers a row with a list that is no probabilities of classes")
    if asked.scores and _is_number(value):
        return Answer(score=float(value))
    if isinstance(value, bool | int | float | str):
        return Answer(prediction=value)
    raise MisfitError("answers a row with nothing")


def csv_rows(text: str) -> Sequence[list[Json]]:
    """The rows of CSV without a header; a cell that is a number is one, an empty one is missing."""
    try:
        lines = list(islice(csv.reader(text.splitlines()), ROWS + 1))
    except csv.Error:
        raise MisfitError("holds a body that is no CSV") from None
    return limited([[_cell(cell) for cell in line] for line in lines if line])


def limited(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows; MisfitError if they are too many."""
    if len(rows) > ROWS:
        raise MisfitError(f"has more than {ROWS:,} rows")
    return rows


def _named(value: Mapping[str, Json], asked: Asked) -> Answer:
    """An object by the usual names of its members; one member alone needs none."""
    found: dict[str, Json] = {}
    for field, names in (("p", _PREDICTIONS), ("s", _SCORES), ("c", _PROBABILITIES)):
        name = next((one for one in names if one in value), None)
        if name is not None:
            found[field] = value[name]
    if not found:
        if len(value) == 1:
            return answer(next(iter(value.values())), asked)
        shares = _shares_in(list(value.values()))
        if shares is not None:
            return _shares(dict(zip(value, shares, strict=True)))
        raise MisfitError(f"answers with an object that has none of {', '.join(_PREDICTIONS)}")
    said = answer(found["c"], asked) if "c" in found else Answer()
    prediction, score = _alone(found.get("p", said.prediction)), _alone(found.get("s"))
    return Answer(
        prediction=prediction if isinstance(prediction, bool | int | float | str) else None,
        score=float(score) if _is_number(score) else None,
        probabilities=said.probabilities,
    )


def _alone(value: Json) -> Json:
    """What stands alone in a list, without the list: tensors of one column are such."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _shares(shares: dict[str, float]) -> Answer:
    """The likeliest class is the prediction; a class without a name is called by its number."""
    likeliest = max(shares, key=shares.__getitem__)
    name = int(likeliest) if likeliest.isdigit() else likeliest
    return Answer(prediction=name, probabilities=shares)


def _shares_in(values: Sequence[Json]) -> list[float] | None:
    """The values as shares of one; None if they are none."""
    shares = [float(one) for one in values if _is_number(one) and 0 <= one <= 1]
    whole = len(shares) == len(values) > 1 and abs(math.fsum(shares) - 1) <= _SUM
    return shares if whole else None


def _is_number(value: Json) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(text: str) -> Json:
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        return text or None
    if not math.isfinite(number):
        return None
    return int(text) if text.lstrip("+-").isdigit() else number
