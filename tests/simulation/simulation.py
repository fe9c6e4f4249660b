"""The whole pipeline under a seeded scheduler: what it said must be what it says without faults.

Several profilers and monitors (the real workers, machines and snapshots) on a broker in memory.
Each step is one choice: deliver a batch, hand it over, make durable, let something sent arrive or
be acknowledged, crash at one of eight points, repeat a delivery, lose one, change owners, stop a
process and wake it when others have taken over, compact, commit, tick, teach, let time pass.
"""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from aiokafka.errors import KafkaError

from schemas.log import Record
from streams.runtime.kafka import agreement, recovery, restore
from streams.runtime.kafka import worker as runtime
from streams.runtime.kafka.process import ConfiguredRole, RoleName
from tests.laws.world import PANE, T0
from tests.simulation.broker import STATES, Broker, Detached
from tests.simulation.group import Group
from tests.simulation.loop import Loop
from tests.simulation.memory import remembering
from tests.simulation.process import LeftError, Process
from tests.simulation.renewal import EPOCHS, announced
from tests.simulation.result import Result
from tests.simulation.setting import Setting

DAY = 86_400_000

POINTS = {
    "before_output_send": ("", ""),
    "after_output_send": ("output", "sent"),
    "before_output_ack": ("output", "logged"),
    "before_snapshot_send": ("chunk", "sent"),
    "within_snapshot": ("chunk", "logged"),
    "before_snapshot_ack": ("manifest", "logged"),
    "before_commit": ("", ""),
    "after_commit": ("", ""),
}
"""Where a process is killed: what is in flight then, of which kind and how far."""


