"""A warehouse: the rows with the labels that are known by now.

Promises: nothing in it is younger than the present turn; a label that never comes is never there.
Leaves to others: what is learned from it (`training`).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from closed.turns import Turns
from closed.world import LABELS_LATER, People, Table, World, row_of


class Sample(NamedTuple):
    """Labelled rows in the order they came, and the weight of each."""

    people: People
    weights: Table


class Warehouse:
    """What a retrain service may read."""

    def __init__(self, world: World, turns: Turns, frozen: People) -> None:
        """`frozen`: labelled rows of the past that no model was trained on."""
        self.frozen = frozen
        self._world = world
        self._turns = turns

    def sample(self, request: Mapping[str, Any]) -> Sample:
        """The labelled rows that a request asks for, and the weights it suggests."""
        window = request["data_window"]
        rows = self._answered(_instant(window["start"]), _instant(window["end"]))
        for stretch in window["exclude"]:
            rows = rows[~_inside(rows, stretch)]
        weights = np.ones(len(rows))
        for stretch in request["suggestion"]["weights"]:
            weights[_inside(rows, stretch)] = stretch["weight"]
        return Sample(self._world.people.only(rows), weights)

    def _answered(self, start: datetime, end: datetime) -> Any:  # noqa: ANN401 - row numbers
        """Rows that came in [start, end) and whose label is known now."""
        known = row_of(self._turns.present()) - LABELS_LATER
        first = max(0, row_of(start))
        return self._world.answered(first, max(first, min(row_of(end), known)))


def _inside(rows: Any, stretch: Mapping[str, Any]) -> Any:  # noqa: ANN401 - arrays
    """Which rows came in a stretch."""
    first, end = row_of(_instant(stretch["start"])), row_of(_instant(stretch["end"]))
    return (rows >= first) & (rows < end)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
