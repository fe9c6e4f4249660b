"""A canary by what is known before labels, and by figures that name their version."""

import json
from bisect import bisect_left

import msgspec
import numpy as np
import orjson
import pytest

from schemas.inputs import Metric
from streams.monitor.rollout.canary import Canary
from streams.monitor.rollout.tagged import apart, on_trial
from streams.monitor.watch import Part
from streams.policy.state import Version
from streams.runtime.assembly import open_replay
from streams.runtime.recordings.recording import Chunk
from streams.runtime.recordings.rows import FIRST_INSTANT, Entries
from tests.monitor.closing import closing
from tests.monitor.outcomes import LAYOUT, Rows, setting
from tests.monitor.test_declared import config
from tests.monitor.timed import MINUTE, timed
from tests.monitor.trials import World, asked, event

START = event("canary_started", version="2", traffic_share=0.05)


def scored(rng, n, sharpness=1.0):
    """Rows whose scores are calibrated; less `sharpness` brings them nearer to .5."""
    scores = 0.5 + (rng.beta(0.6, 0.6, n) - 0.5) * sharpness
    labels = (rng.uniform(size=n) < scores).astype(int)
    return Rows(scores, labels, rng.integers(0, 3, n), rng.exponential(60_000, n))


def predictions(version, rows):
    """What a version answered."""
    vector = rows.asked
    cells = np.searchsorted(np.linspace(0, 1, 11), rows.scores, side="right")
    score = LAYOUT.predictions["score"]
    vector[score.span] = np.bincount(cells, minlength=score.width)
    vector[LAYOUT.predictions["prediction"].start] = len(rows.scores)
    vector[LAYOUT.predictions["latency"].start + 20] = len(rows.scores)
    return Part(version, "*", 0, late=False, vector=vector)


class Unlabelled(World):
    """The labels of the champion came before the canary; none of its own come."""

    def __init__(self, seed=1, labelled=True, **config):
        self.labelled = labelled
        super().__init__(seed, **config)
        for _ in range(10 if labelled else 0):
            rows = scored(self.chance, 400)
            self.judge(
                predictions=[predictions("1", rows)],
                outcomes=[Part("1", "*", 0, late=False, vector=rows.vector)],
            )

    def _watch(self):
        made = setting()
        judging = msgspec.structs.replace(made.judging, labelled=self.labelled)
        return Canary(msgspec.structs.replace(made, config=self.config, judging=judging))

    def serve(self, *events, sharpness=1.0, n=(800, 200)):
        """One more pane."""
        champion, canary = scored(self.chance, n[0]), scored(self.chance, n[1], sharpness)
        return self.judge(
            *events, predictions=[predictions("1", champion), predictions("2", canary)]
        )


def proven(findings):
    """The signals beyond their thresholds."""
    return {one.signal for one in findings if one.statistic >= one.threshold}


def test_scores_that_mean_more_errors_are_told_before_any_label():
    """Nearer to .5 the champion's scores err more often; it holds, alarms nobody, and says why."""
    world = Unlabelled(rollout={"min_duration": "0s"})
    found = world.serve(START, sharpness=0.5)
    for _ in range(60):
        found = world.serve(sharpness=0.5)
    assert {"canary:estimate", "canary:score"} <= proven(found)
    estimate = next(one for one in found if one.signal == "canary:estimate")
    assert estimate.effect.current > estimate.effect.baseline + 0.05
    assert ({"hold"}, [], []) == (set(world.verdicts), world.rollbacks, world.alerts)
    assert "nothing to compare it by yet" in world.said[-1].reason
    assert "errors by the meaning of its scores in" in world.said[-1].reason
    assert "its scores are spread otherwise than those of version 1 (PSI" in world.said[-1].reason


def test_an_estimate_asks_back_where_the_config_lets_it():
    """One request and one incident, as for errors that were counted."""
    world = Unlabelled(rollout={"estimated": "rollback"})
    world.serve(START, sharpness=0.5)
    for _ in range(60):
        world.serve(sharpness=0.5)
    (request,) = world.rollbacks
    assert ("2", "1") == (request.version, request.to_version)
    assert "errors by the meaning of its scores" in request.reason
    assert {"canary"} == {one.triage.class_ for one in world.alerts}
    assert "the canary's estimated error rate" in world.alerts[0].summary


