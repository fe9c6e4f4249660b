"""A service that answers as it is told to, and events for it."""

import asyncio
from collections import deque

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer

from schemas.envelope import seal
from schemas.log import Output
from schemas.output_parts import DataWindow, Suggestion, Triage
from schemas.outputs import Alert, RetrainRequest, RollbackRequest, encode
from schemas.vocabulary import EVENT_TYPES
from streams.runtime.installation.reading import Located
from streams.sinks.message import message_of

START = 1_763_712_000_000
RUNBOOK = "https://wiki.example/runbook"


def alert(incident="i-1", *, status="firing", sequence=1, severity="red", sink=None, **fields):
    labels = {"alertname": "covariate_drift", "model": "fraud", "severity": severity}
    return Alert(
        **{
            "status": status,
            "sequence": sequence,
            "recommended_action": "retrain_full",
            "incident_id": incident,
            "fingerprint": incident,
            "severity": severity,
            "model": "fraud",
            "version": "3",
            "title": "fraud 3: covariate drift (red)",
            "summary": "age moved by 1.2 standard deviations <in> EU & beyond",
            "triage": Triage(class_="covariate_drift", because=("inputs moved first",)),
            "segments": ("*",),
            "starts_at": "2025-11-21T08:00:00Z",
            "updated_at": "2025-11-21T08:00:00Z",
            "ends_at": "2025-11-21T09:00:00Z" if status == "resolved" else None,
            "labels": {**labels, **({} if sink is None else {"sink": sink})},
            "owner": "team",
            **fields,
        }
    )


def retraining(name="r-1"):
    return RetrainRequest(
        request_id=name,
        model="fraud",
        version="3",
        incident_ids=("i-1",),
        trigger="drift",
        urgency="normal",
        reason="the world has moved",
        requested_at="2025-11-21T08:00:00Z",
        data_window=DataWindow(start="2025-11-01T00:00:00Z", end="2025-11-21T08:00:00Z"),
        suggestion=Suggestion(strategy="full"),
    )


def rollback(name="b-1"):
    return RollbackRequest(
        request_id=name,
        model="fraud",
        version="3",
        to_version="2",
        reason="far below",
        severity="red",
    )


TOPIC_OF = {
    Alert: "alerts",
    RetrainRequest: "retrain-requests",
    RollbackRequest: "rollback-requests",
}


def output(event, id, *, source="windage/test", key=b"k"):
    """The record of an event, as the machines write it."""
    topic = TOPIC_OF[type(event)]
    sealed = seal(encode(event), type=EVENT_TYPES[topic], id=id, source=source, time=START)
    return Output(topic=topic, key=key, value=sealed.value, headers=sealed.headers, timestamp=START)


def located(event, id="e-1", *, offset=0, **more):
    one = output(event, id, **more)
    return Located(
        topic=one.topic,
        partition=0,
        offset=offset,
        timestamp=START,
        key=one.key,
        value=one.value,
        headers=one.headers,
    )


def message(event, id="e-1", **more):
    found = message_of(located(event, id, **more))
    assert found is not None
    return found


class Service:
    """Takes every POST; `script` holds statuses (or "hang", or a redirection) for the next ones."""

    def __init__(self):
        self.script = deque()
        self.got = []
        self.answer = b"{}"
        self.arrived = asyncio.Event()
        self._released = asyncio.Event()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        self.server = TestServer(app)

    async def __aenter__(self):
        await self.server.start_server()
        self.url = str(self.server.make_url("/hook"))
        return self

    async def __aexit__(self, *_):
        self._released.set()
        await self.server.close()

    @property
    def bodies(self):
        """What was taken, decoded."""
        return [msgspec.json.decode(body) for _, body, status in self.got if status < 300]

    @property
    def ids(self):
        """The webhook ids of what was taken."""
        return [headers.get("webhook-id") for headers, _, status in self.got if status < 300]

    async def _take(self, request):
        body = await request.read()
        step = self.script.popleft() if self.script else 200
        if step == "hang":
            self.arrived.set()
            await self._released.wait()
            step = 503
        status = 302 if isinstance(step, str) else step
        headers = {"Location": step} if isinstance(step, str) else {}
        self.got.append((dict(request.headers), body, status))
        self.arrived.set()
        return web.Response(status=status, body=self.answer, headers=headers)
