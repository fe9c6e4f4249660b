"""The page of one Kafka worker: health, readiness, metrics; nothing of any event.

Promises: it answers while the worker's event loop does not, because it has a thread of its own;
`/healthz` follows progress, so a worker that hangs is seen by whoever asks; open incidents are
those of the state, also right after a restart; guarded like every page of ours.
Leaves to others: the figures (`runtime.kafka.pulse`), ending a worker that hangs (`watchdog`),
names and labels (`families`).
"""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from schemas.config_links import Http
from schemas.log import Millis
from streams.runtime.kafka.pulse import Pulse, resident_bytes
from streams.web import otlp
from streams.web.access import Access, guard
from streams.web.families import build, of_incidents, of_readings, of_records, of_store, of_time
from streams.web.heard import Heard
from streams.web.tls import tls_context

STARTING_S: Final = 10.0
"""How long a thread may take to listen."""


class Page:
    """The paths over one pulse; it is unwell after standing still for `stall_s`."""

    def __init__(
        self, pulse: Pulse, stall_s: float, paces: Mapping[str, Millis] | None = None
    ) -> None:
        """`paces`: of models that go by the broker's clock; a monitor says how old they are."""
        self._pulse = pulse
        self._stall_s = stall_s
        self._fold = _Fold(pulse, paces or {})

    def application(self, access: Access) -> web.Application:
        """An aiohttp application."""
        app = web.Application(middlewares=[guard(access)])
        app.add_routes(
            [
                web.get("/healthz", self._health),
                web.get("/readyz", self._ready),
                web.get("/metrics", self._metrics),
            ]
        )
        return app

    def families(self) -> Iterator[Metric]:
        """What the metrics page says now."""
        return self._fold.collect()

    async def _health(self, _: web.Request) -> web.Response:
        pulse, waiting = self._pulse, sum(self._pulse.lag.values())
        well = not waiting or pulse.still_s() < self._stall_s
        body = {
            "status": "ok" if well else "failing",
            "role": pulse.role,
            "lag": waiting,
            "progress_seconds_ago": round(pulse.still_s(), 3),
            "store": pulse.store,
        }
        return web.json_response(body, status=200 if well else 503)

    async def _ready(self, _: web.Request) -> web.Response:
        pulse = self._pulse
        body = {"ready": pulse.ready, "partitions": list(pulse.owned)}
        return web.json_response(body, status=200 if pulse.ready else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self._fold)
        return web.Response(
            body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )


class _Fold(Collector):
    """The pulse as families; the core counts nothing for it."""

    def __init__(self, pulse: Pulse, paces: Mapping[str, Millis]) -> None:
        self._pulse, self._paces = pulse, paces
        self._heard = Heard()
        pulse.heard = self._heard.take

    def collect(self) -> Iterator[Metric]:
        pulse = self._pulse
        yield build(pulse.role)
        yield from of_records(pulse.accounts, pulse.lag, self._heard.refused)
        yield from of_store(pulse.store)
        yield from self._process()
        if pulse.role == "monitor":
            yield from self._judged()

    def _judged(self) -> Iterator[Metric]:
        """How the models stand that are judged in this process."""
        lamps = {one.model: one for one in self._pulse.lamps}
        # A model whose partition went elsewhere is told of there.
        said = [(one, at) for one, at in self._heard.latest() if one.model in lamps]
        yield from of_readings(said)
        until = {name: one.until for name, one in lamps.items() if one.until is not None}
        yield from of_time(until, self._paces, time.time_ns() // 1_000_000)
        yield from of_incidents(
            {name: one.incidents for name, one in lamps.items()},
            {name: one.spent for name, one in lamps.items()},
        )

    def _process(self) -> Iterator[Metric]:
        """How the process is."""
        pulse = self._pulse
        gauges = (
            ("partitions", "Partitions owned.", len(pulse.owned)),
            ("still_seconds", "Time without progress while records wait.", pulse.still_s()),
            ("restore_seconds", "Duration of the last restore.", pulse.restored_s),
            ("reread_offsets", "Offsets still to be read again.", pulse.unread),
            ("reread_seconds", "The last restore and what was read again.", pulse.reread_s),
            ("durable_seconds", "Duration of the last durable cycle.", pulse.durable_s),
            ("stood_still_seconds", "Longest stand of the event loop.", pulse.stood_s),
            ("memory_bytes", "Resident memory.", resident_bytes()),
            ("broker_away_seconds", "Time without an answer of the broker.", _away(pulse)),
        )
        for name, text, value in gauges:
            yield GaugeMetricFamily(f"windage_worker_{name}", text, value=value)
        counters = (
            ("records", "Records read by this process.", pulse.records),
            ("rebalances", "Times that partitions were given out.", pulse.rebalances),
            ("snapshots", "States stored.", pulse.snapshots),
        )
        for name, text, value in counters:
            yield CounterMetricFamily(f"windage_worker_{name}", text, value=value)


def _away(pulse: Pulse) -> float:
    since = pulse.away_since
    return 0.0 if since is None else time.monotonic() - since


def serve(
    pulse: Pulse, http: Http, stall_s: float, paces: Mapping[str, Millis] | None = None
) -> int:
    """Serve the page in a thread of its own, until the process ends; gives the port.

    `paces`: as `Page`. OSError if the address cannot be listened at.
    """
    context = None if http.tls is None else tls_context(http.tls)
    listening = threading.Event()
    ports: list[int] = []
    failures: list[OSError] = []

    async def run() -> None:
        page = Page(pulse, stall_s, paces)
        runner = web.AppRunner(page.application(Access.of(http)), access_log=None)
        try:
            await runner.setup()
            await web.TCPSite(runner, http.host, http.port, ssl_context=context).start()
            ports.append(int(runner.addresses[0][1]))
            otlp.pushing(page.families)
        except OSError as error:
            failures.append(error)
            return
        finally:
            listening.set()
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(run()), name="windage-http", daemon=True).start()
    listening.wait(STARTING_S)
    if failures:
        raise failures[0]
    return ports[0]
