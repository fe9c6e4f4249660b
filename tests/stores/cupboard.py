"""A store in a dictionary, which may be away, full, or lose things; and worlds that use one."""

import numpy as np

from streams.join import Found
from streams.join.stories import FIELD_BYTES, PREDICTION, SOURCE_BYTES
from streams.runtime.roles import ProfilerRole
from streams.stores import Attended
from tests.laws.world import BASELINE, MODEL, World


class Cupboard:
    """Stories by model and id. `away` and `full` may be set, or functions of nothing."""

    def __init__(self):
        self.stories, self.turns = {}, {}
        self.away = self.full = lambda: False
        self.asked = self.taken = 0

    def fetch(self, wanted):
        """As a store."""
        if self.away():
            return None
        self.asked += len(wanted.ids)
        counts, rows = {"p": [], "l": []}, {"p": [], "l": []}
        for i in range(len(wanted.ids)):
            story = self.stories.get((wanted.model, wanted.ids.key(i)), {})
            own = [(f, row) for f, row in story.items() if f[:SOURCE_BYTES] == wanted.source]
            for kind in "pl":
                some = [f[SOURCE_BYTES + 1 :] + row for f, row in own if f[8:9] == kind.encode()]
                counts[kind].append(len(some))
                rows[kind] += some
        return Found(
            self.turns.get(wanted.source, 0),
            np.array(counts["p"]),
            b"".join(rows["p"]),
            np.array(counts["l"]),
            b"".join(rows["l"]),
        )

    def put(self, leaving):
        """As a store."""
        if self.away() or self.full():
            return None
        known = self.turns.get(leaving.source, 0)
        for i, (field, row) in enumerate(zip(leaving.fields, leaving.rows, strict=True)):
            assert len(field) == FIELD_BYTES
            self.stories.setdefault((leaving.model, leaving.ids.key(i)), {})[field] = row
        self.turns[leaving.source] = max(known, leaving.turn)
        self.taken += len(leaving.rows)
        return known

    def trouble(self):
        """As a store."""
        return "is away" if self.away() else None

    def waiting(self):
        """How many predictions it holds."""
        return sum(f[8:9] == PREDICTION for story in self.stories.values() for f in story)


class Seen(Attended):
    """A machine whose inside the mill may look at."""

    def __getattr__(self, name):
        return getattr(self.profiler, name)


class Role(ProfilerRole):
    """Makes machines that a mill can look into."""

    def _attended(self, profiler):
        return Seen(profiler, self._store)


class Apart(World):
    """A world whose predictions wait in `store`."""

    store = None

    @classmethod
    def of(cls, world, store):
        """The same world with a store."""
        made = cls(*world)
        made.store = store
        return made

    def roles(self):
        """As of any world, with the store."""
        known = {} if self.learning else {MODEL: BASELINE}
        return Role(self.config(), known, self.store, "test"), super().roles()[1]


def counted(mill):
    """Profiles and accounts of every partition."""
    accounts = {p: owner.machine.accounting() for p, owner in mill.owners.items()}
    return mill.profiles(), accounts
