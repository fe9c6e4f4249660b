"""What predictions that wait for their labels take: of the pending store, and of the process.

A new process reads a million predictions without labels, in tables of a thousand rows, counts them
and takes snapshots as a worker does. Ids are UUIDs as texts, ten numeric features of 64 cells, one
segmentation.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import events

ROOT = Path(__file__).resolve().parents[2]
ROWS = 1_000_000
STEP = 10
"""Tables in one step: two megabytes, as much as a worker fetches of one partition at a time."""
PANE_MS = 10_000
ARROW = (("content-type", b"application/vnd.apache.arrow.stream"),)


def measure() -> dict[str, float]:
    """Bytes a prediction, with ids, index and columns; the longest step; the peak of memory.

    For so long (CPU) a worker's event loop stands still at most while it reads a backlog.
    """
    done = subprocess.run([sys.executable, __file__], check=True, capture_output=True)
    return dict(json.loads(done.stdout))


def wait() -> dict[str, float]:
    """Read the predictions in this process."""
    sys.path.insert(0, str(ROOT))
    from schemas.baseline import decode  # noqa: PLC0415 - counted in no figure
    from schemas.counting import Counting  # noqa: PLC0415
    from schemas.log import Record  # noqa: PLC0415
    from streams.profiler import Profiler  # noqa: PLC0415

    grid = decode(events.reference("")).grid
    counting = Counting(
        model=events.MODEL,
        task="binary",
        pane=PANE_MS,
        lateness=PANE_MS // 2,
        horizon=86_400_000,
        clock="broker",
        labelled=True,
    )
    made = {"partition": 0, "partitions": 1, "grids": {events.MODEL: grid}}
    profiler = Profiler({events.MODEL: counting}, **made)
    records: list[Record] = []
    longest = 0.0
    for offset, chunk in enumerate(events.chunks(ROWS)):
        at = int(chunk.moment.astype(int))
        value = chunk.predictions_arrow()
        records.append(Record(offset=offset, timestamp=at, value=value, headers=ARROW))
        if len(records) == STEP:
            began = time.process_time()
            profiler.step("predictions", records)
            longest = max(longest, time.process_time() - began)
            profiler.flush()
            profiler.snapshot()
            records = []
    profiler.step("predictions", records)
    waiting = profiler.accounting()["predictions"].counted
    assert waiting == ROWS, f"{waiting} predictions are counted"
    return {
        "pending_bytes": round(profiler.pending_bytes / waiting, 1),
        "longest_step_ms": round(longest * 1e3, 1),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


if __name__ == "__main__":
    print(json.dumps(wait()))
