"""The demo through the embedded runtime: one SQLite file in a scratch folder.

Promises: records are appended as fast as they are read, and outputs handed on as they are
committed; what the machines cannot do is raised, not waited for.
Leaves to others: what comes (`story`), what is printed (`show`).
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import orjson

from schemas.log import INPUT_LOGS, Millis
from streams.cli.demo.story import MODEL, Story
from streams.cli.serve import open_runtime
from streams.runtime.crank import Accounts
from streams.runtime.embedded import Embedded
from streams.runtime.recordings.recording import Chunk
from streams.runtime.replay import END_HEADERS
from streams.runtime.sqlite_log import Entry

Take = Callable[[str, bytes], None]
"""Takes an output: its topic and value."""

TOPICS: Final = (
    "readings",
    "drift-events",
    "alerts",
    "retrain-requests",
    "rollback-requests",
    "dead-letters",
)
"""What the demo listens to, in the order in which it is told of one pane."""

AHEAD: Final = 20_000
"""Records that wait to be judged, beyond which no more are appended."""

_LOOK_SECONDS: Final = 0.1
_PAGE: Final = 1_000


class EmbeddedStage:
    """One run of the story."""

    def __init__(self, story: Story, directory: Path) -> None:
        self.story = story
        self.runtime: Embedded = open_runtime(story.config, {MODEL: story.baseline}, directory)
        self._after = dict.fromkeys(TOPICS, -1)
        self._appended = 0

    def play(self, take: Take, fed: Callable[[Chunk], None]) -> Accounts:
        """Append all there is, and hand on what comes of it; the runtime goes on afterwards."""
        self.runtime.start()
        last: Millis = 0
        for chunk in self.story.chunks():
            self._append(self._entries(chunk))
            last = chunk.last
            fed(chunk)
            while sum(self.runtime.backlog().values()) > AHEAD:
                self._listen(take)
            self._hand_on(take)
        self._append(self._ends(last))
        while self._judged() < self._appended:
            self._listen(take)
        self._hand_on(take)
        return self.runtime.accounting()

    def close(self) -> None:
        """Stop the runtime."""
        self.runtime.stop()

    def _append(self, entries: Sequence[Entry]) -> None:
        self.runtime.append_many(entries)
        self._appended += len(entries)

    def _entries(self, chunk: Chunk) -> list[Entry]:
        return [
            self.runtime.entry(log, key, value, timestamp=time)
            for log, one in chunk.entries.items()
            for time, key, value in zip(one.times, one.keys, one.values, strict=True)
        ]

    def _ends(self, last: Millis) -> list[Entry]:
        value = end_of_stream(last)
        return [
            Entry(
                log=log,
                key=MODEL.encode(),
                value=value,
                headers=END_HEADERS,
                timestamp=last,
                partition=partition,
            )
            for log in INPUT_LOGS
            for partition in range(self.runtime.log.partitions)
        ]

    def _judged(self) -> int:
        """Records whose outputs are committed."""
        return sum(one.get("read", 0) for one in self.runtime.accounting().values())

    def _listen(self, take: Take) -> None:
        if self.runtime.failure is not None:
            raise self.runtime.failure
        time.sleep(_LOOK_SECONDS)
        self._hand_on(take)

    def _hand_on(self, take: Take) -> None:
        """Outputs since the last time, pane by pane (their time is the end of their pane)."""
        news: list[tuple[Millis, str, bytes]] = []
        for topic in TOPICS:
            while records := self.runtime.outputs(topic, self._after[topic], _PAGE):
                self._after[topic] = records[-1].offset
                news += [(record.timestamp, topic, record.value or b"") for record in records]
        for _, topic, value in sorted(news, key=lambda one: one[0]):
            take(topic, value)


def end_of_stream(last: Millis) -> bytes:
    """The record that ends a log of the model."""
    return orjson.dumps(
        {"model": MODEL, "type": "end_of_stream", "timestamp": last, "id": "end-of-stream"}
    )
