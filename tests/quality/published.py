"""Q7, Q8, Q9 and Q12: published streams, the detector without the machines around it."""

import csv
import gzip
from math import log

import numpy as np
from scipy import stats

from detectors.grid import category_grid, numeric_grid
from detectors.reference import reference_of
from detectors.shiryaev_roberts import Bank
from streams.runtime.backtest import Alarm, baselines, judge
from tests.quality.row import SEEDS, Asked, Measured, delays_beside, run_lengths
from tests.quality.told import config, row_of, tell


def table(path):
    """Columns of a file as lists of strings."""
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


INSECTS, CHANGES = 5325, (1775, 3550)
PANE, REFERENCE = 5, 1000
ROWS_A_FALSE_ALARM = 100_000
"""Of all 49 signals together."""
LIMIT = log(49 * ROWS_A_FALSE_ALARM / PANE)


def insects(path, shuffle=None):
    """The 49 features (rows, features), shuffled by a seed if one is given."""
    columns = {key: np.array(v, float) for key, v in table(path).items() if key != "class"}
    order = np.arange(INSECTS)
    if shuffle is not None:
        order = np.random.default_rng(shuffle).permutation(INSECTS)
    return {key: column[order] for key, column in columns.items()}


def part(columns, start, stop):
    return {key: column[start:stop] for key, column in columns.items()}


def changed(columns, before, after):
    """Features that a Kolmogorov-Smirnov test of whole stretches tells apart, none by chance.

    It reads both stretches whole, so it is no rival: it says which features there are to find.
    """
    return {
        key
        for key, column in columns.items()
        if stats.ks_2samp(column[slice(*before)], column[slice(*after)]).pvalue < 1e-6
    }


def first_alarms(columns, begin, end, change, last):
    """First alarm of every signal in rows after a reference of rows begin to end."""
    watch = Watch(part(columns, begin, end), part(columns, end, last), PANE, 0.0)
    found = {}
    for row, name in watch.alarms(LIMIT):
        found.setdefault(name, row + end)
    false = sum(row <= change for row in found.values())
    return {name: row - change for name, row in found.items() if row > change}, false


def told_first(columns, begin, end, change):
    """As `first_alarms`, but what the product opens: windows recruit what a proof has begun."""
    wanted = config(PANE, REFERENCE, 1, ROWS_A_FALSE_ALARM)
    opened = [
        e for e in tell(wanted, part(columns, begin, end)).drift if e["transition"] == "opened"
    ]
    found = {}
    for event in opened:
        name = event["signal"].removeprefix("feature:")
        found.setdefault(name, row_of(event["current"]["window"]["end"]) + begin)
    false = sum(row <= change for row in found.values())
    return {name: row - change for name, row in found.items() if row > change}, false


def seen_of(found, false, moved):
    """How many of the features that change were found, how soon, and what else was."""
    hits = [found[name] for name in moved if name in found]
    return {
        "recall": round(len(hits) / len(moved), 3),
        "mean_detection_delay": round(float(np.mean(hits)), 1) if hits else None,
        "median_detection_delay": float(np.median(hits)) if hits else None,
        "false_alarms": false,
        "found_besides": len(found.keys() - moved),
    }


def measure_insects(asked: Asked) -> Measured:
    """Q7: recall and delay over the features that change; then again with a new reference.

    By the product, and beside it by the e-detectors of each signal alone.
    """
    columns = insects(asked.stream("iks_abruptinsects.csv.gz"))
    one, two = CHANGES
    moved = changed(columns, (0, one), (one, two))
    again = changed(columns, (one, two), (two, INSECTS))
    first = seen_of(*told_first(columns, 0, two, one), moved)
    # The reference restarts when the first change is known: the next thousand rows.
    begin = one + int(first["median_detection_delay"] or PANE) + PANE
    second = seen_of(*told_first(columns, begin, INSECTS, two), again)
    alone = seen_of(*first_alarms(columns, 0, REFERENCE, one, two), moved)
    mean = first["mean_detection_delay"]
    passed = (
        first["recall"] >= 0.95
        and mean is not None
        and mean <= 95
        and not first["false_alarms"]
        and second["recall"] > 0
    )
    return Measured(
        passed=passed,
        values={
            "features_that_change": len(moved),
            **first,
            "second": {"features_that_change": len(again), **second},
            "each_signal_alone": alone,
        },
        baselines={
            name: {"recall": one.episode_recall, "delay": one.mean_detection_delay}
            for name, one in baselines(CHANGES, INSECTS, PANE).items()
        },
    )


def measure_shuffled(asked: Asked) -> Measured:
    """Q8: no alarm at all on shuffled real rows."""
    path = asked.stream("iks_insects.csv.gz")
    found = {}
    for seed in SEEDS:
        columns = insects(path, shuffle=seed)
        rows = Watch(part(columns, 0, REFERENCE), part(columns, REFERENCE, INSECTS), PANE, 0.0)
        found[str(seed)] = len(rows.alarms(LIMIT))
    return Measured(
        passed=not any(found.values()),
        values={"alarms_by_seed": found, "features": 49},
        seeds=SEEDS,
        baselines=run_lengths(PANE),
    )


