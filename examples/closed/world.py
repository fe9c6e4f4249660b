"""The world of the loop: people of the employment survey, and labels whose meaning changes.

Promises: a function of the example's files; from row `CHANGED` on, the label of every woman from
28 to 52 years is the other one: 30 % of the women, as in incident 4 of `employment/inject.py`.
There a coin decides, and what a coin decides nobody can learn; here age does, so that a retraining
can cure it. The change stays. `coin` gives the incident as it is there.
Leaves to others: predicting (`serving`), learning (`training`).
"""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from employment import inject
from numpy.typing import NDArray

FEATURES: Final = (
    *("AGEP", "SCHL", "MAR", "RELP", "DIS", "ESP", "CIT", "MIG"),
    *("MIL", "ANC", "NATIVITY", "DEAR", "DEYE", "DREM", "SEX", "RAC1P"),
)
NUMERIC: Final = ("AGEP",)
LABEL: Final = "employed"
REFERENCE: Final = Path(inject.__file__).parent / "nannyml_employment_ma_reference.csv.gz"

BEGIN: Final = datetime(2020, 1, 1, tzinfo=UTC)
EVERY: Final = timedelta(seconds=450)
PANE: Final = 500
"""Rows."""

LABELS_LATER: Final = 2_000
"""Rows after which a label is known."""

NEVER: Final = 10
"""One label in so many never comes."""

CHANGED: Final = 8_000
WOMAN: Final = 2
FROM_AGE, BELOW_AGE = 28, 53

Table = NDArray[np.float64]
Labels = NDArray[np.int64]
Mask = NDArray[np.bool_]


class People(NamedTuple):
    """Rows: ids, features (n, 16), true labels."""

    ids: list[str]
    features: Table
    labels: Labels

    def only(self, rows: slice | NDArray[Any]) -> "People":
        """Some of them."""
        chosen = np.arange(len(self.ids))[rows]
        return People([self.ids[i] for i in chosen], self.features[rows], self.labels[rows])

    @property
    def women(self) -> Mask:
        """Which rows are in the segment that changes."""
        found: Mask = self.column("SEX") == WOMAN
        return found

    def column(self, name: str) -> Table:
        """One feature."""
        found: Table = self.features[:, FEATURES.index(name)]
        return found


class World:
    """Rows that come one by one; what is known of them at a row."""

    def __init__(self, rows: int, *, coin: bool = False) -> None:
        """`coin`: chance decides whose label is another one, not age."""
        change = changed_by_chance if coin else changed
        self.people = change(people_of(inject.read_rows(count=rows)))
        self._answered = np.array([not never_labelled(pid) for pid in self.people.ids])

    def coming(self, first: int, end: int) -> People:
        """The rows [first, end)."""
        return self.people.only(slice(first, end))

    def answers(self, first: int, end: int) -> NDArray[np.int64]:
        """Rows whose labels become known while the rows [first, end) come."""
        rows = np.arange(max(0, first - LABELS_LATER), max(0, end - LABELS_LATER))
        found: NDArray[np.int64] = rows[self._answered[rows]]
        return found

    def answered(self, first: int, end: int) -> NDArray[np.int64]:
        """Of the rows [first, end), those whose label will ever be known."""
        rows = np.arange(first, end)
        found: NDArray[np.int64] = rows[self._answered[rows]]
        return found


def changed(people: People) -> People:
    """The labels as they are from row `CHANGED` on."""
    age = people.column("AGEP")
    after = np.arange(len(age)) >= CHANGED
    flips = after & people.women & (age >= FROM_AGE) & (age < BELOW_AGE)
    return people._replace(labels=np.where(flips, 1 - people.labels, people.labels))


def changed_by_chance(people: People) -> People:
    """The same for three in ten women, whoever they are."""
    after = np.arange(len(people.ids)) >= CHANGED
    chance = np.random.default_rng(inject.SEED).random(len(people.ids))
    flips = after & people.women & (chance < inject.FLIPPED)
    return people._replace(labels=np.where(flips, 1 - people.labels, people.labels))


def people_of(rows: list[dict[str, str]]) -> People:
    """Rows of a file."""
    return People(
        ids=[row["id"] for row in rows],
        features=np.array([[float(row[name]) for name in FEATURES] for row in rows]),
        labels=np.array([int(row[LABEL]) for row in rows]),
    )


def instant_of(row: int) -> datetime:
    """When a row comes."""
    return BEGIN + row * EVERY


def row_of(instant: datetime) -> int:
    """The row that comes at an instant, or next."""
    return -((BEGIN - instant) // EVERY)


def never_labelled(pid: str) -> bool:
    """Whether the label of this id never comes."""
    return int.from_bytes(blake2b(pid.encode(), digest_size=4).digest()) % NEVER == 0
