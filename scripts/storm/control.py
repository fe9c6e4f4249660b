"""The control arm: the harness must see a program that counts twice.

Promises: the same broker, the same predictions, kill -9 as in F1; what is reported is how many
rows the table counted beyond those that are in the log.
"""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from scripts.storm.broker import ROOT
from scripts.storm.table_app import APP
from scripts.storm.world import PARTITIONS

CHANGELOG: Final = f"{APP}-counts-changelog"
PATIENCE_S: Final = 180.0
AHEAD_S: Final = 60.0
LET_GO_S: Final = 0.4


async def double_counted(direct: int, folder: Path, kills: int) -> dict[str, int]:
    """Count the predictions in a Faust table, ended by kill -9 so many times on the way."""
    app = _App(direct, folder)
    try:
        done = 0
        while done < kills:
            before = await app.appended()
            app.start()
            if not await app.grown(before):
                break  # everything was counted already
            await app.ahead()
            app.kill()
            done += 1
        app.start()
        counted = await app.final()
    finally:
        app.kill()
    wanted = await app.ends("predictions")
    double = sum(max(0, counted.get(n, 0) - end) for n, end in wanted.items())
    lost = sum(max(0, end - counted.get(n, 0)) for n, end in wanted.items())
    return {"events": sum(wanted.values()), "kills": done, "double_counted": double, "lost": lost}


class _App:
    """One process of the table app, and its changelog."""

    def __init__(self, direct: int, folder: Path) -> None:
        self._direct = direct
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "control.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "scripts.storm.table_app", str(self._direct)),
                    str(self._folder / "control"),
                ],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def ends(self, topic: str) -> dict[int, int]:
        """The end of each partition's log, nothing where there is no such topic yet."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=f"127.0.0.1:{self._direct}", enable_auto_commit=False
        )
        await consumer.start()
        try:
            if topic not in await consumer.topics():
                return {}
            tps = [TopicPartition(topic, n) for n in range(PARTITIONS)]
            return {tp.partition: end for tp, end in (await consumer.end_offsets(tps)).items()}
        except KafkaError:
            return {}
        finally:
            await consumer.stop()

    async def appended(self) -> int:
        """Records in the changelog."""
        return sum((await self.ends(CHANGELOG)).values())

    async def grown(self, before: int) -> bool:
        """Wait until the app counts again; whether it did."""
        deadline = time.monotonic() + PATIENCE_S / 3
        while time.monotonic() < deadline:
            if await self.appended() > before:
                return True
            await asyncio.sleep(0.5)
        return False

    async def ahead(self) -> None:
        """Wait, within a bound, until the table holds rows that no committed offset covers.

        The app stands still while we look: on a busy machine it would commit before it is killed.
        """
        deadline = time.monotonic() + AHEAD_S
        while time.monotonic() < deadline:
            self._signal(signal.SIGSTOP)
            committed = await self._committed()
            if any(count > committed.get(n, 0) for n, count in (await self._values()).items()):
                return
            self._signal(signal.SIGCONT)
            await asyncio.sleep(LET_GO_S)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    async def final(self) -> dict[int, int]:
        """The counts by partition once the app has committed everything; what there is, if not."""
        wanted, before = await self.ends("predictions"), -1
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            committed = await self._committed()
            if all(committed.get(number, 0) >= end for number, end in wanted.items()):
                break
            if sum(committed.values()) > before:  # slow is not stuck
                before, deadline = sum(committed.values()), time.monotonic() + PATIENCE_S
            await asyncio.sleep(1.0)
        return await self._values()

    async def _committed(self) -> dict[int, int]:
        admin = AIOKafkaAdminClient(bootstrap_servers=f"127.0.0.1:{self._direct}")
        await admin.start()
        try:
            told = await admin.list_consumer_group_offsets(APP)
        finally:
            await admin.close()
        return {tp.partition: mark.offset for tp, mark in told.items() if tp.topic == "predictions"}

    async def _values(self) -> dict[int, int]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=f"127.0.0.1:{self._direct}",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await consumer.start()
        counts: dict[int, int] = {}
        try:
            for number, end in (await self.ends(CHANGELOG)).items():
                tp = TopicPartition(CHANGELOG, number)
                consumer.assign([tp])
                if end:
                    consumer.seek(tp, end - 1)
                while end and number not in counts:
                    for record in (await consumer.getmany(tp, timeout_ms=500)).get(tp, []):
                        counts[number] = int(record.value)
        finally:
            await consumer.stop()
        return counts
