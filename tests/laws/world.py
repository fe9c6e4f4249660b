"""A tiny model and random streams of it: two features, one segmentation, ten-second panes.

An `Item` is one record of an input log with its meaning beside its bytes, so that the oracle never
has to decode anything.
"""

import random
from typing import NamedTuple

import numpy as np
import orjson

from schemas.baseline import Baseline, Normal
from schemas.config import Config
from schemas.grid import Grid, Layout, SegmentGrid, SignalGrid
from schemas.journal import Sparse
from schemas.log import Record
from schemas.shadow import SUFFIX, counted_as, is_shadow
from streams.runtime.roles import MonitorRole, ProfilerRole
from streams.signals import outcome_signals, prediction_signals

MODEL = "m"
PANE = 10_000
T0 = 1_700_000_000_000
VALUES = (-1.0, 0.0, 0.5, 1.0, 2.0, 3.5, 4.0, 5.0, None)
CATEGORIES = ("a", "b", "c", "d", None)
REGIONS = ("eu", "us", "mars", None)
END_HEADERS = (("ce_specversion", b"1.0"), ("ce_type", b"windage.model-event.v1"))

GRID = Grid(
    model=MODEL,
    task="binary",
    features=(
        SignalGrid(name="x", type="numeric", edges=(0.0, 1.0, 2.0, 3.0, 4.0), center=2.0),
        SignalGrid(name="c", type="categorical", categories=("a", "b", "c")),
    ),
    score=SignalGrid(name="score", type="numeric", edges=(0.0, 0.25, 0.5, 0.75, 1.0), center=0.5),
    target=SignalGrid(name="target", type="categorical", categories=("0", "1")),
    positive="1",
    segments=(SegmentGrid(name="region", source="tag", values=("eu", "us")),),
)


class Item(NamedTuple):
    """One record; `kind` prediction, label, bad, tombstone, end or event. Times are absolute."""

    log: str
    kind: str
    broker: int
    number: int
    time: int = 0
    version: str = ""
    x: float | None = None
    c: str | None = None
    score: float | None = None
    answer: int = 0
    region: str | None = None
    revision: int = 1
    value: bytes | None = None
    headers: tuple = ()
    annotator: str | None = None

    def record(self, offset: int) -> Record:
        """The bytes of it."""
        return Record(
            offset=offset,
            timestamp=self.broker,
            key=b"%d" % self.number,
            value=self.bytes(),
            headers=self.headers,
        )

    def bytes(self) -> bytes | None:
        """The payload."""
        match self.kind:
            case "prediction":
                features = {"x": self.x, "c": self.c}
                event = {
                    "model": MODEL,
                    "version": self.version,
                    "prediction_id": f"p{self.number}",
                    "timestamp": self.time,
                    "features": {k: v for k, v in features.items() if v is not None},
                    "prediction": self.answer,
                    "score": self.score,
                }
                if self.region is not None:
                    event["tags"] = {"region": self.region}
                if is_shadow(self.version):
                    event |= {"version": self.version.removesuffix(SUFFIX), "role": "shadow"}
                return orjson.dumps(event)
            case "label":
                event = {
                    "model": MODEL,
                    "prediction_id": f"p{self.number}",
                    "timestamp": self.time,
                    "label": self.answer,
                    "revision": self.revision,
                }
                if self.annotator is not None:
                    event["annotator"] = self.annotator
                return orjson.dumps(event)
            case "end":
                return orjson.dumps(
                    {"model": MODEL, "type": "end_of_stream", "timestamp": self.time}
                )
            case "event":
                return orjson.dumps(
                    {"model": MODEL, "type": "external", "timestamp": self.time, "id": self.version}
                )
            case "tombstone":
                return None
        return self.value


