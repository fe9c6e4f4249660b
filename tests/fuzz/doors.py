"""Doors: the ways a record comes in, each as a function from records to what became of them."""

import io
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from schemas.config import Config
from schemas.log import INPUT_LOGS, Record
from streams.profiler import Profiler
from streams.runtime.assembly import open_embedded
from streams.runtime.roles import ProfilerRole
from streams.web.access import Access, guard
from streams.web.receiving import BODY_BYTES, Receiver
from tests.laws.world import BASELINE, MODEL

ACCEPTED = 202


class Met(NamedTuple):
    """What a door made of records: codes by (log, bytes), the books by log, and the journal.

    `unlogged` were refused by the answer, so that no log has them.
    """

    codes: dict[tuple[str, bytes], list[str]]
    books: dict[str, dict[str, int]]
    journal: Sequence[bytes] = ()
    unlogged: Sequence[bytes] = ()


def config(other=False):
    """One model that takes milliseconds, or two."""
    model = {
        "task": "binary",
        "pane": "60s",
        "lateness": "30s",
        "timestamps": "ms",
        "labels": {"horizon": "1d"},
        "features": {"x": "numeric", "c": "categorical"},
        "segments": ["region"],
        "classes": [0, 1],
    }
    models = {MODEL: model, **({"other": model} if other else {})}
    return Config.model_validate({"models": models})


def codes_of(letters):
    """The codes of dead letters by log and bytes."""
    found = {}
    for letter in letters:
        headers = dict(letter.headers)
        place = headers["__connect.errors.topic"].decode(), letter.value
        found.setdefault(place, []).append(headers["windage.error.code"].decode())
    return found


def by_log(items, now):
    """Records of each log, in order."""
    out = {log: [] for log in INPUT_LOGS}
    for item in items:
        records = out[item.log]
        records.append(
            Record(
                offset=len(records),
                timestamp=now,
                key=item.key,
                value=item.value,
                headers=item.headers,
            )
        )
    return out


def stepped(items, now, *, others=False, size=1 << 30):
    """What a profiler makes of them, in batches of `size`; `others`: it counts two models."""
    role = ProfilerRole(config(others), {MODEL: BASELINE})
    profiler: Profiler = role.fresh(0, 1)
    for log, records in by_log(items, now).items():
        for begin in range(0, len(records), size):
            profiler.step(log, records[begin : begin + size])
    for log in INPUT_LOGS:
        profiler.tick(log, now + 3 * 86_400_000)
    out = profiler.flush()
    letters = [one for one in out if one.topic == "dead-letters"]
    journal = [one.value for one in out if one.topic == "journal"]
    books = {log: msgspec.structs.asdict(one) for log, one in profiler.accounting().items()}
    return Met(codes_of(letters), books, journal)


def appended(items, directory):
    """What the embedded runtime makes of them."""
    runtime = open_embedded(config(), {MODEL: BASELINE}, directory)
    try:
        for item in items:
            runtime.append(item.log, item.key, item.value, item.headers)
        runtime.run_until_idle()
        letters = runtime.outputs("dead-letters", limit=1 << 20)
        return Met(codes_of(letters), runtime.accounting())
    finally:
        runtime.stop()


async def posted(items, directory):
    """What HTTP makes of them, each a request of its own: codes of answers, and of dead letters."""
    runtime = open_embedded(config(), {MODEL: BASELINE}, directory)
    door = guard(Access(rate=1_000_000))
    receiver = Receiver(runtime)
    app = web.Application(middlewares=[door], client_max_size=BODY_BYTES)

    async def received(request):
        return await receiver.receive(request, request.match_info["log"])

    app.router.add_post("/{log}", received)
    refused: dict[tuple[str, bytes], list[str]] = {}
    runtime.intake.start()
    try:
        async with TestClient(TestServer(app)) as client:
            for item in items:
                answer = await client.post(
                    f"/{item.log}", data=io.BytesIO(item.value), headers=_sent(item)
                )
                if answer.status != ACCEPTED:
                    code = (await answer.json())["error"]["code"]
                    refused.setdefault((item.log, item.value), []).append(code)
        runtime.intake.stop()
        runtime.run_until_idle()
        letters = codes_of(runtime.outputs("dead-letters", limit=1 << 20))
        unlogged = [value for _, value in refused]
        return Met(refused | letters, runtime.accounting(), unlogged=unlogged)
    finally:
        runtime.stop()


def _sent(item):
    headers = {name.replace("ce_", "ce-"): text.decode() for name, text in item.headers}
    return {"content-type": "application/json", **headers}
