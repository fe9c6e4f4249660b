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
from schemas.log import Record
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
                return orjson.dumps(event)
            case "label":
                return orjson.dumps(
                    {
                        "model": MODEL,
                        "prediction_id": f"p{self.number}",
                        "timestamp": self.time,
                        "label": self.answer,
                        "revision": self.revision,
                    }
                )
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
    segments = ("*", *GRID.segments[0].labels())
    normals: dict[str, dict[str, Normal]] = {}
    for segment in segments:
        normals[segment] = {}
        for signal in (*prediction_signals(layout), *outcome_signals(layout)):
            shares = np.full(len(signal.cells), 0.01)
            shares[1 if signal.kind == "numeric" else 0] = 1.0
            shares[2 if signal.kind == "numeric" else 1] = 0.3
            panes = rng.multinomial(100, shares / shares.sum(), size=30)
            normals[segment][signal.name] = Normal.of(signal.kind, panes)
    return Baseline(model=MODEL, grid=GRID, source="fixed", normals=normals)


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


def world(
    seed: int,
    *,
    ids: int = 24,
    span: int = 9,
    late: float = 0.12,
    conflict: float = 0.08,
    bad: float = 0.05,
    clock: str = "broker",
    learning: int = 0,
) -> World:
    """A random world: `span` panes of `ids` ids, most of them labelled, some of them awkward."""
    r = random.Random(seed)
    lateness, horizon = r.choice([3_000, 6_000, 12_000]), r.choice([15_000, 30_000])
    items: list[Item] = []

    def came(time: int) -> int:
        late_by = r.randint(lateness + 1, lateness + 35_000)
        return time + (late_by if r.random() < late else r.randint(0, lateness))

    def ask(number: int, time: int, version: str) -> Item:
        shifted = time > T0 + span * PANE * 2 // 3
        return Item(
            "predictions",
            "prediction",
            came(time),
            number,
            time,
            version,
            r.choice(VALUES[-5:] if shifted else VALUES),
            r.choice(CATEGORIES[3:] if shifted else CATEGORIES),
            r.choice([0.1, 0.3, 0.6, 0.9, None]),
            r.randint(0, 1),
            r.choice(REGIONS),
        )

    def answer(number: int, time: int, revision: int = 1) -> Item:
        return Item(
            "labels", "label", came(time), number, time, answer=r.randint(0, 1), revision=revision
        )

    for number in r.sample(range(10**6), ids):
        time = T0 + r.randint(0, span * PANE)
        version = r.choice("12")
        row = ask(number, time, version)
        if r.random() < 0.1:  # the producer's clock is ahead
            row = row._replace(broker=time - 2_000)
        items.append(row)
        if r.random() < 0.1:
            items.append(row._replace(broker=row.broker + r.randint(0, 20_000)))
        if r.random() < 0.15:
            items.append(ask(number, time, "12".replace(version, "")))
        if r.random() < conflict:
            again = time + r.randint(1, horizon + 15_000)
            items.append(ask(number, again, version))
            if r.random() < 0.5:
                items.append(ask(number, again + r.randint(1, horizon + 15_000), version))
        if r.random() < 0.75:
            told = time + r.randint(-8_000, horizon + 8_000)
            label = answer(number, told)
            items.append(label)
            if r.random() < 0.15:
                items.append(label._replace(broker=label.broker + r.randint(0, 9_000)))
            if r.random() < 0.25:
                later = told + r.randint(-5_000, horizon)
                items.append(answer(number, later, r.choice([1, 2, 3])))
                if r.random() < 0.5:
                    items.append(answer(number, later + r.randint(-9_000, 9_000), r.randint(1, 4)))
        if r.random() < 0.04:
            items.append(answer(number + 1, time))
    for _ in range(int(ids * bad * 2)):
        at = T0 + r.randint(0, span * PANE)
        log = r.choice(["predictions", "labels"])
        if r.random() < 0.2:
            items.append(Item(log, "tombstone", at, r.randint(0, 99)))
        else:
            items.append(Item(log, "bad", at, r.randint(0, 99), value=r.choice(BAD)))
    if clock == "broker":
        for k in range(r.randint(0, 3)):
            at = T0 + r.randint(0, span * PANE)
            items.append(Item("model-events", "event", came(at), 0, at, version=f"e{k}"))
    r.shuffle(items)
    return World(tuple(items), lateness, horizon, clock, learning)
