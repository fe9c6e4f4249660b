"""The metrics page: state folded into Prometheus families when it is scraped.

Promises: nothing counts as it runs, so a scrape costs what it shows; labels are only model,
version, segment, signal and monitor, and beyond `SERIES` monitors they fold into `other`.
Leaves to others: where the state comes from (`board`, the runtime).
"""

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from schemas import instants
from schemas.outputs import Reading
from streams.web.board import Board

SERIES: Final = 2_000
OTHER: Final = "other"

_MONITOR: Final = ("model", "version", "segment", "signal", "monitor")

Counts = Mapping[str, Mapping[str, int]]
"""Records by log and outcome, as the profilers account for them."""


class Running(Protocol):
    """What is asked of a runtime."""

    def backlog(self) -> dict[str, int]:
        """Records not read yet, by input log."""

    def accounting(self) -> Counts:
        """Records by log and outcome."""

    @property
    def clock(self) -> int:
        """The runtime's present instant in epoch milliseconds."""


def page(board: Board, running: Running) -> bytes:
    """The metrics as Prometheus reads them."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Fold(board, running))
    return generate_latest(registry)


class _Fold(Collector):
    """Everything that is known, as families."""

    def __init__(self, board: Board, running: Running) -> None:
        self._board = board
        self._running = running

    def collect(self) -> Iterator[Metric]:
        yield build()
        yield from self._readings()
        yield from self._records()
        yield from self._incidents()

    def _readings(self) -> Iterator[Metric]:
        statistic = GaugeMetricFamily("windage_statistic", "What a monitor sees.", labels=_MONITOR)
        threshold = GaugeMetricFamily(
            "windage_threshold",
            "Where its statistic becomes a breach.",
            labels=(*_MONITOR, "level"),
        )
        state = GaugeMetricFamily(
            "windage_state", "1 for the state a monitor is in.", labels=(*_MONITOR, "state")
        )
        psi = GaugeMetricFamily(
            "windage_psi", "Population stability index, corrected for its bias.", labels=_MONITOR
        )
        lag = GaugeMetricFamily(
            "windage_pane_close_lag_seconds",
            "Time since the end of the window judged last.",
            labels=("model",),
        )
        latest: dict[str, int] = {}
        folded: dict[tuple[str, ...], tuple[float, float]] = {}
        for number, one in enumerate(list(self._board.readings.values())):
            end = instants.parse(one.current.window.end)
            latest[one.model] = max(latest.get(one.model, 0), end)
            if number >= SERIES:
                _fold(folded, one)
                continue
            labels = (one.model, one.version, one.segment, one.signal, one.monitor)
            state.add_metric((*labels, one.state), 1)
            if one.statistic is not None:
                statistic.add_metric(labels, one.statistic)
            if one.threshold is not None:
                threshold.add_metric((*labels, "breach"), one.threshold)
            if one.effect.psi is not None:
                psi.add_metric(labels, one.effect.psi)
        for rest, (seen, allowed) in folded.items():
            statistic.add_metric(rest, seen)
            threshold.add_metric((*rest, "breach"), allowed)
        for model, end in latest.items():
            lag.add_metric((model,), max(0.0, (self._running.clock - end) / 1000))
        yield from (statistic, threshold, state, psi, lag)

    def _records(self) -> Iterator[Metric]:
        records = CounterMetricFamily(
            "windage_records", "Input records by what became of them.", labels=("topic", "outcome")
        )
        for log, outcomes in self._running.accounting().items():
            for outcome, count in outcomes.items():
                records.add_metric((log, outcome), count)
        letters = CounterMetricFamily(
            "windage_dead_letters", "Refused records by code.", labels=("code",)
        )
        for code, count in sorted(self._board.refused.items()):
            letters.add_metric((code,), count)
        backlog = GaugeMetricFamily(
            "windage_consumer_lag_records", "Records not read yet.", labels=("topic",)
        )
        for log, count in self._running.backlog().items():
            backlog.add_metric((log,), count)
        yield from (records, letters, backlog)

    def _incidents(self) -> Iterator[Metric]:
        incidents = GaugeMetricFamily(
            "windage_incidents", "Open incidents.", labels=("model", "severity")
        )
        counts = {
            (model, severity): 0 for model in self._board.models() for severity in ("yellow", "red")
        }
        for alert in self._board.firing():
            counts[alert.model, alert.severity] += 1
        for labels, count in counts.items():
            incidents.add_metric(labels, count)
        budget = GaugeMetricFamily(
            "windage_false_alarm_budget_spent_ratio",
            "Share of the allowed false alarms that is spent.",
            labels=("model",),
        )
        for model, share in sorted(self._board.budgets.items()):
            budget.add_metric((model,), share)
        yield from (incidents, budget)


def _fold(folded: dict[tuple[str, ...], tuple[float, float]], one: Reading) -> None:
    """Keep, of all monitors of a model that have no series, the one nearest to its threshold."""
    if one.statistic is None or not one.threshold:
        return
    labels = (one.model, OTHER, OTHER, OTHER, OTHER)
    seen, allowed = folded.get(labels, (0.0, 1.0))
    if one.statistic / one.threshold >= seen / allowed:
        folded[labels] = (one.statistic, one.threshold)


def build() -> Metric:
    """What is running, as a family."""
    try:
        ours = version("windage")
    except PackageNotFoundError:
        ours = "unknown"
    family = InfoMetricFamily("windage_build", "What is running.")
    family.add_metric((), {"version": ours, "python": python_version()})
    return family
