"""What a courier promises: everything once, the same id each time, and nothing is forgotten."""

import base64

import msgspec
import pytest

from schemas.config_sinks import Sink
from streams.runtime.sqlite_log import SqliteLog
from streams.sinks.call import Answer
from streams.sinks.caller import Caller
from streams.sinks.courier import Courier
from streams.sinks.log_source import LogSource
from tests.sinks.world import alert, output, retraining, rollback

KEY = "whsec_" + base64.b64encode(bytes(range(24))).decode()


def sink(service, **fields):
    return Sink(url=service.url, allow_private=True, secret=KEY, **fields)


def write(log, *outputs):
    log.commit([(one, 0) for one in outputs], {})


async def carry(log, one, name="s", named=frozenset()):
    """Carry everything that is there; gives the courier."""
    source = LogSource(log, name, one.told)
    async with Caller(one) as caller:
        courier = Courier(name, one, named, caller)
        courier._source = source
        while await courier.turn(source, 0.01):
            pass
    return courier


async def begin(log, one, **more):
    """Let the sink be read for for the first time, with nothing there."""
    await carry(log, one, **more)


async def test_an_alert_is_told_once_and_signed_with_its_id(log, service):
    """Also when the sink is read for again after a restart."""
    one = sink(service)
    await begin(log, one)
    write(log, output(alert(), "a-1"), output(alert(status="resolved", sequence=2), "a-2"))
    for _ in range(3):
        await carry(log, one)
    assert ["a-1", "a-2"] == service.ids
    assert ["firing", "resolved"] == [body["data"]["status"] for body in service.bodies]
    assert {"windage.alert.v1"} == {body["type"] for body in service.bodies}


async def test_a_repeated_output_is_not_told_again(log, service):
    """A worker that crashed writes the same id a second time."""
    one = sink(service)
    await begin(log, one)
    write(log, output(alert(), "a-1"), output(alert(), "a-1"))
    await carry(log, one)
    write(log, output(alert(), "a-1"))
    await carry(log, one)
    assert ["a-1"] == service.ids


async def test_a_stale_alert_is_not_told(log, service):
    """One with a lower sequence cannot bring a resolved incident back."""
    one = sink(service)
    await begin(log, one)
    write(
        log,
        output(alert(sequence=5), "a-1"),
        output(alert(status="resolved", sequence=9), "a-2"),
        output(alert(sequence=6), "a-3"),
    )
    await carry(log, one)
    assert ["a-1", "a-2"] == service.ids


async def test_trouble_is_tried_again_with_the_same_id_after_growing_pauses(log, service, pauses):
    one = sink(service)
    await begin(log, one)
    service.script.extend([500, 429, 503])
    write(log, output(alert(), "a-1"))
    courier = await carry(log, one)
    assert ["a-1"] * 4 == [headers["webhook-id"] for headers, _, _ in service.got]
    assert ["a-1"] == service.ids
    assert 3 == len(pauses)
    assert pauses[0] < pauses[1] < pauses[2]
    assert (1, 3, 0, 0.0) == (
        courier.status().sent,
        courier.status().failures,
        courier.status().dead_letters,
        courier.status().failing_s,
    )


async def test_what_is_tried_too_often_becomes_a_dead_letter_and_the_next_goes_on(
    log, service, pauses
):
    one = sink(service, attempts=3)
    await begin(log, one)
    service.script.extend([500] * 3)
    first = output(alert("i-1"), "a-1", key=b"i-1")
    write(log, first, output(alert("i-2"), "a-2"))
    courier = await carry(log, one)
    assert ["a-2"] == service.ids
    (letter,) = log.read("dead-letters", 0, 0, 10)
    said = {name: text.decode() for name, text in letter.headers}
    assert (first.value, b"i-1") == (letter.value, letter.key)
    assert ("undelivered", "sink s", "alerts", "0", "answered 500") == (
        said["windage.error.code"],
        said["windage.error.stage"],
        said["__connect.errors.topic"],
        said["__connect.errors.offset"],
        said["windage.error.message"],
    )
    assert 1 == courier.status().dead_letters
    await carry(log, one)
    assert 1 == len(log.read("dead-letters", 0, 0, 10))


async def test_what_is_wrong_for_good_is_not_tried_again(log, service, pauses):
    """A body that the service refuses would be refused the second time, too."""
    one = sink(service)
    await begin(log, one)
    service.script.extend([400])
    write(log, output(alert(), "a-1"))
    courier = await carry(log, one)
    assert (1, []) == (len(service.got), pauses)
    assert 1 == len(log.read("dead-letters", 0, 0, 10))
    assert (1, 0.0) == (courier.status().dead_letters, courier.status().failing_s)


async def test_routes_say_which_sink_is_told(log, service):
    """A named sink hears its own alerts, one that no route names hears all, a drill all hear."""
    one = sink(service)
    named = frozenset({"pager"})
    for name in ("pager", "wall"):
        await begin(log, one, name=name, named=named)
    write(
        log,
        output(alert("i-1", sink="pager"), "a-1"),
        output(alert("i-2"), "a-2"),
        output(alert("i-3"), "a-3", source="windage/drill"),
    )
    await carry(log, one, name="pager", named=named)
    assert ["a-1", "a-3"] == service.ids
    service.got.clear()
    await carry(log, one, name="wall", named=named)
    assert ["a-1", "a-2", "a-3"] == service.ids


