"""The monitor's work depends on panes, never on how many events were counted in them.

The same panes are made of a thousand rows each, and of ten times as many with the same shares.
"""

from statistics import median
from time import thread_time

import numpy as np
import orjson
import pytest

from schemas.log import LogRecord, Record
from tests.laws.world import MODEL, PANE, T0, World

ROWS = 1_000
TENFOLD = 10
WORLD = World((), 3_000, 30_000)


def tables(pane, times, seed):
    """Predictions and labels of one pane as two tables: `ROWS` random rows, `times` over."""
    rng = np.random.default_rng([seed, pane])
    usual = rng.random(ROWS) < 0.77
    answers = np.where(rng.random(ROWS) < 0.77, 0, 1)
    wrong = rng.random(ROWS) < 0.23
    ids = [f"{pane}-{copy}-{row}" for copy in range(times) for row in range(ROWS)]
    at = [T0 + pane * PANE] * len(ids)

    def repeated(column):
        return column.tolist() * times

    predictions = {
        "prediction_id": ids,
        "timestamp": at,
        "version": ["1"] * len(ids),
        "prediction": repeated(answers),
        "score": repeated(np.where(usual, 0.1, 0.3)),
        "features": {
            "x": repeated(np.where(usual, 0.5, 1.5)),
            "c": repeated(np.where(usual, "a", "b")),
        },
        "tags": {"region": repeated(np.where(rng.random(ROWS) < 0.5, "eu", "us"))},
    }
    labels = {
        "prediction_id": ids,
        "timestamp": at,
        "label": repeated(np.where(wrong, 1 - answers, answers)),
    }
    return predictions, labels


def journal(times, panes, seed=1):
    """What one profiler writes of `panes` panes, and how many predictions it has counted."""
    profiler = WORLD.roles()[0].fresh(0, 1)
    out: list[LogRecord] = []
    for pane in range(panes):
        for log, columns in zip(("predictions", "labels"), tables(pane, times, seed), strict=True):
            value = orjson.dumps({"model": MODEL, "columns": columns})
            profiler.step(log, [Record(offset=pane, timestamp=T0 + pane * PANE, value=value)])
        for log in ("metrics", "model-events"):
            profiler.tick(log, T0 + pane * PANE)
        for output in profiler.flush():
            assert output.topic == "journal", output
            out.append(Record(offset=len(out), timestamp=0, value=output.value))
    return out, profiler.accounting()["predictions"].counted


def judged(records):
    """CPU seconds that a new monitor spends on a journal, and how many readings it gives."""
    monitor = WORLD.roles()[1].fresh(0, 1)
    began = thread_time()
    monitor.step("journal", records)
    spent = thread_time() - began
    return spent, sum(output.topic == "readings" for output in monitor.flush())


def test_ten_times_the_events_make_no_more_records():
    """The journal grows by the digits of its counts, and by nothing else."""
    (few, counted), (many, tenfold) = journal(1, 4), journal(TENFOLD, 4)
    assert counted * TENFOLD == tenfold
    assert len(few) == len(many)
    assert sum(len(one.value) for one in many) < 1.5 * sum(len(one.value) for one in few)
    assert min(judged(few)[1], judged(many)[1]) > 100, "both are judged"


@pytest.mark.slow
def test_ten_times_the_events_cost_the_monitor_no_more():
    """Medians of CPU time, in turns; what is measured is noise, and 1.3 is far from 10."""
    few, many = journal(1, 20)[0], journal(TENFOLD, 20)[0]
    turns = [(judged(few)[0], judged(many)[0]) for _ in range(5)]
    ratio = median(more for _, more in turns) / median(less for less, _ in turns)
    print(f"CPU of the monitor with ten times the events: {ratio:.2f} times")  # noqa: T201
    assert ratio < 1.3
