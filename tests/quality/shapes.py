"""How often steps and climbs are called sudden and gradual: a table, over drawn columns.

    python -m tests.quality.shapes [SEED]

Normal columns against references of 5,000 rows, tolerance .1, panes of 50 rows; detectors with a
run length of e**10 panes. Two looks count: that at the proof, and the last one, 32 panes later.
"""

import sys
from typing import NamedTuple

import numpy as np

from detectors.reference import reference_of
from detectors.shiryaev_roberts import Bank
from streams.monitor.forms import LAST_LOOK, Forms, Partition
from tests.quality.made import drawn, true_shares

PANE, ROWS, BEFORE, MOST, LOG_RUN_LENGTH, TOLERANCE = 50, 5000, 60, 400, 10.0, 0.1


class Said(NamedTuple):
    """Of one way to move: signals found, median panes to the proof, shares called gradual."""

    found: int
    delay: float
    at_proof: float
    at_last: float


def said(size: float, panes: int, signals: int, seed: int) -> Said:
    """What is said of so many columns that move by `size` over `panes` (0: at once)."""
    from detectors.grid import numeric_grid

    rng = np.random.default_rng([seed, int(100 * size), panes])
    samples = rng.normal(size=(signals, ROWS))
    grids = [numeric_grid(x) for x in samples]
    references = [
        reference_of(
            "numeric",
            np.array(
                [
                    np.bincount(g.codes(part), minlength=g.width)
                    for part in np.split(x, ROWS // PANE)
                ]
            ),
        )
        for x, g in zip(samples, grids, strict=True)
    ]
    bank = Bank(references, tolerance=TOLERANCE)
    forms = Forms(Partition(references), references, [TOLERANCE] * signals)
    found, first, last = {}, {}, {}
    for pane in range(BEFORE + MOST):
        since = pane - BEFORE
        mean = 0.0 if since < 0 else size * min(1.0, (since + 1) / max(1, panes))
        counts = drawn(rng, PANE, true_shares(grids, mean=mean))
        bank.update(counts, pane)
        forms.take(pane, np.concatenate(counts))
        logs, begins = bank.verdicts()
        for one in np.flatnonzero(logs >= LOG_RUN_LENGTH).tolist():
            found.setdefault(one, pane)
        for one in forms.due([int(n in found) for n in range(signals)]):
            forms.look(one, int(begins[one]), pane, [])
            first.setdefault(one, forms.said[one].shape)
        for one, proof in found.items():
            if pane == proof + LAST_LOOK:
                last[one] = forms.said[one].shape
        if len(last) == signals:
            break
    share = lambda shapes: list(shapes.values()).count("gradual") / max(1, len(shapes))
    delay = float(np.median([at - BEFORE for at in found.values()]))
    return Said(len(found), delay, share(first), share(last))


def main() -> None:
    """Print the table."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 20261122
    heads = ("moves by", "over panes", "found", "panes to the proof", "gradual at proof", "at last")
    sys.stdout.write(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}\n")
    for size in (0.3, 0.5, 1.0):
        for panes in (0, 5, 20, 50):
            one = said(size, panes, 100, seed)
            row = (f"{size} sd", panes, f"{one.found} of 100", f"{one.delay:.0f}")
            cells = (*row, f"{one.at_proof:.2f}", f"{one.at_last:.2f}")
            sys.stdout.write(f"| {' | '.join(map(str, cells))} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
