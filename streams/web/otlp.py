"""Metrics to an OpenTelemetry collector: what the metrics page says, pushed now and then.

Promises: off unless OTEL_EXPORTER_OTLP_ENDPOINT (or OTEL_EXPORTER_OTLP_METRICS_ENDPOINT) is set;
a collector that is away or hangs costs one thread its time and nobody else; names, labels and
values are those of the page.
Leaves to others: the wire, headers, TLS and retries (the exporter of OpenTelemetry, the extra
`otlp`, which reads the usual OTEL_* variables), the families (`families`).
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from prometheus_client.core import Metric

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData

logger = logging.getLogger(__name__)

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
INTERVAL: Final = "OTEL_METRIC_EXPORT_INTERVAL"
"""Milliseconds between two exports, as OpenTelemetry names it."""

USUAL_MS: Final = 60_000
LEAST_MS: Final = 1_000
STOPPING_SECONDS: Final = 2.0

Collect = Callable[[], Iterable[Metric]]
"""Gives the families as they are now."""


class Pushing:
    """A thread that exports until it is stopped."""

    def __init__(self, collect: Collect, interval_s: float) -> None:
        """ImportError without the extra `otlp`."""
        # An extra, and slow to import.
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415
            OTLPMetricExporter,
        )

        self._collect, self._interval_s = collect, interval_s
        self._exporter = OTLPMetricExporter()
        self._started = time.time_ns()
        self._stopping = Event()
        self._failing = False
        self._thread = Thread(target=self._run, name="windage-otlp", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it; what could not be sent within a moment is not."""
        self._stopping.set()
        self._exporter.shutdown(timeout_millis=STOPPING_SECONDS * 1000)
        self._thread.join(STOPPING_SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_s):
            try:
                self._push()
            except Exception as error:  # noqa: BLE001  # metrics are worth a line, and no more
                self._tell(type(error).__name__)

    def _push(self) -> None:
        from opentelemetry.sdk.metrics.export import MetricExportResult  # noqa: PLC0415  # an extra

        said = points(self._collect(), self._started, time.time_ns())
        done = self._exporter.export(said) is MetricExportResult.SUCCESS
        self._tell(None if done else "not delivered")

    def _tell(self, trouble: str | None) -> None:
        """One line when it begins to fail, one when it is over."""
        if (trouble is not None) != self._failing and not self._stopping.is_set():
            self._failing = trouble is not None
            if trouble is None:
                logger.info("metrics reach the OTLP endpoint again")
            else:
                logger.warning("metrics do not reach the OTLP endpoint (%s)", trouble)


def pushing(collect: Collect, environment: Mapping[str, str] | None = None) -> Pushing | None:
    """Begin to export, if the environment says where to; None if not, or without the extra."""
    env = os.environ if environment is None else environment
    if not any(env.get(name) for name in ENDPOINTS):
        return None
    try:
        return Pushing(collect, _interval_ms(env.get(INTERVAL, "")) / 1000)
    except ImportError:
        logger.warning("%s is set, but exporting needs: pip install 'windage[otlp]'", ENDPOINTS[1])
        return None


def points(families: Iterable[Metric], started: int, now: int) -> "MetricsData":
    """Families as OpenTelemetry has them; instants in nanoseconds since 1970.

    A counter is a cumulative sum since `started`, anything else a gauge.
    """
    from opentelemetry.sdk.metrics import export  # noqa: PLC0415  # an extra
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415

    def converted(family: Metric) -> export.Metric:
        counts = family.type == "counter"
        data = [
            export.NumberDataPoint(
                attributes=dict(sample.labels),
                start_time_unix_nano=started if counts else 0,
                time_unix_nano=now,
                value=sample.value,
            )
            for sample in family.samples
        ]
        # What a Prometheus page calls `windage_records_total` is the family `windage_records`.
        name = f"{family.name}_info" if family.type == "info" else family.name
        cumulative = export.AggregationTemporality.CUMULATIVE
        content = export.Sum(data, cumulative, is_monotonic=True) if counts else export.Gauge(data)
        return export.Metric(name, family.documentation, _unit(name), content)

    scope = export.ScopeMetrics(
        scope=InstrumentationScope("windage"),
        metrics=[converted(family) for family in families if family.samples],
        schema_url="",
    )
    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "windage")})
    return export.MetricsData(
        resource_metrics=[
            export.ResourceMetrics(resource=resource, scope_metrics=[scope], schema_url="")
        ]
    )


def _unit(name: str) -> str:
    """The unit at the end of a name, in the words of UCUM."""
    endings = {"_seconds": "s", "_bytes": "By", "_ratio": "1"}
    return next((unit for ending, unit in endings.items() if name.endswith(ending)), "")


def _interval_ms(text: str) -> int:
    return max(LEAST_MS, int(text)) if text.isascii() and text.isdigit() else USUAL_MS
