# ruff: noqa: ANN401 - Faust, aiokafka and pyarrow publish no types
"""The naive detector: what a competent user of Faust and river writes in an afternoon.

One agent a topic, Faust's JSON codec, ADWIN and Page-Hinkley per feature, PSI of the last 1,000
rows against fixed bins; ids seen before are skipped, labels are joined in a dict and their errors
watched by ADWIN. No segments, no snapshots: what it would have to do for those is not counted.

    python naive.py BOOTSTRAP PREDICTIONS LABELS FOLDER EVENTS

Ends by itself after EVENTS records of both topics.
"""

import os
import sys
from collections import deque
from typing import Any

import faust
import numpy as np
from events import NAMES
from river.drift import ADWIN, PageHinkley

WINDOW = 1_000
BINS = np.linspace(-3, 3, 11)
EXPECTED = 0.1
DRIFTED = 0.2


def psi(window: deque[float]) -> float:
    """The population stability index of a window against equal shares."""
    shares = np.histogram(np.fromiter(window, float), bins=BINS)[0] / WINDOW + 1e-4
    return float(((shares - EXPECTED) * np.log(shares / EXPECTED)).sum())


def main() -> None:  # noqa: C901 - agents are closures in Faust
    """Run until enough records were read."""
    bootstrap, predictions, labels, folder, events = sys.argv[1:]
    app = faust.App(
        f"naive-{os.getpid()}",
        broker=f"kafka://{bootstrap}",
        datadir=folder,
        store="memory://",
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        consumer_auto_offset_reset="earliest",
        broker_max_poll_records=5000,
    )
    left = int(events)
    detectors = {name: (ADWIN(), PageHinkley()) for name in NAMES}
    windows: dict[str, deque[float]] = {name: deque(maxlen=WINDOW) for name in NAMES}
    errors = ADWIN()
    answers: dict[str, Any] = {}
    early: dict[str, Any] = {}
    drifts = rows = 0

    def done() -> None:
        nonlocal left
        left -= 1
        if not left:
            print(drifts, flush=True)
            os._exit(0)

    def outcome(answer: Any, label: Any) -> None:
        nonlocal drifts
        errors.update(int(answer != label))
        drifts += errors.drift_detected

    @app.agent(app.topic(predictions, value_serializer="json"))
    async def predicted(stream: Any) -> None:
        nonlocal drifts, rows
        async for event in stream:
            key = event["prediction_id"]
            if key not in answers:
                answers[key] = event["prediction"]
                if key in early:
                    outcome(event["prediction"], early.pop(key))
                features = event["features"]
                for name in NAMES:
                    value = features[name]
                    for detector in detectors[name]:
                        detector.update(value)
                        drifts += detector.drift_detected
                    windows[name].append(value)
                rows += 1
                if not rows % WINDOW:
                    drifts += sum(psi(window) > DRIFTED for window in windows.values())
            done()

    @app.agent(app.topic(labels, value_serializer="json"))
    async def labelled(stream: Any) -> None:
        async for event in stream:
            key = event["prediction_id"]
            if key in answers:
                outcome(answers[key], event["label"])
            else:
                early[key] = event["label"]
            done()

    sys.argv = ["naive", "--datadir", folder, "worker", "-l", "error", "--without-web"]
    app.main()


if __name__ == "__main__":
    main()
