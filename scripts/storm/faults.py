"""What is done to the workers: a class of faults is a list of ways, each a coroutine.

Promises: a fault has ended when its coroutine returns; what it changed (members, line, broker,
topics) is as before then. The trace it must leave in the workers' words stands beside it.
Leaves to others: when, how often, and what must follow (`schedule`, `run`).
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final, Protocol

import msgspec

from scripts.storm.broker import Broker
from scripts.storm.fleet import Fleet, Member, send
from scripts.storm.load import busy

ON_ITS_WAY_S: Final = 20.0
SESSION_S: Final = 6.0
"""As `kafka.session_timeout` of the run's config."""


Marks = dict[tuple[str, int], int]
"""Offsets by log and partition."""


class Topics(Protocol):
    """What a fault may do to the topics."""

    async def narrow(self) -> None:
        """Let the journal take no record of useful size."""

    async def widen(self) -> None:
        """Let it take them again."""

    async def rescue_and_delete(self) -> None:
        """Read the dead letters to their end, for the accounts, and delete their topic."""

    async def make_again(self) -> None:
        """Make the deleted topic."""

    async def committed(self) -> Marks:
        """The profilers' committed offsets."""

    async def kept(self) -> Marks:
        """The offsets up to which the profilers' newest snapshots reach."""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """What a fault works on."""

    broker: Broker
    fleet: Fleet
    topics: Topics
    chance: Random
    found: list[str]
    """Violations that only the fault itself can see."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One way to hurt. `seconds`: how long it takes, about; `traces`: one must be said."""

    kind: str
    name: str
    seconds: float
    work: Callable[[Field], Awaitable[None]]
    traces: tuple[str, ...]
    weight: int = 4
    rush: bool = False
    """Its share of the stream comes at once: a line that is wide enough for it hurts nobody."""


def _any(field: Field) -> Member:
    """A running member."""
    running = [one for one in field.fleet.members if one.children()]
    return field.chance.choice(running or field.fleet.members)


def _process(field: Field) -> int | None:
    """A role process of some member."""
    pids = _any(field).children()
    return field.chance.choice(pids) if pids else None


async def kill_process(field: Field) -> None:
    """Kill -9 of one role process; its supervisor starts it again."""
    pid = _process(field)
    if pid is not None:
        send(pid, signal.SIGKILL)


async def kill_member(field: Field) -> None:
    """Kill -9 of a supervisor and its children, as when a machine dies."""
    for pid in _any(field).pids():
        send(pid, signal.SIGKILL)


async def kill_supervisor(field: Field) -> None:
    """Kill -9 of a supervisor alone; its children must not stay behind."""
    member = _any(field)
    pids = member.children()
    if member.process is not None:
        send(member.process.pid, signal.SIGKILL)
    await asyncio.sleep(1.0)
    for _ in range(250):
        if not any(send(pid, 0) for pid in pids):
            return
        await asyncio.sleep(0.1)
    field.found.append("children outlived their supervisor by 25 s")


async def kill_burst(field: Field) -> None:
    """Three role processes killed within a second or two."""
    for _ in range(3):
        await kill_process(field)
        await asyncio.sleep(field.chance.uniform(0.1, 1.0))


async def restart_one(field: Field) -> None:
    """SIGTERM to one member, and a new start when it has ended."""
    member = _any(field)
    await member.stop()
    member.start()


async def rolling(field: Field) -> None:
    """Each member in turn, the static ones among them."""
    for member in list(field.fleet.members):
        await member.stop()
        member.start()
        await asyncio.sleep(field.chance.uniform(2.0, 4.0))


def pause(beyond_s: float, *, whole: bool) -> Callable[[Field], Awaitable[None]]:
    """SIGSTOP until so long past the session timeout, while others own; then SIGCONT."""

    async def work(field: Field) -> None:
        member = _any(field)
        pids = member.pids() if whole else [field.chance.choice(member.children() or [0])]
        stopped = [pid for pid in pids if pid and send(pid, signal.SIGSTOP)]
        try:
            await asyncio.sleep(SESSION_S + beyond_s)
        finally:
            for pid in stopped:
                send(pid, signal.SIGCONT)

    return work


async def come_and_go(field: Field) -> None:
    """Three more members join, one every 3 s, and leave like that: more workers than partitions."""
    guests: list[Member] = []
    before = field.fleet.said()
    for number in range(3):
        guests.append(field.fleet.join(f"guest-{number}"))
        await asyncio.sleep(3.0)
    for _ in range(80):  # on a busy machine a start takes longer: who never joined cannot leave
        if _OWNS in field.fleet.said_since(before):
            break
        await asyncio.sleep(0.5)
    for guest in guests:
        await asyncio.sleep(3.0)
        await field.fleet.leave(guest)


def broker_away(seconds: float, *, clean: bool) -> Callable[[Field], Awaitable[None]]:
    """The broker ends, cleanly or not, is away, and comes back."""

    async def work(field: Field) -> None:
        await (field.broker.stop() if clean else field.broker.kill())
        await asyncio.sleep(seconds)
        await field.broker.start()

    return work


def bad_line(mode: str, seconds: float) -> Callable[[Field], Awaitable[None]]:
    """The line between workers and broker is bad for a while."""

    async def work(field: Field) -> None:
        await field.broker.line(mode)
        try:
            await asyncio.sleep(seconds)
        finally:
            await field.broker.line("pass")

    return work


async def _standing(topics: Topics) -> Marks:
    """How far the snapshots reach, once what was on its way is through or has failed."""
    before, now = None, await topics.kept()
    deadline = time.monotonic() + ON_ITS_WAY_S * busy()
    while now != before and time.monotonic() < deadline:
        await asyncio.sleep(3.0 * busy())
        before, now = now, await topics.kept()
    return now


