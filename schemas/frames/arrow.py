# ruff: noqa: ANN401 - pyarrow has no types
"""Arrow columns as a frame reads them: whole buffers, and few values instead of many.

Promises: a null stays a null; what it cannot read whole is UnsureError; what is usual is read from
the buffers themselves (pyarrow's own way to numpy imports pandas where that is installed, and its
functions a room of their own: together a fifth of a worker's memory).
Leaves to others: the stream itself (`schemas/tables`), what the columns mean (`frame`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.frames.frame import Coded, Floats, Source, UnsureError
from schemas.frames.ids import Ids
from schemas.instants import EARLIEST, Timestamp
from schemas.rows import Ints
from schemas.typed import EXACT

_NEAR: Final = 64
"""Between whole numbers that are their own codes."""

_CERTAIN: Final = 1 << 42
"""Milliseconds (in the year 2109) that seconds in floats still tell apart."""

_FEW: Final = 32
"""So many different texts of a column are told one after the other; more are for pyarrow."""

_SHORT: Final = 64
"""Bytes of such a text."""

_WORD: Final = 8
_MASKS: Final = np.array([(1 << 8 * i) - 1 for i in range(_WORD + 1)], np.uint64)
"""The first bytes of a word, by how many."""

_TYPES: Final[Mapping[Any, type[np.number[Any]]]] = {
    pa.int8(): np.int8,
    pa.int16(): np.int16,
    pa.int32(): np.int32,
    pa.int64(): np.int64,
    pa.uint8(): np.uint8,
    pa.uint16(): np.uint16,
    pa.uint32(): np.uint32,
    pa.uint64(): np.uint64,
    pa.float16(): np.float16,
    pa.float32(): np.float32,
    pa.float64(): np.float64,
}
"""Numbers that lie in a buffer as numpy has them."""

_PER_MS: Final = {"ms": 1, "us": 1_000, "ns": 1_000_000}


class ArrowColumn:
    """Arrays of one type, one behind the other."""

    def __init__(self, arrays: Sequence[Any]) -> None:
        """At least one array."""
        self._arrays = arrays
        self._type = arrays[0].type
        self._numeric = _TYPES.get(self._type)

    def floats(self, out: Floats, *, exact: bool) -> None:
        """Write numbers to `out` (n,), null as NaN; `exact`: none that a float cannot hold."""
        if pa.types.is_null(self._type):
            out[:] = np.nan
            return
        kind = self._numeric
        if kind is None:
            raise UnsureError
        whole = exact and not issubclass(kind, np.floating)
        begin = 0
        for array in self._arrays:
            numbers, known = _numbers(array, kind), _known(array)
            if whole and not _exact(numbers if known is None else numbers[known]):
                raise UnsureError
            own = out[begin : begin + len(array)]
            own[:] = numbers
            if known is not None:
                own[~known] = np.nan
            begin += len(array)

    def nulls(self) -> int:
        """How many rows are null."""
        return sum(array.null_count for array in self._arrays)

    def coded(self) -> Coded:
        """Any values (n,)."""
        few = self._few()
        if few is not None:
            return few
        array = self._joined()
        if pa.types.is_null(self._type):
            return Coded(np.zeros(len(array), np.int64), [None])
        spread = not pa.types.is_dictionary(self._type)
        if not _is_simple(self._type if spread else self._type.value_type):
            raise UnsureError
        # Anew also where it came as a dictionary, which may hold what no row has.
        array = (array if spread else array.dictionary_decode()).dictionary_encode()
        values, codes = array.dictionary.to_pylist(), array.indices
        known, kind = _known(codes), _TYPES[codes.type]
        out = _numbers(codes, kind).astype(np.int64)
        if known is not None:
            out[~known], values = len(values), [*values, None]
        return Coded(out, values)

    def ids(self) -> Ids:
        """Texts (n,), none of them null."""
        if not (pa.types.is_string(self._type) or pa.types.is_large_string(self._type)):
            raise UnsureError
        if self.nulls():
            raise UnsureError
        content, places = _texts(self._arrays)
        return Ids(content, places[1:])

    def instants(self) -> Ints | list[Timestamp]:
        """Epoch milliseconds (n,), or instants as producers write them; none of them null."""
        if self.nulls():
            raise UnsureError
        if not pa.types.is_timestamp(self._type):
            return list(self._joined().to_pylist())
        whole = np.concatenate([_numbers(array, np.int64) for array in self._arrays])
        if self._type.unit == "s":
            if not len(whole) or whole.min() < EARLIEST // 1000 or whole.max() >= _CERTAIN // 1000:
                raise UnsureError
            whole *= 1000
        elif self._type.unit != "ms":
            whole //= _PER_MS[self._type.unit]
        if not len(whole) or whole.min() < EARLIEST or whole.max() >= _CERTAIN:
            raise UnsureError
        return whole

    def _few(self) -> Coded | None:
        """A column of few short texts, or of whole numbers near one another; None for any other."""
        if pa.types.is_string(self._type):
            return self._few_texts()
        if self._numeric is not np.int64 or self.nulls():
            return None
        numbers = _together([_numbers(array, np.int64) for array in self._arrays])
        low, high = int(numbers.min()), int(numbers.max())
        if high - low > _NEAR:
            return None
        return Coded(numbers - low, list(range(low, high + 1)))

    def _few_texts(self) -> Coded | None:
        content, places = _texts(self._arrays)
        n = len(places) - 1
        if not self.nulls():
            lengths = places[1:] - places[:-1]
            text = content[: lengths[0]].tobytes() if n else b""
            if (lengths == len(text)).all() and content.tobytes() == text * n:
                return Coded(np.zeros(n, np.int64), [text.decode()])
            return _told_apart(content, places, np.zeros(n, np.bool_))
        known = [(_known(array), len(array)) for array in self._arrays]
        null = np.concatenate([np.zeros(m, np.bool_) if k is None else ~k for k, m in known])
        few = _told_apart(content, places, null)
        if few is None:
            return None
        few.codes[null] = len(few.values)
        return Coded(few.codes, [*few.values, None])

    def _joined(self) -> Any:
        return self._arrays[0] if len(self._arrays) == 1 else pa.concat_arrays(self._arrays)


def _numbers(array: Any, kind: type[np.number[Any]]) -> npt.NDArray[Any]:
    """The numbers of an array as they lie in its buffer (n,); those of nulls are any."""
    n = len(array)
    buffer = array.buffers()[1] if n else None
    if buffer is None:
        return np.zeros(n, kind)
    return np.frombuffer(buffer, kind)[array.offset : array.offset + n]


def _known(array: Any) -> npt.NDArray[np.bool_] | None:
    """Which rows are not null (n,); None if none is."""
    if not array.null_count:
        return None
    bits = np.unpackbits(np.frombuffer(array.buffers()[0], np.uint8), bitorder="little")
    return bits[array.offset : array.offset + len(array)].astype(np.bool_)


def _texts(arrays: Sequence[Any]) -> tuple[npt.NDArray[np.uint8], Ints]:
    """The bytes of texts one behind the other, and where they begin and the last ends (n + 1,)."""
    wide = np.int64 if pa.types.is_large_string(arrays[0].type) else np.int32
    parts, places, written = [np.zeros(0, np.uint8)], [np.zeros(1, np.int64)], 0
    for array in arrays:
        if not len(array):
            continue
        _, bounds, content = array.buffers()
        own = np.frombuffer(bounds, wide)[array.offset :][: len(array) + 1].astype(np.int64)
        begin, end = int(own[0]), int(own[-1])
        parts.append(np.frombuffer(content or b"", np.uint8)[begin:end])
        places.append(own[1:] + (written - begin))
        written += end - begin
    return np.concatenate(parts), np.concatenate(places)


def _told_apart(
    content: npt.NDArray[np.uint8], places: Ints, null: npt.NDArray[np.bool_]
) -> Coded | None:
    """The texts (n,) by value; the code of what is `null` (n,) is any.

    One value after the other, eight bytes at a time. None: they are too many or too long.
    """
    begins, lengths = places[:-1], places[1:] - places[:-1]
    longest = int(lengths.max(initial=0))
    if longest > _SHORT:
        return None
    padded = np.concatenate([content, np.zeros(_SHORT + _WORD, np.uint8)])
    # A word from every byte on.
    words = np.ndarray((len(content) + _SHORT,), "<u8", padded.data, strides=(1,))
    parts = [lengths]
    for begin in range(0, longest, _WORD):
        left = np.clip(lengths - begin, 0, _WORD)
        parts.append((words[begins + begin] & _MASKS[left]).view(np.int64))
    codes, values, told = np.zeros(len(lengths), np.int8), list[str](), null.copy()
    while not told.all():
        if len(values) == _FEW:
            return None
        row = int(np.argmin(told))
        same = parts[0] == parts[0][row]
        for part in parts[1:]:
            same &= part == part[row]
        told |= same
        # By arithmetic: who is chosen is chance, and a branch a row would be most of the cost.
        codes += same.view(np.int8) * np.int8(len(values))
        values.append(content[begins[row] : places[row + 1]].tobytes().decode())
    return Coded(codes.astype(np.int64), values)


def _together(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


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


def _exact(numbers: npt.NDArray[Any]) -> bool:
    """Whether a float can hold all of these whole numbers."""
    if not len(numbers):
        return True
    return int(numbers.min()) >= -EXACT and int(numbers.max()) <= EXACT
