"""The courier: carries messages to one sink, one after the other, until each is taken or given up.

Promises: at least once, with the same id each time: a message is written down as done only after
its call was taken; after `attempts` failures, or an answer that no repetition changes, it is a dead
letter, and the next one's turn. While a sink is away everything for it waits where it stands, in
the log; other sinks and the machines do not notice.
Leaves to others: reading and writing down (`source`), what is for this sink (`memory`), forms
(`webhook`, `alertmanager`), calls (`caller`).
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec

from schemas.config_sinks import Sink
from schemas.log import Millis
from schemas.outputs import Alert
from streams.sinks.alertmanager import AGAIN_MS, Alertmanager
from streams.sinks.call import Answer, Call, Outcome, Verdict, judge
from streams.sinks.caller import CallError, TooLargeError
from streams.sinks.memory import Memory
from streams.sinks.message import Message, message_of
from streams.sinks.patience import pause_s
from streams.sinks.source import Arrived, Source
from streams.sinks.webhook import Webhook

logger = logging.getLogger(__name__)

LOOK_S: Final = 1.0
"""How often the source is asked when nothing comes."""


class Calling(Protocol):
    """Makes calls."""

    async def make(self, call: Call) -> Answer:
        """The answer; CallError if there is none."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How a sink does. `failing_s`: since when it takes nothing; `reason`: what it said last."""

    sink: str
    sent: int
    failures: int
    dead_letters: int
    waiting: int
    failing_s: float
    reason: str


