"""Publishing to and reading from a real `windage serve`, a process of its own."""

import pytest

import windage
import windage.aio
from tests.refused import good, now

ROWS = 300


async def test_three_producers_give_the_same_counts(serve):
    """Either publisher and plain lines; each repeats some of its ids, which count once."""
    rows = [{"x": n % 7 / 2, "city": ("rome", "oslo")[n % 2]} for n in range(ROWS)]
    at = now()
    given = {"model": "m", "version": "1", "batches": "rows"}
    with windage.Publisher(serve.url, **given) as pub:
        for n in [*range(ROWS), *range(10)]:
            pub.prediction(rows[n], n % 2, id=f"s{n}", timestamp=at)
        pub.labels({f"s{n}": n % 2 for n in range(ROWS)}, timestamp=at)
        pub.metric("ctr", 0.1)
        pub.event("annotation", note="hello")
    assert (2 * ROWS + 12, 0) == (pub.counts.sent, pub.dropped)
    async with windage.aio.Publisher(serve.url, **given) as apub:
        for n in [*range(ROWS), *range(10)]:
            await apub.prediction(rows[n], n % 2, id=f"a{n}", timestamp=at)
        await apub.labels({f"a{n}": n % 2 for n in range(ROWS)}, timestamp=at)
    assert (2 * ROWS + 10, 0) == (apub.counts.sent, apub.dropped)
    serve.post(b"\n".join(good(n, at)[1] for n in [*range(ROWS), *range(10)]))
    serve.until(
        {
            ("predictions", "read"): 3 * (ROWS + 10),
            ("predictions", "counted"): 3 * ROWS,
            ("predictions", "duplicate"): 3 * 10,
            ("labels", "joined"): 2 * ROWS,
            ("metrics", "counted"): 1,
            ("model-events", "counted"): 1,
        }
    )
    assert not [key for key in serve.records() if key[1] == "dead_lettered"]


@pytest.mark.slow
def test_what_waits_while_it_is_down_counts_once_when_it_is_back(serve):
    """Killed between two halves; nothing is lost, nothing twice."""
    pub = windage.Publisher(serve.url, model="m", version="1")
    for n in range(100):
        pub.prediction({"x": n}, 1, id=f"p{n}")
    assert pub.flush(20)
    serve.kill()
    for n in range(90, 200):
        pub.prediction({"x": n}, 1, id=f"p{n}", timestamp=now())
    assert not pub.flush(0.5)
    serve.start()
    assert pub.flush(60)
    assert pub.close()
    assert 0 == pub.dropped
    serve.until({("predictions", "read"): 210})
    found = serve.records()
    lost = 200 - found["predictions", "counted"]
    assert 0 == lost


@pytest.mark.parametrize("form", ["arrow", "columns", "rows"])
async def test_batches_give_the_same_counts_as_single_events(serve, form):
    """In every form, from either publisher; a second publishing of the same ids counts nothing."""
    ids = [f"p{n}" for n in range(ROWS)]
    frame = {"x": [n % 7 / 2 for n in range(ROWS)], "city": ["rome", "oslo"] * (ROWS // 2)}
    answers = {"prediction": [0, 1] * (ROWS // 2), "score": [0.25, 0.75] * (ROWS // 2)}
    given = {"model": "m", "version": "1", "batches": form}
    at = now()
    with windage.Publisher(serve.url, **given) as pub:
        pub.predictions(frame, **answers, ids=ids, timestamp=at, tags={"region": "eu"})
        pub.labels(ids, answers["prediction"], timestamp=at)
    async with windage.aio.Publisher(serve.url, **given) as apub:
        await apub.predictions(frame, **answers, ids=ids, timestamp=at, tags={"region": "eu"})
    assert (2 * ROWS, ROWS) == (pub.counts.sent, apub.counts.sent)
    serve.until({("predictions", "counted"): ROWS, ("labels", "joined"): ROWS})
    assert {("predictions", "counted"): ROWS} == {
        key: count
        for key, count in serve.records().items()
        if key[0] == "predictions" and key[1] not in ("read", "duplicate")
    }
