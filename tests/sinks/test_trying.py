"""`windage doctor` tries each sink without telling it anything; a drill tells them all."""

import asyncio

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from schemas.config import Config
from schemas.config_sinks import Sink
from schemas.load import load_text
from streams.cli.dead_letters import Choice, replay, show
from streams.cli.drill import told_of_drills
from streams.cli.health.sinks import sinks
from streams.cli.places import Place
from streams.runtime.installation import drill
from streams.runtime.installation.reading import Located
from streams.runtime.sqlite_log import SqliteLog
from streams.sinks.courier import Status
from streams.sinks.memory import Memory
from streams.sinks.message import message_of
from streams.sinks.webhook import Webhook
from streams.web.access import Access
from streams.web.sinks import application
from tests.sinks.test_courier import carry, write
from tests.sinks.world import alert, output, rollback


def config(models=None, **named):
    return Config.model_validate({"sinks": named, "models": models or {"m": {"task": "none"}}})


async def checked(one):
    """The checks of a config, by name."""
    return {check.check: check for check in await asyncio.to_thread(sinks, one)}


async def test_a_webhook_that_answers_is_not_sent_anything(service):
    found = await checked(config(s={"url": service.url, "allow_private": True}))
    assert "ok" == found["sink s"].state
    assert [] == service.got


async def test_a_sink_that_is_away_is_told_with_what_becomes_of_its_alerts():
    found = await checked(config(s={"url": "http://127.0.0.1:9/geheim", "allow_private": True}))
    check = found["sink s"]
    assert ("fail", True) == (check.state, check.unreachable)
    assert "cannot be connected to" in check.found
    assert "geheim" not in check.found


async def test_a_name_that_leads_to_this_machine_is_told():
    """A config that says localhost is refused at once, a name only when it is looked at."""
    sink = Sink.model_construct(
        type="webhook", url="http://localhost:9/", ca=None, allow_private=False, timeout=2_000
    )
    from streams.sinks.probe import doubt

    assert "private address" in (await doubt(sink) or "")


@pytest.mark.parametrize(("status", "state"), [(200, "ok"), (404, "fail")])
async def test_an_alertmanager_is_asked_for_its_status(service, status, state):
    service.script.append(status)
    url = service.url.removesuffix("/hook")
    found = await checked(config(s={"type": "alertmanager", "url": url, "allow_private": True}))
    assert state == found["sink s"].state
    assert [b""] == [body for _, body, _ in service.got]


async def test_alerts_that_no_sink_would_hear_of_are_told():
    """Where each sink has a route, an alert without one goes nowhere."""
    named = {"s": {"url": "https://hooks.example/"}}

    def routed(*routes):
        models = {"m": {"task": "none", "policy": {"routes": list(routes)}}}
        return checked(Config.model_validate({"sinks": named, "models": models}))

    only_red = {"severity": "red", "sink": "s"}
    assert "warn" == (await routed(only_red))["routes"].state
    assert "routes" not in await routed(only_red, {"sink": "s"})
    assert "routes" not in await routed()


def test_a_drill_goes_through_every_sink_and_says_so_in_each():
    """Whatever routes say; firing, then resolved."""
    letters = drill.letters("m", "1", 1_763_712_000_000, rollback=True)
    messages = [
        found
        for one in letters
        if (
            found := message_of(
                Located(
                    topic=one.topic,
                    partition=0,
                    offset=0,
                    timestamp=0,
                    key=one.key,
                    value=one.value,
                    headers=one.headers,
                )
            )
        )
    ]
    assert ["rollback-requests", "alerts", "alerts"] == [one.topic for one in messages]
    memory = Memory("pager", frozenset({"pager"}))
    assert ["say"] * 3 == [memory.fate(one) for one in messages]
    slack = Webhook(Sink(url="https://hooks.example/", template="slack"))
    for one in messages[1:]:
        assert "DRILL" in msgspec.json.decode(slack.compose(one, None, 0).body)["text"]
    airflow = Sink(
        url="https://a.example/", template="airflow", token="t", topics=["rollback-requests"]
    )
    body = msgspec.json.decode(Webhook(airflow).compose(messages[0], None, 0).body)
    assert "true" == body["conf"]["drill"]


async def test_what_a_sink_did_not_take_is_shown_among_the_dead_letters(
    tmp_path, service, capsysbinary
):
    """By its code, with the reason; and `replay` leaves it where it is."""
    log = SqliteLog(tmp_path)
    sink = Sink(url=service.url, allow_private=True)
    await carry(log, sink)
    service.script.append(400)
    write(log, output(alert(), "a-1"))
    await carry(log, sink)
    log.close()
    place = Place(data=tmp_path)
    show(place, Choice(code="undelivered"), None, as_json=True)
    (shown,) = [msgspec.json.decode(one) for one in capsysbinary.readouterr().out.splitlines()]
    assert ("undelivered", "answered 400") == (
        shown["code"],
        shown["headers"]["windage.error.message"],
    )
    replay(place, Choice(), dry_run=False, as_json=True)
    told = msgspec.json.decode(capsysbinary.readouterr().out)
    assert (0, 1) == (told["replayed"], told["without_origin"])


async def test_the_page_of_the_process_that_carries_tells_of_each_sink():
    """It is well while a sink is away."""
    away = Status(
        sink="s", sent=1, failures=2, dead_letters=0, waiting=3, failing_s=4.0, reason="gone"
    )
    async with TestClient(TestServer(application(lambda: [away], Access()))) as client:
        health = await client.get("/healthz")
        told = await health.json()
        page = await (await client.get("/metrics")).text()
        ready = await client.get("/readyz")
    assert (200, 200, "sinks") == (health.status, ready.status, told["role"])
    assert ("failing", 3, "gone") == tuple(
        told["sinks"]["s"][name] for name in ("state", "waiting", "reason")
    )
    assert 'windage_sink_failing_seconds{sink="s"} 4.0' in page


def test_a_request_that_is_no_drill_does_not_say_so():
    from tests.sinks.world import message

    sink = Sink(url="https://p.example/", template="prefect", topics=["rollback-requests"])
    body = msgspec.json.decode(Webhook(sink).compose(message(rollback()), None, 0).body)
    assert ["windage", "fraud"] == body["tags"]


def test_the_command_names_the_sinks_that_are_told_of_a_drill():
    text = """
sinks:
  pager: {url: "https://a.example/"}
  jobs: {url: "https://b.example/", template: prefect}
models: {m: {task: none}}
"""
    one = load_text(text, {}, lambda _: "")
    assert ["pager"] == told_of_drills(one, ["drift-events", "alerts"])