class Courier:
    """Carries for the sink `name` of a config."""

    def __init__(self, name: str, sink: Sink, named: frozenset[str], caller: Calling) -> None:
        """`named`: sinks that routes name."""
        self.name = name
        self._attempts = sink.attempts
        self._composer = Alertmanager(sink) if sink.type == "alertmanager" else Webhook(sink)
        self._named = named
        self._memory = Memory(name, named)
        self._caller = caller
        self._source: Source | None = None
        self._sent = self._failures = self._dead = 0
        self._failing_since: float | None = None
        self._reason = ""
        self._cut_off = False
        self._missed: dict[str, tuple[Arrived, Message]] = {}
        self._past: dict[tuple[str, int], Arrived] = {}
        self._said_again: Millis = 0

    def status(self) -> Status:
        """How it does."""
        since = self._failing_since
        return Status(
            sink=self.name,
            sent=self._sent,
            failures=self._failures,
            dead_letters=self._dead,
            waiting=0 if self._source is None else self._source.waiting(),
            failing_s=0.0 if since is None else time.monotonic() - since,
            reason=self._reason,
        )

    def cut_off(self, reason: str) -> None:
        """Its source has failed; it is failing until it can be read again."""
        self._reason, self._cut_off = reason, True
        self._failing_since = self._failing_since or time.monotonic()

    async def run(self, source: Source) -> None:
        """Carry until cancelled; with a fresh memory, because the source tells again what was."""
        if self._cut_off:
            self._failing_since, self._reason, self._cut_off = None, "", False
        self._source = source
        self._memory = Memory(self.name, self._named)
        self._missed.clear()
        self._past.clear()
        while True:
            await self.turn(source)

    async def turn(self, source: Source, seconds: float = LOOK_S) -> bool:
        """Take the next record as far as it goes; gives whether there was one."""
        arrived = await source.next(seconds)
        if arrived is None or arrived.standing == "new":
            await self._catch_up(source)
        if arrived is None:
            await self._say_again()
            return False
        message = message_of(arrived.record)
        if arrived.standing == "missed":
            await self._miss(source, arrived, message)
        elif arrived.standing == "told":
            if message is not None:
                self._memory.took(message, said=self._memory.fate(message) == "say")
        elif message is None:
            await source.done(arrived)
        else:
            await self._carry(source, arrived, message)
        return True

    # What was there before this sink

    async def _miss(self, source: Source, arrived: Arrived, message: Message | None) -> None:
        """Remember of what was there before only the incidents that are open now."""
        self._past[arrived.record.topic, arrived.record.partition] = arrived
        if message is None or not isinstance(message.event, Alert):
            return
        if self._memory.before(message) is not None:  # said already: so say how it goes on
            await self._carry(source, arrived, message)
            return
        _, other = self._missed.get(message.event.incident_id, (None, None))
        if other is not None and _sequence(other) > _sequence(message):
            return
        self._missed.pop(message.event.incident_id, None)
        if message.firing and self._memory.fate(message) == "say":
            self._missed[message.event.incident_id] = (arrived, message)
        else:
            self._memory.took(message, said=False)

    async def _catch_up(self, source: Source) -> None:
        """Say the incidents that were open before the sink was; then all that is past is done."""
        for arrived, message in sorted(self._missed.values(), key=lambda one: _place(one[0])):
            await self._carry(source, arrived, message)
        for arrived in self._past.values():
            await source.done(arrived)
        self._missed.clear()
        self._past.clear()

    # Carrying

    async def _carry(self, source: Source, arrived: Arrived, message: Message) -> None:
        """Say a message if it is for this sink, and write down what became of it."""
        if self._memory.fate(message) != "say":
            self._memory.took(message, said=False)
            await source.done(arrived)
            return
        before = self._memory.before(message)
        if self._composer.first_only and (before is not None or not _opens(message)):
            self._memory.took(message, said=before is not None)
            await source.done(arrived)
            return
        verdict = await self._insist(
            lambda now: self._composer.compose(message, before, now), lambda: source.owns(arrived)
        )
        if verdict.outcome == "taken":
            self._memory.took(message, said=True)
            await source.done(arrived)
        elif source.owns(arrived):  # whoever else owns it now carries it anew
            self._memory.took(message, said=False)
            self._dead += 1
            logger.warning("sink %s: a message is a dead letter: %s", self.name, verdict.reason)
            await source.refused(arrived, verdict.reason)

    async def _insist(
        self, compose: Callable[[Millis], Call], owned: Callable[[], bool]
    ) -> Verdict:
        """Call until it is taken, refused, or tried too often."""
        attempt = 0
        while True:
            attempt += 1
            try:
                call = compose(_now())
            except Exception as error:  # noqa: BLE001 - a bug of ours must not stop the others
                return Verdict(outcome="refused", reason=f"has no form ({type(error).__name__})")
            verdict = await self._try(call)
            if verdict.outcome != "again" or attempt >= self._attempts or not owned():
                return verdict
            pause = pause_s(attempt, verdict.wait_s)
            if attempt == 1:
                logger.warning("sink %s: %s; trying again", self.name, verdict.reason)
            await _sleep(pause)

    async def _try(self, call: Call) -> Verdict:
        try:
            verdict = judge(call, await self._caller.make(call))
        except CallError as error:
            outcome: Outcome = "refused" if isinstance(error, TooLargeError) else "again"
            verdict = Verdict(outcome=outcome, reason=str(error))
        if verdict.outcome == "taken":
            if self._failing_since is not None:
                logger.warning("sink %s: takes messages again", self.name)
            self._sent += 1
            self._failing_since, self._reason = None, ""
        else:
            self._failures += 1
            self._reason = verdict.reason
            if verdict.outcome == "again":  # one that refuses a message is there, and takes others
                self._failing_since = self._failing_since or time.monotonic()
        return verdict

    async def _say_again(self) -> None:
        """Say open incidents again where the sink forgets them; without insisting."""
        composer, now = self._composer, _now()
        if not isinstance(composer, Alertmanager) or now - self._said_again < AGAIN_MS:
            return
        self._said_again = now
        for call in composer.again(self._memory.open_ones(), now):
            await self._try(call)


def _opens(message: Message) -> bool:
    """Whether it is worth a first word: an incident that is over is not."""
    return message.incident is None or message.firing


def _sequence(message: Message) -> int:
    assert isinstance(message.event, Alert)
    return message.event.sequence


def _place(arrived: Arrived) -> tuple[str, int, int]:
    return (arrived.record.topic, arrived.record.partition, arrived.record.offset)


def _now() -> Millis:
    return time.time_ns() // 1_000_000


_sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
"""Tests put a faster one in its place."""
