"""Q15: labels that come late, or never, say the same later; every one of them is accounted for.

A made model: one feature, right in 90 % of the rows, in 70 % from the middle on. The same rows
with labels 0, 1,000 and 10,000 rows late; 5 % never come.
"""

import numpy as np
import orjson

from schemas.config import Config
from schemas.instants import parse, rfc3339
from streams.runtime.recordings.recording import Chunk
from streams.runtime.recordings.rows import FIRST_INSTANT, Entries
from streams.runtime.replay import Replay
from streams.runtime.roles import MonitorRole, ProfilerRole
from tests.quality.row import SEEDS, Asked, Measured

EVERY, PANE_ROWS, ROWS, MOVED_AT = 1000, 100, 40_000, 25_000
LAGS = (0, 1_000, 10_000)
NEVER = 0.05


def config() -> Config:
    """Panes of 100 rows, a reference of the first 5,000, a budget of one alarm in a year."""
    model = {
        "task": "binary",
        "pane": "100s",
        "lateness": "0s",
        "clock": "event",
        "labels": {"horizon": "20000s"},
        "features": {"x": "numeric"},
        "reference": {"from": "first", "rows": 5000, "min_duration": "0s"},
        "false_alarms": "1 per 365d",
    }
    return Config.model_validate({"version": 1, "models": {"m": model}})


def chunks(seed, lag):
    """The rows and their labels as one chunk a log, and how many labels there are."""
    rng = np.random.default_rng(seed)
    x, score = rng.normal(size=ROWS), rng.random(ROWS)
    wrong = rng.random(ROWS) < np.where(np.arange(ROWS) < MOVED_AT, 0.1, 0.3)
    prediction = (score > 0.5).astype(int)
    label = np.where(wrong, 1 - prediction, prediction)
    never = rng.random(ROWS) < NEVER
    times = [FIRST_INSTANT + EVERY * i for i in range(ROWS)]
    keys = [str(i).encode() for i in range(ROWS)]
    values = [
        orjson.dumps(
            {
                "model": "m",
                "version": "1",
                "prediction_id": str(i),
                "timestamp": times[i],
                "features": {"x": float(x[i])},
                "prediction": int(prediction[i]),
                "score": float(score[i]),
            }
        )
        for i in range(ROWS)
    ]
    known = np.flatnonzero(~never).tolist()
    late = [times[i] + lag * EVERY for i in known]
    said = [
        orjson.dumps(
            {"model": "m", "prediction_id": str(i), "label": int(label[i]), "timestamp": at}
        )
        for i, at in zip(known, late, strict=True)
    ]
    step = 5000
    for begin in range(0, ROWS + lag, step):
        end = begin + step
        due = [j for j, at in enumerate(late) if begin <= (at - FIRST_INSTANT) // EVERY < end]
        rows = slice(begin, min(end, ROWS))
        entries = {
            "predictions": Entries(times=times[rows], keys=keys[rows], values=values[rows]),
            "labels": Entries(
                times=[late[j] for j in due],
                keys=[keys[known[j]] for j in due],
                values=[said[j] for j in due],
            ),
        }
        yield Chunk(entries=entries, last=FIRST_INSTANT + EVERY * (end - 1))


def events(seed, lag):
    """Drift events of outcomes as (row of the window's end less the lag, what), and accounts."""
    replay = Replay(ProfilerRole(config(), {}), MonitorRole(config(), {}))
    found = []
    for output in replay.run(chunks(seed, lag), ["m"]):
        if output.topic == "drift-events":
            event = orjson.loads(output.value)
            row = (parse(event["current"]["window"]["end"]) - FIRST_INSTANT) // EVERY - lag
            found.append((row, event["signal"], event["transition"], event["severity"]))
    return sorted(found), replay.accounting()


def measure(asked: Asked) -> Measured:
    """The same events, shifted by the lag; as many labels joined as were sent."""
    values, passed = {}, True
    for seed in SEEDS[:1] if asked.short else SEEDS:
        plain: list[tuple[int, str, str, str]] = []
        for lag in LAGS:
            found, accounts = events(seed, lag)
            sent = sum(len(one.entries["labels"].times) for one in chunks(seed, lag))
            joined = accounts["labels"]["joined"]
            plain = found if lag == 0 else plain
            passed &= found == plain and joined == sent and bool(found)
            values[f"seed {seed}, lag {lag}"] = {
                "events": len(found),
                "as_without_lag": found == plain,
                "first_event_after": found[0][0] - MOVED_AT if found else None,
                "labels_sent": sent,
                "labels_joined": joined,
            }
    return Measured(
        passed=bool(passed),
        values={**values, "from": rfc3339(FIRST_INSTANT)},
        seeds=SEEDS[:1] if asked.short else SEEDS,
        baselines={
            "always_fire": {"events": ROWS // PANE_ROWS, "as_without_lag": True},
            "never_fire": {"events": 0, "as_without_lag": True},
        },
        reason="" if passed else "events or joined labels differ between lags",
    )