class Simulation:
    """One world, one schedule."""

    def __init__(self, setting: Setting, *, skew: int = 0, epoch: bytes | None = None) -> None:
        """`epoch`: the config has changed before anything was read, at the places that it names."""
        self.setting = setting
        self.changed = epoch is not None
        """Whether whoever comes has the later config."""
        self.loop = Loop()
        self.broker = Broker(setting.records, T0 - PANE)
        if epoch is not None:
            self.broker.append(EPOCHS, b"epoch", epoch, ())
        roles = [
            lambda: self._role("profiler", later=self.changed),
            lambda: self._role("monitor", later=bool(announced(self.broker))),
        ]
        self.profilers = Group(roles[0], setting.partitions, self.broker, self.loop, skew)
        self.monitors = Group(roles[1], 1, self.broker, self.loop, skew)
        self.groups = (self.profilers, self.monitors)
        self.crashes: Counter[str] = Counter()
        self.steps: Counter[str] = Counter()
        self.faulty = False
        self.result = Result(setting)
        self.broker.heard = self._hear

    def _role(self, name: RoleName, *, later: bool) -> ConfiguredRole:
        setting = self.setting
        config = setting.later if later else setting.config
        return ConfiguredRole(name, config, setting.baselines)

    def _hear(self, place: tuple[str, int], record: Record) -> None:
        if place[0] not in STATES:
            self.result.hear(place, record)
            return
        for group in self.groups:
            group.hear(place, record)

    # -- schedules ---------------------------------------------------------------------------------

    def run(self, seed: int, steps: int) -> Result:
        """A random schedule of `steps` choices, then everything to its end."""
        r = random.Random(seed)
        self.faulty = self.broker.gated = True
        self.rate = r.choice([2_000, 4_000, 8_000]) * self.setting.haste
        with self._driven():
            for group, count in ((self.profilers, r.choice([1, 2, 3])), (self.monitors, 1)):
                for _ in range(count):
                    group.join()
                group.rebalance()
            change = r.randrange(steps) if self.setting.renewed else steps
            for number in range(steps):
                if number >= change and not self.changed:
                    self._change()
                self._step(r)
                self._tidy(r)
            self.result.early = len(self.result.outputs)
            self._finish()
        return self.result

    def plain(self) -> Result:
        """Without faults: one process of each kind reads everything."""
        with self._driven():
            self._finish()
        return self.result

    @contextmanager
    def _driven(self) -> Iterator[None]:
        """Let the runtime's code talk to this broker and end here instead of ending Python."""

        def left(error: BaseException, doing: str, *_: str) -> None:
            raise LeftError(f"{doing}: {type(error).__name__}: {error}") from error

        nothing = lambda: None
        patched: Any = runtime
        kept = patched.gc, patched.time, patched.speak, patched.leave_because
        connected = restore.detached_consumer
        patched.gc = SimpleNamespace(collect=nothing, freeze=nothing, disable=nothing)
        patched.time = SimpleNamespace(monotonic=self.loop.time)
        patched.speak = lambda *_: SimpleNamespace(answered=nothing)
        patched.leave_because = left
        restore.detached_consumer = lambda _: Detached(self.broker)  # type: ignore[assignment]
        runtime._log.disabled = recovery._log.disabled = agreement._log.disabled = True
        Broker.latest = self.broker
        try:
            with remembering():
                yield
        finally:
            patched.gc, patched.time, patched.speak, patched.leave_because = kept
            restore.detached_consumer = connected
            runtime._log.disabled = recovery._log.disabled = agreement._log.disabled = False
            self.loop.close()

    # -- steps -------------------------------------------------------------------------------------

    def _step(self, r: random.Random) -> None:
        x = r.random()
        if x < 0.10:
            self._pass_time(r)
            return
        group = self.profilers if r.random() * 3 < 2 else self.monitors
        runs = [one for one in group.processes if one.runs]
        if x > 0.97 or not runs:
            self._disturb(r, group, runs)
            return
        process = r.choice(runs)
        if group.changing and r.random() < 0.6:
            self._arrive(r, process)
            self._answer(r, process)
        elif x < 0.45:
            self._deliver(r, process)
        elif x < 0.49 and process.buffer:
            self._guard(process, process.take)
        elif x < 0.61:
            process.cycle(store=r.random() < 0.7)
        elif x < 0.75:
            self._arrive(r, process)
        elif x < 0.89:
            self._answer(r, process)
        elif x < 0.91:
            process.commit()
        elif x < 0.93:
            process.tick()
        else:
            process.learn()

    def _pass_time(self, r: random.Random) -> None:
        """More records have come; most workers that have read everything are told the time."""
        self.broker.now += r.randint(1, 3 * self.rate)
        for process in self.profilers.processes:
            if process.runs and r.random() < 0.8:
                process.tick()

    def _deliver(self, r: random.Random, process: Process) -> None:
        """Fetch some logs; mostly hand over at once; now and then records come again or never."""
        waiting = process.worker.waiting()
        for tp in process.logs():
            y = r.random()
            if y < 0.3:
                continue
            if y < 0.32:
                process.go_back(tp, r.randint(1, 5))
            came = process.fetch(tp, r.choice([1, 2, 3, 5, 99]), waiting)
            if came and y < 0.34:
                process.buffer.pop()
        if r.random() < 0.8:
            while process.buffer and process.alive:
                self._guard(process, process.take)

    def _answer(self, r: random.Random, process: Process) -> None:
        """What was appended is acknowledged."""
        for _ in range(min(len(process.producer.logged), r.choice([1, 2, 99]))):
            process.producer.confirm()
        self.loop.spin()

    def _arrive(self, r: random.Random, process: Process) -> None:
        """Something sent reaches the log, or its delivery fails."""
        producer = process.producer
        for _ in range(r.choice([1, 2, 4, 99])):
            if not producer.queued:
                break
            place = r.choice(sorted(producer.queued))
            if r.random() < 0.003:
                process.failing = True
                producer.fail(place, KafkaError("the broker does not take it"))
                self.loop.spin()
                break
            producer.land(place)

    def _disturb(self, r: random.Random, group: Group, runs: list[Process]) -> None:
        """A fault."""
        y = r.random()
        frozen = [one for one in group.processes if one.alive and one.frozen]
        if not runs or (y < 0.08 and len(runs) < 3):
            group.join()
            group.rebalance()
        elif y < 0.38:
            self._crash(r, r.choice(runs), r.choice(list(POINTS)))
            if r.random() < 0.7:
                group.join()
            group.rebalance()
        elif y < 0.52:
            group.rebalance()
        elif y < 0.66 and not frozen:
            r.choice(runs).frozen = True  # the others take over
            group.rebalance()
        elif y < 0.82 and frozen:
            frozen[0].frozen = False  # it goes on, and does not know yet
        elif y < 0.92:
            profilers = [("profiler-state", p) for p in range(self.setting.partitions)]
            self.broker.compact(r.choice([*profilers, ("monitor-state", 0)]), r.random())
        else:
            self.loop.pass_time(runtime.REVOKE_SECONDS + 1)

    def _crash(self, r: random.Random, process: Process, point: str) -> None:
        """Drive a process to a point of the order of durability and kill it there."""
        wanted = POINTS[point]
        if point != "before_output_send":
            process.cycle(store=True)
            for _ in range(12):
                stage = process.producer.stage()
                if stage in (wanted, ("", "")):
                    break
                if process.producer.queued:
                    process.lands()
                else:
                    process.confirmed()
            if point == "after_commit":
                process.commit()
            if process.producer.stage() == wanted:
                self.crashes[point] += 1
        else:
            self.crashes[point] += 1
        if r.random() < 0.3:  # what is on its way may still arrive
            self._arrive(r, process)
        process.kill()

    def _guard(self, process: Process, act: Any) -> None:
        try:
            act()
        except LeftError as error:
            process.group.reap(error, process)

    def _tidy(self, r: random.Random) -> None:
        """Let restores begin, changes of owners go on, and bury who has ended."""
        if self.broker.gates and r.random() < 0.6:
            gate = self.broker.gates.pop(0)
            if not gate.done():
                gate.set_result(None)
            self.loop.spin()
        for group in self.groups:
            for process in group.processes:
                if process.tasks and process.alive and (reason := process.ended()) is not None:
                    group.reap(reason, process)
                    group.rebalance()
            if group.changing:
                group.go_on(r)
            group.bury()

    def _change(self) -> None:
        """A worker with the later config comes, once there is something to count anew."""
        if all(self.profilers.best(p) for p in range(self.setting.partitions)):
            self.changed = True
            self.profilers.join()
            self.profilers.rebalance()

    # -- the end -----------------------------------------------------------------------------------

    def _finish(self) -> None:
        """No more faults: stale processes end their writing, everything is read and judged."""
        r = random.Random(0)
        self.broker.gated = False
        self.broker.now = max(self.broker.now, self.setting.last) + 2 * DAY
        for group in self.groups:
            for process in group.processes:
                process.frozen = False
        self._settle(r)
        for group in self.groups:
            if not group.processes or (self.changed and group is self.profilers):
                group.join()
            group.rebalance()
        self._settle(r)
        if self.changed:
            self._leave_the_old(r)
        for later in (*[DAY] * (5 if self.setting.learning else 2), *[0] * 9):
            before, self.broker.now = self.result.heard, self.broker.now + later
            for group in self.groups:
                for process in list(group.processes):
                    self._drain(process)
                self._settle(r)
            if not later and self.result.heard == before:
                break
        else:
            self.result.problems.append(("never comes to an end",))
        for group in self.groups:
            self.result.problems += group.problems
        self._books()

    def _leave_the_old(self, r: random.Random) -> None:
        """Whoever has the former config hears that it is given up; others take over."""
        while not announced(self.broker):  # until one with the later config is given a share
            self.profilers.rebalance()
            self._settle(r)
        for group in self.groups:
            for process in list(group.processes):
                process.learn()
            for _ in range(2):  # who is given a share only then hears of it then
                group.bury()
                if not group.processes:
                    group.join()
                group.rebalance()
                self._settle(r)

    def _settle(self, r: random.Random) -> None:
        """Everything in flight arrives and is answered, until nothing moves."""
        for _ in range(60):
            for group in self.groups:
                for process in group.processes:
                    process.lands()
                    process.confirmed()
            self._tidy(r)
            busy = any(g.changing or any(p.tasks for p in g.processes) for g in self.groups)
            if not busy and not self.broker.gates:
                return
        self.result.problems.append(("never comes to rest",))

    def _drain(self, process: Process) -> None:
        """Read what there is and make it durable."""
        process.learn()
        for tp in process.logs():
            while process.alive and (
                process.fetch(tp, 1 << 30, process.worker.waiting()) or process.buffer
            ):
                while process.buffer and process.alive:
                    self._guard(process, process.take)
        if process.alive:
            process.tick()
            process.cycle(store=True)

    def _books(self) -> None:
        """Every log was read to its end, and the books of every partition add up."""
        machines = {}
        for process in self.profilers.processes:
            for partition, tenure in process.worker._tenures.items():
                machines[partition] = tenure.machine
                for log in process.worker._role.inputs:
                    end = self.broker.end((log, partition))
                    if tenure.wanted(log) < end:
                        self.result.problems.append(("stuck", log, partition, tenure.wanted(log)))
        if sorted(machines) != list(range(self.setting.partitions)):
            self.result.problems.append(("nobody owns a partition", sorted(machines)))
        self.result.accounts = {p: one.accounting() for p, one in sorted(machines.items())}
