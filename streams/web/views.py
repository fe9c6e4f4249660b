"""What the API says: models, incidents, readings, health, as JSON.

Promises: every answer is a JSON object with one list or fixed fields; instants are RFC 3339 UTC.
Leaves to others: state (`board`), writing (`said`, `receiving`), who may ask (`access`).
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from aiohttp import web

from schemas.config import Config
from schemas.grid import WHOLE
from schemas.instants import rfc3339
from schemas.log import Record
from schemas.output_parts import Budget
from schemas.outputs import Alert, Reading
from schemas.vocabulary import UNNAMED
from streams.web.board import Board, Outputs

PAGE: Final = 500
LARGEST_PAGE: Final = 5_000

_LEADING: Final = ("metric:accuracy", "metric:mae", "metric:ndcg")
_WORST: Final = {"red": 2, "yellow": 1, None: 0}


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A metric now and in the reference, and how many rows it rests on."""

    metric: str
    value: float
    baseline: float | None
    rows: int
    until: str


class Stakes(msgspec.Struct, frozen=True, kw_only=True):
    """What is at stake, as configured; costs in the operator's currency."""

    level: str
    retrain_cost: float | None
    cost_per_point: float | None


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What the config says of a model."""

    task: str
    clock: str | None = None
    stakes: Stakes | None = None
    pace_ms: int | None = None
    """Pane and lateness."""


class ModelView(msgspec.Struct, frozen=True, kw_only=True):
    """One model at a glance; `task` None: it is not in the config of this process.

    `since`: from when on it has been as it is: the first open incident, else the end of the last
    one, else the first reading. `every_ms`: between two judgements. `clock`, `impact`: as
    configured.
    """

    model: str
    task: str | None
    versions: list[str]
    severity: str | None
    incidents: int
    monitors: int
    states: dict[str, int]
    judged_until: str | None
    since: str | None = None
    judged_from: str | None = None
    every_ms: int | None = None
    clock: str | None = None
    budget: Budget | None = None
    impact: Stakes | None = None
    performance: dict[str, Figure] = {}
    """The leading metric of the whole, by detector (estimate, window)."""


class Pipeline(msgspec.Struct, frozen=True, kw_only=True):
    """How the machines do. `taken` grows with whatever is new; `complete`: all was taken in."""

    status: str
    backlog: dict[str, int]
    records: dict[str, dict[str, int]]
    dead_letters: dict[str, int]
    clock: str
    complete: bool
    taken: int


_encode: Final = msgspec.json.Encoder().encode


def answer(content: object, status: int = 200) -> web.Response:
    """JSON of structs and plain values."""
    return web.Response(body=_encode(content), status=status, content_type="application/json")


def about(config: Config) -> dict[str, About]:
    """What a config says of its models."""
    return {
        name: About(
            task=model.task,
            clock=model.clock,
            pace_ms=model.pane + model.lateness,
            stakes=Stakes(
                level=model.impact.level,
                retrain_cost=model.impact.retrain_cost,
                cost_per_point=model.impact.cost_per_point,
            ),
        )
        for name, model in config.models.items()
    }


def paces(models: Mapping[str, About]) -> dict[str, int]:
    """Within how many milliseconds each model is judged that goes by the broker's clock."""
    return {
        name: one.pace_ms
        for name, one in models.items()
        if one.clock == "broker" and one.pace_ms is not None
    }


def models(board: Board, known: Mapping[str, About]) -> web.Response:
    """Every model of the config, and every other that anything was said about."""
    names = sorted({*known, *board.models()} - {UNNAMED})
    other = known.get(UNNAMED)
    return answer({"models": [_model(board, name, known.get(name, other)) for name in names]})


def incidents(board: Board, query: Mapping[str, str]) -> web.Response:
    """Present state of incidents, the latest changed first; `model`, `status`, `severity`."""
    wanted = {name: query[name] for name in ("model", "status", "severity") if name in query}
    found = [alert for alert in reversed(list(board.alerts.values())) if _matches(alert, wanted)]
    return answer({"incidents": found[: _limit(query)]})


def readings(board: Board, source: Outputs, query: Mapping[str, str]) -> web.Response:
    """The latest reading of each monitor; with `after=OFFSET` all behind it, and `next`.

    Filters: `model`, `version`, `segment`, `monitor`, `signal`, `state`, `breach=true`.
    """
    names = ("model", "version", "segment", "monitor", "signal", "state")
    wanted = {name: query[name] for name in names if name in query}
    breach = query.get("breach") == "true"
    if "after" not in query:
        latest = [
            one
            for one in list(board.readings.values())
            if _matches(one, wanted) and (one.breach or not breach)
        ]
        return answer({"readings": latest[: _limit(query)]})
    after = int(query["after"]) if query["after"].lstrip("-").isdigit() else -1
    records = source.outputs("readings", after, _limit(query))
    kept = [
        msgspec.Raw(record.value or b"null")
        for record, one in _decoded(records)
        if _matches(one, wanted) and (one.breach or not breach)
    ]
    return answer({"readings": kept, "next": records[-1].offset if records else after})


def _model(board: Board, name: str, about: About | None) -> ModelView:
    own = [one for one in list(board.readings.values()) if one.model == name]
    firing = board.firing(name)
    states: dict[str, int] = {}
    for one in own:
        states[one.state] = states.get(one.state, 0) + 1
    span = board.history.span(name)
    judged_from = None if span is None else rfc3339(span.first)
    ended = [
        one.ends_at for one in list(board.alerts.values()) if one.model == name and one.ends_at
    ]
    return ModelView(
        model=name,
        task=None if about is None else about.task,
        versions=sorted({one.version for one in own} - {""}),  # figures and opinions are of none
        severity=max((alert.severity for alert in firing), key=_WORST.__getitem__, default=None),
        incidents=len(firing),
        monitors=len(own),
        states=dict(sorted(states.items())),
        judged_until=None if span is None else rfc3339(span.last),
        since=min((one.starts_at for one in firing), default=max(ended, default=judged_from)),
        judged_from=judged_from,
        every_ms=None if span is None else span.every,
        clock=None if about is None else about.clock,
        budget=board.spending.get(name),
        impact=None if about is None else about.stakes,
        performance=_performance(own),
    )


def _performance(own: Iterable[Reading]) -> dict[str, Figure]:
    """The newest figures of accuracy (MAE of numbers, NDCG of rankings), the whole alone."""
    out: dict[str, Figure] = {}
    for one in own:
        wanted = one.signal in _LEADING and one.detector in ("estimate", "window")
        if wanted and one.segment == WHOLE and one.statistic is not None:
            out[one.detector] = Figure(
                metric=one.signal.partition(":")[2],
                value=one.statistic,
                baseline=one.threshold,
                rows=one.current.rows,
                until=one.current.window.end,
            )
    return out


def _matches(one: Alert | Reading, wanted: Mapping[str, str]) -> bool:
    return all(getattr(one, name) == value for name, value in wanted.items())


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", "")
    return min(int(text), LARGEST_PAGE) if text.isascii() and text.isdigit() else PAGE


_reading: Final = msgspec.json.Decoder(Reading).decode


def _decoded(records: Iterable[Record]) -> Iterable[tuple[Record, Reading]]:
    for record in records:
        try:
            yield record, _reading(record.value or b"")
        except msgspec.DecodeError:
            continue
