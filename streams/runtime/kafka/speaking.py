"""What a worker says on stderr: its own lines, and of its libraries' many, few.

A broker that is away makes aiokafka and Faust write hundreds of lines, each a symptom. Here they
become one when it begins and one when it is over.

Promises: a warning of a library is shown the first time, then counted for a minute; no payload is
ever shown, because messages of libraries are cut and never carry a traceback.
Leaves to others: the last words of a process (`exits`), figures (`pulse`).
"""

import logging
import sys
import threading
import time
from typing import Final

from streams.runtime.kafka.pulse import Pulse

QUIET_SECONDS: Final = 60.0
"""How long the same complaint is only counted."""

LENGTH: Final = 200
OURS: Final = "streams"

BORROWED: Final = frozenset({"streams.runtime.kafka.faust_app"})
"""Modules of ours in whose name a library speaks, because it names loggers by subclass."""

_LEAST: Final = {"faust": logging.ERROR, "mode": logging.ERROR, OURS: logging.ERROR}
"""They tell the story of their own services in warnings."""

USUAL: Final = (
    "rebalanc",
    "will rejoin",
    "rejoining",
    "UnknownMemberId",
    "IllegalGeneration",
    "keepalive",
    *("Not authorized to read", "unauthorized topics", "AuthorizationFailed"),
)
"""What is said whenever a group changes, or an ACL: `owns partitions` and the last words of a
process (`exits`) say it better."""

AWAY: Final = (
    *("connect to", "Connection", "connection", "Failed fetch messages", "not available"),
    *("Unable to request metadata", "Unable to update metadata", "Timeout", "timed out"),
    *("Heartbeat", "heartbeat", "NodeNotReady", "Coordinator", "coordinator", "request to node"),
    *("OffsetCommit", "Got error produce response", "Send request failed", "No broker metadata"),
    *("disconnected", "Retrying", "marked as dead", "LeaderNotAvailable", "NotLeader"),
)
"""What libraries say when a broker does not answer."""


class Speaker(logging.Handler):
    """Writes lines to stderr; `name` is the role's."""

    def __init__(self, name: str, bootstrap: str, pulse: Pulse) -> None:
        super().__init__(logging.INFO)
        self._name = name
        self._pulse = pulse
        self._bootstrap = bootstrap
        self._guard = threading.Lock()
        self._shown: dict[str, tuple[float, int]] = {}
        self._complaints = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record, or count it."""
        if record.name.partition(".")[0] == OURS and record.name not in BORROWED:
            self._line(record.getMessage())
        elif record.levelno >= _LEAST.get(record.name.partition(".")[0], logging.WARNING):
            self._of_library(record)

    def answered(self) -> None:
        """The broker has just taken or given something."""
        if self._pulse.away_since is None:
            return
        with self._guard:
            since, self._pulse.away_since = self._pulse.away_since, None
            count, self._complaints = self._complaints, 0
        if since is not None:
            self._line(
                f"Kafka answers again after {time.monotonic() - since:.1f} s "
                f"({count} complaints of its client are left out)"
            )

    def _of_library(self, record: logging.LogRecord) -> None:
        said = record.getMessage().partition("\n")[0][:LENGTH]
        now = time.monotonic()
        if any(word in said for word in USUAL):
            return
        if any(word in said for word in AWAY):
            with self._guard:
                self._complaints += 1
                first = self._pulse.away_since is None
                if first:
                    self._pulse.away_since = now
            if first:
                self._line(f"Kafka does not answer at {self._bootstrap}, trying again ({said})")
            return
        # The template, so that one complaint about two partitions is one.
        topic = f"{record.name}:{record.msg}"
        with self._guard:
            at, count = self._shown.get(topic, (-QUIET_SECONDS, 0))
            again = now - at >= QUIET_SECONDS
            self._shown[topic] = (now, 0) if again else (at, count + 1)
        if again:
            more = f" ({count} more like it before)" if count else ""
            self._line(f"{record.name}: {said}{more}")

    def _line(self, text: str) -> None:
        clock = time.strftime("%H:%M:%S")
        print(f"{clock} windage {self._name}: {text}", file=sys.stderr, flush=True)  # noqa: T201


def speak(name: str, bootstrap: str, pulse: Pulse) -> Speaker:
    """Let this process speak through one handler from now on; returns it."""
    speaker = Speaker(name, bootstrap, pulse)
    root = logging.getLogger()
    root.handlers = [speaker]
    root.setLevel(logging.WARNING)
    logging.getLogger(OURS).setLevel(logging.INFO)
    return speaker
