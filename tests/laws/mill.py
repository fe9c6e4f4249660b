"""A fake log with both machines around it, and a scheduler that may do anything to them.

Deliveries, flushes, appends one by one, ticks, crashes between any two appends, owners that lose a
partition and go on writing, snapshots in two slots: whatever the order, the outputs must agree.
"""

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable

import msgspec
import orjson

from schemas import refusals
from schemas.grid import WHOLE, Block, Grid, Layout
from schemas.journal import Profile, decode
from schemas.log import Record
from tests.laws.oracle import Truth, truth
from tests.laws.world import GRID, MODEL, PANE, T0, Item, World

LOGS = ("predictions", "labels", "metrics", "model-events")
DAY = 86_400_000


class Owner:
    """A profiler, what it still has to append, and which slot its next snapshot takes."""

    def __init__(self, machine, slot=0):
        self.machine, self.slot = machine, slot
        self.outbox = []


class Mill:
    """The world in motion; `problems` lists what must never happen."""

    def __init__(self, world: World, partitions: int = 1, *, seed: int = 0, check: bool = False):
        self.world, self.partitions, self.check = world, partitions, check
        self.items = world.logs(partitions)
        r = random.Random(seed)
        self.records: dict[tuple[str, int], list[Record]] = {}
        for place, items in self.items.items():
            offset, records = r.choice([0, 0, 3]), []
            for item in items:
                records.append(item.record(offset))
                offset += r.choice([1, 1, 1, 2])
            self.records[place] = records
        self.offsets = {place: [x.offset for x in rs] for place, rs in self.records.items()}
        self.profiler_role, self.monitor_role = world.roles()
        self.now = T0 - PANE
        self.journal: list[Record] = []
        self.letters: Counter = Counter()
        self.references: list[bytes] = []
        self.slots: dict[int, dict[int, tuple]] = {p: {} for p in range(partitions)}
        self.owners = {p: Owner(self._fresh(p)) for p in range(partitions)}
        self.ghosts: dict[int, Owner | None] = dict.fromkeys(range(partitions))
        self.monitor = self.monitor_role.fresh(0, 1)
        self.stored: bytes | None = None
        self.outputs: dict[str, tuple] = {}
        self.problems: list = []
        self.skew = 0
        """How far the clocks that tick are ahead of the broker's."""
        self.ended = False

    # -- machines ----------------------------------------------------------------------------------

    def _fresh(self, p):
        return self._taught(self.profiler_role.fresh(p, self.partitions))

    def _taught(self, machine):
        for reference in self.references:
            machine.adopt(reference)
        return machine

    def _restored(self, p):
        """An owner from the best of the stored snapshots, taught what is known by then."""
        held = self.slots[p]
        if not held:
            return Owner(self._fresh(p))
        slot = max(held, key=lambda s: held[s][0])
        grids = {g.model: g for g in map(_grid, self.references)} | self.profiler_role._grids
        role = self.world.roles()[0]
        role._grids = grids
        machine = role.restored(p, self.partitions, held[slot][1])
        return Owner(machine, 1 - slot)

    # -- steps -------------------------------------------------------------------------------------

    def poll(self, owner, log, limit, back=0):
        """Hand over what is visible from where the machine asks, or some records earlier."""
        machine, p = owner.machine, owner.machine.partition
        records, offsets = self.records[log, p], self.offsets[log, p]
        want = bisect_left(offsets, machine.positions()[log])
        batch = [r for r in records[max(0, want - back) : want + limit] if r.timestamp <= self.now]
        if want >= len(records) or records[want].timestamp > self.now:
            if batch:
                machine.step(log, batch)
            machine.tick(log, self.now + self.skew)
            return
        machine.step(log, batch)

    def flush(self, owner, *, snapshot=True):
        """Queue the outputs, and after them the snapshot."""
        machine = owner.machine
        outputs = machine.flush()
        owner.outbox += [("output", output) for output in outputs]
        if self.check and not machine.rebuilding:
            self._audit(machine)
        state = machine.snapshot() if snapshot else None
        if state is not None:
            owner.outbox.append(("snapshot", (machine.order(), state, owner.slot)))
            owner.slot = 1 - owner.slot

    def send(self, owner, count):
        """Append the first `count` of what is queued."""
        p = owner.machine.partition
        for what, content in owner.outbox[:count]:
            if what == "snapshot":
                order, state, slot = content
                self.slots[p][slot] = (order, state)
            elif content.topic == "journal":
                self._append(content.value)
            else:
                self._letter(p, content)
        del owner.outbox[:count]

    def _append(self, value):
        self.journal.append(Record(offset=len(self.journal), timestamp=self.now, value=value))

    def _letter(self, p, output):
        headers = dict(output.headers)
        log = headers["__connect.errors.topic"].decode()
        offset = int(headers["__connect.errors.offset"])
        record = self.records[log, p][bisect_left(self.offsets[log, p], offset)]
        if (record.value or b"") != output.value or record.key != output.key:
            self.problems.append(("a dead letter changed", record, output))
        if headers["__connect.errors.partition"] != b"%d" % p:
            self.problems.append(("a dead letter of another partition", output))
        self.letters[log, p, offset] += 1

    def judge(self, limit):
        """Step the monitor over some of the journal."""
        start = self.monitor.positions()["journal"]
        self.monitor.step("journal", self.journal[start : start + limit])

    def say(self, count=None):
        """Append the monitor's outputs and then its snapshot; only `count` outputs: it dies."""
        for output in self.monitor.flush()[:count]:
            self._said(output)
        if count is None:
            self.stored = self.monitor.snapshot()
        else:
            self.crash_monitor()

    def crash_monitor(self):
        """Back to its last snapshot."""
        if self.stored is None:
            self.monitor = self.monitor_role.fresh(0, 1)
        else:
            self.monitor = self.monitor_role.restored(0, 1, self.stored)

    def _said(self, output):
        headers = dict(output.headers)
        if output.topic == "references":
            name = f"reference {output.key!r}"
            if output.value not in self.references:
                self.references.append(output.value)
        else:
            name = headers["ce_id"].decode()
            finite(orjson.loads(output.value))
        said = (output.topic, output.key, output.value, tuple(output.headers))
        if self.outputs.setdefault(name, said) != said:
            self.problems.append(("two payloads of one id", self.outputs[name], said))

    # -- accounting --------------------------------------------------------------------------------

    def _prefix(self, machine, log):
        p = machine.partition
        end = bisect_left(self.offsets[log, p], machine.positions()[log])
        return self.items[log, p][:end]

    def _audit(self, machine):
        """The machine's books must be those of the oracle over what it has read."""
        read = {log: self._prefix(machine, log) for log in ("predictions", "labels")}
        model = machine._models["m"]
        if model.grid is None:
            return
        over = self.now - DAY if self.ended and self.world.clock == "broker" else -DAY
        expected = truth(self.world, read["predictions"], read["labels"], over=over).accounts
        for log, tally in machine.accounting().items():
            books = msgspec.structs.asdict(tally)
            parts = sum(books[name] for name in _FATES)
            again = machine.positions()[log] < machine._spoken[log]  # on a new grid
            if books["read"] != parts or not (
                again or books["read"] == len(self._prefix(machine, log))
            ):
                self.problems.append(("the books do not add up", log, books))
            known = expected.get(log, {})  # of misplaced rows the oracle knows nothing
            wrong = {k: (v, books[k]) for k, v in known.items() if v != books[k]}
            if wrong:
                self.problems.append(("wrong books (expected, found)", log, wrong))
        labels = machine.accounting()["labels"]
        if labels.joined + labels.orphaned > labels.counted:
            self.problems.append(("more labels than were counted", labels))

    # -- schedules ---------------------------------------------------------------------------------

    def run(self, seed: int, steps: int, *, faults: bool = True):
        """A random schedule, then everything to its end; gives what was said."""
        r = random.Random(seed)
        rate = r.choice([1_000, 4_000, 15_000])
        if self.world.learning:
            rate *= 5
        for _ in range(steps):
            x, p = r.random(), r.randrange(self.partitions)
            owner = self.owners[p]
            if faults and r.random() < 0.25 and self.ghosts[p] is not None:
                owner = self.ghosts[p]
            if x < 0.16:
                self.now += r.randint(1, rate * 3)
            elif x < 0.56:
                log = r.choice(("predictions", "labels", *LOGS))
                self.poll(owner, log, r.choice([1, 2, 3, 8, 99]), r.choice([0, 0, 1, 5]))
            elif x < 0.70:
                self.flush(owner)
            elif x < 0.84:
                self.send(owner, r.choice([1, 1, 2, 4, 99]))
            elif x < 0.88:
                self._taught(owner.machine) if not owner.outbox else None
            elif x < 0.93:
                self.judge(r.choice([1, 2, 5, 20]))
            elif x < 0.95:
                self.say(r.choice([0, 1, 2]) if faults and r.random() < 0.3 else None)
            elif faults:
                self._fault(r, p)
        return self.finish()

    def _fault(self, r, p):
        y = r.random()
        if y < 0.35:
            self.owners[p] = self._restored(p)
        elif y < 0.7:  # the old owner does not notice, and goes on writing
            self.ghosts[p], self.owners[p] = self.owners[p], self._restored(p)
        elif y < 0.8:
            self.ghosts[p] = None
        else:
            self.crash_monitor()

    def finish(self):
        """No more faults: everything is read, every pane closes."""
        last = max((r.timestamp for rs in self.records.values() for r in rs), default=T0)
        self.now, self.ended = max(self.now, last) + 2 * DAY, True
        for ghost in self.ghosts.values():
            if ghost is not None:
                self.send(ghost, 1 << 30)
        for _ in range(3 if self.world.learning else 1):
            for owner in self.owners.values():
                self.send(owner, 1 << 30)
                self._taught(owner.machine)
                for _ in range(2):
                    for log in LOGS:
                        self.poll(owner, log, 1 << 30)
                self.flush(owner)
                self.send(owner, 1 << 30)
            self.judge(1 << 30)
            self.say()
        for p, owner in self.owners.items():
            for log in LOGS:
                if self._prefix(owner.machine, log) != self.items[log, p]:
                    self.problems.append(("stuck", log, p, owner.machine.positions()))
            self._audit(owner.machine)
        return self

    # -- what came out -----------------------------------------------------------------------------

    def spoken(self, *ignored: str) -> dict[str, tuple]:
        """Outputs by id: topic, key, content without `sequence` and `ignored` fields."""
        drop = {"sequence", *ignored}
        return {
            name: (topic, key, without(orjson.loads(value), drop))
            for name, (topic, key, value, _) in self.outputs.items()
            if topic != "references"
        }

    def profiles(self) -> dict[tuple, Profile]:
        """The winning profile of each key in the journal."""
        return winners(self.journal)

    def cells(self, partition: int | None = None, grid: Grid = GRID) -> Counter:
        """Counts of the journal's profiles, keyed as the oracle keys them."""
        return counts(self.profiles(), partition, grid)

    def truths(self) -> dict[int, Truth]:
        """What the oracle says of every partition."""
        return {
            p: truth(self.world, self.items["predictions", p], self.items["labels", p])
            for p in range(self.partitions)
        }


