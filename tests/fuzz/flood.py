"""Floods: a small model that has learned what is normal, and streams of ever new names."""

import random
import resource

import orjson

from schemas.config import Config
from schemas.log import INPUT_LOGS, Record
from streams.runtime.roles import MonitorRole, ProfilerRole

T0 = 1_800_000_000_000
EVERY_MS = 100
BATCH = 2_000
NORMAL_ROWS = 12_000
MODEL = {
    "task": "binary",
    "pane": "10s",
    "lateness": "1s",
    "timestamps": "ms",
    "labels": {"enabled": False, "horizon": "1h"},
    "features": {"x": "numeric", "c": "categorical"},
    "segments": ["region"],
    "reference": {"from": "first", "rows": 1_000, "min_duration": "10s"},
}


class Flood:
    """Both machines of one model; `alerts` by incident, and the codes of dead letters."""

    def __init__(self) -> None:
        config = Config.model_validate({"models": {"m": MODEL}})
        self.profiler = ProfilerRole(config, {}).fresh(0, 1)
        self.monitor = MonitorRole(config, {}).fresh(0, 1)
        self.alerts: dict[str, dict] = {}
        self.codes: dict[str, int] = {}
        self._offset = self._journal = 0
        self._chance = random.Random(1)
        normal = [self._record(lambda _: {}) for _ in range(NORMAL_ROWS)]
        while (
            self.profiler.positions()["predictions"] < NORMAL_ROWS
        ):  # once to learn, once to count
            begin = self.profiler.positions()["predictions"]
            self._read(normal[begin : begin + BATCH])

    def pour(self, rows, changes):
        """Rows that differ from normal ones by `changes(number)`."""
        for begin in range(0, rows, BATCH):
            count = min(BATCH, rows - begin)
            self._read([self._record(changes) for _ in range(count)])

    def sizes(self):
        """Bytes of both states, and the largest memory so far in MiB."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        return len(self.profiler.snapshot()), len(self.monitor.snapshot()), peak

    def _record(self, changes):
        r, number = self._chance, self._offset
        at = T0 + number * EVERY_MS
        event = {
            "model": "m",
            "version": "1",
            "prediction_id": f"p{number}",
            "timestamp": at,
            "prediction": r.randint(0, 1),
            "score": r.random(),
            "features": {"x": r.random(), "c": r.choice("abcd")},
            "tags": {"region": r.choice(("eu", "us"))},
            **changes(number),
        }
        self._offset += 1
        return Record(offset=number, timestamp=at, key=None, value=orjson.dumps(event))

    def _read(self, records):
        self.profiler.step("predictions", records)
        for log in INPUT_LOGS[1:]:
            self.profiler.tick(log, records[-1].timestamp)
        out = self.profiler.flush()
        for letter in out:
            if letter.topic == "dead-letters":
                code = dict(letter.headers)["windage.error.code"].decode()
                self.codes[code] = self.codes.get(code, 0) + 1
        journal = [
            Record(offset=self._journal + i, timestamp=T0, value=one.value)
            for i, one in enumerate(one for one in out if one.topic == "journal")
        ]
        self._journal += len(journal)
        self.monitor.step("journal", journal)
        for output in self.monitor.flush():
            if output.topic == "references":
                self.profiler.adopt(output.value)
            elif output.topic == "alerts":
                alert = orjson.loads(output.value)
                self.alerts[alert["incident_id"]] = alert
