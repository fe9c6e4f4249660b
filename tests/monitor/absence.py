"""A small model under whatever comes, or does not come: both machines by hand, and as a replay."""

import json
import random

import orjson

from schemas.baseline import Baseline
from schemas.config import Config
from schemas.grid import Layout
from schemas.log import INPUT_LOGS, Record
from streams.monitor.watch import Setting
from streams.runtime.assembly import open_replay
from streams.runtime.recordings.recording import Chunk
from streams.runtime.recordings.rows import Entries
from streams.runtime.roles import MonitorRole, ProfilerRole, judging
from tests.monitor.outcomes import GRID

T0 = 1_800_000_000_000
PANE = 10_000
EVERY = 500


def config(limits=None, **model):
    """Ten-second panes, a reference of the first 700 rows, no labels."""
    usual = {
        "task": "binary",
        "pane": "10s",
        "lateness": "1s",
        "timestamps": "ms",
        "labels": {"enabled": False, "horizon": "1h"},
        "features": {"x": "numeric"},
        "reference": {"from": "first", "rows": 700, "min_duration": "10s"},
    }
    return Config.model_validate({"limits": limits or {}, "models": {"m": usual | model}})


def row(number, at, chance, **changes):
    """A sound prediction of instant `at`."""
    event = {
        "model": "m",
        "version": "1",
        "prediction_id": f"p{number}",
        "timestamp": at,
        "prediction": chance.randint(0, 1),
        "score": chance.random(),
        "features": {"x": chance.random()},
    }
    return orjson.dumps(event | changes)


def stream(count, spoilt=lambda number: False, pauses=()):
    """(instant, payload) of rows every half second; `pauses` in front of rows, in milliseconds."""
    chance, out, at, waits = random.Random(3), [], T0, dict(pauses)
    for number in range(count):
        at += EVERY + waits.get(number, 0)
        out.append((at, b"{" if spoilt(number) else row(number, at, chance)))
    return out


def replayed(rows, asked=None, **model):
    """The outputs of a replay, by topic."""
    times, values = zip(*rows, strict=True)
    keys = [b"k"] * len(rows)
    entries = {"predictions": Entries(times=list(times), keys=keys, values=list(values))}
    out = {}
    replay = open_replay(asked or config(clock="event", **model), {}, step_rows=1_000)
    for output in replay.run([Chunk(entries=entries, last=times[-1])], ["m"]):
        if output.topic not in ("references", "dead-letters"):
            out.setdefault(output.topic, []).append(json.loads(output.value))
    return out


class Live:
    """Both machines with the clock of a broker: rows are read when they come, and time ticks."""

    def __init__(self, asked=None, partitions=1):
        asked = asked or config()
        roles = ProfilerRole(asked, {}), MonitorRole(asked, {})
        self.profilers = [roles[0].fresh(p, partitions) for p in range(partitions)]
        self.monitor = roles[1].fresh(0, 1)
        self.logs = [[] for _ in range(partitions)]
        self.journal, self.said = 0, {}

    def run(self, rows, every, until=0):
        """Rows as they come; every so many milliseconds each log is read to its end."""
        now, left = T0, list(rows)
        last = max(left[-1][0], until)
        while now <= last:
            now += every
            for at, value in [one for one in left if one[0] <= now]:
                log = self.logs[len(left) % len(self.logs)]
                left.pop(0)
                log.append(Record(offset=len(log), timestamp=at, key=None, value=value))
            self._turn(now)
        return self.said

    def _turn(self, now):
        journal = []
        for machine, log in zip(self.profilers, self.logs, strict=True):
            while (at := machine.positions()["predictions"]) < len(log):
                machine.step("predictions", log[at : at + 1_000])
            for name in INPUT_LOGS:
                machine.tick(name, now)
            journal += [one.value for one in machine.flush() if one.topic == "journal"]
        records = [
            Record(offset=self.journal + i, timestamp=now, value=value)
            for i, value in enumerate(journal)
        ]
        self.journal += len(records)
        self.monitor.step("journal", records)
        for output in self.monitor.flush():
            if output.topic == "references":
                for machine in self.profilers:
                    machine.adopt(output.value)
            else:
                self.said.setdefault(output.topic, []).append(json.loads(output.value))


def told(said, signal):
    """Transitions of a signal with the end of the pane they were told at."""
    return [
        (one["transition"], one["current"]["window"]["end"])
        for one in said.get("drift-events", ())
        if one["signal"] == signal
    ]


def setting(**model):
    """What a watch of the small model is made for."""
    made = config(**model).models["m"]
    return Setting(
        layout=Layout(GRID),
        baseline=Baseline(model="m", grid=GRID, source="fixed"),
        judging=judging("m", made),
        config=made,
        threshold=10.0,
    )