def measure_constants(asked: Asked) -> Measured:
    """Q9: columns that were constant come alive."""
    columns = table(asked.stream("elec2_full.csv.gz"))
    names = ("vicprice", "vicdemand", "transfer")
    chosen = {key: np.array(columns[key], float) for key in names}
    watch = Watch(part(chosen, 0, 5000), part(chosen, 5000, 18_000), 10, 0.1)
    first = {}
    for row, name in watch.alarms(log(1e6)):
        first.setdefault(name, row + 5000 - 17_424)
    passed = set(first) == set(names) and all(0 < delay <= 100 for delay in first.values())
    return Measured(passed=passed, values={"delay": first}, baselines=delays_beside(10))


CONCEPTS = {
    "sine1": ("tornado_sine1_w_50_n_0.1_101.csv.gz", 20_000, 37),
    "mixed": ("tornado_mixed_w_50_n_0.1_101.csv.gz", 20_000, 46),
    "circles": ("tornado_circles_w_500_n_0.1_101.csv.gz", 25_000, 95),
}
"""File, rows between changes, target delay."""
TRAIN, OUTCOMES, ERRORS_PANE = 1000, 10_000, 1
PROMISE = 2e5
"""Rows a false alarm: half a one in a file of 1e5 rows, as the target allows."""


def stretches(path, period):
    """Errors of a Gaussian naive Bayes classifier, one stretch for every change.

    It learns the first rows of a concept and is then left alone, as a model in production is;
    the stretch runs from there to the end of the next concept.
    """
    columns = table(path)
    names = list(columns)
    x = np.array([[float(v) if _number(v) else hash_of(v) for v in columns[n]] for n in names[:-1]])
    classes = sorted(set(columns[names[-1]]))
    y = np.array([classes.index(v) for v in columns[names[-1]]])
    for change in range(period, len(y), period):
        begin = change - period
        # A concept's first rows may still be mixed with those of the one before.
        train = slice(begin + 500, begin + 500 + TRAIN)
        mean = np.array([x[:, train][:, y[train] == c].mean(axis=1) for c in (0, 1)])
        spread = np.array([x[:, train][:, y[train] == c].std(axis=1) + 1e-9 for c in (0, 1)])
        prior = np.log([np.mean(y[train] == c) for c in (0, 1)])
        rest = slice(train.stop, min(change + period, len(y)))
        z = (x[:, rest].T[:, None, :] - mean) / spread
        score = prior - (z**2 / 2 + np.log(spread)).sum(axis=2)
        yield (score.argmax(axis=1) != y[rest]).astype(int), change - train.stop


def _number(text):
    return text.replace(".", "", 1).replace("-", "", 2).replace("e", "", 1).isdigit()


def hash_of(text):
    """A number for a word: its place in the alphabet of words seen in these files."""
    return float(["False", "True", "false", "true"].index(text) % 2)


def measure_errors(asked: Asked) -> Measured:
    """Q12: the errors of a frozen classifier, tolerance 0, upwards only."""
    values, passed = {}, True
    for name, (file, period, target) in CONCEPTS.items():
        alarms, truth, offset = [], [], 0
        for errors, change in stretches(asked.stream(file), period):
            counts = lambda part: np.array([len(part) - part.sum(), part.sum()])
            panes = [
                counts(errors[i : i + ERRORS_PANE])
                for i in range(0, len(errors) - ERRORS_PANE + 1, ERRORS_PANE)
            ]
            learned = OUTCOMES // ERRORS_PANE
            reference = reference_of("binary", np.array(panes[:learned]))
            bank = Bank([reference], tolerance=0.0, upward=True)
            end = change + period // 2
            for i, pane in enumerate(panes[learned : end // ERRORS_PANE], learned):
                bank.update([pane])
                if bank.log_mean[0] >= log(PROMISE / ERRORS_PANE):
                    # As with river: the index of the last row that was read.
                    row = offset + (i + 1) * ERRORS_PANE - 1
                    alarms.append(Alarm(row, str(row)))
                    bank.reset(0)
                    if i * ERRORS_PANE > change:
                        break
            truth.append(offset + change)
            offset += end
        found = judge(alarms, truth, offset, period // 4)
        values[name] = {
            "changes": found.changes,
            "mean_detection_delay": found.mean_detection_delay,
            "missed_detection_rate": found.missed_detection_rate,
            "false_alarms": found.false_positives,
            "target": target,
        }
        passed &= (
            found.missed == 0
            and found.false_positives <= 0.5
            and found.mean_detection_delay is not None
            and found.mean_detection_delay <= target
        )
    return Measured(
        passed=bool(passed),
        values=values,
        baselines=delays_beside(ERRORS_PANE),
        reason="" if passed else "a delay is above its target, or an alarm is false",
    )