class World(NamedTuple):
    """All items, and the rules they are read by. Spans in milliseconds."""

    items: tuple[Item, ...]
    lateness: int
    horizon: int
    clock: str = "broker"
    learning: int = 0

    def config(self) -> Config:
        """The config of the one model."""
        model = {
            "task": "binary",
            "pane": f"{PANE}ms",
            "lateness": f"{self.lateness}ms",
            "clock": self.clock,
            "timestamps": "ms",
            "labels": {"horizon": f"{self.horizon}ms", "min_coverage": 0.1},
            "features": {"x": "numeric", "c": "categorical"},
            "segments": ["region"],
            "classes": [0, 1],
            "false_alarms": "50 per 1h",
            "policy": {"sustained": "1 panes", "resolve_after": "2 panes", "cool_down": "20s"},
            "retrain": {"min_labels": 1, "min_interval": "20s"},
        }
        if self.learning:
            model["reference"] = {"from": "first", "rows": self.learning, "min_duration": "10s"}
        return Config.model_validate({"models": {MODEL: model}})

    def roles(self) -> tuple[ProfilerRole, MonitorRole]:
        """Makers of both machines; with a reference from the start, unless they learn one."""
        known = {} if self.learning else {MODEL: BASELINE}
        return ProfilerRole(self.config(), known), MonitorRole(self.config(), known)

    def logs(self, partitions: int) -> dict[tuple[str, int], list[Item]]:
        """The items by log and partition, in the order of the broker."""
        out: dict[tuple[str, int], list[Item]] = {
            (log, p): []
            for log in ("predictions", "labels", "metrics", "model-events")
            for p in range(partitions)
        }
        for item in sorted(self.items, key=lambda one: one.broker):
            out[item.log, item.number % partitions].append(item)
        if self.clock == "event":
            last = max((item.broker for item in self.items), default=T0)
            for (log, p), items in out.items():
                items.append(Item(log, "end", last, p, time=last, headers=END_HEADERS))
        return out


def _baseline() -> Baseline:
    """What is normal of the tiny model: fixed counts, thirty panes of a hundred rows."""
    layout, rng = Layout(GRID), np.random.default_rng(7)
    segments = ("*", "region=eu")  # the others are counted, but nobody knows what is normal there
    normals: dict[str, dict[str, Normal]] = {}
    for segment in segments:
        normals[segment] = {}
        for signal in (*prediction_signals(layout), *outcome_signals(layout)):
            shares = np.full(len(signal.cells), 0.01)
            shares[1 if signal.kind == "numeric" else 0] = 1.0
            shares[2 if signal.kind == "numeric" else 1] = 0.3
            panes = rng.multinomial(100, shares / shares.sum(), size=30)
            normals[segment][signal.name] = Normal.of(signal.kind, panes)
    outcomes = {
        segment: Sparse.pack(rng.integers(0, 20, layout.width("outcomes"))) for segment in segments
    }
    return Baseline(model=MODEL, grid=GRID, source="fixed", normals=normals, outcomes=outcomes)


BASELINE = _baseline()

BAD = (
    b"",
    b"{",
    b"\xff\xfe",
    b"[]",
    b"null",
    b'{"model":"m"}',
    b'{"model":"m","prediction_id":"q","timestamp":"never","prediction":1,"label":1}',
    b'{"model":"m","prediction_id":"q","timestamp":4102444800000,"prediction":1,"label":1}',
    b'{"model":"else","prediction_id":"p1","timestamp":1700000000000,"prediction":1,"label":1}',
    b'{"model":"m","prediction_id":"q","timestamp":1700000000000,"prediction":NaN,"label":NaN}',
)


class Ways(NamedTuple):
    """How awkward a random world is: shares of what is late, conflicting, corrected, bad.

    `shadow`: of requests that a shadow answers, too. `annotators`: of labelled ids that several
    people label.
    """

    late: float = 0.12
    conflict: float = 0.08
    corrected: float = 0.25
    ahead: float = 0.1
    again: float = 0.12
    bad: float = 0.05
    shadow: float = 0.0
    annotators: float = 0.0


TAME = Ways(late=0, conflict=0, corrected=0, ahead=0)


def world(
    seed: int,
    ways: Ways = Ways(),  # noqa: B008 - frozen
    *,
    ids: int = 24,
    span: int = 9,
    clock: str = "broker",
    learning: int = 0,
) -> World:
    """A random world: `span` panes of `ids` ids, most of them labelled."""
    r = random.Random(seed)
    lateness, horizon = r.choice([3_000, 6_000, 12_000]), r.choice([15_000, 30_000])
    maker = _Maker(r, ways, lateness, horizon, T0 + span * PANE)
    items: list[Item] = []
    for number in r.sample(range(10**6), ids):
        items += maker.story(number, T0 + r.randint(0, span * PANE))
    items += [maker.misfit() for _ in range(int(ids * ways.bad * 2))]
    if clock == "broker":
        for k in range(r.randint(0, 3)):
            at = T0 + r.randint(0, span * PANE)
            items.append(Item("model-events", "event", maker.came(at), 0, at, version=f"e{k}"))
    r.shuffle(items)
    return World(tuple(items), lateness, horizon, clock, learning)


