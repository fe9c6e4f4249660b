"""Progress: what a profiler says of how far it has counted, and when there is something new to say.

Promises: it is said again only when a watermark has entered another pane; what is not counted here
is said as it came.
Leaves to others: the watermarks themselves (`clock`, `model`).
"""

from schemas.counting import Counting
from schemas.grid import Grid
from schemas.journal import Forwarded, Progress
from schemas.log import InputLog, Millis
from streams.panes import Watermarks


def progress(
    counting: Counting,
    grid: Grid | None,
    source: tuple[int, int],
    marks: Watermarks,
    events: Millis,
    joins: tuple[int, bool],
) -> Progress:
    """The record of one model in partition `source` (number, of how many).

    `joins`: rows missed so far, and whether the store they wait in serves.
    """
    return Progress(
        model=counting.model,
        partition=source[0],
        partitions=source[1],
        epoch=counting.epoch,
        grid=grid.id if grid else "",
        predictions=marks.predictions,
        outcomes=marks.outcomes,
        predictions_rows=marks.predictions_rows,
        outcomes_rows=marks.outcomes_rows,
        events=events,
        missed=joins[0],
        whole=joins[1],
    )


def forwarded(
    counting: Counting, log: InputLog, at: tuple[int, int, int], value: bytes
) -> Forwarded:
    """A metric or model event passed on; `at`: partition, offset, and the pane it acts in."""
    partition, offset, arrived = at
    return Forwarded(
        model=counting.model,
        epoch=counting.epoch,
        log="metrics" if log == "metrics" else "model-events",
        partition=partition,
        offset=offset,
        arrived=arrived,
        value=value,
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
        said.whole,
    )
