"""Two models in one profiler: neither knows of the other, also while one learns its grid."""

import random

import msgspec
import pytest

from schemas.baseline import Baseline, encode
from schemas.journal import Forwarded, Profile, decode
from schemas.log import Record
from streams.profiler import Profiler
from tests.laws.mill import DAY, LOGS
from tests.laws.world import GRID, MODEL, T0, world

OTHER = "n"
GRIDS = {MODEL: GRID, OTHER: msgspec.structs.replace(GRID, model=OTHER)}
LEARNED = encode(Baseline(model=OTHER, grid=GRIDS[OTHER], source="elsewhere"))


class Shared:
    """The logs of one partition that two models share, and a profiler that reads them."""

    def __init__(self, seed, known):
        one, two = world(seed), world(seed + 1_000)
        counting = one.roles()[0]._counting[MODEL]
        self.counting = {m: msgspec.structs.replace(counting, model=m) for m in GRIDS}
        rows = [(item, MODEL) for item in one.items] + [(item, OTHER) for item in two.items]
        rows.sort(key=lambda row: row[0].broker)
        self.records = {log: [] for log in LOGS}
        for item, model in rows:
            value, log = item.bytes(), self.records[item.log]
            if value is not None:
                value = value.replace(b'"model":"m"', b'"model":"%s"' % model.encode())
            log.append(Record(offset=len(log), timestamp=item.broker, value=value))
        self.known = {model: GRIDS[model] for model in known}
        self.profiler = Profiler(self.counting, partition=0, partitions=1, grids=self.known)
        self.stored, self.said = None, []

    def restore(self):
        self.profiler = Profiler.restore(
            self.counting, self.stored, partition=0, partitions=1, grids=self.known
        )

    def run(self, seed, *, crashes):
        """Read in random pieces; the other model's grid comes somewhere on the way."""
        r = random.Random(seed)
        due = r.randint(1, 60)
        for turn in range(10_000):
            if turn == due:
                self.profiler.adopt(LEARNED)
                self.known = GRIDS
            at = self.profiler.positions()
            todo = [log for log in LOGS if at[log] < len(self.records[log])]
            if not todo and turn > due:
                break
            if todo:
                log = r.choice(todo)
                begin = max(0, at[log] - r.choice([0, 0, 2]))
                self.profiler.step(log, self.records[log][begin : at[log] + r.choice([1, 3, 10])])
            if r.random() < 0.2:
                self.said += self.profiler.flush()
                self.stored = self.profiler.snapshot() or self.stored
            if crashes and self.stored and r.random() < 0.05:
                self.restore()
        for log in LOGS:
            self.profiler.tick(log, T0 + 3 * DAY)
        self.said += self.profiler.flush()
        return self

    def result(self):
        """Winning profiles, forwards and dead letters (each once), and the books."""
        profiles, others = {}, set()
        for output in self.said:
            if output.topic != "journal":
                others.add((output.value, output.headers))
                continue
            entry = decode(output.value)
            if isinstance(entry, Forwarded):
                others.add((entry.model, entry.log, entry.offset, entry.arrived, entry.value))
            if isinstance(entry, Profile):
                place = entry.model, entry.key
                old = profiles.get(place, entry).offsets
                if all(a >= b for a, b in zip(entry.offsets, old, strict=True)):
                    profiles[place] = entry
        return profiles, others, self.profiler.accounting()


@pytest.mark.parametrize("crashes", [False, True], ids=["steady", "crashing"])
@pytest.mark.parametrize("known", [(MODEL, OTHER), (MODEL,)], ids=["known", "learning"])
def test_models_do_not_disturb_each_other(known, crashes):
    """Whenever the other model learns its grid, and whatever fails, both count the same."""
    for seed in range(20):
        expected = Shared(seed, GRIDS).run(seed, crashes=False).result()
        found = Shared(seed, known).run(seed + 1, crashes=crashes).result()
        assert expected == found, f"seed {seed}"
        assert {model for model, _ in found[0]} == set(GRIDS)
