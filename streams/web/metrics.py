"""The metrics page of what has a board: state folded into families when it is scraped.

Promises: nothing counts as it runs, so a scrape costs what it shows.
Leaves to others: names and labels (`families`), where the state comes from (`board`, the runtime),
the page of a Kafka worker (`worker`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from schemas.lamp import Lamp
from schemas.log import Millis
from schemas.vocabulary import Severity
from streams.web.board import Board
from streams.web.families import (
    Counts,
    build,
    ends,
    of_incidents,
    of_readings,
    of_records,
    of_store,
    of_time,
)
from streams.web.sinks import Statuses, of_sinks
from streams.web.views import About, paces


class Running(Protocol):
    """What is asked of a runtime."""

    def backlog(self) -> dict[str, int]:
        """Records not read yet, by input log."""

    def accounting(self) -> Counts:
        """Records by log and outcome."""

    def store(self) -> str | None:
        """How the store is in which predictions wait; None: in memory."""

    def lamps(self) -> Sequence[Lamp]:
        """How each model stands that is judged in this process."""

    @property
    def clock(self) -> int:
        """The runtime's present instant in epoch milliseconds."""


def page(
    board: Board,
    running: Running,
    models: Mapping[str, About],
    role: str,
    sinks: Statuses = tuple,
) -> bytes:
    """The metrics as Prometheus reads them; `models` as configured."""
    return generate_latest(registry(board, running, models, role, sinks))


def registry(
    board: Board,
    running: Running,
    models: Mapping[str, About],
    role: str,
    sinks: Statuses = tuple,
) -> CollectorRegistry:
    """What is asked for families whenever somebody wants to see them."""
    made = CollectorRegistry(auto_describe=False)
    made.register(_Fold(board, running, paces(models), role, sinks))
    return made


class _Fold(Collector):
    """Everything that is known, as families."""

    def __init__(
        self,
        board: Board,
        running: Running,
        paces: Mapping[str, Millis],
        role: str,
        sinks: Statuses,
    ) -> None:
        self._board, self._running = board, running
        self._paces, self._role, self._sinks = paces, role, sinks

    def collect(self) -> Iterator[Metric]:
        board, running = self._board, self._running
        said = board.latest()
        yield build(self._role)
        yield from of_readings(said)
        yield from of_time(ends(said), self._paces, running.clock)
        yield from of_records(running.accounting(), running.backlog(), board.refused)
        # What was said of a budget is as old as the last event; the state knows the present.
        spent = {lamp.model: lamp.spent for lamp in running.lamps()}
        yield from of_incidents(self._incidents(), {**board.budgets, **spent})
        yield from of_sinks(self._sinks())
        yield from of_store(running.store())

    def _incidents(self) -> dict[str, dict[Severity, int]]:
        counts: dict[str, dict[Severity, int]] = {
            model: {"yellow": 0, "red": 0} for model in self._board.models()
        }
        for alert in self._board.firing():
            counts[alert.model][alert.severity] += 1
        return counts
