"""`POST /v1/drill`: a drill through the outputs of a running server, which alone may write them.

Promises: what is written is that of `windage drill`, durable before the answer; readers of the
stream and the sinks of this process have it as they have any output.
Leaves to others: its records (`installation.drill`), who may ask (`access`).
"""

import asyncio
import time
from typing import Final

import msgspec
from aiohttp import web

from schemas.inputs import is_name
from schemas.log import Output
from schemas.vocabulary import Severity
from streams.runtime.embedded import Embedded
from streams.runtime.installation import drill
from streams.web.access import problem
from streams.web.running import Runtime
from streams.web.views import answer

_LARGEST: Final = 4_096
"""Bytes of a request."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is drilled."""

    model: str
    version: str = "drill"
    severity: Severity = "red"
    rollback: bool = False


async def receive(request: web.Request, runtime: Runtime) -> web.Response:
    """Write a drill; 201 with its incident and the topics it is in."""
    if not isinstance(runtime, Embedded):
        return problem(409, "elsewhere", "these pages follow Kafka; say the drill with --config")
    body = await request.content.read(_LARGEST + 1)
    try:
        wanted = msgspec.json.decode(body, type=Wanted)
    except msgspec.MsgspecError:
        return problem(400, "malformed", "needs model; takes version, severity, rollback")
    if len(body) > _LARGEST or not (is_name(wanted.model) and is_name(wanted.version)):
        return problem(400, "name", "names have up to 128 letters, digits and _ . : -")
    letters = drill.letters(
        wanted.model,
        wanted.version,
        time.time_ns() // 1_000_000,
        severity=wanted.severity,
        rollback=wanted.rollback,
    )
    outputs = [
        Output(topic=one.topic, key=one.key, value=one.value or b"", headers=tuple(one.headers))  # type: ignore[arg-type]  # topics of outputs
        for one in letters
    ]
    await asyncio.to_thread(runtime.log.commit, [(one, 0) for one in outputs], {})
    for observe in [*runtime.observers]:
        observe()
    told = {
        "drill": True,
        "incident_id": (letters[-1].key or b"").decode(),
        "topics": [one.topic for one in letters],
    }
    return answer(told, 201)
