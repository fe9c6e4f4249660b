"""What a simulation reads: the records of one or two tiny models, spread over partitions.

Two features of four and three cells, ten-second panes, labels with revisions, sometimes two
segments, sometimes a second model, sometimes a grid that is learned first, sometimes a second
config by which everything is counted from some place on.
"""

import random
from functools import cached_property

import msgspec

from schemas.baseline import Baseline
from schemas.config import Config
from schemas.log import INPUT_LOGS, Record
from tests.laws.oracle import Truth, truth
from tests.laws.world import BASELINE, MODEL, T0, Item, Ways, World, world

OTHER = "n"


class Setting:
    """A function of its seed."""

    def __init__(self, seed: int) -> None:
        r = random.Random(seed)
        self.seed = seed
        self.partitions = r.choice([1, 2, 2, 3])
        self.learning = learning = seed % 16 == 7
        clock = "event" if seed % 5 == 3 else "broker"
        shape = {"ids": 70, "span": 45, "learning": 40} if learning else {"ids": 10, "span": 4}
        self.haste = 5 if learning else 1
        self.renewed = seed % 16 == 11 and clock == "broker"
        whole = seed % 3 != 0 and not learning  # most rows outside the segments: less to judge
        ways = Ways(late=0.15, conflict=0.1)
        self.worlds: dict[str, World] = {}
        for number, model in enumerate([MODEL, OTHER] if seed % 8 == 1 else [MODEL]):
            made = world(seed + number * 1_000_003, ways, clock=clock, **shape)
            if whole:
                items = tuple(_plainly(item) for item in made.items)
                made = made._replace(items=items)
            self.worlds[model] = made
        self.items = self._spread()
        self.records = self._records(r)
        self.last = max((r.timestamp for rs in self.records.values() for r in rs), default=T0)

    @cached_property
    def config(self) -> Config:
        """The config of all models."""
        models = {
            name: one.config().models[MODEL].model_dump(mode="json", by_alias=True)
            for name, one in self.worlds.items()
        }
        return Config.model_validate({"models": models})

    @cached_property
    def later(self) -> Config:
        """The config after a change of what is counted."""
        told = self.config.model_dump(mode="json", by_alias=True)
        told["models"][MODEL] |= {"lateness": "9s", "pane": "20s"}
        told["models"][MODEL]["labels"]["horizon"] = "40s"
        return Config.model_validate(told)

    @cached_property
    def baselines(self) -> dict[str, Baseline]:
        """What is normal of the models that do not learn it."""
        replace = msgspec.structs.replace
        return {
            name: replace(BASELINE, model=name, grid=replace(BASELINE.grid, model=name))
            for name, one in self.worlds.items()
            if not one.learning
        }

    @property
    def counted_by_definition(self) -> bool:
        """Whether the oracle says what must be counted: for one model on a known grid."""
        return len(self.worlds) == 1 and not self.learning

    @cached_property
    def truths(self) -> dict[int, Truth]:
        """What the oracle says of each partition."""
        logs = {
            p: [[item for _, item in self.items[log, p]] for log in ("predictions", "labels")]
            for p in range(self.partitions)
        }
        return {p: truth(self.worlds[MODEL], *read) for p, read in logs.items()}

    def refused(self) -> set[tuple[str, int, int]]:
        """Log, partition and offset of the dead letters that the oracle expects."""
        return {
            (log, p, self.records[log, p][index].offset)
            for p, one in self.truths.items()
            for log, index in one.refused
        }

    def _spread(self) -> dict[tuple[str, int], list[tuple[str, Item]]]:
        """All items, with their models, by log and partition and in the broker's order."""
        out: dict[tuple[str, int], list[tuple[str, Item]]] = {
            (log, p): [] for log in INPUT_LOGS for p in range(self.partitions)
        }
        for model, one in self.worlds.items():
            for place, items in one.logs(self.partitions).items():
                out[place] += [(model, item) for item in items]
        for items in out.values():
            items.sort(key=lambda entry: entry[1].broker)
        return out

    def _records(self, r: random.Random) -> dict[tuple[str, int], list[Record]]:
        """The records; now and then an offset is missing, as markers of transactions leave it."""
        records: dict[tuple[str, int], list[Record]] = {}
        for place, items in self.items.items():
            offset, log = r.choice([0, 0, 3]), []
            for model, item in items:
                record = item.record(offset)
                if model != MODEL and record.value is not None:
                    named = record.value.replace(b'"model":"m"', b'"model":"%s"' % model.encode())
                    record = msgspec.structs.replace(record, value=named)
                log.append(record)
                offset += r.choice([1, 1, 1, 2])
            records[place] = log
        return records


def _plainly(item: Item) -> Item:
    """The same row of nobody's region and of one version."""
    version = "1" if item.kind == "prediction" else item.version
    return item._replace(region=None, version=version)
