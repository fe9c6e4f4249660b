"""Records of a file as the machines would learn from them.

Promises: columns are aligned, a row that lacks a feature has None there; records that are no
events are passed over, because the machines refuse each with a code; lists and objects, which
make no cells, are missing.
Leaves to others: what is learned of them (`learning`).
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import orjson

from streams.learning import LearningRows


def events_of(values: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The records that are events."""
    for value in values:
        try:
            event = orjson.loads(value)
        except orjson.JSONDecodeError:
            continue
        if isinstance(event, dict):
            yield event


def learning_rows(values: Iterable[bytes], wanted: Collection[str] | None = None) -> LearningRows:
    """Predictions as columns (n,); of the features those `wanted`, None: all."""
    rows = list(events_of(values))
    return LearningRows(
        features=_columns([_inner(row, "features") for row in rows], wanted),
        predictions=[row.get("prediction") for row in rows],
        scores=[row.get("score") for row in rows],
        tags=_columns([_inner(row, "tags") for row in rows], None),
    )


def _inner(row: dict[str, Any], name: str) -> dict[str, Any]:
    inner = row.get(name)
    return inner if isinstance(inner, dict) else {}


def _columns(rows: list[dict[str, Any]], wanted: Collection[str] | None) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {
        name: [None if isinstance(cell := row.get(name), dict | list) else cell for row in rows]
        for name in names
        if wanted is None or name in wanted
    }
