"""The records of a run: three models, with duplicates, conflicts, late rows, labels and bad bytes.

`alpha` learns its grid and is judged under event time, with labels and a change of version;
`beta` has no labels; `gamma` goes by the broker's clock with a reference from a file.

Promises: what is written is a function of the seed (of `gamma`, all but its timestamps); `Truth`
is counted here, from what was meant, and by no code of the product.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator
from heapq import heappop, heappush
from pathlib import Path
from typing import Final, NamedTuple

import orjson

PARTITIONS: Final = 4
PANE_MS: Final = 60_000
BASE_MS: Final = 1_735_689_600_000
"""2025-01-01: where event time begins."""

STEP_MS: Final = 100
"""Event time between two records."""

CONFIG: Final = """
version: 1
app: storm
kafka: {{bootstrap: "127.0.0.1:{port}", group: storm, session_timeout: 6s}}
topics: {{partitions: {partitions}}}
state: {{every: 1s}}
limits: {{skew: 1s}}
models:
  alpha:
    task: binary
    pane: 1m
    lateness: 30s
    clock: event
    labels: {{horizon: 20m}}
    segments: [{{feature: city}}]
    reference: {{from: first, rows: 3000, min_duration: 0s}}
    false_alarms: 1 per 7d
  beta:
    task: none
    pane: 1m
    lateness: 30s
    clock: event
    labels: none
    reference: {{from: first, rows: 1000, min_duration: 0s}}
    false_alarms: 1 per 7d
  gamma:
    task: binary
    pane: 2s
    lateness: 1s
    labels: {{horizon: 10m}}
    reference: {{from: file, path: "{reference}"}}
    false_alarms: 1 per 7d
"""

BAD, METRIC, STRANGER, LATE = 0.003, 0.001, 0.002, 0.005
LABELLED, REPEATED, CONFLICTING = 0.6, 0.02, 0.002
"""Shares of records, or of predictions, of which this is true."""

SHIFTED: Final = (0.4, 0.6)
"""The part of the run in which features lie one standard deviation higher."""

LAST: Final = 0.98
"""Nothing is planned for later than this part of the run: it would not be written."""

QUIET_S: Final = 9.0
"""Until `gamma`'s last pane is over: two panes, lateness, skew, and a cycle of profilers."""

EVENT_TIMED: Final = ("alpha", "beta")
PANES: Final = {"alpha": PANE_MS, "beta": PANE_MS, "gamma": 2_000}


class Sent(NamedTuple):
    """One record to write."""

    topic: str
    key: bytes
    value: bytes | None


class Cell(NamedTuple):
    """Where a prediction counts: the pane is that of its own timestamp."""

    model: str
    version: str
    pane: int


class Truth:
    """What must be counted."""

    def __init__(self) -> None:
        self.rows: Counter[Cell] = Counter()
        self.labelled: Counter[str] = Counter()
        """Predictions of each model whose label was written."""
        self.refused: Counter[tuple[bytes, bytes]] = Counter()
        """(key, value) of each record that must become a dead letter."""
        self.sent: Counter[str] = Counter()


