"""Evidently: a data definition as a model of our configuration, and the columns by role.

| DataDefinition (0.7), or ColumnMapping (before) | here |
|---|---|
| `numerical_columns`, `numerical_features` | `features`: numeric |
| `categorical_columns`, `categorical_features` | `features`: categorical |
| `id_column`, `id`; `timestamp`, `datetime` | `--id`, `--timestamp` |
| `classification[0]`: `target`, `prediction_labels`, `prediction_probas`, `pos_label` | `task`, \
`--label`, `--prediction`, `--score`, `positive` |
| `regression[0]`: `target`, `prediction` | `task: regression`, `--label`, `--prediction` |
| `target`, `prediction`, `task`, `pos_label` of a ColumnMapping | the same |

Text, date and embedding columns are left out. After the documentation of both. Read from their
JSON (`DataDefinition.json()`) or YAML, which the caller has parsed.
"""

from typing import Literal

import msgspec

from schemas.inputs import safe_names
from schemas.vocabulary import Task
from streams.adapters.asked import MisfitError
from streams.adapters.values import Json


class Defined(msgspec.Struct, frozen=True, kw_only=True):
    """What a definition says: columns by role (None: not there), features by their safe names."""

    task: Task
    features: dict[str, Literal["numeric", "categorical"]]
    positive: str | int | bool | None = None
    id: str | None = None
    timestamp: str | None = None
    prediction: str | None = None
    score: str | None = None
    label: str | None = None


class _Target(msgspec.Struct, frozen=True, kw_only=True):
    """One target: of BinaryClassification, MulticlassClassification or Regression."""

    target: str | None = "target"
    prediction_labels: str | None = None
    prediction_probas: str | list[str] | None = None
    prediction: str | None = None
    pos_label: str | int | bool | None = None
    labels: dict[str, Json] | None = None


class _Definition(msgspec.Struct, frozen=True, kw_only=True):
    id_column: str | None = None
    timestamp: str | None = None
    numerical_columns: list[str] | None = None
    categorical_columns: list[str] | None = None
    classification: list[_Target] | None = None
    regression: list[_Target] | None = None
    # A ColumnMapping.
    id: str | None = None
    datetime: str | None = None
    target: str | None = None
    prediction: str | list[str] | None = None
    numerical_features: list[str] | None = None
    categorical_features: list[str] | None = None
    task: str | None = None
    pos_label: str | int | bool | None = None


def read(tree: Json) -> Defined:
    """The definition in a parsed document; MisfitError if it names no feature."""
    try:
        one = msgspec.convert(tree, _Definition)
    except msgspec.ValidationError as error:
        raise MisfitError(f"is no data definition of Evidently ({error})") from None
    target, task = _target(one)
    roles = {
        "id": one.id_column or one.id,
        "timestamp": one.timestamp or one.datetime,
        "prediction": target.prediction_labels or target.prediction,
        "score": _score(target),
        "label": target.target,
    }
    features: dict[str, Literal["numeric", "categorical"]] = {}
    taken = set(filter(None, roles.values()))
    for names, kind in (
        (one.numerical_columns or one.numerical_features or [], "numeric"),
        (one.categorical_columns or one.categorical_features or [], "categorical"),
    ):
        for name in names:
            if name not in taken:
                features[name] = "numeric" if kind == "numeric" else "categorical"
    if not features:
        raise MisfitError("names no numerical and no categorical columns")
    safe = dict(zip(safe_names(list(features)), features.values(), strict=True))
    positive = target.pos_label if task == "binary" else None
    return Defined(task=task, features=safe, positive=positive, **roles)


def _target(one: _Definition) -> tuple[_Target, Task]:
    """The first target and what it makes the task."""
    if one.classification:
        target = one.classification[0]
        several = isinstance(target.prediction_probas, list) and len(target.prediction_probas) > 1
        return target, "multiclass" if several or len(target.labels or ()) > 2 else "binary"  # noqa: PLR2004 - binary
    if one.regression:
        return one.regression[0], "regression"
    predicted = one.prediction
    target = _Target(
        target=one.target,
        prediction=predicted if isinstance(predicted, str) else None,
        prediction_probas=predicted if isinstance(predicted, list) else None,
        pos_label=one.pos_label,
    )
    if one.task == "regression":
        return target, "regression"
    if target.target is None and predicted is None:
        return target, "none"
    several = isinstance(predicted, list) and len(predicted) > 2  # noqa: PLR2004 - binary
    return target, "multiclass" if several else "binary"


def _score(target: _Target) -> str | None:
    """The column of the positive class's probability, where there is one of that kind."""
    probas = target.prediction_probas
    if isinstance(probas, list):
        return probas[0] if len(probas) == 1 else None
    return probas
