"""A canary beside its champion, pane after pane, with the policy that gives the verdicts."""

import msgspec
import numpy as np

from schemas.config_model import ModelConfig
from schemas.inputs import ModelEvent
from schemas.outputs import encode
from streams.monitor.rollout.canary import Canary
from streams.monitor.watch import Part
from streams.policy import Policy, PolicyState
from tests.monitor.closing import PANE, closing
from tests.monitor.outcomes import LAYOUT, setting

SLOWER = LAYOUT.latency.width // 2


def asked(version, n, *, failed=0, slow=0):
    """The predictions of a version: answers of about a second or, `slow`, much longer."""
    vector = np.zeros(LAYOUT.width("predictions"), np.int64)
    vector[LAYOUT.predictions["prediction"].start] = n
    vector[LAYOUT.predictions["failed"].start] = failed
    first = LAYOUT.predictions["latency"].start
    vector[first + SLOWER - 20], vector[first + SLOWER] = n - slow, slow
    return Part(version, "*", 0, late=False, vector=vector)


def answered(version, n, wrong, segment="*"):
    """The outcomes of a version."""
    vector = np.zeros(LAYOUT.width("outcomes"), np.int64)
    block = LAYOUT.outcomes["confusion"]
    table = np.zeros((4, 4), np.int64)
    table[0, 0], table[0, 1] = n - wrong, wrong
    vector[block.span] = table.ravel()
    return Part(version, segment, 0, late=False, vector=vector)


def event(kind, **says):
    """A model event."""
    return ModelEvent(model="m", type=kind, timestamp=0, **says)


class World:
    """A watch and a policy over panes; both are restored from bytes at every pane."""

    def __init__(self, seed=1, **config):
        config = {"retrain": {"approval": "none"}, **config}
        self.config = ModelConfig(task="binary", pane="1m", labels={"horizon": "20m"}, **config)
        self.policy = Policy(self.config, "m", PANE)
        self.state, self.pane = PolicyState(), 0
        self.watch = self._watch()
        self.chance = np.random.default_rng(seed)
        self.said, self.rollbacks, self.alerts = [], [], []

    def _watch(self):
        return Canary(msgspec.structs.replace(setting(), config=self.config))

    def step(self, *events, champion=0.16, canary=0.16, n=(800, 200), labels=True, **asks):
        """One more pane with these error rates."""
        outcomes = [
            answered("1", n[0], int(self.chance.binomial(n[0], champion))),
            answered("2", n[1], int(self.chance.binomial(n[1], canary))),
        ]
        predictions = [asked("1", n[0]), asked("2", n[1], **asks)]
        return self.judge(*events, predictions=predictions, outcomes=outcomes if labels else [])

    def judge(self, *events, **parts):
        """One more pane of these parts."""
        end = (self.pane + 1) * PANE
        dated = [(end, one) for one in events]
        found = self.watch.close(closing(self.pane, events=dated, **parts))
        self.state, out = self.policy.judge(self.state, end, found, dated, self.pane)
        for reading in out.readings:
            encode(reading)
            self.said.append(reading.rollout)
        self.rollbacks += out.rollback_requests
        self.alerts += out.alerts
        saved, self.watch = self.watch.save(), self._watch()
        self.watch.load(saved)
        assert saved == self.watch.save()
        self.pane += 1
        return found

    def steps(self, count, **says):
        """Several panes."""
        for _ in range(count):
            self.step(**says)

    @property
    def verdicts(self):
        """The verdicts so far."""
        return [one.verdict for one in self.said]
