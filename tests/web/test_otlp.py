"""Metrics reach a collector over OTLP/HTTP, with the names and values of the page."""

import asyncio
import gzip
import logging
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from streams.web import otlp
from tests.web.test_lamps import reading, write

metrics_service = pytest.importorskip(
    "opentelemetry.proto.collector.metrics.v1.metrics_service_pb2"
)


class Collector:
    """An OTLP receiver: what it was sent, and how it answers."""

    def __init__(self):
        self.requests, self.status = [], 200
        collector = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                request = metrics_service.ExportMetricsServiceRequest.FromString(body)
                collector.requests.append((self.path, dict(self.headers), request))
                self.send_response(collector.status)
                self.end_headers()

            def log_message(self, *_):
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.thread = Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def samples(self):
        """The newest values by name and attributes."""
        found = {}
        for _, _, request in self.requests:
            for resource in request.resource_metrics:
                for one in (metric for s in resource.scope_metrics for metric in s.metrics):
                    for point in one.gauge.data_points or one.sum.data_points:
                        labels = {a.key: a.value.string_value for a in point.attributes}
                        found[one.name, tuple(sorted(labels.items()))] = point.as_double
        return found


@pytest.fixture
def collector(monkeypatch):
    """A collector, named by the environment; exports come every second."""
    made = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{made.server.server_port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=sesame")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "1000")
    yield made
    made.close()


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


async def test_what_the_page_says_is_pushed(runtime, collector, connect):
    """`serve` exports its readings, to the usual path and with the headers of the environment."""
    write(runtime, "readings", reading(statistic=0.25))
    await connect()
    await asyncio.to_thread(until, lambda: collector.requests)
    path, headers, request = collector.requests[0]
    assert ("/v1/metrics", "sesame") == (path, headers["api-key"])
    (resource,) = request.resource_metrics
    assert {"service.name": "windage"}.items() <= {
        one.key: one.value.string_value for one in resource.resource.attributes
    }.items()
    place = {"model": "m", "version": "1", "segment": "all", "signal": "feature:age"}
    labels = tuple(sorted({**place, "monitor": "psi"}.items()))
    assert 0.25 == collector.samples["windage_statistic", labels]
    assert any(name == "windage_build_info" for name, _ in collector.samples)


def test_counters_are_cumulative_sums():
    """A collector that adds up must not add up what is a sum already."""
    counter = CounterMetricFamily("windage_records", "Records.", labels=("topic",))
    counter.add_metric(("predictions",), 7)
    gauge = GaugeMetricFamily("windage_pace_seconds", "Pace.", value=90)
    empty = GaugeMetricFamily("windage_psi", "None.", labels=("model",))
    said = otlp.points([counter, gauge, empty], started=10, now=20)
    records, pace = said.resource_metrics[0].scope_metrics[0].metrics
    assert ("windage_records", True, 2) == (
        records.name, records.data.is_monotonic, records.data.aggregation_temporality,
    )  # fmt: skip
    (point,) = records.data.data_points
    assert (7, 10, 20, {"topic": "predictions"}) == (
        point.value, point.start_time_unix_nano, point.time_unix_nano, point.attributes,
    )  # fmt: skip
    assert ("windage_pace_seconds", "s", 90) == (
        pace.name, pace.unit, pace.data.data_points[0].value,
    )  # fmt: skip


def test_nothing_is_pushed_unless_asked_for():
    """Without an endpoint there is no thread."""
    assert otlp.pushing(list, {}) is None
    assert otlp.pushing(list, {"OTEL_METRIC_EXPORT_INTERVAL": "1000"}) is None


def test_a_collector_that_refuses_is_told_once(collector, caplog):
    """One line when it begins to fail, one when it is over; the thread goes on."""
    caplog.set_level(logging.INFO, "streams.web.otlp")
    collector.status = 400
    gauge = GaugeMetricFamily("windage_pace_seconds", "Pace.", value=90)
    pushing = otlp.pushing(lambda: [gauge])
    own = lambda: [one.getMessage() for one in caplog.records if one.name == otlp.__name__]
    try:
        until(lambda: len(collector.requests) >= 2)
        assert ["metrics do not reach the OTLP endpoint (not delivered)"] == own()
        collector.status = 200
        until(lambda: len(own()) == 2)
        assert own()[1].endswith("again")
    finally:
        pushing.stop()


def test_what_cannot_be_collected_ends_nothing(collector, caplog):
    """The next export is tried as if nothing had been."""
    gauge, failures = GaugeMetricFamily("windage_pace_seconds", "Pace.", value=90), [1]

    def collect():
        if failures:
            failures.pop()
            raise RuntimeError("a fold that fails")
        return [gauge]

    pushing = otlp.pushing(collect)
    try:
        until(lambda: collector.requests)
    finally:
        pushing.stop()
    assert "RuntimeError" in caplog.text


def test_stopping_waits_for_no_collector():
    """A collector that is not there does not hold up the end of the process."""
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_METRIC_EXPORT_INTERVAL": "1"}
    pushing = otlp.pushing(list, env)
    began = time.monotonic()
    pushing.stop()
    assert time.monotonic() - began < otlp.STOPPING_SECONDS + 3
