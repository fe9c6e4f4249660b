"""What pages say of sinks, and the page of the process that carries for them on Kafka.

Promises: a sink that is away makes nobody unwell: the process is well while its couriers turn, and
its page says which sink takes nothing and since when; sinks are named as in the config, so there
are as many series as the operator wrote down.
Leaves to others: carrying (`streams.sinks`).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from streams.sinks.courier import Status
from streams.web.access import Access, guard
from streams.web.families import build
from streams.web.views import answer

Statuses = Callable[[], Sequence[Status]]

ROLE: Final = "sinks"
_LABELS: Final = ("sink",)


class SinkView(msgspec.Struct, frozen=True, kw_only=True):
    """A sink on `/healthz`: `state` is `ok` or `failing`; `reason` is in words of ours."""

    state: str
    waiting: int
    failing_seconds: float
    reason: str


def views(statuses: Sequence[Status]) -> dict[str, SinkView]:
    """How each sink does, by name."""
    return {
        one.sink: SinkView(
            state="failing" if one.failing_s else "ok",
            waiting=one.waiting,
            failing_seconds=round(one.failing_s, 3),
            reason=one.reason,
        )
        for one in statuses
    }


def of_sinks(statuses: Sequence[Status]) -> Iterator[Metric]:
    """How each sink does, as families."""
    counters: tuple[tuple[str, str, Callable[[Status], float]], ...] = (
        ("sent", "Calls that a sink took.", lambda one: one.sent),
        ("failures", "Calls that a sink did not take.", lambda one: one.failures),
        ("dead_letters", "Messages that were given up.", lambda one: one.dead_letters),
    )
    for name, text, value in counters:
        counter = CounterMetricFamily(f"windage_sink_{name}", text, labels=_LABELS)
        for one in statuses:
            counter.add_metric((one.sink,), value(one))
        yield counter
    gauges: tuple[tuple[str, str, Callable[[Status], float]], ...] = (
        ("waiting_records", "Records that wait for a sink.", lambda one: one.waiting),
        ("failing_seconds", "Since when a sink takes nothing.", lambda one: one.failing_s),
    )
    for name, text, value in gauges:
        gauge = GaugeMetricFamily(f"windage_sink_{name}", text, labels=_LABELS)
        for one in statuses:
            gauge.add_metric((one.sink,), value(one))
        yield gauge


class _Fold(Collector):
    def __init__(self, statuses: Statuses) -> None:
        self._statuses = statuses

    def collect(self) -> Iterator[Metric]:
        yield build(ROLE)
        yield from of_sinks(self._statuses())


def application(statuses: Statuses, access: Access) -> web.Application:
    """`/healthz`, `/readyz`, `/metrics` of a process that carries for sinks."""

    async def health(_: web.Request) -> web.Response:
        return answer({"status": "ok", "role": ROLE, "sinks": views(statuses())})

    async def ready(_: web.Request) -> web.Response:
        return answer({"ready": True})

    async def metrics(_: web.Request) -> web.Response:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Fold(statuses))
        return web.Response(
            body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    app = web.Application(middlewares=[guard(access)])
    app.add_routes(
        [
            web.get("/healthz", health),
            web.get("/readyz", ready),
            web.get("/metrics", metrics),
        ]
    )
    return app
