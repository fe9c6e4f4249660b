"""What the API says: models, incidents, readings, health, as JSON.

Promises: every answer is a JSON object with one list or fixed fields; instants are RFC 3339 UTC.
Leaves to others: state (`board`), writing (`intake`), who may ask (`access`).
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from aiohttp import web

from schemas.log import Record
from schemas.outputs import Alert, Reading
from streams.web.board import Board, Outputs

PAGE: Final = 500
LARGEST_PAGE: Final = 5_000

_WORST: Final = {"red": 2, "yellow": 1, None: 0}


class ModelView(msgspec.Struct, frozen=True, kw_only=True):
    """One model at a glance; `task` None: it is not in the config of this process."""

    model: str
    task: str | None
    versions: list[str]
    severity: str | None
    incidents: int
    monitors: int
    states: dict[str, int]
    judged_until: str | None


_encode: Final = msgspec.json.Encoder().encode


def answer(content: object, status: int = 200) -> web.Response:
    """JSON of structs and plain values."""
    return web.Response(body=_encode(content), status=status, content_type="application/json")


def models(board: Board, tasks: Mapping[str, str]) -> web.Response:
    """Every model of the config, and every other that anything was said about."""
    names = sorted({*tasks, *board.models()})
    return answer({"models": [_model(board, name, tasks.get(name)) for name in names]})


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


def _model(board: Board, name: str, task: str | None) -> ModelView:
    own = [one for one in list(board.readings.values()) if one.model == name]
    firing = board.firing(name)
    states: dict[str, int] = {}
    for one in own:
        states[one.state] = states.get(one.state, 0) + 1
    return ModelView(
        model=name,
        task=task,
        versions=sorted({one.version for one in own}),
        severity=max((alert.severity for alert in firing), key=_WORST.__getitem__, default=None),
        incidents=len(firing),
        monitors=len(own),
        states=dict(sorted(states.items())),
        judged_until=max((one.current.window.end for one in own), default=None),
    )


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
