"""A canary against its champion, from the rows of a pane to the verdict of the policy."""

import msgspec
import numpy as np
import pytest

from schemas.config_model import ModelConfig
from schemas.grid import Grid, Layout, SignalGrid
from schemas.inputs import Deployment
from streams.monitor.rollout.canary import Canary
from streams.monitor.watch import Part
from tests.monitor.closing import closing
from tests.monitor.outcomes import setting
from tests.monitor.trials import World, answered, asked, event


def test_without_a_canary_nothing_is_said():
    """Two versions side by side are no contest until somebody says so."""
    world = World()
    world.steps(5, canary=0.5)
    assert ([], []) == (world.said, world.rollbacks)


def test_a_good_canary_advances_from_share_to_share():
    """Hold until its time, rows and proof are there; then the next of 5, 20, 50, 100 %."""
    world = World(rollout={"min_duration": "5m"})
    world.step(event("canary_started", version="2", traffic_share=0.05))
    shares = []
    for share in (0.05, 0.2, 0.5):
        begun = world.pane
        while world.said[-1].verdict != "advance":
            world.step()
            assert world.pane < begun + 200
        assert world.pane >= begun + 4
        shares.append((world.said[-1].share, world.said[-1].next_share))
        world.step(event("canary_started", version="2", traffic_share=shares[-1][1]))
        assert "hold" == world.said[-1].verdict
        assert share == shares[-1][0]
    assert [(0.05, 0.2), (0.2, 0.5), (0.5, 1.0)] == shares
    told = len(world.said)
    world.step(event("promoted", version="2"))
    world.steps(3)
    assert ([], told) == (world.rollbacks, len(world.said))


def test_a_bad_canary_is_asked_back_once():
    """Errors of .30 against .16: one request naming the champion, one incident of its own."""
    world = World()
    world.step(event("canary_started", version="2", traffic_share=0.05))
    world.steps(30, canary=0.30)
    assert "advance" not in world.verdicts
    (request,) = world.rollbacks
    assert ("2", "1", "red") == (request.version, request.to_version, request.severity)
    assert "errors in" in request.reason
    assert ["canary"] == sorted({a.triage.class_ for a in world.alerts})
    assert "rollback" == world.alerts[0].recommended_action
    world.step(event("rolled_back", version="2"))
    assert "resolved" == world.alerts[-1].status


@pytest.mark.parametrize(("asks", "said"), [({"failed": 30}, "failures"), ({"slow": 80}, "slow")])
def test_failures_and_slow_answers_count_too(asks, said):
    """They are known before any label is."""
    world = World()
    world.step(event("canary_started", version="2", traffic_share=0.05), labels=False)
    world.steps(20, labels=False, **asks)
    (request,) = world.rollbacks
    assert said in request.reason


def test_without_labels_it_waits():
    """No outcome, no proof."""
    world = World(rollout={"min_duration": "0s"})
    world.step(event("canary_started", version="2", traffic_share=0.05), labels=False)
    world.steps(30, labels=False)
    assert {"hold"} == set(world.verdicts)


def test_the_last_step_waits_for_the_approval_that_is_due():
    """Where approval is required nothing serves all before a person said so."""
    world = World(retrain={"approval": "required"}, rollout={"min_duration": "0s"})
    world.step(event("canary_started", version="2", traffic_share=0.5))
    world.steps(120)
    assert {"hold"} == set(world.verdicts)
    assert "nobody has approved it" in world.said[-1].reason
    world.step(event("approved", version="2", author="ann"))
    assert ("advance", 1.0) == (world.said[-1].verdict, world.said[-1].next_share)


def test_a_rejected_canary_goes_back():
    """Whatever its figures are."""
    world = World()
    world.step(event("canary_started", version="2", traffic_share=0.05))
    world.step(event("rejected", version="2"))
    assert ("rollback", 1) == (world.said[-1].verdict, len(world.rollbacks))


def test_a_failed_gate_needs_a_person_even_where_approval_is_not_required():
    """The offline metrics that came with the deployment are below the gate."""
    gates = {"metrics": {"accuracy": {"min": 0.8}, "auc": {"min": 0.7}}}
    world = World(retrain={"approval": "none", "gates": gates}, rollout={"min_duration": "0s"})
    made = {"offline_metrics": {"accuracy": 0.7}}
    deployed = event("deployed", version="2", deployment=Deployment(**made))
    world.step(deployed, event("canary_started", version="2", traffic_share=0.5))
    world.steps(120)
    assert "gate accuracy: 0.7 is below 0.8; gate auc: not measured" in world.said[-1].reason
    assert "hold" == world.said[-1].verdict


