"""Panes of a small model with labels, made by hand."""

import msgspec
import numpy as np

from schemas.baseline import Baseline, Normal
from schemas.config_model import ModelConfig
from schemas.finding import Finding, Measured
from schemas.grid import Grid, Layout, SignalGrid
from schemas.journal import Sparse
from schemas.judging import Judging
from streams.monitor.watch import Part, Setting
from streams.monitor.watches.performance import Performance
from streams.signals import outcome_signals, read_outcomes
from tests.monitor.closing import PANE, closing

EDGES = tuple(np.linspace(0, 1, 11).tolist())
CLASSES = SignalGrid(name="target", type="categorical", categories=("0", "1"))
GRID = Grid(
    model="m",
    task="binary",
    features=(SignalGrid(name="c", type="categorical", categories=("a", "b", "d")),),
    score=SignalGrid(name="score", type="numeric", edges=EDGES),
    target=CLASSES,
    positive="1",
)
LAYOUT = Layout(GRID)
JUDGING = Judging(
    model="m",
    pane=PANE,
    labelled=True,
    tolerance=0.1,
    null="joint",
    allowed=1,
    per=10_000 * PANE,
    learn_rows=1000,
    learn_span=0,
)


class Rows(msgspec.Struct, frozen=True):
    """Scores, labels, feature cells and label delays (n,); decisions are at .5."""

    scores: np.ndarray
    labels: np.ndarray
    values: np.ndarray
    delays: np.ndarray

    @property
    def asked(self):
        """The predictions' vector."""
        cells, called = np.searchsorted(EDGES, self.scores, side="right"), self.scores >= 0.5
        out = np.zeros(LAYOUT.width("predictions"), np.int64)
        block = LAYOUT.predictions["decision"]
        out[block.span] = np.bincount(cells * 4 + called, minlength=block.width)
        return out

    @property
    def vector(self):
        """The outcomes' vector."""
        cells, called = np.searchsorted(EDGES, self.scores, side="right"), self.scores >= 0.5
        wrong = (called != self.labels).astype(int)
        delays = LAYOUT.delay.count(
            self.delays, groups=np.zeros(len(self.delays), np.intp), n_groups=1
        )[0]
        out = np.zeros(LAYOUT.width("outcomes"), np.int64)
        for name, codes in {
            "confusion": called * 4 + self.labels,
            "slice:c": self.values * 2 + wrong,
            "calibration": cells * 4 + self.labels,
            "wrong": cells * 2 + wrong,
        }.items():
            block = LAYOUT.outcomes[name]
            out[block.span] = np.bincount(codes, minlength=block.width)
        out[LAYOUT.outcomes["delay"].span] = delays
        return out

    def where(self, mask):
        """Some of the rows."""
        return Rows(self.scores[mask], self.labels[mask], self.values[mask], self.delays[mask])


def rows(rng, n=500, *, low=0.0, high=1.0, delay=2 * PANE, flipped=0.0, flips=None):
    """Rows with calibrated scores in [low, high]; `flips` (a value's cell) has labels flipped."""
    scores = rng.uniform(low, high, n)
    labels = (rng.uniform(size=n) < scores).astype(int)
    values = rng.integers(0, 3, n)
    flip = rng.uniform(size=n) < flipped
    if flips is not None:
        flip &= values == flips
    labels = np.where(flip, 1 - labels, labels)
    return Rows(scores, labels, values, rng.exponential(delay, n))


def setting(reference=None, **labels):
    """The setting of the model; `reference` rows are what is normal."""
    config = ModelConfig(
        task="binary", pane="1m", labels={"horizon": "20m", "min_coverage": 0.3} | labels
    )
    baseline = Baseline(model="m", grid=GRID, source="fixed")
    if reference is not None:
        vector = reference.vector
        table = vector[LAYOUT.outcomes["confusion"].span].reshape(4, 4)
        right = int(np.trace(table))
        error = Normal.of("binary", np.array([[right, len(reference.scores) - right]]))
        baseline = msgspec.structs.replace(
            baseline, outcomes={"*": Sparse.pack(vector)}, normals={"*": {"error": error}}
        )
    return Setting(layout=LAYOUT, baseline=baseline, judging=JUDGING, config=config, threshold=12.0)


def learned(layout, panes):
    """The setting of a model whose reference is these panes of outcomes."""
    counts = [read_outcomes(layout, one) for one in panes]
    normals = {
        signal.name: Normal.of(signal.kind, np.array([one[i] for one in counts]))
        for i, signal in enumerate(outcome_signals(layout))
    }
    task = layout.grid.task
    return Setting(
        layout=layout,
        baseline=Baseline(
            model="m",
            grid=layout.grid,
            source="fixed",
            normals={"*": normals},
            outcomes={"*": Sparse.pack(np.sum(panes, axis=0))},
        ),
        judging=JUDGING,
        config=ModelConfig(task=task, pane="1m", labels={"horizon": "20m"}),
        threshold=12.0,
    )


def performance(reference=None, **labels):
    """The watch, ready."""
    return Performance(setting(reference, **labels))


def pane(number, asked=None, answered=(), revised=(), **rest):
    """A pane: rows asked in it, and (pane, rows) answered or (pane, signed vector) revised."""
    cohorts = [Part("1", "*", at, late=False, vector=one.vector) for at, one in answered]
    together = [
        Part("1", "*", number, late=False, vector=np.sum([p.vector for p in cohorts], axis=0))
    ]
    asking = [] if asked is None else [Part("1", "*", number, late=False, vector=asked.asked)]
    return closing(
        number,
        predictions=asking,
        cohorts=cohorts,
        outcomes=together if cohorts else [],
        revisions=[Part("1", "*", at, late=False, vector=one) for at, one in revised],
        **rest,
    )


def said(findings, signal, detector=None):
    """The one finding of a signal (and detector); None if there is none."""
    found = [f for f in findings if f.signal == signal and detector in (None, f.detector)]
    assert len(found) <= 1
    return found[0] if found else None


def error(number, *, alarm=True, **rest):
    """A finding of the error, as the outcomes' lane makes it."""
    return Finding(
        model="m",
        version="1",
        segment="*",
        signal="error",
        detector="shiryaev_roberts",
        state="judged",
        alarm=alarm,
        joins=alarm,
        inside=not alarm,
        symptom="shift",
        statistic=1.0,
        threshold=12.0,
        effect=Measured(current=0.4, baseline=0.25),
        window_start=0,
        window_end=(number + 1) * PANE,
        rows=1000,
        reference_id="r",
        reference_rows=1000,
        **rest,
    )
