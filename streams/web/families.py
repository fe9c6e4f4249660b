"""Prometheus families: the same names and labels on every metrics page.

Promises: labels are only model, version, segment, signal and monitor, and what a family is named
for (topic, outcome, code, level, state, severity, role); beyond `SERIES` monitors they fold into
`other`; a monitor that fell silent while its model went on has no series, so nothing old looks
new.
Leaves to others: where the state comes from (`metrics`, `worker`), serving it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from schemas import instants
from schemas.grid import WHOLE
from schemas.log import Millis
from schemas.outputs import Reading
from schemas.vocabulary import Severity

SERIES: Final = 2_000
"""Monitors with series of their own, shared evenly by the models."""

SILENT_MS: Final[Millis] = 2 * 86_400_000
"""A monitor that has said nothing for so long while others of its model have is left out."""

OTHER: Final = "other"

_PLACE: Final = ("model", "version", "segment", "signal")
_MONITOR: Final = (*_PLACE, "monitor")
_DELAYS: Final = frozenset({("label:delay_p50_ms", "window"), ("label:delay_p90_ms", "window")})
_COVERAGE: Final = ("label:coverage", "cohort")
"""Signal and detector: these families have no label that would tell two detectors apart."""

Counts = Mapping[str, Mapping[str, int]]
"""Records by log and by what became of them."""

Said = tuple[Reading, Millis]
"""A monitor's latest reading, and the stream time at which it was said."""


def build(role: str) -> Metric:
    """What is running and which version; `role`: serve, dashboard, profiler, monitor or sinks."""
    try:
        ours = version("windage")
    except PackageNotFoundError:
        ours = "unknown"
    family = InfoMetricFamily("windage_build", "What is running.")
    family.add_metric((), {"version": ours, "python": python_version(), "role": role})
    return family


def of_store(told: str | None) -> Iterator[Metric]:
    """Whether the store serves in which predictions wait; nothing where they wait in memory."""
    if told is not None:
        text = "1 while the store in which predictions wait for labels serves."
        yield GaugeMetricFamily("windage_store_serves", text, value=float(told == "ok"))


