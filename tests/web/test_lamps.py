"""Lamps: health, models, incidents, readings, metrics, and the stream of events."""

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas import outputs
from schemas.log import Output
from schemas.output_parts import Current, Effect, ReferenceRef, Triage, Window
from schemas.outputs import Alert, Reading
from streams.web import families, stream

WINDOW = Window(start="2026-01-01T00:00:00Z", end="2026-01-01T01:00:00Z")


def reading(signal="feature:age", **changes):
    fields = {
        "model": "m", "version": "1", "segment": "all", "monitor": "psi", "signal": signal,
        "detector": "psi", "statistic": 0.2, "threshold": 0.1, "breach": True,
        "severity": "yellow", "effect": Effect(psi=0.2),
        "reference": ReferenceRef(id="r", rows=5000), "current": Current(rows=500, window=WINDOW),
        "state": "judged",
    }  # fmt: skip
    return Reading(**fields | changes)


def alert(incident="i1", sequence=1, status="firing", severity="red"):
    return Alert(
        status=status, sequence=sequence, recommended_action="investigate", incident_id=incident,
        fingerprint="f", severity=severity, model="m", version="1", title="Something drifted",
        summary="It did.", triage=Triage(class_="covariate_drift"),
        starts_at="2026-01-01T00:00:00Z", updated_at="2026-01-01T00:00:00Z",
    )  # fmt: skip


def write(runtime, topic, *events):
    """Write outputs as the machines would."""
    made = [
        Output(
            topic=topic,
            key=b"m",
            value=event if isinstance(event, bytes) else outputs.encode(event),
        )
        for event in events
    ]
    runtime.log.commit([(output, 0) for output in made], {})
    for observer in runtime.observers:
        observer()


async def get(client, path):
    response = await client.get(path)
    assert 200 == response.status
    return await response.json()


GLANCE = (
    "model", "task", "versions", "severity", "incidents", "monitors", "states", "judged_until",
    "since",
)  # fmt: skip


async def test_models(client, runtime):
    """Those of the config and those anything was said about, at a glance."""
    write(runtime, "readings", reading(), reading("score", state="warming_up", breach=False))
    figure = reading("metric:sales", model="other", version="")
    write(runtime, "readings", reading(model="other"), figure)
    write(runtime, "alerts", alert(), alert("i2", severity="yellow"))
    assert [
        {
            "model": "m", "task": "binary", "versions": ["1"], "severity": "red", "incidents": 2,
            "monitors": 2, "states": {"judged": 1, "warming_up": 1},
            "judged_until": "2026-01-01T01:00:00Z", "since": "2026-01-01T00:00:00Z",
        },
        {
            "model": "other", "task": None, "versions": ["1"], "severity": None, "incidents": 0,
            "monitors": 2, "states": {"judged": 2}, "judged_until": "2026-01-01T01:00:00Z",
            "since": "2026-01-01T01:00:00Z",
        },
    ] == [
        {name: one[name] for name in GLANCE} for one in (await get(client, "/v1/models"))["models"]
    ]  # fmt: skip


async def test_a_lower_sequence_cannot_bring_an_incident_back(client, runtime):
    """The present state is that of the highest sequence, whoever wrote last."""
    write(runtime, "alerts", alert(sequence=5, status="resolved"), alert(sequence=4))
    (found,) = (await get(client, "/v1/incidents"))["incidents"]
    assert ("resolved", 5) == (found["status"], found["sequence"])
    assert [] == (await get(client, "/v1/incidents?status=firing"))["incidents"]


async def test_readings_latest_and_history(client, runtime):
    """The latest of each monitor, or everything behind an offset."""
    write(runtime, "readings", reading(statistic=0.3), reading("score"), reading(statistic=0.4))
    latest = (await get(client, "/v1/readings?signal=feature:age"))["readings"]
    assert [0.4] == [one["statistic"] for one in latest]
    page = await get(client, "/v1/readings?signal=feature:age&after=-1&limit=2")
    assert ([0.3], 1) == ([one["statistic"] for one in page["readings"]], page["next"])
    page = await get(client, "/v1/readings?signal=feature:age&after=1")
    assert [0.4] == [one["statistic"] for one in page["readings"]]


async def test_readings_another_version_wrote_are_passed_over(client, runtime):
    """An output that is not of today's form stops nobody."""
    write(runtime, "readings", b'{"model":"m"}', b"nothing", reading())
    assert 1 == len((await get(client, "/v1/readings"))["readings"])