def test_changed_features_need_a_person():
    """The champion was made of other features."""
    world = World(rollout={"min_duration": "0s"})
    first = event("deployed", version="1", deployment=Deployment(features=["a", "b"]))
    second = event("deployed", version="2", deployment=Deployment(features=["a"]))
    world.step(first, second, event("canary_started", version="2", traffic_share=0.5))
    world.steps(120)
    assert "its features changed" in world.said[-1].reason


REGRESSION = Layout(
    Grid(
        model="m",
        task="regression",
        features=(SignalGrid(name="x", type="numeric", edges=(0.0, 1.0)),),
        score=SignalGrid(name="prediction", type="numeric", edges=(-50.0, 0.0, 50.0)),
        target=SignalGrid(name="target", type="numeric", edges=(-50.0, 0.0, 50.0), scale=10.0),
    )
)


def numbers(version, rng, spread, n):
    """Outcomes of a version whose residuals are normal with this standard deviation."""
    vector = np.zeros(REGRESSION.width("outcomes"), np.int64)
    cells = REGRESSION.residuals.codes(rng.normal(0, spread, n))
    span = REGRESSION.outcomes["error"].span
    vector[span] = np.bincount(cells, minlength=span.stop - span.start)
    return Part(version, "*", 0, late=False, vector=vector)


def served(version, n):
    """Predictions of a version of a model of numbers, all answered alike."""
    vector = np.zeros(REGRESSION.width("predictions"), np.int64)
    for name in ("score", "latency"):
        vector[REGRESSION.predictions[name].start + 1] = n
    return Part(version, "*", 0, late=False, vector=vector)


@pytest.mark.parametrize(
    ("spread", "harmed", "ready"),
    [(2.0, set(), True), (3.0, {"canary:error"}, False), (1.0, set(), True)],
)
def test_a_canary_of_numbers_is_judged_by_its_residuals(spread, harmed, ready):
    """Half as far off again is worse; as far off, or half as far, is no worse."""
    rng = np.random.default_rng(11)
    config = ModelConfig(task="regression", pane="1m", labels={"horizon": "20m"})
    made = msgspec.structs.replace(setting(), config=config, layout=REGRESSION)
    watch = Canary(made)
    start = [(0, event("canary_started", version="2", traffic_share=0.2))]
    alarms, proven = set(), False
    for pane in range(80):
        close = closing(
            pane,
            predictions=[served("1", 400), served("2", 100)],
            outcomes=[numbers("1", rng, 2.0, 400), numbers("2", rng, spread, 100)],
            events=start if pane == 0 else [],
        )
        for found in watch.close(close):
            alarms |= {found.signal} if found.alarm else set()
            proven |= found.signal == "canary:ready" and found.statistic >= found.threshold
        saved, watch = watch.save(), Canary(made)
        watch.load(saved)
    assert (harmed, ready) == (alarms, proven)


def test_a_harm_in_one_segment_alone_is_found():
    """The whole hides it, the segment does not."""
    world = World()
    rng = np.random.default_rng(3)
    world.watch._places = 3
    start = [(0, event("canary_started", version="2", traffic_share=0.05))]
    alarms = []
    for pane in range(60):
        parts = [
            answered("1", 800, int(rng.binomial(800, 0.16))),
            answered("2", 400, int(rng.binomial(400, 0.165))),
            answered("1", 80, int(rng.binomial(80, 0.1)), "s=a"),
            answered("2", 40, int(rng.binomial(40, 0.45)), "s=a"),
        ]
        asks = [asked("1", 800), asked("2", 400)]
        close = closing(pane, predictions=asks, outcomes=parts, events=start if pane == 0 else [])
        alarms += [f.signal for f in world.watch.close(close) if f.alarm]
    assert {"canary:error"} == set(alarms)


@pytest.mark.slow
def test_verdicts_are_wrong_no_more_often_than_promised():
    """100 equal canaries over 100 panes: at most 5 % ever asked back (3 standard errors)."""
    back = 0
    for seed in range(100):
        world = World(seed)
        world.step(event("canary_started", version="2", traffic_share=0.05))
        world.steps(100)
        back += bool(world.rollbacks)
    assert back <= 5 + 3 * (100 * 0.05 * 0.95) ** 0.5
