"""Events: decoded rows, one struct each, with the same questions that a frame answers.

Promises: nothing is looked at before it is asked for.
Leaves to others: rows of tables (`frame`), decoding (`decode`), cells (`columns`).
"""

from collections.abc import Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from schemas.annotators import Annotators, annotators
from schemas.frames.frame import Coded
from schemas.frames.ids import Ids
from schemas.instants import parse_many
from schemas.rows import Ints
from schemas.shadow import counted_as
from schemas.vocabulary import TimestampUnit

_MODEL: Final = attrgetter("model")


class Events:
    """Typed predictions, labels, metrics or model events (n,), see `schemas/typed`."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        """How many there are."""
        return len(self.rows)

    def only(self, rows: Ints) -> "Events":
        """Some of them."""
        return Events([self.rows[i] for i in rows.tolist()])

    @cached_property
    def ids(self) -> Ids:
        """The identifier of each prediction or label."""
        return Ids.of([event.prediction_id for event in self.rows])

    def instants(self, unit: TimestampUnit) -> tuple[Ints, list[int]]:
        """Epoch milliseconds (n,), and the rows that have none."""
        return parse_many([event.timestamp for event in self.rows], unit)

    def strangers(self, model: str) -> npt.NDArray[np.bool_]:
        """Which rows (n,) name another model."""
        if set(map(_MODEL, self.rows)) <= {model}:
            return np.zeros(len(self), np.bool_)
        return np.fromiter((event.model != model for event in self.rows), np.bool_, len(self))

    @cached_property
    def versions(self) -> Coded:
        """The version of each prediction (n,)."""
        return _coded([event.version for event in self.rows])

    @property
    def counted_versions(self) -> Coded:
        """The version that each prediction (n,) is counted as."""
        roles = [event.role for event in self.rows]
        if "shadow" not in roles:
            return self.versions
        names = [event.version for event in self.rows]
        return _coded([counted_as(*one) for one in zip(names, roles, strict=True)])

    @property
    def sets(self) -> Coded:
        """The feature set of each prediction (n,); "" where none is named."""
        said = [event.feature_set for event in self.rows]
        if not any(said):
            return Coded(np.zeros(len(said), np.int64), [""])
        return _coded([one if isinstance(one, str) else "" for one in said])

    @property
    def revisions(self) -> Ints:
        """The revision of each label (n,)."""
        return np.fromiter((event.revision for event in self.rows), np.int64, len(self))

    @property
    def annotators(self) -> Annotators:
        """Who gave each label (n,)."""
        return annotators([event.annotator for event in self.rows])

    @property
    def labels(self) -> Coded:
        """The label of each row (n,)."""
        return Coded(np.arange(len(self)), [event.label for event in self.rows])


def _coded(names: list[str]) -> Coded:
    """A column of few texts."""
    several = sorted(set(names))
    if len(several) == 1:
        return Coded(np.zeros(len(names), np.int64), several)
    places = {name: i for i, name in enumerate(several)}
    return Coded(np.fromiter(map(places.__getitem__, names), np.int64, len(names)), several)
