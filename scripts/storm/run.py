"""One run: a broker, three workers, a stream, faults from a seed, and the verdict.

Promises: a function of (events, faults, seed) but for real time; everything it starts it ends;
the document it gives has the keys of the public contract.
Leaves to others: the faults (`faults`), the oracles (`oracles`), many runs (`soak`).
"""

import asyncio
import json
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.baseline import Baseline
from schemas.config import Config
from schemas.load import load_text
from scripts.storm import control
from scripts.storm.broker import Broker
from scripts.storm.faults import Fault, Field, schedule
from scripts.storm.feeder import Feeder
from scripts.storm.fleet import Fleet
from scripts.storm.load import busy
from scripts.storm.oracles import Verdict, judge
from scripts.storm.progress import GROUPS, Recovery, Watcher
from scripts.storm.topics import RunTopics
from scripts.storm.world import CONFIG, PARTITIONS, QUIET_S, World, write_reference
from streams.runtime.recordings.reference import build_reference
from streams.runtime.roles import counting

PROGRESS_S: Final = 15.0
CAUGHT_UP_S: Final = 60.0
MEMORY_BYTES: Final = 512 << 20
PAUSE_S: Final = 4.0
"""Longest pause between two faults: often shorter than a recovery."""

RUSH_S: Final = 1.0
WARM_UP_S: Final = 4.0
SETTLE_S: Final = 3.0
INTERVAL_S: Final = 4.0
"""Between two snapshots of the run's config (1 s), with the time that storing takes."""

OUTPUTS_A_START: Final = 3
"""Times that the same outputs may be repeated for one start: it may be interrupted, too."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to run. `kills`: of the control arm, 0 leaves it out; `only`: names of the faults."""

    events: int
    faults: int
    seed: int
    kills: int = 3
    only: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The document, and the sentences that say what failed."""

    document: dict[str, Any]
    violations: list[str]


class Felt(msgspec.Struct, kw_only=True):
    """One fault as it was: when it began and ended, and what came of it.

    `busy`: processes a core that wanted to run, at least 1: so much longer everything may take.
    """

    fault: Fault
    busy: float = 1.0
    began_s: float
    recovery: Recovery
    traced: bool = False


async def storm(plan: Plan, folder: Path) -> Outcome:
    """Run to the end in `folder`, which is empty; the outcome."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our own clients, broker away
    broker = Broker(folder)
    config, known = _config(folder, broker.port)
    watcher = Watcher(broker.direct, PARTITIONS)
    topics = RunTopics(broker.direct, config, watcher)
    fleet = Fleet(folder / "windage.yaml")
    background: list[asyncio.Task[None]] = []
    try:
        await broker.open()
        await topics.create()
        background.append(asyncio.create_task(watcher.run()))
        for number, name in enumerate("abc"):
            fleet.join(name, static=number > 0)
        background.append(asyncio.create_task(fleet.keep()))
        run = _Run(plan, broker, topics, fleet, watcher)
        await run.go()
        await fleet.stop()
        say("workers have stopped; counting again")
        verdict = await judge(config, known, topics, run.world.truth, INTERVAL_S, folder)
        run.judge(verdict)
        arm = {"double_counted": 0}
        if plan.kills:
            arm = await control.double_counted(broker.direct, folder, plan.kills)
            verdict.claim(arm["double_counted"] > 0, "control arm: the harness saw nothing")
        return Outcome(document=run.document(verdict, arm), violations=verdict.violations)
    finally:
        for task in background:
            task.cancel()
        await fleet.stop()
        await broker.close()


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """While the block runs, so does `work`, to its end; where the block fails it is given up."""
    task = asyncio.create_task(work)
    try:
        yield
    except BaseException:
        task.cancel()
        raise
    await task


def _config(folder: Path, port: int) -> tuple[Config, dict[str, Baseline]]:
    """The config of the workers, written, and the references that it names."""
    reference = folder / "reference.csv"
    write_reference(reference)
    text = CONFIG.format(port=port, partitions=PARTITIONS, reference=reference)
    (folder / "windage.yaml").write_text(text)
    config = load_text(text, {}, lambda name: Path(name).read_text())
    model = config.models["gamma"]
    known = build_reference("gamma", model, counting("gamma", model, config), reference)
    return config, {"gamma": known}


