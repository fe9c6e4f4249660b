"""Agreements: a shadow's answers beside those that were given to the same requests, row by row.

Promises: a profile of the kind `agreements`, under the shadow's name, in the pane of its row; it
arrives with the later of both rows, and counts each pair once, whatever is read again.
Leaves to others: who stands beside whom (`join.company`), what the counts mean (monitor).
"""

from collections.abc import Mapping

import numpy as np

from schemas.grid import Layout
from schemas.log import Millis
from schemas.shadow import is_shadow
from streams.join import Join, company
from streams.panes import Panes, Placed
from streams.profiler.blocks import agreement_blocks


def agreed(
    join: Join,
    panes: Panes,
    layout: Layout,
    versions: Mapping[str, int],
    since: tuple[int, int],
    times: tuple[Millis, Millis],
) -> None:
    """Count the pairs of rows admitted last.

    `since`: the number of the first such row, and the offset from which on rows are new. `times`:
    the horizon, and the length of a pane.
    """
    kept = layout.target is not None and layout.ranking is None  # of a list nothing to compare
    if not kept or not any(map(is_shadow, versions)):
        return
    shadow = np.array([is_shadow(name) for name in versions], np.bool_)
    table, (first, boundary), (horizon, pane) = join.predictions, since, times
    pairs = company(table, first, shadow, horizon)
    new = table.take("offset", pairs.later) >= boundary
    if not new.any():
        return
    shadows, answers, later = pairs.shadows[new], pairs.answers[new], pairs.later[new]
    arrived = np.maximum(table.take("arrived", shadows), table.take("arrived", answers))
    where = Placed(
        table.take("version", shadows).astype(np.int64),
        table.take("time", shadows) // pane,
        arrived,
        table.take("segments", shadows),
        table.take("offset", later),
        np.full(len(later), -1),
    )
    panes.add(
        "agreements", where, list(versions), agreement_blocks(layout, table, answers, shadows)
    )
