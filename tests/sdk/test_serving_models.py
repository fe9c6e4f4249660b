"""Predict functions and model servers that publish what they answer."""

import asyncio
import json

import pytest

import windage
import windage.aio
from windage import asgi


@pytest.fixture
def pub():
    """A publisher into memory, as lenient as in production."""
    with windage.InMemoryPublisher(model="m", version="1", strict=False) as made:
        yield made


def sent(pub):
    return [
        {k: v for k, v in event.items() if k not in ("model", "version", "timestamp")}
        for event in pub.events["predictions"]
    ]


def test_a_watched_function_returns_what_it_did(pub):
    """And its calls are published: features, answer, latency."""

    @pub.watch
    def predict(features, limit=0.5):
        """Predict."""
        return features["x"] > limit

    assert "Predict." == predict.__doc__
    assert predict({"x": 1})
    assert not predict({"x": 1}, limit=2)
    first, second = sent(pub)
    assert ({"x": 1}, True) == (first["features"], first["prediction"])
    assert second["prediction"] is False
    assert 0 <= first["latency_ms"] < 60_000


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (1, {"prediction": 1}),
        ((1, 0.75), {"prediction": 1, "score": 0.75}),
        ({"prediction": "a", "score": 0.5, "more": 1}, {"prediction": "a", "score": 0.5}),
    ],
    ids=str,
)
def test_answers_of_many_forms_are_read(pub, answer, said):
    """A value, a pair, a mapping."""

    class Model:
        @pub.watch
        def predict(self, x, y):
            return answer

    assert answer == Model().predict(1, y=2)
    (event,) = sent(pub)
    assert {"x": 1, "y": 2} == event["features"]
    assert said == {name: event[name] for name in said}


def test_a_function_that_raises_still_raises(pub):
    """Published as a request with an error, by the name of its type."""

    @pub.watch
    def predict(features):
        raise KeyError("x")

    with pytest.raises(KeyError):
        predict({"x": 1})
    (event,) = sent(pub)
    assert ("KeyError", None) == (event["error"], event["prediction"])


def test_what_to_read_may_be_said_and_may_fail(pub):
    """`read` chooses; None publishes nothing; its errors are counted and stay away."""

    def read(arguments, answer):
        return None if answer == 0 else {"features": {"n": 1 / (answer - 2)}, "prediction": answer}

    predict = pub.watch(read=read)(lambda n: n)
    assert [0, 1, 2] == [predict(n) for n in range(3)]
    (event,) = sent(pub)
    assert (1, {"n": -1.0}) == (event["prediction"], event["features"])
    assert {"failed": 1} == pub.counts.reasons


async def test_coroutine_functions_are_watched_too(pub, intake):
    """With either publisher."""

    async def predict(features):
        await asyncio.sleep(0.02)
        return 1

    assert 1 == await pub.watch(predict)({"x": 1})
    assert 15 <= sent(pub)[0]["latency_ms"]
    async with windage.aio.Publisher(intake.url, model="m", version="1") as awaited:
        assert 1 == await awaited.watch(predict)({"x": 1})
    assert [{"x": 1}] == [event["features"] for event in intake.events()]


class Client:
    """Speaks ASGI with an application."""

    def __init__(self, app):
        self._app = app

    async def post(self, path, body, method="POST"):
        half = len(body) // 2
        parts = [
            {"type": "http.request", "body": body[:half], "more_body": True},
            {"type": "http.request", "body": body[half:]},
        ]
        answers = []

        async def receive():
            return parts.pop(0)

        async def send(message):
            answers.append(message)

        await self._app({"type": "http", "path": path, "method": method}, receive, send)
        return answers[0]["status"], b"".join(part["body"] for part in answers[1:])


def server(answer, status=200):
    """An application that reads its request and gives one answer, in two parts."""

    async def app(scope, receive, send):
        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message.get("more_body"):
                break
        if isinstance(answer, Exception):
            raise answer
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": content[:3], "more_body": True})
        await send({"type": "http.response.body", "body": content[3:]})

    return app


async def test_a_model_server_answers_as_before_and_publishes(pub):
    """Features of the request, prediction and id of the answer."""
    answer = {"prediction": 1, "score": 0.75, "prediction_id": "p-1"}
    client = Client(asgi.Recorder(server(answer), pub))
    assert (200, json.dumps(answer).encode()) == await client.post(
        "/predict", b'{"features": {"x": 1}}'
    )
    (event,) = sent(pub)
    assert ("p-1", {"x": 1}, 1, 0.75) == tuple(
        event[name] for name in ("prediction_id", "features", "prediction", "score")
    )
    assert 0 <= event["latency_ms"]


async def test_other_requests_pass_through(pub):
    """Another path, another method, one that was refused."""
    recorder = asgi.Recorder(server({"prediction": 1}), pub, paths=["/score"])
    assert 200 == (await Client(recorder).post("/predict", b"{}"))[0]
    assert 200 == (await Client(recorder).post("/score", b"{}", method="GET"))[0]
    refused = asgi.Recorder(server({"detail": "no"}, 422), pub)
    assert 422 == (await Client(refused).post("/predict", b"{}"))[0]
    assert ([], 0) == (sent(pub), pub.dropped)


async def test_failures_are_published_as_errors(pub):
    """A status of 500, and an exception, which goes on its way."""
    await Client(asgi.Recorder(server({}, 503), pub)).post("/predict", b'{"x": 1}')
    with pytest.raises(KeyError):
        await Client(asgi.Recorder(server(KeyError("x")), pub)).post("/predict", b'{"x": 1}')
    assert ["HTTP 503", "KeyError"] == [event["error"] for event in sent(pub)]
    assert [{"x": 1}] * 2 == [event["features"] for event in sent(pub)]


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"not json", b"{}"),
        ({"prediction": 1}, b"[1]"),
        ({"prediction": 1}, b"{" * 300_000),
        ({"prediction": {"a": 1}}, b"{}"),
    ],
    ids=["answer", "request", "long", "prediction"],
)
async def test_what_cannot_be_read_is_counted_and_the_answer_stands(pub, answer, body):
    """Nothing of it reaches the client."""
    status, content = await Client(asgi.Recorder(server(answer), pub)).post("/predict", body)
    assert 200 == status
    assert content == (answer if isinstance(answer, bytes) else json.dumps(answer).encode())
    assert {"bad_argument": 1} == pub.counts.reasons


async def test_what_to_read_may_be_said(pub, intake):
    """`read` has both sides as JSON; the awaited publisher is awaited."""

    def read(request, answer):
        return {"features": request["rows"][0], "prediction": answer["classes"][0]}

    app = server({"classes": ["a"]})
    async with windage.aio.Publisher(intake.url, model="m", version="1") as awaited:
        recorder = asgi.Recorder(app, awaited, read=read)
        await Client(recorder).post("/predict", b'{"rows": [{"x": 1}]}')
    (event,) = intake.events()
    assert ({"x": 1}, "a") == (event["features"], event["prediction"])
