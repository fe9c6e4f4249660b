"""Rows of a model without labels that say how long each answer took, so many a minute."""

import numpy as np
import orjson

from streams.runtime.recordings.recording import Chunk
from streams.runtime.recordings.rows import FIRST_INSTANT, Entries

MINUTE = 60_000


def timed(x, latency, failed=None, *, rows, version="1"):
    """Return the chunk of these numbers, latencies in milliseconds and failures, `rows` a pane."""
    times = (FIRST_INSTANT + np.arange(len(x)) * (MINUTE // rows)).tolist()
    values = [
        orjson.dumps(
            {
                "model": "m",
                "version": version,
                "prediction_id": str(i),
                "timestamp": at,
                "features": {"x": float(x[i]), "y": 1.0},
                "prediction": 0,
                "latency_ms": float(latency[i]),
                "error": "timeout" if failed is not None and failed[i] else None,
            }
        )
        for i, at in enumerate(times)
    ]
    keys = [str(i).encode() for i in range(len(x))]
    entries = {"predictions": Entries(times=times, keys=keys, values=values)}
    return Chunk(entries=entries, last=times[-1])