def test_without_labels_other_scores_hold_a_canary_until_a_person_approves():
    """It does not fail more often, but nobody can tell whether it is right."""
    world = Unlabelled(labelled=False, rollout={"min_duration": "0s"})
    world.serve(START, sharpness=0.5)
    for _ in range(100):
        world.serve(sharpness=0.5)
    assert "hold" == world.verdicts[-1]
    assert "its scores are spread otherwise" in world.said[-1].reason
    world.serve(event("approved", version="2", author="ann"), sharpness=0.5)
    assert "advance" == world.verdicts[-1]


def test_without_labels_equal_scores_let_a_canary_advance():
    world = Unlabelled(labelled=False, rollout={"min_duration": "0s"})
    world.serve(START)
    for _ in range(100):
        world.serve()
    assert "advance" == world.verdicts[-1]


def figure(name, version, value, direction="lower_is_better"):
    """A figure of a version."""
    tags = {"version": version}
    return Metric(model="m", name=name, value=value, timestamp=0, direction=direction, tags=tags)


def priced(world, factor, panes=80, name="cost", direction="lower_is_better"):
    """Panes in which the canary's requests cost so many times the champion's."""
    for i in range(panes):
        a = float(world.chance.lognormal(0, 1, 800).mean())
        b = float(world.chance.lognormal(0, 1, 200).mean()) * factor
        sent = [figure(name, "1", a, direction)], (figure(name, "2", b, direction),)
        yield world.judge(
            *([START] if i == 0 else []),
            predictions=[asked("1", 800), asked("2", 200)],
            metrics=sent[0],
            trials=sent[1],
        )


@pytest.mark.parametrize(
    ("direction", "factor", "asked_back"),
    [
        ("lower_is_better", 1.25, 1),
        ("lower_is_better", 0.75, 0),
        ("higher_is_better", 0.75, 1),
        ("higher_is_better", 1.25, 0),
        ("lower_is_better", 1.0, 0),
    ],
)
def test_a_figure_of_both_versions_is_compared_in_its_direction(direction, factor, asked_back):
    """A quarter more cost a request, or a quarter less revenue, is harm; the other way is not."""
    world = World()
    for found in priced(world, factor, direction=direction):
        last = found
    assert asked_back == len(world.rollbacks)
    one = next(one for one in last if one.signal == "canary:metric:cost")
    assert (one.effect.current > one.effect.baseline) == (factor > 1) or factor == 1
    if asked_back:
        assert "beside" in world.rollbacks[0].reason
        assert {"canary"} == {alert.triage.class_ for alert in world.alerts}
        assert "the canary's cost" in world.alerts[0].summary


def test_of_a_figure_nobody_knows_which_way_is_worse():
    """A name of an operator's figure says so; any other needs its direction."""
    signals = [
        {one.signal for found in priced(World(), 1.25, 3, name, None) for one in found}
        for name in ("cost", "depth_of_scroll")
    ]
    assert "canary:metric:cost" in signals[0]
    assert not [name for name in signals[1] if name.startswith("canary:metric")]


def test_figures_of_a_canary_are_not_the_models():
    """They have few rows behind them and would move the figure of the whole."""
    sent = [figure("ctr", "1", 0.1), figure("ctr", "2", 0.5), figure("ctr", 2.0, 0.4)]
    plain = Metric(model="m", name="ctr", value=0.2, timestamp=0)
    begun = on_trial([], [(0, START)])
    assert ([sent[0], plain], (sent[1], sent[2])) == apart([*sent, plain], begun)
    versions = [Version(name="2", seen=0, canaried=1), Version(name="3", seen=0)]
    assert frozenset({"2"}) == on_trial(versions, [])
    assert ([*sent, plain], ()) == apart([*sent, plain], on_trial(versions[1:], []))