async def test_health(client, runtime):
    """Alive means that the machines turn; a failure names its kind and no more."""
    body = await get(client, "/healthz")
    assert ("ok", None) == (body["status"], body["failure"])
    assert {"ready": True} == await get(client, "/readyz")


async def test_ill_health(client, runtime, monkeypatch):
    """503 while the machines fail or do not turn."""
    monkeypatch.setattr("streams.web.server.STALLED_SECONDS", -1.0)
    response = await client.get("/healthz")
    assert (503, "failing") == (response.status, (await response.json())["status"])


async def scraped(client):
    """The samples of the metrics page, by name and labels."""
    text = await (await client.get("/metrics")).text()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_metrics(client, runtime):
    """Names of the contract, in a form that Prometheus' own parser reads."""
    write(runtime, "readings", reading(), reading("score", statistic=None, threshold=None))
    write(runtime, "alerts", alert())
    await client.post("/v1/events", data=b'{"prediction":1}')
    samples = await scraped(client)
    monitor = {"model": "m", "version": "1", "segment": "all", "monitor": "psi"}

    def value(name, **labels):
        return samples[name, tuple(sorted(labels.items()))]

    assert {"serve"} == {dict(k)["role"] for name, k in samples if name == "windage_build_info"}
    assert 0.2 == value("windage_statistic", **monitor, signal="feature:age")
    assert 0.1 == value("windage_threshold", **monitor, signal="feature:age", level="breach")
    assert 0.2 == value("windage_psi", **monitor, signal="feature:age")
    assert 1 == value("windage_state", **monitor, signal="score", state="judged")
    assert 1 == value("windage_incidents", model="m", severity="red")
    assert 0 == value("windage_incidents", model="m", severity="yellow")
    assert 0 <= value("windage_consumer_lag_records", topic="predictions") <= 1
    assert 0 < value("windage_pane_close_lag_seconds", model="m")


async def test_metrics_are_capped(client, runtime, monkeypatch):
    """Beyond the cap a model's monitors fold into one, the nearest to its threshold."""
    monkeypatch.setattr(families, "SERIES", 1)
    write(
        runtime, "readings", reading("a"), reading("b", statistic=0.01), reading("c", statistic=0.3)
    )
    text = await (await client.get("/metrics")).text()
    lines = [line for line in text.splitlines() if line.startswith("windage_statistic{")]
    assert 2 == len(lines)
    assert 'signal="other"' in lines[1]
    assert lines[1].endswith(" 0.3")


async def test_models_share_the_series(client, runtime, monkeypatch):
    """A model with many monitors takes no series of another."""
    monkeypatch.setattr(families, "SERIES", 2)
    write(runtime, "readings", *(reading(f"feature:{n}") for n in range(5)))
    write(runtime, "readings", reading("score", model="z"))
    found = [dict(labels) for name, labels in await scraped(client) if name == "windage_statistic"]
    assert ["other", "score"] == [one["signal"] for one in found if one["signal"][0] != "f"]
    assert 3 == len(found)


async def test_metrics_of_labels(client, runtime):
    """How many predictions get a label, and how late, in seconds."""
    write(
        runtime, "readings",
        reading("label:coverage", detector="cohort", statistic=0.75, effect=Effect()),
        reading("label:coverage", detector="adwin", monitor="another", statistic=0.5),
        reading("label:delay_p90_ms", detector="window", statistic=90_000.0, effect=Effect()),
    )  # fmt: skip
    samples = await scraped(client)
    place = (("model", "m"), ("segment", "all"))
    version = (("version", "1"),)
    assert 0.75 == samples["windage_label_coverage_ratio", (*place, *version)]
    signal = (("signal", "label:delay_p90_ms"),)
    assert 90 == samples["windage_label_delay_seconds", (*place, *signal, *version)]


async def test_a_monitor_that_fell_silent_has_no_series(client, runtime):
    """What a version said last that is gone must not look like the present."""
    say = lambda day, *said: runtime.log.commit(
        [
            (
                Output(
                    topic="readings",
                    key=b"m",
                    value=outputs.encode(one),
                    timestamp=day * 86_400_000,
                ),
                0,
            )
            for one in said
        ],
        {},
    )
    say(20_000, reading("a", version="1"), reading("a", version="2"))
    say(20_002, reading("a", version="2"))
    found = [dict(labels) for name, labels in await scraped(client) if name == "windage_statistic"]
    assert ["2"] == [one["version"] for one in found]


