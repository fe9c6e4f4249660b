"""What a prediction that waits for its label takes of the pending store.

Ids are UUIDs as texts, ten numeric features of 64 cells, one segmentation.
"""

import uuid
from random import Random

import events
import numpy as np

ROWS = 1_000_000
BATCH = 5_000


def measure() -> float:
    """Bytes a prediction, with ids, index and columns."""
    from schemas.baseline import decode  # noqa: PLC0415 - counted in no figure
    from schemas.grid import Layout  # noqa: PLC0415
    from streams.join import Arrivals, Ids, Join  # noqa: PLC0415
    from streams.profiler.blocks import kept_content  # noqa: PLC0415

    content = kept_content(Layout(decode(events.reference("")).grid))
    join, r = Join(86_400_000, content), Random(1)
    kept = np.zeros(BATCH, np.dtype(list(content.items())))
    zeros = np.zeros(BATCH, np.int64)
    for begin in range(0, ROWS, BATCH):
        offsets = np.arange(begin, begin + BATCH)
        ids = Ids.of([str(uuid.UUID(int=r.getrandbits(128))) for _ in range(BATCH)])
        rows = Arrivals(ids, offsets << 20, offsets, zeros, zeros, zeros)
        join.predict(rows, zeros, zeros.astype(np.uint64), kept)
    return round(join.predictions.nbytes / len(join.predictions), 1)