def test_figures_go_their_way_from_the_logs_to_the_verdict():
    """What is sent with a version is compared; the model's own figure is the champion's alone."""
    panes, rows, begins = 90, 30, 40
    rng = np.random.default_rng(6)
    champion = timed(rng.normal(size=panes * rows), np.full(panes * rows, 20.0), rows=rows)
    few = timed(rng.normal(size=panes * 10), np.full(panes * 10, 20.0), rows=10, version="2")
    late = bisect_left(few.entries["predictions"].times, FIRST_INSTANT + begins * MINUTE)
    asked_of = [champion.entries["predictions"], _after(few.entries["predictions"], late)]
    ends = [FIRST_INSTANT + pane * MINUTE + 30_000 for pane in range(panes)]
    costs = [(at, _cost(at, "1", 1.0)) for at in ends]
    costs += [(at, _cost(at, "2", 1.5)) for at in ends[begins:]]
    started = {"type": "canary_started", "version": "2", "traffic_share": 0.25}
    said = [(ends[begins] - 30_000, {**started, "timestamp": ends[begins] - 30_000})]
    chunk = Chunk(
        entries={
            "predictions": _merged(asked_of),
            "metrics": _entries(costs),
            "model-events": _entries(said),
        },
        last=champion.last,
    )
    readings, asked_back = [], []
    for output in open_replay(config(), {}, step_rows=1000).run([chunk], ["m"]):
        if output.topic == "readings":
            readings.append(json.loads(output.value))
        asked_back += [json.loads(output.value)] if output.topic == "rollback-requests" else []
    own = {r["effect"]["current"] for r in readings if r["signal"] == "metric:cost"}
    assert {1.0} == own
    assert any(r["breach"] for r in readings if r["signal"] == "canary:metric:cost")
    (request,) = asked_back
    assert ("2", "1") == (request["version"], request["to_version"])
    assert "cost 1.5 beside 1 of version 1" in request["reason"]


def _cost(at, version, value):
    return {"name": "cost", "value": value, "timestamp": at, "tags": {"version": version}}


def _entries(events):
    """What was said at these instants."""
    ordered = sorted(events, key=lambda one: one[0])
    return Entries(
        times=[at for at, _ in ordered],
        keys=[b"m"] * len(ordered),
        values=[orjson.dumps({"model": "m", **event}) for _, event in ordered],
    )


def _after(entries, first):
    """The rows from one on."""
    times, keys, values = (one[first:] for one in (entries.times, entries.keys, entries.values))
    return Entries(times=times, keys=keys, values=values)


def _merged(parts):
    """All rows by time."""
    rows = [row for one in parts for row in zip(one.times, one.keys, one.values, strict=True)]
    times, keys, values = zip(*sorted(rows, key=lambda row: row[0]), strict=True)
    return Entries(times=list(times), keys=list(keys), values=list(values))


def test_few_scores_say_nothing():
    """Octiles need rows of the champion; until then the state says so."""
    watch = Canary(setting())
    rng = np.random.default_rng(4)
    parts = [predictions("1", scored(rng, 100)), predictions("2", scored(rng, 100))]
    found = watch.close(closing(0, predictions=parts, events=[(0, START)]))
    (one,) = [one for one in found if one.signal == "canary:score"]
    assert ("too_few_rows", 0.0) == (one.state, one.statistic)


@pytest.mark.slow
def test_equal_versions_are_harmed_and_doubted_no_more_often_than_promised():
    """100 canaries over 50 panes with all measures at once: harm and doubt 5 % each, at most."""
    harmed = doubted = 0
    for seed in range(100):
        world = Unlabelled(seed)
        rng = np.random.default_rng([seed, 1])
        signals = set()
        for pane in range(50):
            rows = scored(rng, 400), scored(rng, 50)
            cost = [float(rng.lognormal(0, 1, len(one.scores)).mean()) for one in rows]
            click = [float(rng.binomial(len(one.scores), 0.02) / len(one.scores)) for one in rows]
            found = world.judge(
                *([START] if pane == 0 else []),
                predictions=[predictions(str(i + 1), one) for i, one in enumerate(rows)],
                outcomes=[
                    Part(str(i + 1), "*", 0, late=False, vector=one.vector)
                    for i, one in enumerate(rows)
                ],
                metrics=[figure("cost", "1", cost[0]), figure("ctr", "1", click[0])],
                trials=(
                    figure("cost", "2", cost[1]),
                    figure("ctr", "2", click[1], "higher_is_better"),
                ),
            )
            signals |= proven(found)
        harmed += bool(world.rollbacks)
        doubted += bool(signals & {"canary:estimate", "canary:score"})
    most = 100 * 0.05 + 3 * (100 * 0.05 * 0.95) ** 0.5
    assert harmed <= most
    assert doubted <= most
