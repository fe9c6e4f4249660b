"""Server-sent events: outputs as they are written, resumed where a reader broke off.

Promises: an event's id is a cursor over all topics asked for, so that `Last-Event-ID` continues
with the next event of each topic, none left out and none twice.
Leaves to others: what is written (the machines), who may read (`access`).
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Final

from aiohttp import web

from schemas.log import Record
from streams.web.board import Outputs

TOPICS: Final = ("drift-events", "alerts", "retrain-requests", "rollback-requests", "readings")
DEFAULT_TOPICS: Final = TOPICS[:-1]
READERS: Final = 200
"""Open streams at most."""

BEAT_SECONDS: Final = 15.0
"""A comment is sent this often, so that proxies and readers know the line is alive."""

_PAGE: Final = 500
_CURSOR: Final = re.compile(r"([a-z-]+):(\d{1,18})", re.ASCII)


class Bell:
    """Rung by the machines' thread, heard by every open stream."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.readers = 0

    def ring(self) -> None:
        """Something was written; may be called from any thread."""
        self._loop.call_soon_threadsafe(self._swing)

    def _swing(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    def event(self) -> asyncio.Event:
        """Set at the next ring."""
        return self._event


def read_cursor(text: str, topics: Sequence[str]) -> dict[str, int] | None:
    """The last offset read of each topic, from an event id; None if it is no cursor."""
    parts = text.split(",")
    found = [_CURSOR.fullmatch(part) for part in parts]
    if not text or None in found:
        return None
    offsets = {match[1]: int(match[2]) for match in found if match is not None}
    return {topic: offsets.get(topic, -1) for topic in topics}


def write_cursor(cursor: Mapping[str, int]) -> str:
    """An event id; topics of which nothing was read are left out."""
    return ",".join(f"{topic}:{offset}" for topic, offset in cursor.items() if offset >= 0)


async def serve(
    request: web.Request, source: Outputs, bell: Bell, cursor: dict[str, int]
) -> web.StreamResponse:
    """Write events behind `cursor`, and go on until the reader leaves."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    )
    bell.readers += 1
    try:
        await response.prepare(request)
        await response.write(b"retry: 2000\n\n")
        clock = asyncio.get_running_loop().time
        wrote = clock()
        while True:
            ring = bell.event()  # before reading, so that what is written meanwhile rings it
            while await _send_page(response, source, cursor):
                wrote = clock()
            # Since the last word to this reader: a ring may be about topics it did not ask for.
            left = wrote + BEAT_SECONDS - clock()
            try:
                await asyncio.wait_for(ring.wait(), max(0.0, left))
            except TimeoutError:
                await response.write(b": alive\n\n")
                wrote = clock()
    except ConnectionResetError:
        return response
    finally:
        bell.readers -= 1


async def _send_page(response: web.StreamResponse, source: Outputs, cursor: dict[str, int]) -> bool:
    """Send some events of each topic; gives whether there were any."""
    sent = False
    for topic, after in list(cursor.items()):
        records = await asyncio.to_thread(source.outputs, topic, after, _PAGE)
        parts = []
        for record in records:
            cursor[topic] = record.offset
            parts.append(_event(topic, record, write_cursor(cursor)))
        if parts:
            await response.write(b"".join(parts))
            sent = True
    return sent


def _event(topic: str, record: Record, cursor: str) -> bytes:
    text = (record.value or b"null").replace(b"\n", b" ")
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (cursor.encode(), topic.encode(), text)
