"""Simulates mean run lengths without a change, and writes them as a table (`run_lengths.py`).

One value a pane, independent and standard normal. Page-Hinkley and the charts run as thousands of
streams side by side; ADWIN one stream at a time, by river's compiled equal (`tests/detectors`
proves them equal). Every figure is the lower 95 % confidence bound of the mean run length.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from detectors.control_chart import ControlChartSettings  # noqa: E402
from detectors.page_hinkley import PageHinkleySettings  # noqa: E402

SEED = 20_261_121
ALARMS = 600
"""Alarms behind a figure: a standard error of 4 %."""
ADWIN_ALARMS = 200
LONGEST = 500_000
"""Steps of one stream at most; far beyond the memory of what is simulated side by side."""
ADWIN_LONGEST = 120_000_000
DOUBT = 1.645
"""Normal errors of a one-sided 95 % bound."""

Floats = npt.NDArray[np.float64]
Step = Callable[[Floats], npt.NDArray[np.bool_]]
"""Takes a value of every stream; gives which alarm, and begins those anew."""


class PageHinkleyStreams:
    """Many streams of `detectors.page_hinkley` with one threshold."""

    def __init__(self, streams: int, threshold: float) -> None:
        """Begin them."""
        self._settings = PageHinkleySettings(threshold=threshold)
        self._state = np.zeros((6, streams))
        self._state[5] = -1.0

    def __call__(self, x: Floats) -> npt.NDArray[np.bool_]:
        """One step of `PageHinkley.update`."""
        s = self._settings
        values, mean, rise, fall, least, most = self._state
        values += 1
        mean += (x - mean) / values
        deviation = x - mean
        rise *= s.alpha
        rise += deviation - s.delta
        fall *= s.alpha
        fall += deviation + s.delta
        np.copyto(least, np.where(values == 1, rise, np.minimum(least, rise)))
        np.maximum(most, fall, out=most)
        moved = (rise - least > s.threshold) | (most - fall > s.threshold)
        alarms = np.asarray(moved & (values >= s.min_values))
        self._state[:, alarms] = 0.0
        self._state[5, alarms] = -1.0
        return alarms


class ChartStreams:
    """Many streams of `detectors.control_chart` with one rule and limit."""

    def __init__(self, streams: int, settings: ControlChartSettings) -> None:
        """Begin them."""
        self._settings = settings
        self._values, self._average, self._above, self._below = np.zeros((4, streams))

    def __call__(self, z: Floats) -> npt.NDArray[np.bool_]:
        """One step of `ControlChart.update`."""
        s = self._settings
        if s.rule == "shewhart":
            return np.asarray(np.abs(z) > s.bound)
        if s.rule == "cusum":
            self._above = np.maximum(self._above + z - s.slack, 0.0)
            self._below = np.maximum(self._below - z - s.slack, 0.0)
            alarms = np.asarray(np.maximum(self._above, self._below) > s.bound)
            self._above[alarms] = self._below[alarms] = 0.0
            return alarms
        self._values += 1
        self._average += s.weight * (z - self._average)
        forgotten = (1 - s.weight) ** (2 * self._values)
        spread = np.sqrt(s.weight / (2 - s.weight) * (1 - forgotten))
        alarms = np.asarray(np.abs(self._average) / spread > s.bound)
        self._values[alarms] = self._average[alarms] = 0.0
        return alarms


def side_by_side(make: Callable[[int], Step], longest: float, seed: Sequence[int]) -> float:
    """Lower bound of the mean run length, infinite beyond about `longest`."""
    rough = longest
    for alarms_wanted in (30, ALARMS):
        # A first, rough look says how many streams of which length the figure needs.
        steps = int(min(LONGEST, max(2000, 8 * rough)))
        streams = int(np.clip(alarms_wanted * rough / steps, 4, 4000))
        rng, step, alarms, done = np.random.default_rng(seed), make(streams), 0, 0
        while done < steps and (alarms_wanted == ALARMS or alarms < alarms_wanted):
            alarms += int(step(rng.standard_normal(streams)).sum())
            done += 1
        if not alarms:
            return float("inf")
        rough = done * streams / alarms
    return rough * (1 - DOUBT / alarms**0.5)


def adwin(delta: float, seed: Sequence[int]) -> float:
    """Lower bound of the mean run length of ADWIN."""
    from river.drift import ADWIN  # noqa: PLC0415 - takes seconds

    rng, detector, alarms, done = np.random.default_rng(seed), ADWIN(delta=delta), 0, 0
    while alarms < ADWIN_ALARMS and done < ADWIN_LONGEST:
        for value in rng.standard_normal(10_000).tolist():
            detector.update(value)
            alarms += detector.drift_detected
        done += 10_000
    return done / alarms * (1 - DOUBT / alarms**0.5)


def simulated(name: str, longest: float) -> list[tuple[float, float]]:
    """Settings and their run lengths, rising, from about 50 to `longest`."""
    number = sorted(SETTINGS).index(name)
    found: list[tuple[float, float]] = []
    for at, setting in enumerate(SETTINGS[name]):
        seed = [SEED, number, at]
        if name == "adwin":
            length = adwin(setting, seed)
        elif name == "page_hinkley":
            length = side_by_side(lambda n, s=setting: PageHinkleyStreams(n, s), longest, seed)
        else:
            rule = name.removeprefix("control_chart:")
            chart = ControlChartSettings(center=0, sd=1, rule=rule, limit=setting)  # type: ignore[arg-type]
            length = side_by_side(lambda n, c=chart: ChartStreams(n, c), longest, seed)
        print(f"{name} {setting:g}: {length:,.0f}", file=sys.stderr, flush=True)
        found.append((setting, length))
        if length > longest:
            break
    return monotone(found)


def monotone(found: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without the figures that chance has put above a later one."""
    kept: list[tuple[float, float]] = []
    for setting, length in reversed(found):
        if not kept or length < kept[-1][1] * 0.98:
            kept.append((setting, length))
    return kept[::-1]