class World:
    """A seed, made into records."""

    def __init__(self, seed: int, events: int) -> None:
        self._chance = random.Random(seed)
        self._events = events
        self.truth = Truth()
        self._later: list[tuple[int, int, Sent]] = []
        self._number = 0

    def records(self) -> Iterator[Sent]:
        """Every record in the order of writing; the truth grows as they are taken."""
        for step in range(self._events):
            record = self._due(step) or self._new(step)
            self.truth.sent[record.topic] += 1
            yield record

    def _due(self, step: int) -> Sent | None:
        if self._later and self._later[0][0] <= step:
            return heappop(self._later)[2]
        return None

    def _plan(self, step: int, record: Sent) -> None:
        self._number += 1
        heappush(self._later, (step, self._number, record))

    def _new(self, step: int) -> Sent:
        chance = self._chance.random()
        if chance < BAD:
            return self._bad(step)
        if chance < BAD + METRIC:
            return self._metric()
        if chance < BAD + METRIC + STRANGER:
            return self._label("alpha", f"nobody-{step}", step, 1)
        return self._prediction(step)

    def _bad(self, step: int) -> Sent:
        value = (
            b'{"model":"alpha","prediction_id":"x',
            b"",
            b'{"model":"alpha","version":"1","timestamp":1735689600000,"prediction":1}',
            b'\xff\xfe{"model":"alpha"}',
            b"[1,2,3]",
        )[step % 5]
        record = Sent(("predictions", "labels")[step % 2], b"bad-%d" % step, value)
        self.truth.refused[record.key, value] += 1
        return record

    def _metric(self) -> Sent:
        """Of the model on broker time: forwarded logs keep append time under both clocks."""
        body = {
            "model": "gamma",
            "name": "conversion",
            "value": round(self._chance.gauss(0.1, 0.01), 6),
            "timestamp": _now(),
            "kind": "kpi",
        }
        return Sent("metrics", b"gamma", orjson.dumps(body))

    def _label(self, model: str, name: str, step: int, label: int) -> Sent:
        at = _now() if model == "gamma" else BASE_MS + step * STEP_MS
        body = {"model": model, "prediction_id": name, "label": label, "timestamp": at}
        return Sent("labels", name.encode(), orjson.dumps(body))

    def _prediction(self, step: int) -> Sent:
        chance = self._chance
        model = chance.choices(("alpha", "beta", "gamma"), (45, 20, 35))[0]
        share = step / self._events
        version = "2" if model == "beta" and share > SHIFTED[1] else "1"
        at = _now() if model == "gamma" else BASE_MS + step * STEP_MS
        if model != "gamma" and chance.random() < LATE:
            at -= chance.randrange(45_000, 240_000)  # late
            at = max(at, BASE_MS)
        name = f"{model}-{step}"
        row = features(chance, shifted=model != "gamma" and SHIFTED[0] < share < SHIFTED[1])
        body = {"model": model, "version": version, "prediction_id": name, "timestamp": at, **row}
        if model == "beta":
            del body["score"]
        record = Sent("predictions", name.encode(), orjson.dumps(body))
        self.truth.rows[Cell(model, version, at // PANES[model])] += 1
        self._follow(model, name, step, record, body)
        return record

    def _follow(
        self, model: str, name: str, step: int, record: Sent, body: dict[str, object]
    ) -> None:
        """Plan what comes of a prediction: its label, repetitions, a conflict."""
        chance = self._chance
        if model != "beta" and chance.random() < LABELLED:
            at = step + chance.randrange(50, 2_500)
            label = self._label(model, name, at, int(chance.random() < float(str(body["score"]))))
            if at < self._events * LAST:
                self._plan(at, label)
                self.truth.labelled[model] += 1
                if chance.random() < REPEATED:
                    self._plan(at + chance.randrange(1, 400), label)
        if step > self._events * LAST:
            return
        if chance.random() < REPEATED:
            self._plan(step + chance.randrange(1, 400), record)
        elif chance.random() < CONFLICTING:
            value = orjson.dumps(body | {"features": {"x": 77.0, "y": 0.5, "city": "rome"}})
            self._plan(step + chance.randrange(1, 400), Sent(record.topic, record.key, value))
            self.truth.refused[record.key, value] += 1


def features(chance: random.Random, *, shifted: bool) -> dict[str, object]:
    """What a model has seen and said, as fields of a prediction."""
    score = min(max(chance.gauss(0.5, 0.2), 0.01), 0.99)
    return {
        "features": {
            "x": round(chance.gauss(1.0 if shifted else 0.0, 1.0), 5),
            "y": round(chance.random(), 5),
            "city": chance.choice(("rome", "oslo", "bern")),
        },
        "prediction": round(score),
        "score": round(score, 5),
    }


def write_reference(path: Path) -> None:
    """The file of `gamma`'s normal rows."""
    chance = random.Random(7)
    lines = ["id,x,y,city,prediction,score,label"]
    for number in range(4_000):
        row = features(chance, shifted=False)
        seen = row["features"]
        assert isinstance(seen, dict)
        label = int(chance.random() < float(str(row["score"])))
        cells = (seen["x"], seen["y"], seen["city"], row["prediction"], row["score"], label)
        lines.append(f"{number}," + ",".join(map(str, cells)))
    path.write_text("\n".join(lines) + "\n")


def _now() -> int:
    return int(time.time() * 1000)
