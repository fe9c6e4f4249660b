"""Alerts in the form of Alertmanager's API version 2, and how it is kept from forgetting them."""

import msgspec

from schemas.config_sinks import Sink
from schemas.instants import parse
from streams.sinks import courier as couriers
from streams.sinks.alertmanager import AGAIN_MS, GOOD_FOR_MS, Alertmanager, alerts_url
from streams.sinks.caller import Caller
from streams.sinks.courier import Courier
from streams.sinks.log_source import LogSource
from tests.sinks.world import START, alert, message, output

NOW = START + 7_200_000


def composed(event, before=None, now=NOW):
    made = Alertmanager(Sink(url="https://am.example", type="alertmanager"))
    known = None if before is None else message(before, "e-0")
    call = made.compose(message(event), known, now)
    assert "https://am.example/api/v2/alerts" == call.url
    return msgspec.json.decode(call.body)


def test_an_open_incident_is_an_alert_that_is_good_for_a_while():
    (posted,) = composed(alert())
    assert ("covariate_drift", "i-1", "fraud", "red") == tuple(
        posted["labels"][name] for name in ("alertname", "incident_id", "model", "severity")
    )
    assert "2025-11-21T08:00:00Z" == posted["startsAt"]
    assert NOW + GOOD_FOR_MS == parse(posted["endsAt"])
    assert "age moved" in posted["annotations"]["summary"]


def test_a_resolved_incident_ends_when_it_ended():
    (posted,) = composed(alert(status="resolved"))
    assert "2025-11-21T09:00:00Z" == posted["endsAt"]


def test_instants_of_a_simulated_stream_are_none_of_the_future():
    """Alertmanager would believe that such an incident has not ended, or not begun."""
    event = alert(
        status="resolved", starts_at="2040-01-01T00:00:00Z", ends_at="2040-01-02T00:00:00Z"
    )
    (posted,) = composed(event)
    assert (NOW, NOW) == (parse(posted["startsAt"]), parse(posted["endsAt"]))


def test_an_alert_with_other_labels_ends_the_one_before():
    """To Alertmanager it is another alert, and the first would stay until it is forgotten."""
    now, before = composed(alert(severity="red"), alert(severity="yellow"))
    assert ("red", "yellow") == (now["labels"]["severity"], before["labels"]["severity"])
    assert parse(before["endsAt"]) <= NOW < parse(now["endsAt"])


def test_an_alert_with_the_same_labels_stands_alone():
    assert 1 == len(composed(alert(summary="more"), alert()))
    assert 1 == len(composed(alert(severity="red"), alert(status="resolved", severity="yellow")))


def test_only_labels_that_it_takes_are_sent():
    """Names as Prometheus has them, and no empty values."""
    (posted,) = composed(alert(labels={"a-b": "x", "ok": "y", "none": ""}))
    assert {"ok", "incident_id", "source"} == set(posted["labels"])


def test_its_address_may_be_the_server_or_the_path():
    assert "http://am:9093/api/v2/alerts" == alerts_url("http://am:9093/")
    assert "http://am:9093/p/api/v2/alerts" == alerts_url("http://am:9093/p/api/v2/alerts")


async def test_open_incidents_are_said_again_every_minute(log, service, monkeypatch):
    """Also after a restart, and no longer when they are over."""
    clock = [NOW]
    monkeypatch.setattr(couriers, "_now", lambda: clock[0])
    one = Sink(url=service.url, type="alertmanager", allow_private=True)
    LogSource(log, "s", one.told)
    log.commit([(output(alert("i-1"), "a-1"), 0), (output(alert("i-2"), "a-2"), 0)], {})

    async def idle(source, courier):
        while await courier.turn(source, 0.01):
            pass

    def begun():
        return LogSource(log, "s", one.told), Courier("s", one, frozenset(), caller)

    async with Caller(one) as caller:
        source, courier = begun()
        await idle(source, courier)
        assert [1, 1, 2] == [len(body) for body in service.bodies]
        clock[0] += AGAIN_MS - 1
        await idle(source, courier)
        assert 3 == len(service.bodies)
        clock[0] += 1
        await idle(source, courier)
        assert [1, 1, 2, 2] == [len(body) for body in service.bodies]
        log.commit([(output(alert("i-1", status="resolved", sequence=2), "a-3"), 0)], {})
        source, courier = begun()
        await idle(source, courier)
        last = [{one["labels"]["incident_id"] for one in body} for body in service.bodies[-2:]]
        assert [{"i-1"}, {"i-2"}] == last
