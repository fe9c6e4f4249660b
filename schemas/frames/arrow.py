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

    def floats(self, out: Floats, *, exact: bool) -> None:
        """Write numbers to `out` (n,), null as NaN; `exact`: none that a float cannot hold."""
        if pa.types.is_null(self._type):
            out[:] = np.nan
            return
        if self._type not in _TYPES:
            raise UnsureError
        whole = exact and pa.types.is_integer(self._type)
        begin = 0
        for array in self._arrays:
            numbers, known = _numbers(array), _known(array)
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
        known, out = _known(codes), _numbers(codes).astype(np.int64)
        if known is not None:
            out[~known], values = len(values), [*values, None]
        return Coded(out, values)

    def ids(self) -> Ids:
        """Texts (n,), none of them null."""
        if not (pa.types.is_string(self._type) or pa.types.is_large_string(self._type)):
            raise UnsureError
        parts, ends, written = [], [], 0
        for array in self._arrays:
            if array.null_count:
                raise UnsureError
            content, places = _texts(array)
            parts.append(content)
            ends.append(places[1:] + np.int64(written))
            written += len(content)
        return Ids(_together(parts), _together(ends))

    def instants(self) -> Ints | list[Timestamp]:
        """Epoch milliseconds (n,), or instants as producers write them; none of them null."""
        if self.nulls():
            raise UnsureError
        if not pa.types.is_timestamp(self._type):
            return list(self._joined().to_pylist())
        whole = np.concatenate([_numbers(array.view(pa.int64())) for array in self._arrays])
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
        if self._type != pa.int64() or self.nulls():
            return None
        numbers = _together([_numbers(array) for array in self._arrays])
        low, high = int(numbers.min()), int(numbers.max())
        if high - low > _NEAR:
            return None
        return Coded(numbers - low, list(range(low, high + 1)))

    def _few_texts(self) -> Coded | None:
        parts = [_texts(array) for array in self._arrays]
        text = (self._arrays[0][0].as_py() or "") if len(self._arrays[0]) else ""
        if not self.nulls() and all(_repeats(*part, text.encode()) for part in parts):
            n = sum(map(len, self._arrays))
            return Coded(np.zeros(n, np.int64), [text])
        values: list[str] = []
        codes: list[Ints] = []
        for array, part in zip(self._arrays, parts, strict=True):
            own = _told_apart(*part, _known(array), values)
            if own is None:
                return None
            codes.append(own)
        out = _together(codes)
        if not self.nulls():
            return Coded(out, list(values))
        out[out < 0] = len(values)
        return Coded(out, [*values, None])

    def _joined(self) -> Any:
        return self._arrays[0] if len(self._arrays) == 1 else pa.concat_arrays(self._arrays)


def _numbers(array: Any) -> npt.NDArray[Any]:
    """The numbers of an array as they lie in its buffer (n,); those of nulls are any."""
    buffer = array.buffers()[1]
    if buffer is None or not len(array):
        return np.zeros(len(array), _TYPES[array.type])
    return np.frombuffer(buffer, _TYPES[array.type])[array.offset :][: len(array)]


def _known(array: Any) -> npt.NDArray[np.bool_] | None:
    """Which rows are not null (n,); None if none is."""
    if not array.null_count:
        return None
    bits = np.unpackbits(np.frombuffer(array.buffers()[0], np.uint8), bitorder="little")
    return bits[array.offset :][: len(array)].astype(np.bool_)


def _texts(array: Any) -> tuple[npt.NDArray[np.uint8], Ints]:
    """The bytes of texts one behind the other, and where they begin and the last ends (n + 1,)."""
    _, places, content = array.buffers()
    if places is None or not len(array):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    wide = np.int64 if pa.types.is_large_string(array.type) else np.int32
    own = np.frombuffer(places, wide)[array.offset :][: len(array) + 1].astype(np.int64)
    begin, end = int(own[0]), int(own[-1])
    own -= begin
    return np.frombuffer(content or b"", np.uint8)[begin:end], own


def _repeats(content: npt.NDArray[np.uint8], places: Ints, text: bytes) -> bool:
    """Whether every one of texts is `text`."""
    n = len(places) - 1
    if len(content) != n * len(text) or bool((np.diff(places) != len(text)).any()):
        return False
    rows = content.reshape(n, len(text))
    return bool((rows == np.frombuffer(text, np.uint8)).all())


def _told_apart(
    content: npt.NDArray[np.uint8],
    places: Ints,
    known: npt.NDArray[np.bool_] | None,
    values: list[str],
) -> Ints | None:
    """The place in `values` of each text (n,), -1 of what is not `known`; new ones are added.

    One value after the other, byte by byte, among the rows that are not told yet. None: they are
    too many or too long.
    """
    begins, lengths = places[:-1], np.diff(places)
    if len(lengths) and int(lengths.max()) > _SHORT:
        return None
    out = np.full(len(lengths), -1, np.int64)
    left = np.arange(len(lengths)) if known is None else np.flatnonzero(known)
    code = 0
    while len(left):
        if code == len(values):
            if code == _FEW:
                return None
            first = int(begins[left[0]])
            values.append(content[first : first + int(lengths[left[0]])].tobytes().decode())
        text = values[code].encode()
        same = left[lengths[left] == len(text)]
        for i, byte in enumerate(text):
            same = same[content[begins[same] + i] == byte]
        out[same] = code
        left = left[out[left] < 0]
        code += 1
    return out


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
