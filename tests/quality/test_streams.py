"""Q7 to Q10: the e-detector on published streams, without the machines around it."""

import csv
import gzip
from math import log
from pathlib import Path

import numpy as np
import pytest

from detectors.budget import Budget
from detectors.effect import effect
from detectors.grid import category_grid, numeric_grid
from detectors.reference import reference_of
from detectors.shiryaev_roberts import Bank

SHARED = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.slow


def table(name):
    """Columns of a published file as lists of strings."""
    path = SHARED / name
    if not path.exists():
        pytest.skip("the published stream is not on this machine")
    with gzip.open(path, "rt") as lines:
        rows = csv.reader(lines)
        header = next(rows)
        return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))


class Watch:
    """Signals cut into panes, with a bank over the reference stretch before them."""

    def __init__(self, reference, stream, pane, tolerance, categorical=()):
        self.names, self.pane, self.grids, self.codes, references = list(stream), pane, {}, {}, []
        for name in self.names:
            kind = "categorical" if name in categorical else "numeric"
            grid = (category_grid if name in categorical else numeric_grid)(reference[name])
            self.grids[name], self.codes[name] = grid, grid.codes(stream[name])
            before = self._panes(grid.codes(reference[name]), grid.width)
            references.append(reference_of(kind, np.array(before)))
        self.references = references
        self.bank = Bank(references, tolerance=tolerance)

    def _panes(self, codes, width):
        stops = range(self.pane, len(codes) + 1, self.pane)
        return [np.bincount(codes[stop - self.pane : stop], minlength=width) for stop in stops]

    def counts(self, name, start, stop):
        return np.bincount(self.codes[name][start:stop], minlength=self.grids[name].width)

    def alarms(self, threshold, start=0, stop=None):
        """(row after the pane, signal) of every alarm, the signal begun anew after each."""
        found = []
        length = len(self.codes[self.names[0]]) if stop is None else stop
        for end in range(start + self.pane, length + 1, self.pane):
            self.bank.update([self.counts(name, end - self.pane, end) for name in self.names])
            for signal in np.flatnonzero(self.bank.log_mean >= threshold):
                found.append((end, self.names[signal]))
                self.bank.reset(signal)
        return found


def insects(name, shuffle=None):
    columns = {key: np.array(v, float) for key, v in table(name).items() if key != "class"}
    order = np.arange(5325) if shuffle is None else np.random.default_rng(shuffle).permutation(5325)
    split = lambda part: {key: column[order][part] for key, column in columns.items()}
    return Watch(split(slice(0, 1000)), split(slice(1000, None)), 5, 0.0)


LIMIT = log(49 * 1e5 / 5)


def test_q7_the_change_of_the_insects_is_found_at_once_and_nothing_before():
    found = insects("iks_abruptinsects.csv.gz").alarms(LIMIT)
    first = {}
    for end, name in found:
        first.setdefault(name, end + 1000)
    assert min(first.values()) > 1775
    delays = sorted(end - 1775 for end in first.values())[:37]
    assert np.median(delays) <= 95
    assert sum(end <= 3550 for end in first.values()) >= 0.95 * 37


@pytest.mark.parametrize("seed", range(3))
def test_q8_shuffled_insects_are_silent(seed):
    assert [] == insects("iks_insects.csv.gz", shuffle=seed).alarms(LIMIT)


def test_q9_constants_that_come_alive_alarm_within_a_hundred_rows():
    columns = table("elec2_full.csv.gz")
    chosen = {key: np.array(columns[key], float) for key in ("vicprice", "vicdemand", "transfer")}
    split = lambda part: {key: column[part] for key, column in chosen.items()}
    found = Watch(split(slice(0, 5000)), split(slice(5000, 18_000)), 10, 0.1).alarms(log(1e6))
    first = {name: min(end for end, other in found if other == name) + 5000 for name in chosen}
    assert min(first.values()) > 17_424
    assert max(first.values()) <= 17_524


def employment():
    before, after = (
        table(f"nannyml_employment_ma_{name}.csv.gz") for name in ("reference", "analysis")
    )
    after["employed"] = table("nannyml_employment_ma_analysis_target.csv.gz")["employed"]
    for columns in (before, after):
        for name in ("id", "year", ""):
            columns.pop(name, None)
        for name in ("AGEP", "predicted_probability"):
            columns[name] = np.array([float(v) if v else np.nan for v in columns[name]])
    names = set(after) - {"AGEP", "predicted_probability"}
    return Watch(before, after, 500, 0.1, categorical=names)


def test_q10_the_quiet_year_is_silent_and_the_real_incidents_are_found():
    watch = employment()
    panes = 365 * 86_400 / (450 * 500)
    budget = Budget(false_alarms=1, panes=panes, signals=len(watch.names))
    assert [] == watch.alarms(budget.log_threshold, stop=69_000)
    vanished = watch.alarms(budget.log_threshold, 69_000, 133_500)
    assert vanished[0][1] == "RELP"
    assert vanished[0][0] <= 69_126 + 1500
    shift = effect(
        watch.counts("RELP", 69_500, 71_500), watch.references[watch.names.index("RELP")]
    )
    emptied = {watch.grids["RELP"].names[cell.first] for cell in shift.leading[:2]}
    assert {"16", "17"} == emptied
    block = {name for _, name in watch.alarms(budget.log_threshold, 133_500, 134_500)}
    assert len(block - {"RELP"}) >= 8
