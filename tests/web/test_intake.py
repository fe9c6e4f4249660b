"""Receiving: 202 when it is durable, once, and an honest no otherwise."""

import asyncio
import gzip
import io

import pytest

from streams.runtime.intake import Overloaded
from streams.web import receiving
from streams.web.receiving import BODY_BYTES

PREDICTION = b'{"model":"m","prediction_id":"a","prediction":1}'
LABEL = b'{"model":"m","prediction_id":"a","label":0}'


def stored(runtime, log):
    return [record.value for record in runtime.log.read(log, 0, 0, 10_000, connection="view")]


async def post(client, body, path="/v1/events", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = await client.post(path, data=body, headers={"Content-Type": "", **named})
    return response, await response.json()


async def test_what_is_accepted_is_in_the_log(client, runtime):
    """When the 202 comes, another connection can read the record."""
    response, body = await post(client, PREDICTION + b"\n" + LABEL)
    assert 202 == response.status
    assert {
        "accepted": 2,
        "repeated": 0,
        "logs": {"predictions": 1, "labels": 1},
        "errors": [],
    } == body
    assert [PREDICTION] == stored(runtime, "predictions")
    assert [LABEL] == stored(runtime, "labels")


async def test_bad_records_become_dead_letters(client, runtime):
    """They are taken, named in the answer, and found again with their bytes."""
    response, body = await post(
        client, PREDICTION + b"\nnot json\n", Content_Type="application/x-ndjson"
    )
    assert 202 == response.status
    assert [(1, "malformed")] == [(one["index"], one["code"]) for one in body["errors"]]
    for _ in range(500):
        if letters := runtime.outputs("dead-letters"):
            break
        await asyncio.sleep(0.01)
    assert [b"not json"] == [record.value for record in letters]


async def test_a_body_without_records_is_refused(client, runtime):
    """Nothing is taken of it."""
    response, body = await post(client, b"hello")
    assert (400, "malformed") == (response.status, body["error"]["code"])
    assert [] == stored(runtime, "predictions")


async def test_a_repeated_idempotency_key_is_accepted_once(client, runtime):
    """The second answer is the first one's; another body under the key is refused."""
    first = await post(client, PREDICTION, Idempotency_Key="k")
    again = await post(client, PREDICTION, Idempotency_Key="k")
    other = await post(client, LABEL, Idempotency_Key="k")
    assert [202, 202, 422] == [response.status for response, _ in (first, again, other)]
    assert first[1] == again[1]
    assert [PREDICTION] == stored(runtime, "predictions")
    assert [] == stored(runtime, "labels")


async def test_concurrent_repetitions_are_accepted_once(client, runtime):
    """Also when they share a commit."""
    answers = await asyncio.gather(
        *(post(client, PREDICTION, Idempotency_Key="k") for _ in range(20))
    )
    assert {202} == {response.status for response, _ in answers}
    assert [PREDICTION] == stored(runtime, "predictions")


async def test_a_repeated_cloudevent_is_accepted_once(client, runtime):
    """By source and id, in any mode."""
    binary = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "s", "ce_type": "t"}
    await post(client, PREDICTION, **binary)
    _, body = await post(client, PREDICTION, **binary)
    envelope = b'{"specversion":"1.0","id":"1","source":"s","type":"t","data":' + PREDICTION + b"}"
    _, third = await post(client, envelope, Content_Type="application/cloudevents+json")
    assert [1, 1] == [body["repeated"], third["repeated"]]
    assert [PREDICTION] == stored(runtime, "predictions")


async def test_a_body_too_large(client):
    """413, compressed or not: a bomb is measured as it unfolds."""
    large = b" " * (BODY_BYTES + 1)
    response, _ = await post(client, io.BytesIO(large))
    assert 413 == response.status
    response, _ = await post(client, gzip.compress(large), Content_Encoding="gzip")
    assert 413 == response.status


async def test_a_compressed_body(client, runtime):
    """It is unpacked."""
    response, _ = await post(client, gzip.compress(PREDICTION), Content_Encoding="gzip")
    assert 202 == response.status
    assert [PREDICTION] == stored(runtime, "predictions")


async def test_a_body_that_is_not_what_it_says(client):
    """Broken compression is the sender's fault."""
    response = await client.post(
        "/v1/events", data=b"nothing", headers={"Content-Encoding": "gzip"}
    )
    assert 400 == response.status


async def test_a_backlog_is_told(client, runtime, monkeypatch):
    """429 with the time to wait, and nothing taken."""
    monkeypatch.setattr(runtime, "backlog", lambda: {"predictions": receiving.BACKLOG_RECORDS + 1})
    response, body = await post(client, PREDICTION)
    assert (429, "backlog") == (response.status, body["error"]["code"])
    assert int(response.headers["Retry-After"]) > 0
    assert [] == stored(runtime, "predictions")


async def test_a_slow_disk_is_told(client, runtime, monkeypatch):
    """What waits for the disk is bounded as well."""

    def submit(group):
        raise Overloaded

    monkeypatch.setattr(runtime.intake, "submit", submit)
    response, _ = await post(client, PREDICTION)
    assert (429, "1") == (response.status, response.headers["Retry-After"])


async def test_a_full_disk_is_told(client, runtime, monkeypatch):
    """503, nothing taken, and what is sent again later is taken then."""

    def append(groups):
        raise OSError("no space left on device")

    monkeypatch.setattr(runtime.log, "append", append)
    response, body = await post(client, PREDICTION, Idempotency_Key="k")
    assert (503, "storage") == (response.status, body["error"]["code"])
    monkeypatch.undo()
    response, _ = await post(client, PREDICTION, Idempotency_Key="k")
    assert 202 == response.status
    assert [PREDICTION] == stored(runtime, "predictions")


async def test_model_events_have_a_path_of_their_own(client, runtime):
    """Everything sent there is one, whatever it looks like."""
    event = b'{"model":"m","type":"annotation","label":"x"}'
    response, body = await post(client, event, path="/v1/model-events")
    assert (202, {"model-events": 1}) == (response.status, body["logs"])
    assert [event] == stored(runtime, "model-events")


@pytest.mark.parametrize("key", ["", "x" * 257])
async def test_odd_idempotency_keys(client, key):
    """An empty or endless one is refused."""
    response, body = await post(client, PREDICTION, Idempotency_Key=key)
    assert (400, "idempotency_key") == (response.status, body["error"]["code"])


async def test_a_silence_with_a_typo_is_refused_at_the_door(client, runtime):
    """Ignored, a misspelt matcher would silence everything."""
    silence = (
        b'{"model":"m","type":"silence","timestamp":1767225600000,"matchers":{"sgnal":"score"}}'
    )
    response, body = await post(client, silence, "/v1/model-events")
    assert (400, "schema") == (response.status, body["error"]["code"])
    assert 'did you mean "signal"?' in body["error"]["message"]
    assert [] == stored(runtime, "model-events")
