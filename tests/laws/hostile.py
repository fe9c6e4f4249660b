"""A stream that tries to make state grow: names, versions, values and instants without end.

Two partitions; each pane brings versions, regions, features, metrics and events that were never
seen before, late rows of every pane the horizon allows, labels and their corrections.
"""

import random

import orjson

from schemas.config import Config
from schemas.log import Record
from streams.runtime.roles import MonitorRole, ProfilerRole
from tests.laws.world import BASELINE, MODEL, PANE, T0

HORIZON = 6 * PANE
LATENESS = PANE // 2
VERSIONS = 30
"""`limits.versions`: the first so many are counted, the others are dead letters."""

LOGS = ("predictions", "labels", "metrics", "model-events")


def config(learning=0):
    """The config of the hostile model; with `learning` rows it learns its grid first."""
    model = {
        "task": "binary",
        "pane": f"{PANE}ms",
        "lateness": f"{LATENESS}ms",
        "timestamps": "ms",
        "labels": {"horizon": f"{HORIZON}ms", "min_coverage": 0.1},
        "features": {"x": "numeric", "c": "categorical"},
        "segments": ["region"],
        "classes": [0, 1],
        "monitors": [
            {"watch": "feature:*", "detector": "adwin"},
            {"watch": "metric:*", "detector": "page_hinkley"},
        ],
    }
    if learning:
        model["reference"] = {"from": "first", "rows": learning, "min_duration": "10s"}
    return Config.model_validate({"limits": {"versions": VERSIONS}, "models": {MODEL: model}})


class Flood:
    """Both machines of a config under the flood; `sizes` are snapshots after each pane."""

    def __init__(self, *, learning=0, partitions=2, rows=40, seed=0, heard=None):
        """`rows` a pane and partition; only the first `heard` partitions say anything."""
        asked, known = config(learning), {} if learning else {MODEL: BASELINE}
        self.roles = ProfilerRole(asked, known), MonitorRole(asked, known)
        self.profilers = [self.roles[0].fresh(p, partitions) for p in range(partitions)]
        self.monitor = self.roles[1].fresh(0, 1)
        self.heard, self.readings = heard, []
        self.rows, self.r = rows, random.Random(seed)
        self.offsets = {(log, p): 0 for log in LOGS for p in range(partitions)}
        self.pane, self.journal, self.refused = 0, 0, 0
        self.sizes = {"profiler": [], "monitor": []}

    def run(self, panes):
        """So many panes of the flood."""
        for _ in range(panes):
            self._turn()
        return self

    def _turn(self):
        now = T0 + self.pane * PANE
        journal = []
        for p, machine in enumerate(self.profilers[: self.heard]):
            for log in LOGS:
                machine.step(log, self._records(log, p, now))
            for log in LOGS:
                machine.tick(log, now + PANE)
            outputs = machine.flush()
            self.refused += sum(output.topic == "dead-letters" for output in outputs)
            journal += [output.value for output in outputs if output.topic == "journal"]
        records = [
            Record(offset=self.journal + i, timestamp=now, value=value)
            for i, value in enumerate(journal)
        ]
        self.journal += len(records)
        self.monitor.step("journal", records)
        for output in self.monitor.flush():
            if output.topic == "readings":
                self.readings.append(orjson.loads(output.value))
            if output.topic == "references":
                for machine in self.profilers:
                    machine.adopt(output.value)
        self.pane += 1
        self.sizes["profiler"].append(max(len(one.snapshot() or b"") for one in self.profilers))
        self.sizes["monitor"].append(len(self.monitor.snapshot()))

    def _records(self, log, p, now):
        made = [self._event(log, p, now, i) for i in range(self.rows)]
        first = self.offsets[log, p]
        self.offsets[log, p] += len(made)
        return [
            Record(offset=first + i, timestamp=now + i, key=b"k", value=orjson.dumps(event))
            for i, event in enumerate(made)
        ]

    def _event(self, log, p, now, i):
        r, unique = self.r, f"{self.pane}-{p}-{i}"
        late = now - r.choice([0, 0, 0, r.randint(0, HORIZON)])
        match log:
            case "predictions":
                return {
                    "model": MODEL,
                    "version": f"v{unique}" if r.random() < 0.5 else r.choice(["1", "2"]),
                    "prediction_id": unique,
                    "timestamp": late,
                    "features": {"x": r.gauss(0, 9), "c": f"c{unique}", f"f{unique}": 1},
                    "prediction": r.randint(0, 1),
                    "score": r.random(),
                    "tags": {"region": r.choice(["eu", "us", unique])},
                }
            case "labels":
                back = r.randint(0, min(self.pane, 5))
                return {
                    "model": MODEL,
                    "prediction_id": f"{self.pane - back}-{p}-{i}",
                    "timestamp": now,
                    "label": r.randint(0, 1),
                    "revision": self.pane,
                }
            case "metrics":
                name = r.choice([f"m{unique}", "orders"])
                return {"model": MODEL, "name": name, "value": r.random(), "timestamp": late}
        kind = r.choice(["external", "deployment"])
        event = {"model": MODEL, "type": kind, "id": unique, "timestamp": late}
        return event | ({"version": f"v{unique}"} if kind == "deployment" else {})