async def too_large(field: Field) -> None:
    """The journal refuses every record: no snapshot may pass it, no acknowledgement a snapshot.

    Acknowledgements alone may move: whoever broke down behind its snapshot acknowledges when it is
    there again what that has.
    """
    await field.topics.narrow()
    try:
        before = await _standing(field.topics)
        await asyncio.sleep(6.0)
        kept, committed = await field.topics.kept(), await field.topics.committed()
    finally:
        await field.topics.widen()
    for what, marks in (("snapshots", kept), ("offsets", committed)):
        passed = sum(max(0, at - before.get(place, 0)) for place, at in marks.items())
        if passed:
            field.found.append(f"{what} advanced by {passed} while the journal took nothing")


NOTICED_S: Final = 3.0
"""Whoever is stopped so long says so when it goes on."""


async def topic_gone(field: Field) -> None:
    """The dead letters' topic is deleted, and made again seconds later."""
    pids = [pid for member in field.fleet.members for pid in member.pids()]
    stopped = [pid for pid in pids if send(pid, signal.SIGSTOP)]
    try:
        await asyncio.sleep(0.5)  # what was on its way has arrived
        await field.topics.rescue_and_delete()
        await asyncio.sleep(NOTICED_S)  # what follows may find no letter to be written
    finally:
        for pid in stopped:
            send(pid, signal.SIGCONT)
    await asyncio.sleep(6.0)
    await field.topics.make_again()


_OWNS: Final = "owns partitions"
_AWAY: Final = ("Kafka does not answer", "Kafka answers again", "failed: ", "not delivered")
_SLOW: Final = ("made durable after", "marks were taken after", "answers after", *_AWAY, _OWNS)
_STOOD: Final = ("stood still for", _OWNS)

FAULTS: Final = (
    Fault(kind="F1", name="kill -9 of a process", seconds=8, work=kill_process, traces=(_OWNS,)),
    Fault(kind="F1", name="kill -9 of a worker", seconds=8, work=kill_member, traces=(_OWNS,)),
    Fault(
        kind="F1",
        name="kill -9 of a supervisor",
        seconds=10,
        work=kill_supervisor,
        traces=("supervisor is gone",),
        weight=2,
    ),
    Fault(kind="F1", name="burst of kill -9", seconds=10, work=kill_burst, traces=(_OWNS,)),
    Fault(kind="F2", name="SIGTERM", seconds=8, work=restart_one, traces=(_OWNS,)),
    Fault(kind="F2", name="rolling restart", seconds=22, work=rolling, traces=(_OWNS,), weight=3),
    Fault(
        kind="F3",
        name="a process stopped 3 s past its session",
        seconds=16,
        work=pause(3, whole=False),
        traces=_STOOD,
    ),
    Fault(
        kind="F3",
        name="a worker stopped 9 s past its session",
        seconds=22,
        work=pause(9, whole=True),
        traces=_STOOD,
    ),
    Fault(
        kind="F3",
        name="a worker stopped 30 s past its session",
        seconds=44,
        work=pause(30, whole=True),
        traces=_STOOD,
        weight=1,
    ),
    Fault(kind="F4", name="joins and leaves", seconds=22, work=come_and_go, traces=(_OWNS,)),
    Fault(
        kind="F5",
        name="broker restarted",
        seconds=16,
        work=broker_away(0, clean=True),
        traces=_AWAY,
    ),
    Fault(
        kind="F5",
        name="broker killed",
        seconds=16,
        work=broker_away(1, clean=False),
        traces=_AWAY,
    ),
    Fault(
        kind="F5",
        name="broker away for 30 s",
        seconds=46,
        work=broker_away(30, clean=True),
        traces=_AWAY,
        weight=1,
    ),
    Fault(kind="F6", name="latency 100 ms", seconds=10, work=bad_line("latency", 8), traces=_SLOW),
    Fault(
        kind="F6",
        name="3 Mbit/s",
        seconds=10,
        work=bad_line("throttle", 8),
        traces=_SLOW,
        weight=2,
        rush=True,
    ),
    Fault(kind="F6", name="resets", seconds=12, work=bad_line("reset", 9), traces=_AWAY),
    Fault(
        kind="F6", name="black hole 5 s", seconds=10, work=bad_line("black_hole", 5), traces=_SLOW
    ),
    Fault(
        kind="F6",
        name="black hole 30 s",
        seconds=40,
        work=bad_line("black_hole", 30),
        traces=_SLOW,
        weight=1,
    ),
    Fault(kind="F6", name="half open", seconds=12, work=bad_line("half_open", 4), traces=_SLOW),
    Fault(
        kind="F9",
        name="journal refuses records",
        seconds=16,
        work=too_large,
        traces=("MessageSizeTooLarge", "takes records of"),
    ),
    Fault(kind="F9", name="topic deleted", seconds=17, work=topic_gone, traces=_STOOD),
)
KINDS: Final = tuple(dict.fromkeys(fault.kind for fault in FAULTS))


def schedule(chance: Random, count: int, only: Sequence[str] = ()) -> list[Fault]:
    """So many faults: each class once before any comes again, then by weight.

    `only`: the names of those to be had, each once, in an order of chance.
    """
    if only:
        return chance.sample([fault for fault in FAULTS if fault.name in only], count)
    firsts = [_draw(chance, [f for f in FAULTS if f.kind == kind]) for kind in KINDS]
    chance.shuffle(firsts)
    rest = [_draw(chance, FAULTS) for _ in range(max(0, count - len(firsts)))]
    return [*firsts[:count], *rest]


def _draw(chance: Random, among: list[Fault] | tuple[Fault, ...]) -> Fault:
    return chance.choices(among, [fault.weight for fault in among])[0]
