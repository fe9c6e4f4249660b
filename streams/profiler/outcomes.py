"""Outcomes: predictions with the labels that they have met, as counts.

Promises: a profile of the kind `outcomes`, or `revisions` where a label was corrected, under the
prediction's version and segments, in the pane of its row.
Leaves to others: who belongs to whom, and with which sign (`join`); what is new (`model`).
"""

from collections.abc import Sequence

import numpy as np

from schemas.grid import Layout
from schemas.log import Millis
from schemas.rows import Joined
from streams.join import Join
from streams.panes import Panes, Placed
from streams.profiler.blocks import Mask, outcome_blocks


def count_outcomes(
    join: Join,
    joined: Joined,
    fresh: Mask,
    layout: Layout,
    panes: Panes,
    versions: Sequence[str],
    pane: Millis,
) -> None:
    """Count those of `joined` (n,) that are `fresh` (n,); `pane`: the length of one."""
    rows, marks = joined.predictions[fresh], joined.labels[fresh]
    where = Placed(
        join.predictions.take("version", rows).astype(np.int64),
        join.predictions.take("time", rows) // pane,
        joined.arrived[fresh],
        join.predictions.take("segments", rows),
        joined.prediction_offsets[fresh],
        joined.label_offsets[fresh],
    )
    blocks = outcome_blocks(layout, join, rows, marks)
    panes.add("revisions" if joined.revision else "outcomes", where, versions, blocks, joined.sign)
