"""A model's panes for policy tests: findings by few words, and a run that keeps all outputs."""

import msgspec

from schemas.config_model import ModelConfig
from schemas.finding import Cell, Evidence, Finding, Measured
from schemas.inputs import ModelEvent
from schemas.standing import UNKNOWN
from streams.policy import Policy, PolicyState

PANE = 3_600_000
START = 1_700_000_000_000 // PANE * PANE


def finding(signal, **says):
    """A finding of model m; quiet unless it says otherwise. `psi`, `fall_ratio`... go to effect."""
    effect = {name: says.pop(name) for name in list(says) if name in Measured.__struct_fields__}
    alarm = says.get("alarm", False)
    base = {
        "model": "m",
        "version": "1",
        "segment": "*",
        "signal": signal,
        "detector": "shiryaev_roberts",
        "state": "judged",
        "alarm": False,
        "joins": alarm,
        "inside": not (alarm or says.get("joins", False)),
        "symptom": "shift",
        "statistic": 9.0 if alarm else 0.1,
        "threshold": 5.0,
        "effect": Measured(**effect),
        "window_start": 0,
        "window_end": 0,
        "rows": 1_500,
        "reference_id": "ref",
        "reference_rows": 5_000,
        "dispersion": 1.5,
        "evidence": (Evidence(log="predictions", partition=0, first=10, last=20),),
    }
    return Finding(**{**base, **says})


def red(signal, **says):
    """An alarm with a red effect."""
    return finding(signal, **{"alarm": True, "psi": 0.4, **says})


def yellow(signal, **says):
    """An alarm with a yellow effect."""
    return finding(signal, **{"alarm": True, "psi": 0.12, **says})


def error(now, was=0.165, **says):
    """The error indicator, alarming at rate `now`."""
    return finding("error", **{"alarm": True, "current": now, "baseline": was, **says})


def quiet(*signals, **says):
    """Judged findings without departure."""
    return [finding(signal, **says) for signal in signals]


def cells(**shares):
    """Cells by name: (share in the reference, share now)."""
    return tuple(Cell(name=n, reference=a, current=b) for n, (a, b) in shares.items())


def event(kind, at=0, **says):
    """A model event of model m."""
    return ModelEvent(model="m", type=kind, timestamp=at, **says)


class Run:
    """A policy over consecutive panes, all its outputs in lists."""

    def __init__(self, state=None, pane=PANE, **config):
        self.policy = Policy(ModelConfig(**{"task": "binary", **config}), "m", pane)
        self.pane = pane
        self.state = state or PolicyState()
        self.index = 0
        self.drift, self.alerts, self.retrains, self.rollbacks = [], [], [], []
        self.reasons, self.restarts, self.rebuilds = [], [], []
        self.last = None
        self.standing = UNKNOWN

    @property
    def now(self):
        """The end of the last pane."""
        return START + self.index * self.pane

    def pane_of(self, *findings, events=()):
        """Judge one more pane; window fields are filled in where they are zero."""
        self.index += 1
        filled = [
            msgspec.structs.replace(
                f,
                window_end=f.window_end or self.now,
                window_start=f.window_start or self.now - self.pane,
            )
            for f in findings
        ]
        dated = [(self.now, e) for e in events]
        said = (filled, dated, self.index, self.standing)
        self.state, out = self.policy.judge(self.state, self.now, *said)
        self.last = out
        self.drift += out.drift_events
        self.alerts += out.alerts
        self.retrains += out.retrain_requests
        self.rollbacks += out.rollback_requests
        self.reasons += out.reasons
        self.restarts += out.restarts
        self.rebuilds += out.rebuilds
        return out

    def panes(self, count, *findings):
        """The same findings for several panes."""
        for _ in range(count):
            self.pane_of(*findings)

    @property
    def open(self):
        """The incidents that are open."""
        return [i for i in self.state.incidents if i.ended is None]

    @property
    def incident(self):
        """The only open incident."""
        (only,) = self.open
        return only

    def said(self, what):
        """The reasons of one kind."""
        return [r for r in self.reasons if r.what == what]
