"""Reading the stream of `windage serve` (server-sent events), with the standard library alone.

Promises: after a broken connection it goes on behind the last event read; a cursor file is
replaced as a whole, so that a crash leaves the old or the new one.
Leaves to others: telling repeated events (`subscribing`).
"""

import http.client
import json
import queue
import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from windage.addresses import HttpAddress
from windage.counts import Counts
from windage.sources import Arrived, Event

SILENCE_S: Final = 45.0
"""The server says that it is alive every 15 s; after three of them the line is dead."""

AGAIN_S: Final = 2.0
_WAITING: Final = 1000
_counts: Final = Counts()


class FromHttp:
    """An open stream, read by a thread of its own so that reading can wait with a limit."""

    def __init__(self, address: HttpAddress, topic: str, *, start: str, cursor: str | None) -> None:
        self._address = address
        self._topic = topic
        self._start = start
        self._file = None if cursor is None else Path(cursor)
        self._cursor = ""
        if self._file is not None and self._file.exists():
            self._cursor = self._file.read_text("utf-8").strip()
        self._last = self._cursor
        """The cursor of the last event read, behind which a new connection goes on."""
        self._waiting: queue.Queue[Arrived | Exception] = queue.Queue(_WAITING)
        self._open: deque[str] = deque()
        """Cursors that were handed out, from the first that is not done on."""
        self._done: set[str] = set()
        self._closed = threading.Event()
        self._connection: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None
        connected = self._connect()
        self._thread = threading.Thread(
            target=self._pump, args=(connected,), name="windage-stream", daemon=True
        )
        self._thread.start()

    def read(self, seconds: float) -> Sequence[Arrived]:
        """The next event, if one comes in time. PermissionError or ValueError as `_connect`."""
        try:
            found = self._waiting.get(timeout=seconds)
        except queue.Empty:
            return ()
        if isinstance(found, Exception):
            raise found
        self._open.append(found.place)
        return (found,)

    def owns(self, arrived: Arrived) -> bool:
        """Every reader has a stream of its own."""
        return bool(arrived.place)

    def done(self, arrived: Arrived) -> None:
        """Remember it; `save` writes how far everything is done."""
        self._done.add(arrived.place)
        while self._open and self._open[0] in self._done:
            self._cursor = self._open.popleft()
            self._done.remove(self._cursor)

    def save(self) -> None:
        """Write the cursor file, if there is one."""
        if self._file is not None and self._cursor:
            draft = self._file.with_name(self._file.name + ".new")
            draft.write_text(self._cursor + "\n", "utf-8")
            draft.replace(self._file)

    def close(self) -> None:
        """Save, and end the stream."""
        self._closed.set()
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread, which waits in a read
        while self._thread.is_alive():
            while not self._waiting.empty():
                self._waiting.get_nowait()  # the thread may wait for room
            self._thread.join(0.05)
        self.save()

    def _connect(self) -> http.client.HTTPResponse:
        """An open stream. ConnectionError if nobody answers, others if we may not read."""
        address = self._address
        query = {"topics": self._topic}
        headers = {"Accept": "text/event-stream"}
        if self._last:
            headers["Last-Event-ID"] = self._last
        elif self._start == "earliest":
            query["from"] = "start"
        if address.token is not None:
            headers["Authorization"] = f"Bearer {address.token}"
        if address.tls:
            context = ssl.create_default_context(cafile=address.ca_file)
            self._connection = http.client.HTTPSConnection(
                address.host, address.port, timeout=SILENCE_S, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(
                address.host, address.port, timeout=SILENCE_S
            )
        try:
            self._connection.request(
                "GET", address.path("/v1/stream?" + urlencode(query)), headers=headers
            )
            self._socket = self._connection.sock  # an answer may take it out of the connection
            response = self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise ConnectionError(f"{address} does not answer: {type(error).__name__}") from error
        if response.status != 200:  # noqa: PLR2004
            response.close()
            self._connection.close()
        if response.status in (401, 403):
            raise PermissionError(f"{address} does not let us read (HTTP {response.status})")
        if response.status != 200:  # noqa: PLR2004
            raise ConnectionError(f"{address} answers with HTTP {response.status}")
        return response

    def _pump(self, response: http.client.HTTPResponse) -> None:
        """In the thread: events into the queue; connects again and again."""
        stream: http.client.HTTPResponse | None = response
        while not self._closed.is_set():
            try:
                if stream is None:
                    stream = self._connect()
                for arrived in self._events(stream):
                    self._waiting.put(arrived)
            except PermissionError as error:
                self._waiting.put(error)
                break
            except (OSError, http.client.HTTPException, ValueError) as error:
                if not self._closed.is_set():
                    _counts.tell(f"the stream broke off: {type(error).__name__}")
            if stream is not None:
                stream.close()
                stream = None
            if self._connection is not None:
                self._connection.close()
            self._closed.wait(AGAIN_S)
        if self._connection is not None:
            self._connection.close()

    def _events(self, stream: http.client.HTTPResponse) -> Iterator[Arrived]:
        fields: dict[str, str] = {}
        while not self._closed.is_set():
            line = stream.readline()
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if text:
                name, _, said = text.partition(":")
                fields[name] = said.removeprefix(" ")
                continue
            if "data" in fields and "id" in fields:
                self._last = fields["id"]
                event = _event(fields["data"])
                if event is not None:
                    event.id, event.topic = fields["id"], fields.get("event", self._topic)
                    yield Arrived(event, fields["id"])
            fields = {}


def _event(text: str) -> Event | None:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        _counts.tell("a record of the stream is no event, and was left out")
        return None
    return Event(found)
