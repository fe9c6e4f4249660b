"""Backtest: alarms of a replay judged against changes that are known.

The names are those of river and CapyMOA. A change at row t is detected by an alarm in its window
[t, t + max_delay], which ends before the next change. An alarm is a message that opens an
incident, raises its severity or adds a signal to it. Outside every window it is a false alarm,
unless its incident was opened inside one: then it goes on telling of that change.

Promises: a function of rows alone; a value that nothing defines is None, never 0 or infinite.
Leaves to others: running the replay and saying what was sent (`streams.cli.backtest`).
Sources: CapyMOA, EvaluateDriftDetector; Bifet (2017), Classifier concept drift detection and the
illusion of progress, ICAISC (mean time ratio).
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

PER_ROWS: Final = 1000
"""Rows that a false alarm rate refers to."""


class Alarm(NamedTuple):
    """A message at a row, and the incident it tells of."""

    row: int
    incident: str


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """How alarms did. Delays and times are rows.

    `false_alarm_rate`: false alarms per 1,000 rows. `mean_time_between_false_alarms`: rows outside
    the windows over false alarms. `mean_time_ratio`: that time over the delay, times the share of
    changes found.
    """

    changes: int
    alarms: int
    true_positives: int
    false_positives: int
    missed: int
    precision: float | None
    recall: float | None
    episode_recall: float | None
    f1: float | None
    mean_detection_delay: float | None
    missed_detection_rate: float | None
    false_alarm_rate: float
    mean_time_between_false_alarms: float | None
    mean_time_ratio: float | None


def windows(truth: Sequence[int], rows: int, max_delay: int | None) -> list[tuple[int, int]]:
    """First and last row of every change's window; `max_delay` None: until the next change.

    Raises ValueError for changes that do not rise or lie outside the stream.
    """
    if any(later <= earlier for earlier, later in pairwise(truth)):
        raise ValueError("changes must rise from one to the next")
    if truth and not 0 <= truth[0] <= truth[-1] < rows:
        raise ValueError(f"changes must lie in rows 0 to {rows - 1:,}")
    if max_delay is not None and max_delay < 1:
        raise ValueError("the longest delay must be at least 1 row")
    ends = [*(later - 1 for later in truth[1:]), rows][: len(truth)]
    return [
        (begin, end if max_delay is None else min(end, begin + max_delay))
        for begin, end in zip(truth, ends, strict=True)
    ]


def judge(
    alarms: Sequence[Alarm], truth: Sequence[int], rows: int, max_delay: int | None = None
) -> Judged:
    """Judge alarms of a stream of so many rows, in any order, against its changes."""
    spans = windows(truth, rows, max_delay)
    begins = [begin for begin, _ in spans]

    def window_of(row: int) -> int | None:
        at = bisect_right(begins, row) - 1
        return at if at >= 0 and row <= spans[at][1] else None

    ordered = sorted(alarms)
    opened: dict[str, bool] = {}
    found: dict[int, int] = {}
    right = wrong = 0
    for row, incident in ordered:
        window = window_of(row)
        honest = opened.setdefault(incident, window is not None)
        if window is not None:
            right += 1
            found.setdefault(window, row - begins[window])
        elif not honest:
            wrong += 1
    missed = len(spans) - len(found)
    quiet = rows - sum(min(end + 1, rows) - begin for begin, end in spans)
    delay = sum(found.values()) / len(found) if found else None
    between = quiet / wrong if wrong and quiet > 0 else None
    precision, recall = _share(right, right + wrong), _share(right, right + missed)
    ratio = None
    if between is not None and delay:
        ratio = between / delay * len(found) / len(spans)
    return Judged(
        changes=len(spans),
        alarms=len(ordered),
        true_positives=right,
        false_positives=wrong,
        missed=missed,
        precision=precision,
        recall=recall if spans else None,
        episode_recall=_share(len(found), len(spans)),
        f1=_f1(precision, recall) if spans else None,
        mean_detection_delay=delay,
        missed_detection_rate=_share(missed, len(spans)),
        false_alarm_rate=wrong / rows * PER_ROWS,
        mean_time_between_false_alarms=between,
        mean_time_ratio=ratio,
    )


def baselines(
    truth: Sequence[int], rows: int, pane: int, max_delay: int | None = None
) -> dict[str, Judged]:
    """Who fires at the end of every pane of so many rows, and who never does."""
    always = [Alarm(row, str(row)) for row in range(pane, rows + 1, pane)]
    return {
        "always_fire": judge(always, truth, rows, max_delay),
        "never_fire": judge([], truth, rows, max_delay),
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _f1(precision: float | None, recall: float | None) -> float | None:
    if precision is None or recall is None:
        return None
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
