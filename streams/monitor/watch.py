"""A watch: one kind of judgement over the closing panes of one model; the seam of this room.

Promises: a watch sees each closed pane once, in order, and everything that closed with it; the
findings of the watches before it in their register (`watches/register`) are there to build upon.
Leaves to others: which rows count (`intake`), what follows from a finding (policy).
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, TypeVar, cast, runtime_checkable

import msgspec

from schemas.baseline import Baseline
from schemas.config_model import ModelConfig
from schemas.finding import Finding
from schemas.grid import WHOLE, Layout
from schemas.inputs import Metric, ModelEvent
from schemas.journal import Counts, ProfileKind
from schemas.judging import Judging
from schemas.log import Millis
from schemas.standing import Standing
from streams.monitor.intake import Taken

_Able = TypeVar("_Able")


class Part(NamedTuple):
    """What a closing pane brings of one version and segment: rows of `pane`, on time or late.

    `vector` has the cells of `Layout.predictions` or `Layout.outcomes`; it must not be changed.
    """

    version: str
    segment: str
    pane: int
    late: bool
    vector: Counts


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """One closing pane, and all that closes with it. Parts are sorted: the whole first.

    `predictions`: rows of this pane together, and late ones (`late`) by their own panes.
    `outcomes`: by arrival, so all of this pane and none late. `cohorts`: the same rows by the
    pane of their predictions. `revisions`: signed counts of corrected labels, by the pane of
    their predictions too. `span`: begin and end of the pane. `building`: the kinds of profiles
    whose reference is still being built, of this pane too; no signal of theirs is judged.
    `reference_id`: the reference in force in this pane. `findings`: what the watches before it
    have said. `troubles`: stretches of incidents, from their change on, as known before this pane,
    and of the calendar; `excepted`: this pane is in one of the calendar's, or too many of its
    records were refused, so nothing is learned from it. `refusals`: what was read and refused, by
    partition. `ended`: no prediction comes any more, because the stream is over.
    `joins`: rows of all partitions that could not be joined so far, and whether they can be now.
    `trials`: figures of versions that are canaries, which are not in `metrics`.
    `shadows`, `shadow_outcomes`: as predictions and outcomes, of versions that answer nobody; none
    of their rows is in the other lists. `agreements`: their rows beside the answers given to the
    same requests, of all panes that arrived in this one. `sets`: rows by feature set, of the whole
    (`schemas/sets`). `opinions`: labels of other annotators beside those that count, of no version.
    `products`: sums of what is watched together, as predictions; of the whole.
    """

    pane: int
    span: tuple[Millis, Millis]
    predictions: list[Part]
    outcomes: list[Part]
    cohorts: list[Part]
    revisions: list[Part]
    metrics: list[Metric]
    events: list[tuple[Millis, ModelEvent]]
    building: frozenset[ProfileKind]
    reference_id: str
    findings: list[Finding]
    troubles: tuple[tuple[Millis, Millis], ...] = ()
    shadows: tuple[Part, ...] = ()
    shadow_outcomes: tuple[Part, ...] = ()
    agreements: tuple[Part, ...] = ()
    sets: tuple[Part, ...] = ()
    opinions: tuple[Part, ...] = ()
    products: tuple[Part, ...] = ()
    refusals: tuple[Taken, ...] = ()
    excepted: bool = False
    joins: tuple[int, bool] = (0, True)
    trials: tuple[Metric, ...] = ()
    ended: bool = False


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a watch is made for: a model with its grid and, where it is known, its reference.

    `threshold` is the log of the run length, in panes, that each signal's detector must keep so
    that all of the model's signals together stay within its budget of false alarms.
    """

    layout: Layout
    baseline: Baseline
    judging: Judging
    config: ModelConfig
    threshold: float


class Watch(Protocol):
    """One kind of judgement. State is bounded, and moves with every close alone."""

    def close(self, closing: Closing) -> list[Finding]:
        """Judge a pane; gives what there is to say, in an order that no dict decides."""

    def save(self) -> bytes:
        """The state, for a snapshot."""

    def load(self, saved: bytes) -> None:
        """Take the state of a snapshot up, in a watch of the same setting."""


@runtime_checkable
class Restarts(Protocol):
    """A watch with sequential detectors: they begin anew when an incident is resolved."""

    def restart(self, version: str, segment: str, signal: str) -> None:
        """Begin one signal's detector anew; another watch's signal is no concern."""


@runtime_checkable
class Rebuilds(Protocol):
    """A watch that compares with a reference: it is built anew when normal has changed."""

    def rebuild(self, version: str | None, since: Millis) -> None:
        """Build the reference of `version` (None: all) anew, of panes from `since` on."""


@runtime_checkable
class Wakes(Watch, Protocol):
    """A watch that judges what is missing: it also sees panes in which no row was counted."""

    def wakes(self) -> int | None:
        """A pane that must close even if nothing comes; None: none."""


@runtime_checkable
class Stands(Protocol):
    """A watch that knows how the model does, apart from what it finds."""

    def standing(self) -> Standing:
        """Performance and rows, for the policy."""


@lru_cache(maxsize=256)
def _satisfies(kind: type, protocol: type) -> bool:
    """Asked once a class: to compare with a protocol takes long."""
    return issubclass(kind, protocol)


def able(watches: Iterable[Watch], protocol: type[_Able]) -> list[_Able]:
    """Those watches that can do what a protocol says, in their order."""
    wanted: Any = protocol
    return [cast("_Able", one) for one in watches if _satisfies(type(one), wanted)]


def parts(taken: Iterable[Taken], kind: ProfileKind, pane: int | None) -> list[Part]:
    """The rows of a kind together by place; of other panes than `pane` (None: all) they are late.

    With None nothing is late, and each pane of the rows is a part of its own.
    """
    sums: dict[tuple[str, str, int, bool], Counts] = {}
    for one in taken:
        if one.key.kind != kind:
            continue
        late = pane is not None and one.key.pane != pane
        place = one.key.version, one.key.segment, one.key.pane, late
        sums[place] = sums[place] + one.vector if place in sums else one.vector
    order = sorted(sums, key=lambda place: (place[0], place[1] != WHOLE, *place[1:]))
    return [Part(*place, sums[place]) for place in order]


def together(cohorts: Iterable[Part], pane: int) -> list[Part]:
    """Parts of all panes as parts of one, place by place."""
    sums: dict[tuple[str, str], Counts] = {}
    for one in cohorts:
        place = one.version, one.segment
        sums[place] = sums[place] + one.vector if place in sums else one.vector
    return [Part(*place, pane, late=False, vector=vector) for place, vector in sums.items()]