async def events(response, count):
    """The next `count` events of a stream: (id, name, text)."""
    found = []
    fields = {}
    while len(found) < count:
        line = (await asyncio.wait_for(response.content.readline(), 5)).decode().rstrip("\n")
        name, _, text = line.partition(": ")
        if line and name:
            fields[name] = text
        elif "data" in fields:
            found.append((fields["id"], fields["event"], fields["data"]))
            fields = {}
    return found


async def test_the_stream_resumes_where_it_broke_off(client, runtime):
    """With Last-Event-ID every event of every topic comes once, those missed included."""
    first = await client.get("/v1/stream?from=start")
    write(runtime, "drift-events", b"1", b"2")
    write(runtime, "alerts", b"3")
    before = await events(first, 3)
    first.close()
    write(runtime, "drift-events", b"4")
    write(runtime, "alerts", b"5")
    write(runtime, "readings", b"0")
    second = await client.get("/v1/stream", headers={"Last-Event-ID": before[-1][0]})
    after = await events(second, 2)
    write(runtime, "retrain-requests", b"6")
    after += await events(second, 1)
    second.close()
    assert {"1", "2", "3"} == {text for _, _, text in before}
    assert {"4", "5"} == {text for _, _, text in after[:2]}
    assert ("retrain-requests", "6") == after[2][1:]


async def test_every_event_can_be_resumed_from(client, runtime):
    """Whichever event a reader saw last, it gets the rest and only the rest."""
    write(runtime, "drift-events", *(b"%d" % n for n in range(4)))
    write(runtime, "alerts", *(b"%d" % n for n in range(4, 7)))
    whole = await client.get("/v1/stream?from=start")
    everything = await events(whole, 7)
    whole.close()
    for seen in range(1, 7):
        rest = await client.get("/v1/stream", headers={"Last-Event-ID": everything[seen - 1][0]})
        found = await events(rest, 7 - seen)
        rest.close()
        assert [text for _, _, text in everything[seen:]] == [text for _, _, text in found]


async def test_a_new_reader_begins_now(client, runtime):
    """Without an id only what comes is sent."""
    write(runtime, "alerts", b"1")
    response = await client.get("/v1/stream?topics=alerts")
    await asyncio.sleep(0.05)
    write(runtime, "alerts", b"2")
    assert [("alerts:1", "alerts", "2")] == await events(response, 1)
    response.close()


async def test_unknown_topics_are_refused(client):
    """The journal is nobody's business."""
    assert 400 == (await client.get("/v1/stream?topics=journal")).status


async def test_streams_are_counted(client, monkeypatch):
    """Only so many at a time."""
    monkeypatch.setattr(stream, "READERS", 1)
    first = await client.get("/v1/stream")
    assert 429 == (await client.get("/v1/stream")).status
    first.close()


async def test_a_quiet_stream_beats(client, monkeypatch):
    """A comment now and then keeps the line open."""
    monkeypatch.setattr(stream, "BEAT_SECONDS", 0.01)
    response = await client.get("/v1/stream")
    text = await asyncio.wait_for(response.content.readuntil(b": alive\n"), 5)
    assert text.endswith(b": alive\n")
    response.close()


async def test_a_stream_of_a_quiet_topic_beats_beside_busy_ones(client, runtime, monkeypatch):
    """Commits that write nothing to a reader are no sign of life to it."""
    monkeypatch.setattr(stream, "BEAT_SECONDS", 0.2)
    response = await client.get("/v1/stream?topics=alerts")

    async def commit():
        while True:
            write(runtime, "readings", reading())
            await asyncio.sleep(0.02)

    busy = asyncio.create_task(commit())
    text = await asyncio.wait_for(response.content.readuntil(b": alive\n"), 5)
    busy.cancel()
    assert text.endswith(b": alive\n")
    response.close()


@pytest.mark.parametrize("text", ["", "alerts", "alerts:x", "alerts:1,", "alerts:-1", "alerts:1;x"])
def test_ids_that_are_no_cursors(text):
    """They are ignored."""
    assert stream.read_cursor(text, ["alerts"]) is None
