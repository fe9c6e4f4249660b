"""A mill in which the way of counting changes: a new epoch, while owners of the old one go on.

Old profilers read, count and write on as long as nobody tells them; the old monitor may, too. The
new ones begin at places that were announced once, taken from whatever was stored by then.
"""

import random

from schemas.baseline import decode as read
from schemas.epoch import Epoch, encode, is_epoch
from schemas.journal import decode, epoch_of
from streams.profiler.places import places
from streams.runtime.epochs import known, starts_of
from streams.runtime.roles import MonitorRole, ProfilerRole
from streams.snapshot import SupersededError
from tests.laws.mill import LOGS, Mill, Owner, counts, winners
from tests.laws.oracle import truth
from tests.laws.world import BASELINE, GRID, MODEL, PANE, T0, World


class Renewed(Mill):
    """A world that is read by the rules of `after` from some place on."""

    def __init__(self, before: World, after: World, partitions: int, *, seed: int) -> None:
        super().__init__(before, partitions, seed=seed)
        self.after = after
        self.epoch: Epoch | None = None
        self.said_anew: dict[str, tuple] = {}
        self._until, self._chance = -1, random.Random(seed)
        self.superseded = 0
        """How often somebody was stopped for holding on to the old way."""

    # -- the change --------------------------------------------------------------------------------

    def changes_at(self, poll: int, r: random.Random) -> None:
        """Let the config change before the read of this number."""
        self._until, self._chance = poll, r

    def poll(self, owner, log, limit, back=0):
        """As ever; before one of them the config changes."""
        self._until -= 1
        if self._until == 0:
            self.change(self._chance)
        super().poll(owner, log, limit, back)

    def change(self, r: random.Random) -> None:
        """A worker with the new config comes; the old owners become ghosts."""
        held = {p: max(slots.values())[1] for p, slots in self.slots.items() if slots}
        begins = {p: dict.fromkeys(LOGS, 0) for p in range(self.partitions)}
        states = {p: places(state) for p, state in held.items()}
        starts = starts_of(MODEL, states, begins, None)
        self.begin(
            Epoch(
                model=MODEL,
                number=1,
                counted="new",
                before="old",
                since=self.now,
                starts=starts,
                name="a",
            )
        )
        for p in range(self.partitions):
            self.ghosts[p], self.owners[p] = self.owners[p], self._restored(p)
        if r.random() < 0.5:
            self.crash_monitor()

    def begin(self, epoch: Epoch) -> None:
        """From now on whoever comes counts in this epoch."""
        self.epoch, self.world = epoch, self.after
        self.references.append(encode(epoch))

    def _role(self) -> ProfilerRole:
        told = known(self.references, {} if self.world.learning else {MODEL: BASELINE}, {MODEL})
        return ProfilerRole(self.world.config(), told.baselines, epochs=told.epochs)

    def _judges(self) -> MonitorRole:
        marks = [encode(self.epoch)] if self.epoch else []
        told = known(marks, {} if self.world.learning else {MODEL: BASELINE}, {MODEL})
        return MonitorRole(self.world.config(), told.baselines, told.epochs)

    def _fresh(self, p):
        return self._taught(self._role().fresh(p, self.partitions))

    def _restored(self, p):
        held = self.slots[p]
        if not held:
            return Owner(self._fresh(p))
        slot = max(held, key=lambda s: held[s][0])
        machine = self._role().restored(p, self.partitions, held[slot][1])
        return Owner(self._taught(machine), 1 - slot)

    def crash_monitor(self):
        """Back to its last snapshot, with the present config."""
        role = self._judges()
        fresh = self.stored is None
        self.monitor = role.fresh(0, 1) if fresh else role.restored(0, 1, self.stored)

    # -- who is stopped ----------------------------------------------------------------------------

    def _taught(self, machine):
        try:
            return super()._taught(machine)
        except SupersededError:
            self.superseded += 1
            for p, ghost in self.ghosts.items():
                if ghost is not None and ghost.machine is machine:
                    self.ghosts[p] = None
            return machine

    def judge(self, limit):
        """As ever; who meets a later epoch ends, and one with the present config comes."""
        try:
            super().judge(limit)
        except SupersededError:
            self.superseded += 1
            self.say(0)
            super().judge(limit)

    # -- what comes of it --------------------------------------------------------------------------

    def _said(self, output):
        super()._said(output)
        if self.monitor._models[MODEL].epoch and output.topic != "references":
            name = dict(output.headers)["ce_id"].decode()
            self.said_anew[name] = self.outputs[name]

    def _audit(self, machine):
        model = machine._models[MODEL]
        if not model.counting.epoch or model.grid is None or model.counting.pane != PANE:
            return
        p = machine.partition
        expected = truth(self.world, *self._read(p)).accounts
        for log, tally in machine.accounting().items():
            wrong = {
                name: (count, getattr(tally, name))
                for name, count in expected.get(log, {}).items()
                if name != "orphaned" and count != getattr(tally, name)
            }
            if wrong:
                self.problems.append(("wrong books (expected, found)", log, wrong))

    def _read(self, p):
        """The items of the new epoch that a partition's owner has read, by log."""
        for log in ("predictions", "labels"):
            offsets, end = self.offsets[log, p], self.owners[p].machine.positions()[log]
            begin = self.epoch.starts[log][p]
            yield [
                item
                for item, offset in zip(self.items[log, p], offsets, strict=True)
                if begin <= offset < end
            ]

    def recounted(self) -> list[int]:
        """The partitions whose profiles of the new epoch are not what must be counted."""
        own = winners(r for r in self.journal if epoch_of(decode(r.value)) == 1)
        return [
            p
            for p in range(self.partitions)
            if truth(self.world, *self._read(p)).cells != counts(own, p, GRID)
        ]

    def learned(self) -> list[bytes]:
        """The references of the new epoch."""
        told = [one for one in self.references if not is_epoch(one)]
        return [one for one in told if read(one).grid.epoch == 1]

    def anew(self) -> dict[str, tuple]:
        """What was said in the new epoch, without the end of the old one."""
        return _without_the_end(self, self.said_anew)


def _without_the_end(mill: Mill, said: dict[str, tuple]) -> dict[str, tuple]:
    """What does not depend on what was remembered: readings, drift events, alerts."""
    heard = mill.spoken("budget", "false_alarms_spent")
    return {
        name: heard[name]
        for name in said
        if heard[name][0] in ("readings", "drift-events", "alerts")
        and heard[name][2].get("signal") != "operational:epoch"
        and b"counted anew" not in mill.outputs[name][2]
    }


def begun_there(mill: Renewed, seed: int) -> Renewed:
    """The same epoch over the same logs, without anything before it and without faults."""
    fresh = Renewed(mill.after, mill.after, mill.partitions, seed=seed)
    fresh.begin(mill.epoch)
    fresh.owners = {p: Owner(fresh._fresh(p)) for p in range(mill.partitions)}
    fresh.crash_monitor()
    fresh.now = T0
    fresh.finish()
    return fresh
