"""The demo through a real broker and the workers, as they run in production.

Promises: topics and groups of this run alone (a prefix of its own), so that a shared broker is
left as it was but for them; what was started is stopped; the end is known from the outputs and the
states on the broker, not guessed from a pause.
Leaves to others: what comes (`story`), the workers (`runtime.kafka`), the broker
(`scripts/kafka`).
"""

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from kafka import KafkaProducer

from schemas.config import Config
from schemas.instants import parse
from schemas.log import INPUT_LOGS, Millis
from streams import snapshot as snapshots
from streams.cli import console
from streams.cli.baselines import write_baseline
from streams.cli.configured import load_config
from streams.cli.demo.broker import Broker, Reached
from streams.cli.demo.embedded import TOPICS, Take, end_of_stream
from streams.cli.demo.story import MODEL, Story, example
from streams.cli.endings import BROKEN, OperatorError
from streams.runtime import topics
from streams.runtime.crank import Accounts
from streams.runtime.kafka.connection import connection_of
from streams.runtime.kafka.process import settings_of
from streams.runtime.kafka.restore import detached_consumer, read_state
from streams.runtime.partitions import partition_of
from streams.runtime.recordings.recording import Chunk
from streams.runtime.replay import END_HEADERS
from streams.runtime.roles import ProfilerRole

_STOP_SECONDS: Final = 40.0
_SILENT_SECONDS: Final = 120.0
"""Without any output for so long, the workers count as stuck."""

_POLL_MS: Final = 20


