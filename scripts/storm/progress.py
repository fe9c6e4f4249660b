"""An outsider's view of the workers: how far they have committed, and how soon after a fault.

Promises: asks the broker past the proxy; a broker that is away is waited for.
Leaves to others: what too slow means (`run`).
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition

LOOK_S: Final = 0.5
ANSWER_S: Final = 5.0
GROUPS: Final = {
    "storm-profiler": ("predictions", "labels", "metrics", "model-events"),
    "storm-monitor": ("journal",),
}
Offsets = Mapping[TopicPartition, int]


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen at an instant (monotonic): committed offsets and log ends of each group."""

    at: float
    committed: dict[str, Offsets]
    ends: dict[str, Offsets]

    def lag(self, group: str) -> int:
        """Records of a group's logs that no committed offset has passed."""
        committed = self.committed[group]
        return sum(end - committed.get(tp, 0) for tp, end in self.ends[group].items())


class Watcher:
    """Looks again and again, and remembers the newest view."""

    def __init__(self, direct: int, partitions: int) -> None:
        self._server = f"127.0.0.1:{direct}"
        self._tps = {
            group: [TopicPartition(topic, n) for topic in topics for n in range(partitions)]
            for group, topics in GROUPS.items()
        }
        self.view: View | None = None
        self._last = "it answers"

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self._follow()
            except Exception as error:  # noqa: BLE001 - clients of a broker that dies say all sorts
                self._last = repr(error)
            await asyncio.sleep(LOOK_S)

    async def _follow(self) -> None:
        """Look until the broker does not answer."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._server, request_timeout_ms=4_000)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._server, enable_auto_commit=False, request_timeout_ms=4_000
        )
        try:
            async with asyncio.timeout(2 * ANSWER_S):
                await admin.start()
                await consumer.start()
            while True:
                async with asyncio.timeout(ANSWER_S):
                    self.view = await self._look(admin, consumer)
                await asyncio.sleep(LOOK_S)
        finally:
            for end in (consumer.stop, admin.close):
                with suppress(Exception):
                    async with asyncio.timeout(ANSWER_S):
                        await end()

    async def _look(self, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer) -> View:
        committed = {}
        for group in GROUPS:
            told = await admin.list_consumer_group_offsets(group)
            committed[group] = {tp: max(0, mark.offset) for tp, mark in told.items()}
        ends = {group: await consumer.end_offsets(tps) for group, tps in self._tps.items()}
        return View(at=time.monotonic(), committed=committed, ends=ends)

    async def newer(self, than: float, patience_s: float = 120.0) -> View:
        """The first view taken after an instant (monotonic). TimeoutError if none comes."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if self.view is not None and self.view.at > than + LOOK_S:
                return self.view
            await asyncio.sleep(0.1)
        raise TimeoutError(f"nobody has seen the broker for {patience_s:g} s: {self._last}")

    async def all_moving(self, patience_s: float = 90.0) -> None:
        """Wait until every group has committed something. TimeoutError if one does not."""
        async with asyncio.timeout(patience_s):
            while True:
                if self.view is not None and all(map(any, self._marks(self.view))):
                    return
                await asyncio.sleep(0.2)

    def _marks(self, view: View) -> list[list[int]]:
        return [list(view.committed[group].values()) for group in self._tps]


class Recovery(msgspec.Struct, kw_only=True):
    """How a group came back after a fault: seconds to its first progress, and to the end."""

    ended: float
    marks: dict[str, Offsets]
    """Log ends when the fault ended: what must be read."""
    floor: dict[str, Offsets]
    """Committed offsets when the fault ended."""
    progress_s: dict[str, float] = {}
    caught_up_s: dict[str, float] = {}

    def see(self, view: View) -> None:
        """Note what a view shows for the first time."""
        since = view.at - self.ended
        if since < 0:
            return
        for group, marks in self.marks.items():
            committed, floor = view.committed[group], self.floor[group]
            behind = any(committed.get(tp, 0) < end for tp, end in marks.items())
            moved = any(at > floor.get(tp, 0) for tp, at in committed.items())
            if moved or not behind:
                self.progress_s.setdefault(group, since)
            if not behind:
                self.caught_up_s.setdefault(group, since)
