"""Progress: what a profiler says of how far it has counted, and when there is something new to say.

Promises: it is said again only when a watermark has entered another pane.
Leaves to others: the watermarks themselves (`clock`, `model`).
"""

from schemas.counting import Counting
from schemas.grid import Grid
from schemas.journal import Progress
from schemas.log import Millis
from streams.panes import Watermarks


def progress(
    counting: Counting,
    grid: Grid | None,
    source: tuple[int, int],
    marks: Watermarks,
    events: Millis,
) -> Progress:
    """The record of one model in partition `source` (number, of how many)."""
    return Progress(
        model=counting.model,
        partition=source[0],
        partitions=source[1],
        epoch=grid.epoch if grid else 0,
        grid=grid.id if grid else "",
        predictions=marks.predictions,
        outcomes=marks.outcomes,
        predictions_rows=marks.predictions_rows,
        outcomes_rows=marks.outcomes_rows,
        events=events,
    )


def panes_of(said: Progress, pane: Millis) -> tuple[object, ...]:
    """What must have changed for progress to be worth a record."""
    return (
        said.grid,
        said.predictions // pane,
        said.outcomes // pane,
        said.predictions_rows // pane,
        said.outcomes_rows // pane,
        said.events // pane,
    )