def geometric(first: float, last: float, count: int) -> list[float]:
    """So many settings, evenly spaced in their logarithm, to three digits."""
    return [float(f"{x:.3g}") for x in np.geomspace(first, last, count)]


SETTINGS = {
    "adwin": geometric(0.98, 0.003, 22),
    "page_hinkley": geometric(6, 400, 34),
    "control_chart:shewhart": [float(f"{x:.3g}") for x in np.arange(2.0, 5.3, 0.15)],
    "control_chart:ewma": [float(f"{x:.3g}") for x in np.arange(1.9, 5.3, 0.15)],
    "control_chart:cusum": [float(f"{x:.3g}") for x in np.arange(2.0, 16.1, 0.6)],
}
"""What is turned: delta, threshold, limits."""

HEAD = '''"""Mean run lengths without a change, by setting; scripts/calibrate writes this file.

One independent standard normal value a pane; lower 95 % bounds; seed {seed}.
"""

from typing import Final

RUN_LENGTHS: Final[dict[str, tuple[tuple[float, float], ...]]] = {{
'''


def main() -> None:
    """Simulate and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--longest", type=float, default=1e6, help="run length to stop at, panes")
    longest: float = parser.parse_args().longest
    lines = [HEAD.format(seed=SEED)]
    for name in SETTINGS:
        lines.append(f'    "{name}": (\n')
        lines += [f"        ({s:g}, {n:.0f}),\n" for s, n in simulated(name, longest)]
        lines.append("    ),\n")
    lines.append('}\n"""Setting (delta, threshold or limit) and panes, rising in panes."""\n')
    (ROOT / "detectors" / "run_lengths.py").write_text("".join(lines), "utf-8")


if __name__ == "__main__":
    main()