async def test_whoever_heard_of_an_incident_hears_its_end_though_it_was_rerouted(log, service):
    """Also after a restart in between."""
    one, named = sink(service), frozenset({"pager", "desk"})
    await begin(log, one, name="desk", named=named)
    write(log, output(alert(severity="yellow", sink="desk"), "a-1"))
    await carry(log, one, name="desk", named=named)
    write(
        log,
        output(alert(sequence=2, sink="pager"), "a-2"),
        output(alert(sequence=3, status="resolved", sink="pager"), "a-3"),
        output(alert("i-2", sink="pager"), "a-4"),
    )
    await carry(log, one, name="desk", named=named)
    assert ["a-1", "a-2", "a-3"] == service.ids


async def test_a_new_sink_hears_of_what_is_open_and_of_nothing_that_is_over(log, service):
    one = sink(service, topics=("alerts", "retrain-requests"))
    write(
        log,
        output(alert("over"), "a-1"),
        output(alert("over", status="resolved", sequence=2), "a-2"),
        output(alert("open"), "a-3"),
        output(alert("open", sequence=2), "a-4"),
        output(retraining("old"), "r-1"),
    )
    courier = await carry(log, one)
    assert ["a-4"] == service.ids
    assert 0 == courier.status().waiting
    write(
        log,
        output(alert("open", status="resolved", sequence=3), "a-5"),
        output(retraining("new"), "r-2"),
    )
    await carry(log, one)
    assert ["a-4", "a-5", "r-2"] == service.ids


async def test_what_comes_between_the_first_start_and_a_crash_is_new(log, service):
    """Where a sink begins is written down when it is opened, not when something was sent."""
    one = sink(service, topics=("retrain-requests",))
    LogSource(log, "s", one.told)
    write(log, output(retraining(), "r-1"))
    await carry(log, one)
    assert ["r-1"] == service.ids


async def test_a_crash_between_sending_and_writing_down_sends_the_same_id_again(log, service):
    """At least once: what was not written down as done is sent again."""
    one = sink(service)
    await begin(log, one)
    write(log, output(alert(), "a-1"))

    class CrashError(Exception):
        pass

    async def crash(_):
        raise CrashError

    source = LogSource(log, "s", one.told)
    source.done = crash
    async with Caller(one) as caller:
        with pytest.raises(CrashError):
            await Courier("s", one, frozenset(), caller).turn(source, 0.01)
    await carry(log, one)
    assert ["a-1", "a-1"] == service.ids


async def test_requests_go_where_their_topic_is_wanted(log, service):
    one = sink(service, topics=("rollback-requests",))
    await begin(log, one)
    write(log, output(retraining(), "r-1"), output(rollback(), "b-1"), output(alert(), "a-1"))
    await carry(log, one)
    assert ["b-1"] == service.ids


async def test_a_record_that_is_no_event_stops_nothing(log, service):
    one = sink(service)
    await begin(log, one)
    bad = msgspec.structs.replace(output(alert(), "a-0"), value=b"{")
    write(log, bad, output(alert(), "a-1"))
    courier = await carry(log, one)
    assert ["a-1"] == service.ids
    assert 0 == courier.status().waiting


async def test_a_form_that_fails_is_a_dead_letter(log, service, monkeypatch):
    """A bug of ours in one event does not keep the next from being told."""
    one = sink(service)
    await begin(log, one)
    write(log, output(alert("i-1"), "a-1"), output(alert("i-2"), "a-2"))
    from streams.sinks import webhook

    plain = webhook._plain

    def broken(message):
        if message.id == "a-1":
            raise KeyError("x")
        return plain(message)

    monkeypatch.setattr(webhook, "_plain", broken)
    await carry(log, one)
    assert ["a-2"] == service.ids
    (letter,) = log.read("dead-letters", 0, 0, 10)
    assert b"has no form (KeyError)" == dict(letter.headers)["windage.error.message"]


async def test_an_issue_is_made_once_for_an_incident(log, service):
    """Of a sink that makes a thing for each incident, only the first word of it is sent."""
    fields = {"project": "OPS"}
    one = Sink(url=service.url, allow_private=True, template="jira", token="t", fields=fields)
    await begin(log, one)
    write(
        log,
        output(alert(), "a-1"),
        output(alert(sequence=2, severity="yellow"), "a-2"),
        output(alert(sequence=3, status="resolved"), "a-3"),
    )
    await carry(log, one)
    await carry(log, one)
    assert 1 == len(service.got)


async def test_an_owner_that_lost_the_partition_writes_nothing_down(log, pauses):
    """Whoever has it now carries the message, and we carry it anew should it come back to us."""
    one = Sink(url="https://hooks.example/x", secret=KEY)

    class Refusing:
        async def make(self, _):
            return Answer(status=500)

    source = LogSource(log, "s", one.told)
    courier = Courier("s", one, frozenset(), Refusing())
    write(log, output(alert(), "a-1"))
    source.owns = lambda _: False
    await courier.turn(source, 0.01)
    assert [] == log.read("dead-letters", 0, 0, 10)
    assert 1 == source.waiting()
    assert [] == pauses


async def test_an_office_of_a_log_that_is_closed_begins_again(tmp_path, service):
    """The state of the sink is in the log's own file."""
    one = sink(service)
    first = SqliteLog(tmp_path)
    await begin(first, one)
    write(first, output(alert(), "a-1"))
    first.close()
    second = SqliteLog(tmp_path)
    await carry(second, one)
    second.close()
    assert ["a-1"] == service.ids