class _Maker(NamedTuple):
    """Makes items of one world; everything after two thirds of it is shifted."""

    r: random.Random
    ways: Ways
    lateness: int
    horizon: int
    end: int

    def came(self, time: int) -> int:
        """Append time of an event."""
        late_by = self.r.randint(self.lateness + 1, self.lateness + 35_000)
        on_time = self.r.randint(0, self.lateness)
        return time + (late_by if self.r.random() < self.ways.late else on_time)

    def ask(self, number: int, time: int, version: str) -> Item:
        """A prediction."""
        r, shifted = self.r, time > T0 + (self.end - T0) * 2 // 3
        x = r.choice(VALUES[-5:] if shifted else VALUES)
        c = r.choice(CATEGORIES[3:] if shifted else CATEGORIES)
        rest = (r.choice([0.1, 0.3, 0.6, 0.9, None]), r.randint(0, 1), r.choice(REGIONS))
        at = self.came(time)
        return Item("predictions", "prediction", at, number, time, version, x, c, *rest)

    def answer(self, number: int, time: int, revision: int = 1) -> Item:
        """A label."""
        said = self.r.randint(0, 1)
        came = self.came(time)
        return Item("labels", "label", came, number, time, answer=said, revision=revision)

    def story(self, number: int, time: int) -> list[Item]:
        """All that happens to one id."""
        r, ways, horizon = self.r, self.ways, self.horizon
        version = r.choice("12")
        row = self.ask(number, time, version)
        if r.random() < ways.ahead:  # the producer's clock is ahead
            row = row._replace(broker=time - 2_000)
        items = [row]
        if r.random() < ways.again:
            items.append(row._replace(broker=row.broker + r.randint(0, 20_000)))
        if r.random() < 0.15:  # a shadow scores the same request
            items.append(self.ask(number, time, "12".replace(version, "")))
        if r.random() < ways.conflict:  # ids used again, in time or too late
            later = time + r.randint(1, horizon + 15_000)
            items.append(self.ask(number, later, version))
            if r.random() < 0.5:
                later += r.randint(1, horizon + 15_000)
                items.append(self.ask(number, later, version))
        if ways.shadow and r.random() < ways.shadow:
            at = time + r.choice([0, 0, -12_000, 12_000, horizon])
            items.append(self.ask(number, at, counted_as(version, "shadow")))
        if r.random() < 0.75:
            items += self.answers(number, time + r.randint(-8_000, horizon + 8_000))
        if r.random() < 0.04:
            items.append(self.answer(number + 1, time))
        return items

    def answers(self, number: int, time: int) -> list[Item]:
        """A label, perhaps again, perhaps corrected."""
        r = self.r
        items = [self.answer(number, time)]
        if r.random() < self.ways.again:
            items.append(items[0]._replace(broker=items[0].broker + r.randint(0, 9_000)))
        if r.random() < self.ways.corrected:
            later = time + r.randint(-5_000, self.horizon)
            items.append(self.answer(number, later, r.choice([1, 2, 3])))
            if r.random() < 0.5:
                later += r.randint(-9_000, 9_000)
                items.append(self.answer(number, later, r.randint(1, 4)))
        if self.ways.annotators and r.random() < self.ways.annotators:
            return self.opinions(items)
        return items

    def opinions(self, items: list[Item]) -> list[Item]:
        """The same labels by several people (or nobody), who repeat and contradict themselves."""
        r = self.r
        for _ in range(r.randint(1, 4)):
            one = r.choice(items)
            time = one.time + r.choice([0, 0, r.randint(-9_000, 9_000), self.horizon])
            items.append(self.answer(one.number, time, r.choice([one.revision, 1])))
        return [one._replace(annotator=r.choice(["ann", "bob", "cid", None, ""])) for one in items]

    def misfit(self) -> Item:
        """A record that nobody can count."""
        at = self.r.randint(T0, self.end)
        log = self.r.choice(["predictions", "labels"])
        number = self.r.randint(0, 99)
        if self.r.random() < 0.2:
            return Item(log, "tombstone", at, number)
        return Item(log, "bad", at, number, value=self.r.choice(BAD))