def of_readings(said: Iterable[Said]) -> Iterator[Metric]:
    """What the monitors say now."""
    families, by_model = _Readings(), _by_model(said)
    share = max(1, SERIES // max(1, len(by_model)))
    for own in by_model.values():
        families.add(own, share)
    return iter(families)


class _Readings:
    """The families of readings, while they are filled."""

    def __init__(self) -> None:
        self._statistic = _gauge("windage_statistic", "What a monitor sees.", _MONITOR)
        self._threshold = _gauge(
            "windage_threshold", "Where its statistic becomes a breach.", (*_MONITOR, "level")
        )
        self._state = _gauge(
            "windage_state", "1 for the state a monitor is in.", (*_MONITOR, "state")
        )
        self._psi = _gauge(
            "windage_psi", "Population stability index, corrected for its bias.", _MONITOR
        )
        self._coverage = _gauge(
            "windage_label_coverage_ratio",
            "Share of predictions that got a label within the horizon.",
            _PLACE[:3],
        )
        self._delay = _gauge(
            "windage_label_delay_seconds",
            "How late labels come; the signal names the quantile.",
            _PLACE,
        )

    def __iter__(self) -> Iterator[Metric]:
        yield from (self._statistic, self._threshold, self._state, self._psi)
        yield from (self._coverage, self._delay)

    def add(self, own: Sequence[Reading], share: int) -> None:
        """The monitors of one model; those beyond `share` fold into the nearest to a breach."""
        nearest: tuple[float, float, float] | None = None
        for number, one in enumerate(own):
            if number < share:
                self._one(one)
            elif one.statistic is not None and one.threshold:
                near = one.statistic / one.threshold
                if nearest is None or near >= nearest[0]:
                    nearest = near, one.statistic, one.threshold
        if nearest is not None:
            labels = (own[0].model, OTHER, OTHER, OTHER, OTHER)
            self._statistic.add_metric(labels, nearest[1])
            self._threshold.add_metric((*labels, "breach"), nearest[2])

    def _one(self, one: Reading) -> None:
        place = (one.model, one.version, one.segment, one.signal)
        labels = (*place, one.monitor)
        self._state.add_metric((*labels, one.state), 1)
        if one.threshold is not None:
            self._threshold.add_metric((*labels, "breach"), one.threshold)
        if one.effect.psi is not None:
            self._psi.add_metric(labels, one.effect.psi)
        if one.statistic is None:
            return
        self._statistic.add_metric(labels, one.statistic)
        if (one.signal, one.detector) == _COVERAGE:
            self._coverage.add_metric(place[:3], one.statistic)
        elif (one.signal, one.detector) in _DELAYS:
            self._delay.add_metric(place, one.statistic / 1000)


def of_time(
    until: Mapping[str, Millis], paces: Mapping[str, Millis], clock: Millis
) -> Iterator[Metric]:
    """How long ago each model was judged, and how long that should be at most.

    `until`: the end of the last window judged. `paces`: of models that go by the broker's clock,
    whose windows end in the present; the others may tell of any time.
    """
    lag = _gauge(
        "windage_pane_close_lag_seconds",
        "Time since the end of the window judged last.",
        ("model",),
    )
    for model, end in sorted(until.items()):
        lag.add_metric((model,), max(0.0, (clock - end) / 1000))
    pace = _gauge(
        "windage_pace_seconds",
        "Pane and lateness of a model that goes by the broker's clock: the lag while all is well.",
        ("model",),
    )
    for model, length in sorted(paces.items()):
        pace.add_metric((model,), length / 1000)
    yield from (lag, pace)


def of_records(
    accounts: Counts, backlog: Mapping[str, int], refused: Mapping[str, int]
) -> Iterator[Metric]:
    """What became of the records, what waits, and why some were refused."""
    records = CounterMetricFamily(
        "windage_records", "Input records by what became of them.", labels=("topic", "outcome")
    )
    for log, outcomes in accounts.items():
        for outcome, count in outcomes.items():
            records.add_metric((log, outcome), count)
    letters = CounterMetricFamily(
        "windage_dead_letters", "Refused records by code.", labels=("code",)
    )
    for code, count in sorted(dict(refused).items()):
        letters.add_metric((code,), count)
    lag = _gauge("windage_consumer_lag_records", "Records not read yet.", ("topic",))
    for log, count in backlog.items():
        lag.add_metric((log,), count)
    yield from (records, letters, lag)


def of_incidents(
    incidents: Mapping[str, Mapping[Severity, int]], budgets: Mapping[str, float]
) -> Iterator[Metric]:
    """Open incidents by model, and the share of its false alarms that is spent."""
    open_now = _gauge("windage_incidents", "Open incidents.", ("model", "severity"))
    for model, counts in sorted(incidents.items()):
        for severity, count in sorted(counts.items()):
            open_now.add_metric((model, severity), count)
    budget = _gauge(
        "windage_false_alarm_budget_spent_ratio",
        "Share of the allowed false alarms that is spent.",
        ("model",),
    )
    for model, spent in sorted(budgets.items()):
        budget.add_metric((model,), spent)
    yield from (open_now, budget)


def ends(said: Iterable[Said]) -> dict[str, Millis]:
    """The end of the last window judged, by model."""
    texts: dict[str, set[str]] = {}
    for one, _ in said:
        texts.setdefault(one.model, set()).add(one.current.window.end)
    return {model: max(map(instants.parse, own)) for model, own in texts.items()}


def _by_model(said: Iterable[Said]) -> dict[str, list[Reading]]:
    """Readings that are not left over, by model, in a fixed order, those of the whole first."""
    by_model: dict[str, list[Said]] = {}
    for pair in said:
        by_model.setdefault(pair[0].model, []).append(pair)
    out = {}
    for model, own in sorted(by_model.items()):
        newest = max(at for _, at in own)
        lasting = [one for one, at in own if at > newest - SILENT_MS]
        out[model] = sorted(lasting, key=_place)
    return out


def _place(one: Reading) -> tuple[str, ...]:
    return one.segment.removeprefix(WHOLE), one.version, one.signal, one.monitor


def _gauge(name: str, text: str, labels: Sequence[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=labels)
