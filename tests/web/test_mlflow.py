"""MLflow's registry tells of a new version, signed; nobody else can."""

import base64
import hashlib
import hmac
import time

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer

from schemas.config_links import Mlflow
from streams.web.access import Access
from streams.web.mlflow import BODY_BYTES
from streams.web.server import Site

SECRET = "0123456789abcdef-registry"
VERSION = {"name": "m", "version": "7", "source": "models:/1", "run_id": None, "tags": {}}


def delivery(data=None, *, entity="model_version", action="created", **more):
    return orjson.dumps(
        {
            "entity": entity,
            "action": action,
            "timestamp": "2026-11-21T08:00:00.123456+00:00",
            "data": data or VERSION,
            **more,
        }
    )


def headers(body, *, secret=SECRET, age=0, id="d-1"):
    """The headers MLflow sends, made by its documented rule."""
    stamp = str(int(time.time()) - age)
    content = f"{id}.{stamp}.".encode() + body
    digest = hmac.new(secret.encode(), content, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "X-MLflow-Delivery-Id": id,
        "X-MLflow-Timestamp": stamp,
        "X-MLflow-Signature": "v1," + base64.b64encode(digest).decode(),
    }


@pytest.fixture
async def telling(runtime):
    """Return a function from the config of the door to a client of it."""
    clients = []

    async def connected(access=None, **config):
        mlflow = Mlflow(secret=SECRET, **config) if config.pop("there", True) else None
        site = Site(runtime, {"m": "binary"}, mlflow=mlflow)
        client = TestClient(TestServer(site.application(access or Access())))
        await client.start_server()
        clients.append(client)
        return client

    yield connected
    for client in clients:
        await client.close()


def told(runtime):
    return [orjson.loads(one.value) for one in runtime.log.read("model-events", 0, 0, 100)]


async def test_a_new_version_is_a_deployment(telling, runtime):
    client = await telling()
    body = delivery()
    answer = await client.post("/v1/mlflow", data=body, headers=headers(body))
    assert 202 == answer.status
    (event,) = told(runtime)
    assert ("m", "deployed", "7", "mlflow") == tuple(
        event[name] for name in ("model", "type", "version", "author")
    )
    assert "2026-11-21T08:00:00.123456+00:00" == event["timestamp"]
    assert {"registry": "models:/m/7"}.items() <= event["deployment"].items()


async def test_a_delivery_that_comes_twice_is_one_event(telling, runtime):
    client = await telling()
    body = delivery()
    for id in ("d-1", "d-2"):
        answer = await client.post("/v1/mlflow", data=body, headers=headers(body, id=id))
        assert 202 == answer.status
    assert 1 == len(told(runtime))


async def test_with_an_alias_only_its_bearer_is_deployed(telling, runtime):
    client = await telling(alias="champion")
    for data, entity in (
        (VERSION, "model_version"),
        ({"name": "m", "version": "8", "alias": "challenger"}, "model_version_alias"),
        ({"name": "m", "version": "9", "alias": "champion"}, "model_version_alias"),
    ):
        body = delivery(data, entity=entity)
        answer = await client.post("/v1/mlflow", data=body, headers=headers(body))
        assert answer.status in (200, 202)
    assert ["9"] == [event["version"] for event in told(runtime)]


async def test_names_of_the_registry_are_mapped_and_strangers_do_nothing(telling, runtime):
    client = await telling(models={"Fraud model": "m"})
    for name in ("Fraud model", "example_model"):
        body = delivery({**VERSION, "name": name})
        answer = await client.post("/v1/mlflow", data=body, headers=headers(body))
        assert answer.status in (200, 202)
    assert ["m"] == [event["model"] for event in told(runtime)]


@pytest.mark.parametrize(
    "change",
    [
        {"X-MLflow-Signature": ""},
        {"X-MLflow-Signature": "v1,AAAA"},
        {"X-MLflow-Signature": "v2,\udcff"},
        {"X-MLflow-Delivery-Id": "d-2"},
        {"X-MLflow-Delivery-Id": ""},
        {"X-MLflow-Timestamp": "0"},
        {"X-MLflow-Timestamp": "soon"},
    ],
)
async def test_what_is_not_signed_so_is_not_believed(telling, runtime, change):
    client = await telling()
    body = delivery()
    answer = await client.post("/v1/mlflow", data=body, headers={**headers(body), **change})
    assert (401, []) == (answer.status, told(runtime))


async def test_another_body_or_secret_is_not_believed(telling, runtime):
    client = await telling()
    signed = headers(delivery())
    other = delivery({**VERSION, "version": "666"})
    stranger = headers(delivery(), secret="another-secret-here")
    for body, said in ((other, signed), (delivery(), stranger)):
        assert 401 == (await client.post("/v1/mlflow", data=body, headers=said)).status
    assert [] == told(runtime)


@pytest.mark.parametrize("age", [301, -301])
async def test_a_delivery_of_another_time_is_not_believed(telling, runtime, age):
    """However well it is signed: somebody may have kept it."""
    client = await telling()
    body = delivery()
    answer = await client.post("/v1/mlflow", data=body, headers=headers(body, age=age))
    assert (401, []) == (answer.status, told(runtime))


async def test_both_secrets_are_believed_while_one_is_replaced(telling, runtime):
    client = await telling()
    site = Site(runtime, {"m": "binary"}, mlflow=Mlflow(secret=[SECRET, "the-one-before-this"]))
    client = TestClient(TestServer(site.application(Access())))
    async with client:
        for number, secret in enumerate((SECRET, "the-one-before-this")):
            body = delivery({**VERSION, "version": str(number)})
            answer = await client.post(
                "/v1/mlflow", data=body, headers=headers(body, secret=secret)
            )
            assert 202 == answer.status
    assert ["0", "1"] == [event["version"] for event in told(runtime)]


async def test_the_signature_stands_for_the_token(telling, runtime):
    """Beyond loopback MLflow cannot send a bearer token; and the token alone opens nothing."""
    client = await telling(Access(loopback=False, write="w" * 20))
    body = delivery()
    assert 202 == (await client.post("/v1/mlflow", data=body, headers=headers(body))).status
    bearer = {"Authorization": "Bearer " + "w" * 20}
    assert 401 == (await client.post("/v1/mlflow", data=body, headers=bearer)).status
    assert 401 == (await client.post("/v1/model-events", data=body, headers=headers(body))).status


async def test_without_the_config_there_is_no_door(telling):
    client = await telling(there=False)
    body = delivery()
    assert 404 == (await client.post("/v1/mlflow", data=body, headers=headers(body))).status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (delivery(timestamp="yesterday"), 400),
        (delivery({"name": "m"}), 200),
        (delivery({"name": "m", "version": "a b"}), 200),
        (delivery(entity="registered_model"), 200),
        (b"x" * (BODY_BYTES + 1), 413),
    ],
)
async def test_a_delivery_that_is_none_does_nothing(telling, runtime, body, status):
    client = await telling()
    answer = await client.post("/v1/mlflow", data=body, headers=headers(body))
    assert (status, []) == (answer.status, told(runtime))
