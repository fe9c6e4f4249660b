"""From partition numbers to tenures: set aside and still the newest, restored, or new.

Promises: a state kept in memory is used again only if nobody has stored anything since; every
other one comes from the state topic, compared with the logs before it is used.
Leaves to others: reading and judging snapshots (`restore`), when to recover (`worker`).
"""

import logging
from collections.abc import Callable, MutableMapping, Sequence
from typing import Protocol

from aiokafka import AIOKafkaProducer

from streams.runtime.kafka import restore
from streams.runtime.kafka.agreement import Agreement, Latest
from streams.runtime.kafka.exits import RefusedError
from streams.runtime.kafka.settings import Settings
from streams.runtime.kafka.tenure import Ledger, Stored, Tenure
from streams.runtime.machine import Machine, Role
from streams.snapshot import Found, SnapshotError, SupersededError

_log = logging.getLogger(__name__)


class Committed(Protocol):
    """Asks the group for its progress mark of one log of one partition."""

    async def __call__(self, log: str, partition: int) -> int | None:
        """Return the committed offset, None if there is none."""


class InformedRole(Role, Protocol):
    """A role that can be told what is in the `references` topic, which no snapshot repeats."""

    def know(self, references: Sequence[bytes]) -> None:
        """Make machines that know these references, and no others, from now on."""


class Recovery:
    """Makes tenures."""

    def __init__(
        self,
        settings: Settings,
        role: InformedRole,
        committed: Committed,
        progress: Callable[[], None],
    ) -> None:
        """`progress` is called at every step, so that a long restore is not taken for a stall."""
        self._settings = settings
        self._role = role
        self._committed = committed
        self._progress = progress
        self._agreement = Agreement(settings, role.name, role.inputs)
        self._ledger = Ledger(
            state_topic=settings.state_topic,
            names=settings.names,
            topics=settings.topics,
            config=settings.config,
            chunk_bytes=settings.chunk_bytes,
            secret=settings.secret,
        )

    async def tenures(
        self,
        partitions: set[int],
        aside: MutableMapping[int, Tenure],
        latest: Latest,
        producer: AIOKafkaProducer,
    ) -> dict[int, Tenure]:
        """Return a tenure for each of `partitions`; those used again leave `aside`.

        `latest` returns all references up to the present end of their topic.
        """
        if not partitions:
            return {}
        consumer = restore.detached_consumer(self._settings.connection)
        await consumer.start()
        try:
            inputs = {log: self._settings.names[log] for log in self._role.inputs}
            bounds = await restore.read_bounds(consumer, inputs, partitions)
            stored = await restore.read_state(
                consumer, self._settings.state_topic, partitions, self._progress
            )
        finally:
            await consumer.stop()
        chosen = {p: restore.choose(stored[p], self._settings.secret) for p in sorted(stored)}
        # After the snapshots: whatever reference they were counted by is in the topic already.
        references = await self._agreement.reached(chosen, latest, producer)
        self._role.know(references)
        tenures = {}
        for partition, found in chosen.items():
            self._progress()
            tenure = await self._tenure(
                partition, found, bounds[partition], aside.pop(partition, None)
            )
            for reference in references:
                tenure.adopt(reference)
            wanted = {log: tenure.wanted(log) for log in self._role.inputs}
            restore.check_wanted(wanted, bounds[partition])
            tenures[partition] = tenure
        return tenures

    async def _tenure(
        self, partition: int, found: Found | None, bounds: restore.Bounds, aside: Tenure | None
    ) -> Tenure:
        """Return the tenure of one partition."""
        newest = b"" if found is None else found.digest
        if aside is not None and not aside.owes and aside.stored.digest == newest:
            aside.resume()
            return aside
        if found is None:
            restore.check_never_read(
                {log: await self._committed(log, partition) for log in self._role.inputs}
            )
            machine = self._role.fresh(partition, self._settings.partitions)
            return Tenure(
                partition, machine, self._ledger, start=bounds.begins, resets=0, stored=Stored()
            )
        restore.check_meta(found.meta, bounds, self._settings.topics)
        if found.damaged:
            _log.warning("partition %d: passed over %d damaged snapshots", partition, found.damaged)
        tenure = Tenure(
            partition,
            self._machine(partition, found),
            self._ledger,
            start={log: found.meta.start.get(log, begin) for log, begin in bounds.begins.items()},
            resets=found.meta.order[0],
            stored=Stored(
                sequence=found.meta.sequence,
                digest=found.digest,
                kept=(found.keys,),
                litter=found.litter,
            ),
        )
        tenure.durable = found.meta.positions
        return tenure

    def _machine(self, partition: int, found: Found) -> Machine:
        """Return the machine of a snapshot; an empty one is what an operator's reset leaves."""
        if not found.snapshot:
            return self._role.fresh(partition, self._settings.partitions)
        try:
            return self._role.restored(partition, self._settings.partitions, found.snapshot)
        except SupersededError:
            raise  # a newer epoch was announced while we looked: starting again finds it
        except SnapshotError as error:
            raise RefusedError(
                f"the snapshot of partition {partition} cannot be used: {error}{restore.RESET_HINT}"
            ) from None
