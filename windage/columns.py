"""Frames, tables and arrays as columns of plain values, recognised by what they can do.

Promises: the columns are copies, so that the caller may go on writing into the frame; nothing is
imported to recognise a frame.
Leaves to others: which columns mean what (`batches`).
"""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Final

from windage.values import PLAIN, UnreadableError, row, scalar

Column = list[Any]
_LISTING: Final = ("to_pylist", "tolist", "to_list")
_TABLE: Final = 2
"""Dimensions of an array of rows."""


def columns_of(frame: Any, names: Sequence[str] | None = None) -> dict[str, Column]:  # noqa: ANN401
    """Columns by name, not cleaned yet.

    Takes a mapping of columns, a pandas or polars frame, a pyarrow table, a list of rows with
    names, or a two-dimensional array with `names`. UnreadableError for anything else, and where
    columns differ in length.
    """
    found = _read(frame, names)
    lengths = {len(column) for column in found.values()}
    if len(lengths) > 1:
        raise UnreadableError("the columns differ in length")
    return found


def _read(frame: Any, names: Sequence[str] | None) -> dict[str, Column]:  # noqa: ANN401
    if isinstance(frame, Mapping):
        return {str(name): listed(column) for name, column in frame.items()}
    if hasattr(frame, "to_pydict"):
        return {str(name): list(column) for name, column in frame.to_pydict().items()}
    if hasattr(frame, "columns") and hasattr(frame, "__getitem__"):
        return {str(name): listed(frame[name]) for name in frame.columns}
    if len(getattr(frame, "shape", ())) == _TABLE:
        if names is None or len(names) != frame.shape[1]:
            raise UnreadableError(f"names= must name the {frame.shape[1]} columns of the array")
        return {str(name): listed(frame[:, at]) for at, name in enumerate(names)}
    if isinstance(frame, list | tuple):
        rows = [row(one) for one in frame]
        every = dict.fromkeys(str(name) for one in rows for name in one)
        texts = [{str(name): value for name, value in one.items()} for one in rows]
        return {name: [one.get(name) for one in texts] for name in every}
    raise UnreadableError(f"a {type(frame).__name__} has no columns")


def listed(column: Any) -> Column:  # noqa: ANN401
    """The cells of one column as a list of its own. UnreadableError for a text or a scalar."""
    if isinstance(column, str | bytes):
        raise UnreadableError("a column is needed, not a text")
    for method in _LISTING:
        if hasattr(column, method):
            found = getattr(column, method)()
            if isinstance(found, list):
                return found
    try:
        return list(column)
    except TypeError:
        raise UnreadableError(f"a {type(column).__name__} is no column") from None


def cleaned(column: Column, spoilt: Callable[[int], None]) -> Column:
    """Cells as JSON says them; those it cannot say are None, and their number is told."""
    types = set(map(type, column))
    if types <= PLAIN:
        return column
    if types <= {float, type(None)}:
        return [x if x is not None and isfinite(x) else None for x in column]
    out, bad = [], 0
    for value in column:
        try:
            out.append(scalar(value))
        except (ValueError, TypeError):
            out.append(None)
            bad += 1
    if bad:
        spoilt(bad)
    return out
