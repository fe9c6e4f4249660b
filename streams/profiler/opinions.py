"""Opinions: labels of other annotators beside those that count, pair by pair.

Promises: a profile of the kind `opinions`, of no version and the whole, in the pane of the later
label of the log; each pair counts once, whatever is read again.
Leaves to others: who stands beside whom (`join.opinions`), what the counts mean (monitor).
"""

import numpy as np

from schemas.grid import Layout
from schemas.log import Millis
from streams.join import Join, Opinions
from streams.panes import Panes, Placed
from streams.profiler.blocks import opinion_blocks

_NO_VERSION = ("",)


def opined(
    join: Join, panes: Panes, layout: Layout, found: Opinions, boundary: int, pane: Millis
) -> None:
    """Count the opinions among the labels admitted last.

    `boundary`: the offset from which on labels are new; `pane`: the length of a pane.
    """
    table = join.labels
    new = table.take("offset", found.others) >= boundary
    if layout.target is None or not new.any():
        return
    truths, others = found.truths[new], found.others[new]
    where = Placed(
        np.zeros(len(others), np.int64),
        table.take("time", others) // pane,
        np.maximum(table.take("arrived", truths), table.take("arrived", others)),
        np.zeros((len(others), 0), np.uint16),
        np.full(len(others), -1),
        table.take("offset", others),
    )
    panes.add("opinions", where, _NO_VERSION, opinion_blocks(layout, table, truths, others))
