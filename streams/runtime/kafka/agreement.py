"""Agreement: in which epoch each model is, and whether this worker may count or judge in it.

Promises: nobody counts by a config that the others do not know: whoever comes first with a new one
announces the epoch with its place in every log, and of two announcements the first in the topic
stands. A config that was given up is refused, so that a worker that was left behind stops; the way
back to it is a reset.
Leaves to others: what an epoch means to a machine, restoring (`recovery`), resets (`reset`).
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from aiokafka import AIOKafkaProducer

from schemas import epoch as epochs
from schemas.epoch import Epoch
from schemas.instants import rfc3339
from streams.profiler.places import places
from streams.runtime.epochs import announcement, following, sentence, starts_of
from streams.runtime.kafka import restore
from streams.runtime.kafka.exits import RefusedError, UnreachableError
from streams.runtime.kafka.settings import Settings
from streams.snapshot import Found, SnapshotError

WAIT_SECONDS: Final = 30.0
"""How long a monitor with a new config waits for a profiler that has it, too."""

LOOK_SECONDS: Final = 0.5

Latest = Callable[[], Awaitable[Sequence[bytes]]]
"""All references up to the present end of their topic, oldest first."""

_log = logging.getLogger(__name__)


class Agreement:
    """Of one worker, about the models of its config."""

    def __init__(self, settings: Settings, role: str, inputs: Sequence[str]) -> None:
        self._settings, self._role, self._inputs = settings, role, inputs
        self._now = hashes_of(settings.config)

    async def reached(
        self, chosen: Mapping[int, Found | None], latest: Latest, producer: AIOKafkaProducer | None
    ) -> Sequence[bytes]:
        """Return the references by which every model is counted as our config says.

        `chosen`: the snapshots of our partitions. RefusedError: our config was given up, or cannot
        follow the present one.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            references = await latest()
            changed = self._changed(chosen, references)
            if not changed:
                return references
            if self._role == "profiler" and producer is not None:
                await self._announce(changed, producer)
            elif time.monotonic() > deadline:
                names = ", ".join(sorted(changed))
                raise UnreachableError(
                    f"the config of {names} has changed in what is counted, and no profiler counts"
                    " by it yet: start the profilers with this config, or go back to the former one"
                )
            else:
                await asyncio.sleep(LOOK_SECONDS)

    def _changed(
        self, chosen: Mapping[int, Found | None], references: Sequence[bytes]
    ) -> dict[str, tuple[Epoch | None, str]]:
        """The models that are to be counted anew, with their present epoch and its hash."""
        lines = epochs.epochs_of(references)
        stored = [one.meta.config for one in chosen.values() if one is not None and one.snapshot]
        was = {model: one for each in stored for model, one in hashes_of(each).items()}
        changed: dict[str, tuple[Epoch | None, str]] = {}
        for model, counted in self._now.items():
            line = lines.get(model, ())
            last = line[-1] if line else None
            present = last.counted if last is not None else was.get(model, counted)
            if present == counted:
                continue
            if last is not None and counted in {
                hash_ for e in line for hash_ in (e.before, e.counted)
            }:
                raise RefusedError(
                    f"model {model} is counted by another config since {rfc3339(last.since)} (epoch"
                    f" {last.number}), which took the place of this one: start this worker with the"
                    f" present config; to go back to this one{restore.RESET_HINT[1:]}"
                )
            changed[model] = last, present
        return changed

    async def _announce(
        self, changed: Mapping[str, tuple[Epoch | None, str]], producer: AIOKafkaProducer
    ) -> None:
        """Let epochs begin where the states of all partitions have come to."""
        states, begins = await self._places()
        since = time.time_ns() // 1_000_000
        for model, (last, before) in sorted(changed.items()):
            starts = starts_of(model, states, begins, last)
            epoch = following(last, model, self._now[model], before, since, starts)
            _log.warning("%s", sentence(epoch))
            await announce(producer, self._settings.names["references"], epoch)

    async def _places(
        self,
    ) -> tuple[dict[int, Mapping[str, Mapping[str, int]]], dict[int, Mapping[str, int]]]:
        """How far each partition has counted each model, and where its logs begin."""
        settings, numbers = self._settings, range(self._settings.partitions)
        consumer = restore.detached_consumer(settings.connection)
        await consumer.start()
        try:
            inputs = {log: settings.names[log] for log in self._inputs}
            bounds = await restore.read_bounds(consumer, inputs, numbers)
            stored = await restore.read_state(consumer, settings.state_topic, numbers)
        finally:
            await consumer.stop()
        states: dict[int, Mapping[str, Mapping[str, int]]] = {}
        begins: dict[int, Mapping[str, int]] = {}
        for number in numbers:
            found = restore.choose(stored[number], settings.secret)
            begin = bounds[number].begins
            begins[number] = begin
            if found is None:
                continue
            restore.check_meta(found.meta, bounds[number], settings.topics)
            begins[number] = {log: found.meta.start.get(log, at) for log, at in begin.items()}
            if found.snapshot:
                try:
                    states[number] = places(found.snapshot)
                except SnapshotError as error:
                    raise RefusedError(
                        f"the snapshot of partition {number} cannot be used: {error}"
                        f"{restore.RESET_HINT}"
                    ) from None
        return states, begins


async def announce(producer: AIOKafkaProducer, topic: str, epoch: Epoch) -> None:
    """Append an epoch durably."""
    said = announcement(epoch)
    sent = await producer.send(topic, said.value, key=said.key, partition=said.partition)
    await sent


def hashes_of(config: str) -> dict[str, str]:
    """What names the way of counting of each model, of `name=hash` of each (see `process`)."""
    return dict(part.rsplit("=", 1) for part in config.split())