_FATES = (
    "counted",
    "duplicate",
    "conflict",
    "expired",
    "dead_lettered",
    "tombstone",
    "control",
)


def winners(journal: Iterable[Record]) -> dict[tuple, Profile]:
    """The winning profile of each model's keys in a journal; of the only model, by key alone."""
    best: dict[tuple, Profile] = {}
    for record in journal:
        entry = decode(record.value)
        if isinstance(entry, Profile):
            key = entry.key if entry.model == MODEL else (entry.model, entry.key)
            old = best.get(key)
            if old is None or all(a >= b for a, b in zip(entry.offsets, old.offsets, strict=True)):
                best[key] = entry
    return best


def counts(profiles: dict[tuple, Profile], partition: int | None, grid: Grid) -> Counter:
    """Counts of the profiles of one partition (None: of all), keyed as the oracle keys them."""
    layout, out = Layout(grid), Counter()
    for key, profile in profiles.items():
        if partition is not None and key.partition != partition:
            continue
        place = (key.kind, key.version, key.segment, key.pane, key.arrived)
        out[*place, "rows", 0] += profile.rows
        if key.kind == "refusals":
            out.update(_tolls(place, profile))
            continue
        blocks = layout.predictions if key.kind == "predictions" else layout.outcomes
        if key.kind in ("agreements", "opinions"):
            blocks = {key.kind: Block(name=key.kind, start=0, width=layout.agreements)}
        vector = profile.vector.full(layout.width(key.kind))
        for name, block in blocks.items():
            if name.startswith("moments") or name in ("latency", "failed", "delay"):
                continue
            for cell, count in enumerate(vector[block.span].tolist()):
                if count:
                    out[*place, name, cell] += count
    return Counter({k: v for k, v in out.items() if v})


def _tolls(place: tuple, profile: Profile) -> Counter:
    """What a profile of refusals counts, by log; the oracle knows nothing of codes."""
    vector, out = profile.vector.full(refusals.WIDTH), Counter()
    for log in ("predictions", "labels"):
        out[*place, "read", log] = int(vector[refusals.READ[log]])
        refused = [refusals.REFUSED[log, code] for code in refusals.CODES]
        out[*place, "refused", log] = int(vector[refused].sum())
    return out


def _grid(reference: bytes) -> Grid:
    from schemas.baseline import decode as read

    return read(reference).grid


def without(tree, names):
    """A JSON tree without the members of these names."""
    if isinstance(tree, dict):
        return {k: without(v, names) for k, v in tree.items() if k not in names}
    if isinstance(tree, list):
        return [without(v, names) for v in tree]
    return tree


def finite(tree) -> None:
    """No number in a JSON tree may be NaN or infinite (orjson would have written null)."""
    if isinstance(tree, dict):
        for value in tree.values():
            finite(value)
    elif isinstance(tree, list):
        for value in tree:
            finite(value)
    elif isinstance(tree, float):
        assert abs(tree) < float("inf"), tree


__all__ = ["DAY", "LOGS", "WHOLE", "Item", "Mill", "without"]
