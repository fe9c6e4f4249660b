# ruff: noqa: ANN401 - pyarrow has no types
"""Arrow columns as a frame reads them: whole buffers, and few values instead of many.

Promises: a null stays a null; what it cannot read whole is UnsureError.
Leaves to others: the stream itself (`schemas/tables`), what the columns mean (`frame`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.frames.frame import Coded, Floats, Source, UnsureError
from schemas.frames.ids import Ids
from schemas.instants import EARLIEST, Timestamp
from schemas.rows import Ints
from schemas.typed import EXACT

_NEAR: Final = 64
"""Between whole numbers that are their own codes."""

_CERTAIN: Final = 1 << 42
"""Milliseconds (in the year 2109) that seconds in floats still tell apart."""


class ArrowColumn:
    """Arrays of one type, one behind the other."""

    def __init__(self, arrays: Sequence[Any]) -> None:
        """At least one array."""
        self._arrays = arrays
        self._type = arrays[0].type

    def floats(self, out: Floats, *, exact: bool) -> None:
        """Write numbers to `out` (n,), null as NaN; `exact`: none that a float cannot hold."""
        if pa.types.is_null(self._type):
            out[:] = np.nan
            return
        whole = pa.types.is_integer(self._type)
        if not whole and not pa.types.is_floating(self._type):
            raise UnsureError
        begin = 0
        for array in self._arrays:
            if whole and exact and not _exact(array):
                raise UnsureError
            out[begin : begin + len(array)] = array.to_numpy(zero_copy_only=False)
            begin += len(array)

    def nulls(self) -> int:
        """How many rows are null."""
        return sum(array.null_count for array in self._arrays)

    def coded(self) -> Coded:
        """Any values (n,)."""
        alike = self._alike()
        if alike is not None:
            return alike
        array = self._joined()
        if pa.types.is_null(self._type):
            return Coded(np.zeros(len(array), np.int64), [None])
        spread = not pa.types.is_dictionary(self._type)
        if not _is_simple(self._type if spread else self._type.value_type):
            raise UnsureError
        # Anew also where it came as a dictionary, which may hold what no row has.
        array = (array if spread else array.dictionary_decode()).dictionary_encode()
        values, codes = array.dictionary.to_pylist(), array.indices
        if codes.null_count:
            codes, values = codes.fill_null(len(values)), [*values, None]
        return Coded(codes.to_numpy(zero_copy_only=False).astype(np.int64), values)

    def ids(self) -> Ids:
        """Texts (n,), none of them null."""
        if not (pa.types.is_string(self._type) or pa.types.is_large_string(self._type)):
            raise UnsureError
        wide = np.int64 if pa.types.is_large_string(self._type) else np.int32
        parts, ends, written = [], [], 0
        for array in self._arrays:
            if array.null_count:
                raise UnsureError
            _, places, content = array.buffers()
            first, n = array.offset, len(array)
            own = np.frombuffer(places, wide)[first : first + n + 1].astype(np.int64)
            parts.append(np.frombuffer(content or b"", np.uint8)[own[0] : own[-1]])
            ends.append(own[1:] + (written - own[0]))
            written += len(parts[-1])
        return Ids(np.concatenate(parts), np.concatenate(ends))

    def instants(self) -> Ints | list[Timestamp]:
        """Epoch milliseconds (n,), or instants as producers write them; none of them null."""
        array = self._joined()
        if array.null_count:
            raise UnsureError
        if not pa.types.is_timestamp(self._type):
            return list(array.to_pylist())
        whole = array.cast(pa.timestamp("ms"), safe=False).cast(pa.int64()).to_numpy()
        if not len(whole) or whole.min() < EARLIEST or whole.max() >= _CERTAIN:
            raise UnsureError
        return np.array(whole, np.int64)

    def _alike(self) -> Coded | None:
        """A column of one text, or of whole numbers near one another; None for any other."""
        if self.nulls():
            return None
        if pa.types.is_string(self._type):
            text = self._arrays[0][0].as_py() if len(self._arrays[0]) else ""
            same = all(_repeats(array, text.encode()) for array in self._arrays)
            n = sum(map(len, self._arrays))
            return Coded(np.zeros(n, np.int64), [text]) if same else None
        if self._type != pa.int64():
            return None
        parts = [array.to_numpy() for array in self._arrays]
        numbers = parts[0] if len(parts) == 1 else np.concatenate(parts)
        low, high = int(numbers.min()), int(numbers.max())
        if high - low > _NEAR:
            return None
        return Coded(numbers - low, list(range(low, high + 1)))

    def _joined(self) -> Any:
        return self._arrays[0] if len(self._arrays) == 1 else pa.concat_arrays(self._arrays)


def _repeats(array: Any, text: bytes) -> bool:
    """Whether every row of an array of texts is `text`."""
    _, places, content = array.buffers()
    first, n = array.offset, len(array)
    ends = np.frombuffer(places, np.int32)[first : first + n + 1]
    if ends[-1] - ends[0] != n * len(text):
        return False
    if text and content[int(ends[0]) : int(ends[-1])].to_pybytes() != text * n:
        return False
    return bool((ends[1:] - ends[:-1] == len(text)).all())


def source(tables: Sequence[Any]) -> Source:
    """The columns of tables of one schema, one behind the other; UnsureError if they differ."""
    schema = tables[0].schema
    if not all(table.schema.equals(schema) for table in tables[1:]):
        raise UnsureError
    batches = [batch for table in tables for batch in table.to_batches()]
    if not batches:
        raise UnsureError
    fields: dict[str, ArrowColumn] = {}
    nested: dict[str, Mapping[str, ArrowColumn]] = {"features": {}, "tags": {}}
    try:
        for i, name in enumerate(schema.names):
            arrays = [batch.column(i) for batch in batches]
            if name in nested:
                nested[name] = _inside(arrays)
            else:
                fields[name] = ArrowColumn(arrays)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise UnsureError from error
    return Source(sum(map(len, tables)), fields, nested["features"], nested["tags"])


def _inside(arrays: Sequence[Any]) -> Mapping[str, ArrowColumn]:
    """The columns of structs, null where the struct is."""
    kind = arrays[0].type
    if not pa.types.is_struct(kind):
        raise UnsureError
    names = [kind.field(i).name for i in range(kind.num_fields)]
    if len(set(names)) != len(names):
        raise UnsureError
    parts = zip(*(array.flatten() for array in arrays), strict=True)
    return dict(zip(names, map(ArrowColumn, parts), strict=True))


def _is_simple(kind: Any) -> bool:
    """Whether values are texts, numbers or truths."""
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return bool(is_text or is_number or pa.types.is_boolean(kind))


def _exact(array: Any) -> bool:
    bounds = pc.min_max(array)
    low, high = bounds["min"].as_py(), bounds["max"].as_py()
    return low is None or bool(low >= -EXACT and high <= EXACT)
