"""A small embedded installation with one incident in it, as `windage serve` would have left it.

One model `shop`: `amount` rises by two standard deviations at row 900 of 1,500, one row a second.
"""

import json
import random
from pathlib import Path

from schemas.load import load_text
from streams.cli.serve import open_runtime

ROWS = 1_500
SHIFTED_AT = 900
START = 1_767_225_600_000  # 2026-01-01T00:00:00Z
MODELS = """models:
  shop:
    task: binary
    pane: 10s
    lateness: 0s
    clock: event
    labels: {horizon: 1d}
    features: {amount: numeric, kind: categorical}
    reference: {from: first, rows: 300, min_duration: 0s}
"""
CONFIG = f"version: 1\n{MODELS}"


def prediction(row, chance):
    """Return the prediction of a row, and its label."""
    amount = chance.gauss(10 + (4 if row >= SHIFTED_AT else 0), 2)
    truth = chance.randint(0, 1)
    said = truth if chance.random() < 0.8 else 1 - truth
    return {
        "model": "shop",
        "version": "1",
        "prediction_id": f"p{row}",
        "timestamp": START + 1_000 * row,
        "features": {"amount": round(amount, 4), "kind": chance.choice("abc")},
        "prediction": said,
        "score": round(chance.uniform(0.5, 1.0) if said else chance.uniform(0.0, 0.5), 4),
    }, {
        "model": "shop",
        "prediction_id": f"p{row}",
        "label": truth,
        "timestamp": START + 1_000 * row,
    }


def build(folder: Path, *, bad: int = 0) -> Path:
    """Write `windage.yaml` and the log below `folder`; gives the directory of the log.

    `bad` records that are no JSON come first: each is a dead letter.
    """
    (folder / "windage.yaml").write_text(CONFIG)
    config = load_text(CONFIG, {}, lambda name: Path(name).read_text())
    directory = folder / "windage-data"
    runtime = open_runtime(config, {}, directory)
    chance = random.Random(7)
    entries = [
        runtime.entry("predictions", b"bad%d" % n, b"{no json %d" % n, (("x", b"%d" % n),), START)
        for n in range(bad)
    ]
    for row in range(ROWS):
        for log, event in zip(("predictions", "labels"), prediction(row, chance), strict=True):
            at = event["timestamp"]
            key = event["prediction_id"].encode()
            entries.append(runtime.entry(log, key, json.dumps(event).encode(), (), at))
    runtime.append_many(entries)
    runtime.run_until_idle(runtime.clock)  # a tick: nothing older comes into the empty logs
    runtime.stop()
    return directory
