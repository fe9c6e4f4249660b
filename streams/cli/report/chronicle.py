"""The chronicle of a replay: what every signal looked like pane by pane, for the report.

Promises: memory is a few bytes a reading; a function of the outputs, in any batches.
Leaves to others: incidents (`casebook`), drawing (`report`).
"""

from array import array
from collections import Counter
from typing import Final

import msgspec

from schemas.instants import parse
from schemas.log import Millis, Output
from schemas.outputs import Reading

LEVELS: Final = 6
"""0 unjudged, 1 quiet, 2 and 3 on the way to the threshold, 4 yellow, 5 red."""

MOST_SERIES: Final = 2_000
"""Signals remembered; further ones are counted as left out."""

_reading: Final = msgspec.json.Decoder(Reading).decode

Row = tuple[str, str]
"""Signal and segment."""


class Series:
    """One signal over time: ends of panes and levels."""

    def __init__(self) -> None:
        self.ends = array("q")
        self.levels = bytearray()
        self.peak = 0.0
        """Largest share of the threshold that was reached."""

    def add(self, end: Millis, level: int, share: float) -> None:
        """One reading; several of one pane count as the worst."""
        self.peak = max(self.peak, share)
        if self.ends and self.ends[-1] == end:
            self.levels[-1] = max(self.levels[-1], level)
            return
        self.ends.append(end)
        self.levels.append(level)


class Metric:
    """One measure of quality over time, each way it was measured: instants and values."""

    def __init__(self) -> None:
        self.ways: dict[str, tuple[array[int], array[float]]] = {}
        self.baseline: float | None = None

    def add(self, way: str, end: Millis, value: float) -> None:
        """One value; `way`: by label arrival (window), by cohort, estimated without labels."""
        ends, values = self.ways.setdefault(way, (array("q"), array("d")))
        ends.append(end)
        values.append(value)


class Chronicle:
    """Series by signal and segment, metrics, and what was refused."""

    def __init__(self) -> None:
        self.series: dict[Row, Series] = {}
        self.metrics: dict[tuple[str, str], Metric] = {}
        """By metric and version (of the whole only)."""
        self.refused: Counter[str] = Counter()
        self.left_out = 0
        self.readings = 0

    def take(self, output: Output) -> None:
        """Take one output in."""
        if output.topic == "dead-letters":
            code = dict(output.headers).get("windage.error.code", b"unknown")
            self.refused[code.decode(errors="replace")] += 1
        elif output.topic == "readings":
            self._take(_reading(output.value))

    def _take(self, one: Reading) -> None:
        self.readings += 1
        end = parse(one.current.window.end)
        row = (one.signal, one.segment)
        series = self.series.get(row)
        if series is None:
            if len(self.series) >= MOST_SERIES:
                self.left_out += 1
                return
            series = self.series[row] = Series()
        share = _share(one)
        series.add(end, _level(one, share), share)
        if one.segment == "*" and one.signal.startswith("metric:") and one.effect.current:
            metric = self.metrics.setdefault((one.signal, one.version), Metric())
            metric.add(one.detector, end, one.effect.current)
            metric.baseline = one.effect.baseline


def _share(one: Reading) -> float:
    """How much of its threshold a budgeted detector has reached; 0 for others."""
    budgeted = one.detector == "shiryaev_roberts" and one.state == "judged"
    if not budgeted or one.statistic is None or not one.threshold:
        return 0.0
    return max(0.0, one.statistic / one.threshold)


def _level(one: Reading, share: float) -> int:
    if one.state != "judged":
        return 0
    if one.severity is not None and one.breach:
        return 5 if one.severity == "red" else 4
    if share < 0.34:  # noqa: PLR2004 - thirds of the way
        return 1
    return 2 if share < 0.67 else 3  # noqa: PLR2004 - as above