class KafkaStage:
    """One run of the story over a broker."""

    def __init__(
        self, story: Story, scratch: Path, bootstrap: str | None, config: Path | None = None
    ) -> None:
        """Without `bootstrap` and `config` (whose broker it is then): a broker of our own."""
        self.story = story
        self._scratch = scratch
        self._broker = Broker(scratch, bootstrap, config)
        self._worker: subprocess.Popen[bytes] | None = None
        self._loop = asyncio.Runner()
        self._outputs: AIOKafkaConsumer | None = None
        self._decided: Millis = 0
        try:
            self.config = self._configure(self._broker.start())
            topics.create(self.config)
            self._start_worker()
        except BaseException:
            self.close()
            raise

    def play(self, take: Take, fed: Callable[[Chunk], None]) -> Accounts:
        """Write all there is, and hand on what the workers make of it."""
        self._outputs = self._loop.run(self._listen())
        last = self._write(take, fed)
        over = (last // self.story.pane + 1) * self.story.pane
        silent = time.monotonic() + _SILENT_SECONDS
        while self._decided < over:
            if self._hand_on(take):
                silent = time.monotonic() + _SILENT_SECONDS
            self._check(silent)
        self._stop_worker()
        # The last cycle of the workers may have written more than was read so far.
        while self._hand_on(take, patience_ms=1_000):
            pass
        return self._loop.run(self._accounts())

    def close(self) -> None:
        """Stop whatever was started."""
        self._stop_worker()
        if self._outputs is not None:
            self._loop.run(self._outputs.stop())
            self._outputs = None
        self._loop.close()
        self._broker.stop()

    @property
    def worker_pid(self) -> int:
        """The process that keeps the workers running."""
        assert self._worker is not None
        return self._worker.pid

    # -- before ----------------------------------------------------------------------------------

    def _configure(self, reached: Reached) -> Config:
        """The example's config for this broker, in a file for the workers."""
        written = yaml.safe_load((example() / "windage.yaml").read_text(encoding="utf-8"))
        # Names begin as theirs do, so that permissions for a prefix are enough.
        name = f"{reached.group}-demo-{secrets.token_hex(4)}"
        written["app"] = name
        written["kafka"] = {**reached.section, "group": name}
        written["topics"] |= {
            "prefix": f"{reached.prefix}{name}.",
            "replication": reached.replication,
        }
        written["models"][MODEL]["reference"]["path"] = f"{MODEL}.reference"
        write_baseline(self._scratch / f"{MODEL}.reference", self.story.baseline)
        path = self._scratch / "windage.yaml"
        path.write_text(yaml.safe_dump(written, sort_keys=False), encoding="utf-8")
        return load_config(path)

    def _start_worker(self) -> None:
        command = [sys.executable, "-m", "streams.cli", "worker"]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
        with (self._scratch / "worker.log").open("wb") as log:
            self._worker = subprocess.Popen(  # noqa: S603 - our own program
                [*command, "--config", str(self._scratch / "windage.yaml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        console.say(f"workers started, process {self._worker.pid}")

    def _name(self, topic: Any) -> str:  # noqa: ANN401 - a word of the vocabulary
        return self.config.topics.name(topic)

    def _client(self) -> dict[str, Any]:
        return connection_of(self.config.kafka).kafka_python()

    # -- records ---------------------------------------------------------------------------------

    def _write(self, take: Take, fed: Callable[[Chunk], None]) -> Millis:
        """Write the records; gives the last instant."""
        producer = KafkaProducer(**self._client(), acks="all", linger_ms=20, batch_size=256 * 1024)
        partitions = self.config.topics.partitions
        last: Millis = 0
        # What a person says acts at its own time, so it may come first; written late, it could be
        # read after the panes it is about.
        chunks = list(self.story.chunks())
        for chunk in chunks:
            self._send(producer, "model-events", chunk, partitions)
        producer.flush()
        for chunk in chunks:
            for log in ("predictions", "labels", "metrics"):
                self._send(producer, log, chunk, partitions)
            last = chunk.last
            fed(chunk)
            self._hand_on(take)
            self._check(time.monotonic() + 1)
        for log in INPUT_LOGS:
            for partition in range(partitions):
                producer.send(
                    self._name(log),
                    key=MODEL.encode(),
                    value=end_of_stream(last),
                    headers=list(END_HEADERS),
                    partition=partition,
                    timestamp_ms=last,
                )
        producer.flush()
        producer.close()
        return last

    def _send(self, producer: KafkaProducer, log: str, chunk: Chunk, partitions: int) -> None:
        entries = chunk.entries.get(log)
        if entries is None:
            return
        name = self._name(log)
        for at, key, value in zip(entries.times, entries.keys, entries.values, strict=True):
            partition = partition_of(key, partitions)
            producer.send(name, key=key, value=value, partition=partition, timestamp_ms=at)

    async def _listen(self) -> AIOKafkaConsumer:
        """A consumer of the outputs from their beginning; readings say how far it is."""
        consumer = detached_consumer(connection_of(self.config.kafka))
        await consumer.start()
        partitions = range(self.config.topics.partitions)
        names = [self._name(topic) for topic in TOPICS]
        consumer.assign([TopicPartition(name, number) for name in names for number in partitions])
        return consumer

    def _hand_on(self, take: Take, patience_ms: int = _POLL_MS) -> bool:
        """Hand on the outputs that have come, pane by pane; gives whether there were any."""
        assert self._outputs is not None
        logical = {self._name(topic): topic for topic in TOPICS}
        polled = self._loop.run(self._outputs.getmany(timeout_ms=patience_ms, max_records=5_000))
        news: list[tuple[Millis, int, str, bytes]] = []
        for record in self._records(polled):
            said = dict(record.headers or ()).get("ce_time")
            at = parse(said.decode()) if said else 0
            if record.topic in logical:
                topic = logical[record.topic]
                news.append((at, TOPICS.index(topic), topic, record.value or b""))
            self._decided = max(self._decided, at)
        for _, _, topic, value in sorted(news, key=lambda one: one[:2]):
            take(topic, value)
        return bool(polled)

    @staticmethod
    def _records(polled: Mapping[Any, list[Any]]) -> Iterator[Any]:
        for records in polled.values():
            yield from records

    # -- after -----------------------------------------------------------------------------------

    def _check(self, silent: float) -> None:
        """OperatorError if the workers have ended, or say nothing any more."""
        assert self._worker is not None
        code = self._worker.poll()
        if code is not None or time.monotonic() > silent:
            lines = (self._scratch / "worker.log").read_text("utf-8", "replace").splitlines()
            what = "are silent" if code is None else f"ended with {code}"
            raise OperatorError(f"the workers {what}: {' | '.join(lines[-3:])}", code or BROKEN)

    def _stop_worker(self) -> None:
        if self._worker is not None and self._worker.poll() is None:
            self._worker.terminate()
            try:
                self._worker.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._worker.kill()
                self._worker.wait()

    async def _accounts(self) -> Accounts:
        """What the profilers say of every record they read, from the states they left."""
        settings = settings_of(self.config, "profiler")
        consumer = detached_consumer(connection_of(self.config.kafka))
        await consumer.start()
        try:
            numbers = range(self.config.topics.partitions)
            stored = await read_state(consumer, self._name("profiler-state"), numbers)
        finally:
            await consumer.stop()
        role = ProfilerRole(self.config, {MODEL: self.story.baseline})
        total: Accounts = {}
        for partition, records in stored.items():
            found = snapshots.assemble(records, secret=settings["secret"])
            if found is None:
                continue
            machine = role.restored(partition, len(numbers), found.snapshot)
            for log, tally in machine.accounting().items():
                own = total.setdefault(log, {})
                for outcome, count in msgspec.to_builtins(tally).items():
                    own[outcome] = own.get(outcome, 0) + count
        return total