class _Run:
    """The middle of a run: the stream and the faults."""

    def __init__(
        self, plan: Plan, broker: Broker, topics: RunTopics, fleet: Fleet, watcher: Watcher
    ) -> None:
        self._plan = plan
        self._fleet = fleet
        self._watcher = watcher
        self.world = World(plan.seed, plan.events)
        self._feeder = Feeder(broker.direct, self.world, plan.events)
        self._chance = random.Random(plan.seed * 1_000_003 + 1)
        self._faults = schedule(self._chance, plan.faults, plan.only)
        self._found: list[str] = []
        self._field = Field(
            broker=broker, fleet=fleet, topics=topics, chance=self._chance, found=self._found
        )
        self._felt: list[Felt] = []
        self._begun = time.monotonic()
        self._restarts = 0
        self.drained_s = 0.0

    async def go(self) -> None:
        """Feed and hurt, then let everything be read to its end."""
        await self._feeder.start()
        try:
            await self._first_progress()
            total = sum(fault.seconds for fault in self._faults) + WARM_UP_S + SETTLE_S
            await self._feed(WARM_UP_S / total, WARM_UP_S)
            for number, fault in enumerate(self._faults, 1):
                await self._hurt(number, fault, fault.seconds / total)
            await self._feeder.feed(self._plan.events - self._feeder.sent, SETTLE_S)
            await self._feeder.end()
        finally:
            await self._feeder.stop()
        await self._drain()

    async def _feed(self, share: float, seconds: float) -> None:
        left = self._plan.events - self._feeder.sent
        await self._feeder.feed(min(left, round(self._plan.events * share)), seconds)

    async def _first_progress(self) -> None:
        """Wait until the workers own everything."""
        await self._feeder.feed(min(2_000, self._plan.events // 20), 1.0)
        await self._watcher.all_moving()
        say(f"workers are counting after {time.monotonic() - self._begun:.1f} s")

    async def _hurt(self, number: int, fault: Fault, share: float) -> None:
        """One fault under traffic, until the first progress after it; then a pause or none."""
        began = time.monotonic() - self._begun
        before = self._fleet.said()
        pace = RUSH_S if fault.rush else fault.seconds
        say(f"{began:5.0f} s  {number}/{len(self._faults)}  {fault.kind} {fault.name}")
        async with beside(self._feed(share, pace)):
            await fault.work(self._field)
            view = await self._watcher.newer(time.monotonic())
            felt = Felt(
                fault=fault,
                began_s=began,
                recovery=Recovery(ended=view.at, marks=view.ends, floor=view.committed),
            )
            self._felt.append(felt)
            await self._until_progress(felt)
            await asyncio.sleep(self._chance.uniform(0.0, PAUSE_S))
        self._look()
        felt.busy = busy()
        felt.traced = await self._traced(fault, before)

    async def _traced(self, fault: Fault, before: dict[Path, int]) -> bool:
        """Whether the workers tell of a fault; whoever was killed must first be there again."""
        deadline = time.monotonic() + PROGRESS_S * busy()
        while time.monotonic() < deadline:
            if any(trace in self._fleet.said_since(before) for trace in fault.traces):
                return True
            await asyncio.sleep(0.3)
            self._look()
        return False

    async def _until_progress(self, felt: Felt) -> None:
        deadline = time.monotonic() + 4 * PROGRESS_S  # judged by `judge`, not here
        while len(felt.recovery.progress_s) < len(GROUPS) and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
            self._look()

    def _look(self) -> None:
        view = self._watcher.view
        for felt in self._felt:
            if view is not None and len(felt.recovery.caught_up_s) < len(GROUPS):
                felt.recovery.see(view)

    async def _drain(self) -> None:
        """Wait until nothing is left to read, for a bounded time."""
        begun = time.monotonic()
        say("everything is written; waiting for the workers")
        while time.monotonic() - begun < 2 * CAUGHT_UP_S * busy():
            view = await self._watcher.newer(time.monotonic())
            self._look()
            if not any(view.lag(group) for group in GROUPS):
                break
        self.drained_s = time.monotonic() - begun
        await asyncio.sleep(QUIET_S)
        if self.drained_s > CAUGHT_UP_S * busy():
            lags = {group: view.lag(group) for group in GROUPS}
            self._found.append(f"O6: lag {lags} after {self.drained_s:.0f} s of rest")

    def judge(self, verdict: Verdict) -> None:
        """O4 and O6 to O9: what only time, memory and words tell."""
        verdict.violations += self._found
        ended = [felt.recovery.ended for felt in self._felt]
        for number, felt in enumerate(self._felt):
            name = f"{felt.fault.kind} {felt.fault.name} (number {number + 1})"
            for group in GROUPS:
                first = felt.recovery.progress_s.get(group)
                late = first is None or first > PROGRESS_S * felt.busy
                verdict.claim(not late, f"O6: {name}: {group} went on after {first} s")
                # Who is hit again before it has caught up gets its time from then on.
                caught = felt.recovery.caught_up_s.get(group)
                at = None if caught is None else felt.recovery.ended + caught
                hits = [end for end in ended[number:] if at is None or end <= at]
                slow = at is None or at - max(hits) > CAUGHT_UP_S * felt.busy
                verdict.claim(not slow, f"O6: {name}: {group} caught up after {caught} s")
            verdict.claim(felt.traced, f"O8: {name}: no trace of it in what the workers said")
        largest = self._fleet.largest_rss
        verdict.claim(largest <= MEMORY_BYTES, f"O7: a worker has {largest >> 20} MiB")
        bound = OUTPUTS_A_START * (len(self._felt) + self._fleet.starts) * verdict.busiest
        verdict.claim(
            verdict.raw_duplicates <= bound,
            f"O4: {verdict.raw_duplicates} raw duplicates, bound {bound}",
        )
        refused = self._fleet.codes[2]
        nines = sum(felt.fault.kind == "F9" for felt in self._felt)
        verdict.claim(refused <= 12 * nines, f"workers refused to go on {refused} times")

    def document(self, verdict: Verdict, arm: dict[str, int]) -> dict[str, Any]:
        """What `--json` prints."""
        kinds = Counter(felt.fault.kind for felt in self._felt)
        progress = sorted(s for felt in self._felt for s in felt.recovery.progress_s.values())
        caught = sorted(s for felt in self._felt for s in felt.recovery.caught_up_s.values())
        return {
            "events": self._feeder.sent,
            "faults": dict(sorted(kinds.items())),
            "lost": verdict.lost,
            "double_counted": verdict.double_counted,
            "outputs": verdict.outputs,
            "outputs_missing": verdict.outputs_missing,
            "outputs_unexpected": verdict.outputs_unexpected,
            "raw_duplicates": verdict.raw_duplicates,
            "conflicting_ids": verdict.conflicting_ids,
            "dead_letters": verdict.dead_letters,
            "drift_events": verdict.drift_events,
            "control_arm": arm,
            "seed": self._plan.seed,
            "recovery_s": {
                "first_progress_max": round(max(progress, default=0.0), 1),
                "first_progress_median": round(_median(progress), 1),
                "caught_up_max": round(max(caught, default=0.0), 1),
                "drained": round(self.drained_s, 1),
            },
            "busiest_load_per_core": round(max((f.busy for f in self._felt), default=1.0), 1),
            "peak_rss_mb": self._fleet.largest_rss >> 20,
            "exits": {str(code): count for code, count in sorted(self._fleet.codes.items())},
            "seconds": round(time.monotonic() - self._begun),
            "ways": dict(Counter(felt.fault.name for felt in self._felt)),
            "violations": verdict.violations,
        }


def _median(values: list[float]) -> float:
    return values[len(values) // 2] if values else 0.0


def say(line: str) -> None:
    """Tell whoever watches."""
    print(f"chaos: {line}", file=sys.stderr, flush=True)


def show(document: dict[str, Any], *, as_json: bool) -> None:
    """Print the outcome."""
    print(json.dumps(document, indent=None if as_json else 2))
