"""Bodies of the open inference protocols: V1 (`instances`) and V2 (`inputs`), and Seldon's own.

| body of a request | rows |
|---|---|
| `{"instances": [..]}` | an element each |
| `{"inputs": [{"name", "shape", "datatype", "data"}]}` | along the first dimension of each tensor |
| `{"data": {"names": [..], "ndarray": [..]}}` | an element each |
| `{"data": {"names": [..], "tensor": {"shape", "values"}}}` | along the first dimension |

and the same of an answer, where V1 says `predictions` and V2 `outputs`. A tensor of one value a
row is one feature by its name; one of several values a row is named by `--features`, else
`NAME_0`, `NAME_1`, ...
"""

import math
from collections.abc import Mapping, Sequence

import msgspec

from schemas.inputs import FeatureValue
from streams.adapters.asked import Asked, MisfitError
from streams.adapters.values import Answer, Json, answer, features_of, limited


class _Tensor(msgspec.Struct, frozen=True, kw_only=True):
    name: str = ""
    shape: list[int]
    data: list[Json]


class _Values(msgspec.Struct, frozen=True, kw_only=True):
    shape: list[int]
    values: list[Json]


class _Seldon(msgspec.Struct, frozen=True, kw_only=True):
    names: list[str] | None = None
    ndarray: list[Json] | None = None
    tensor: _Values | None = None


class _Body(msgspec.Struct, frozen=True, kw_only=True):
    instances: list[Json] | None = None
    predictions: list[Json] | None = None
    inputs: list[_Tensor] | None = None
    outputs: list[_Tensor] | None = None
    data: _Seldon | None = None


def requested(body: Json, asked: Asked) -> list[dict[str, FeatureValue]]:
    """The features of each row that is asked for."""
    one = _body(body)
    if one.instances is not None:
        return [features_of(row, asked) for row in limited(one.instances)]
    if one.inputs is not None:
        return [_tensor_row(row, asked) for row in _across(one.inputs)]
    if one.data is not None:
        return [features_of(row, asked, one.data.names or ()) for row in _seldon_rows(one.data)]
    raise MisfitError("asks with none of instances, inputs, data")


def answered(body: Json, asked: Asked) -> list[Answer]:
    """What is answered to each row."""
    one = _body(body)
    if one.predictions is not None:
        return [answer(row, asked) for row in limited(one.predictions)]
    if one.outputs is not None:
        return [answer(row, asked) for row in _across(one.outputs)]
    if one.data is not None:
        names = [name.rpartition(":")[2] for name in one.data.names or ()]
        return [_seldon_answer(row, names, asked) for row in _seldon_rows(one.data)]
    raise MisfitError("answers with none of predictions, outputs, data")


def _body(tree: Json) -> _Body:
    try:
        return msgspec.convert(tree, _Body)
    except msgspec.ValidationError as error:
        raise MisfitError(f"has a body of another form ({error})") from None


def _across(tensors: Sequence[_Tensor]) -> Sequence[dict[str, Json]]:
    """Rows of tensors of one length, by name."""
    cut = {one.name: _cut(one.shape, one.data) for one in tensors}
    lengths = {len(rows) for rows in cut.values()}
    if len(lengths) != 1:
        raise MisfitError("has tensors of different lengths, or none")
    rows = [dict(zip(cut, row, strict=True)) for row in zip(*cut.values(), strict=True)]
    return limited(rows)


def _cut(shape: Sequence[int], values: Sequence[Json]) -> list[Json]:
    """A tensor along its first dimension; its values may come flat or nested."""
    if not shape or shape[0] < 0:
        raise MisfitError("has a tensor without a first dimension")
    rows = shape[0]
    nested = rows == len(values) and any(isinstance(one, list) for one in values)
    if nested or math.prod(shape) == rows == len(values):
        return list(values)
    width = math.prod(shape[1:])
    if rows * width != len(values):
        raise MisfitError("has a tensor with more or fewer values than its shape says")
    return [list(values[i * width : (i + 1) * width]) for i in range(rows)]


def _tensor_row(row: Mapping[str, Json], asked: Asked) -> dict[str, FeatureValue]:
    """One row of tensors as features."""
    if len(row) == 1:
        ((name, value),) = row.items()
        if isinstance(value, list):
            return features_of(value, asked, [f"{name}_{i}" for i in range(len(value))])
        return features_of([value], asked, [name])
    flat: dict[str, Json] = {}
    for name, value in row.items():
        wide = isinstance(value, list) and len(value) > 1
        if isinstance(value, list) and wide:
            flat |= {f"{name}_{i}": one for i, one in enumerate(value)}
        else:
            flat[name] = value[0] if isinstance(value, list) and value else value
    return features_of(flat, asked)


def _seldon_rows(body: _Seldon) -> Sequence[Json]:
    if body.ndarray is not None:
        return limited(body.ndarray)
    if body.tensor is not None:
        return limited(_cut(body.tensor.shape, body.tensor.values))
    raise MisfitError("has data with neither ndarray nor tensor")


def _seldon_answer(row: Json, names: Sequence[str], asked: Asked) -> Answer:
    """Names such as `t:0` are those of classes, where there is one for each value."""
    if isinstance(row, list) and 1 < len(row) == len(names):
        return answer(dict(zip(names, row, strict=True)), asked)
    return answer(row, asked)
