"""Typed events for decoding many at once: structs made for one model's grid.

Promises: what a strict type takes means what the event means after a second look; whatever might
not, it refuses, so that the slow path can tell.
Leaves to others: decoding, and the slow path (`streams/decode`).
"""

import math
import re
from functools import lru_cache
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from detectors.rankings import packed
from schemas.grid import Grid, SegmentGrid
from schemas.inputs import LONGEST_LIST, Identifier, Label, Name, Outcome
from schemas.vocabulary import Task

EXACT: Final = 1 << 53
"""Beyond it whole numbers have no floats of their own."""

FEATURE_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}")

_Exact = Annotated[int, Meta(ge=-EXACT, le=EXACT)]
_Bounded = Annotated[float, Meta(gt=-EXACT, lt=EXACT)]
"""What the fast path takes: a larger number may be a whole one, which the slow path tells."""

Category = str | _Exact | float | bool | None


@lru_cache(maxsize=64)
def prediction_type(
    grid: Grid | None,
    extra: tuple[str, ...] = (),
    *,
    task: Task = "binary",
    strict: bool = False,
    loose: bool = False,
) -> type[msgspec.Struct]:
    """The struct of one model's predictions: its features as typed fields f0, f1, ...

    Numeric features that are absent are NaN, tags that make segments are fields t0, t1, ... Without
    a grid (learning) features and tags are dicts. `strict` takes only what needs no second look:
    no name but those of the grid and `extra`, no number of which a float may not be exact. `loose`
    takes what lacks required fields (they are UNSET) or has some of wrong types: whoever decodes
    must look. Of the `task` ranking predictions are lists, of which only the number of items is
    kept; of the task none they may be absent. Making a type is dear, and a worker asks for the same
    ones for each of its partitions.
    """
    number: Any = _Bounded if strict else float
    features: Any = dict[str, Any]
    tags: Any = dict[str, str]
    ranked, silent = task == "ranking", task == "none"
    target: Any = _Count | _Items | None if ranked else Category
    absent: Any = None if silent else UNSET
    if grid is not None:
        target = number | None if grid.task == "regression" else target
        names = {f"f{i}": feature.name for i, feature in enumerate(grid.features)}
        cells: list[tuple[str, Any, Any]] = [
            (field, number | None, math.nan) if f.type == "numeric" else (field, Category, None)
            for field, f in zip(names, grid.features, strict=True)
        ]
        more = {f"x{i}": name for i, name in enumerate(extra)}
        features = msgspec.defstruct(
            "Features",
            [*cells, *((field, Any, None) for field in more)],
            rename=names | more,
            gc=False,
            forbid_unknown_fields=strict,
        )
        said = {f"t{i}": segment.name for i, segment in enumerate(_tagged(grid))}
        tags = msgspec.defstruct("Tags", [(t, str, "") for t in said], rename=said, gc=False)
    return msgspec.defstruct(
        "Prediction",
        [
            *(_LOOSE_FIELDS if loose else _FIELDS),
            ("prediction", target | UnsetType, absent)
            if loose or silent
            else ("prediction", target),
            ("features", features, msgspec.field(default_factory=features)),
            ("version", Any if loose else str, ""),
            ("score", number | None, None),
            ("probabilities", dict[str, float] | None, None),
            ("tags", tags | None, msgspec.field(default_factory=tags)),
            ("role", str, "champion"),
            ("probe_id", str | None, None),
            ("latency_ms", float | None, None),
            ("feature_set", Any, None),
            ("error", str | None, None),
            *_NO_ENVELOPE,
            *(_NO_TABLE if loose else []),
        ],
        namespace={"__post_init__": _measured} if ranked else None,
        gc=grid is None,
    )


def _measured(event: Any) -> None:  # noqa: ANN401 - a struct made at run time
    """Keep of a list how many items it has."""
    if isinstance(event.prediction, list):
        msgspec.structs.force_setattr(event, "prediction", len(event.prediction))


def _judged(event: Any) -> None:  # noqa: ANN401 - a struct made at run time
    """Keep of relevances what they say of the list's order, as one number."""
    if isinstance(event.label, list):
        msgspec.structs.force_setattr(event, "label", packed(event.label))


def _tagged(grid: Grid) -> list[SegmentGrid]:
    return [segment for segment in grid.segments if segment.source == "tag"]


_Count = Annotated[float, Meta(ge=0, lt=EXACT, multiple_of=1)]
_Size = Annotated[float, Meta(ge=0, lt=EXACT)]
_Items = Annotated[list[Any], Meta(max_length=LONGEST_LIST)]
_Relevance = Annotated[list[_Size], Meta(max_length=LONGEST_LIST)]

_NEVER: Final = Annotated[int, Meta(gt=1, lt=0)]
_NO_ENVELOPE: Final[list[tuple[str, Any, Any]]] = [("specversion", _NEVER, 0)]
"""An event that has this member is an envelope, for the slow path to open."""

_NO_TABLE: Final[list[tuple[str, Any, Any]]] = [("columns", _NEVER, 0)]
"""An event that has this member may be a table, which needs no fields of an event."""

_FIELDS: Final[list[tuple[str, Any]]] = [
    ("model", str),
    ("prediction_id", str),
    ("timestamp", int | float | str),
]
_LOOSE_FIELDS: Final[list[tuple[str, Any, Any]]] = [(name, Any, UNSET) for name, _ in _FIELDS]

FastLabel: Final = msgspec.defstruct(
    "FastLabel",
    [("label", _Exact | _Bounded | str | bool), *_NO_ENVELOPE],
    bases=(Label,),
    frozen=True,
    kw_only=True,
    gc=False,
)

_Other = int | float | bool | list[Any] | dict[str, Any] | UnsetType | None

LooseLabel: Final = msgspec.defstruct(
    "LooseLabel",
    [
        ("model", Name | _Other, UNSET),
        ("prediction_id", Identifier | _Other, UNSET),
        ("timestamp", Any, UNSET),
        ("label", _Exact | _Bounded | str | bool | UnsetType, UNSET),
        *_NO_TABLE,
    ],
    bases=(FastLabel,),
    frozen=True,
    kw_only=True,
    gc=False,
)
"""As FastLabel; what lacks required fields, or has some of wrong types, is taken too."""


class LabelTypes(NamedTuple):
    """Structs of labels: for many at once, for what lacks fields (or None), for a second look."""

    fast: type[msgspec.Struct]
    loose: type[msgspec.Struct] | None
    plain: type[msgspec.Struct]


_PLAIN_LABEL: Final = msgspec.defstruct(
    "PlainLabel", [("label", Outcome)], bases=(Label,), frozen=True, kw_only=True, gc=False
)

_RANKED: Final = msgspec.defstruct(
    "RankedLabel",
    [("label", _Relevance)],
    bases=(Label,),
    namespace={"__post_init__": _judged},
    frozen=True,
    kw_only=True,
    gc=False,
)
"""Of a ranking: lists on the wire, one number each once decoded (`detectors.rankings.packed`)."""

_FAST_RANKED: Final = msgspec.defstruct(
    "FastRankedLabel", _NO_ENVELOPE, bases=(_RANKED,), frozen=True, kw_only=True, gc=False
)


def label_types(*, ranked: bool) -> LabelTypes:
    """The structs of labels of a ranking, or of any other task."""
    if ranked:
        return LabelTypes(_FAST_RANKED, None, _RANKED)
    return LabelTypes(FastLabel, LooseLabel, _PLAIN_LABEL)
