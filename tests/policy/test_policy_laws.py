"""Laws of the policy over random panes: never twice, never forgotten, never too often."""

from itertools import pairwise

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.instants import parse
from schemas.outputs import encode as encode_event
from streams.policy import PolicyState, decode, encode
from streams.policy.state import MAX_INCIDENTS, MAX_KEPT
from tests.policy.panes import PANE, Run, event, finding

SIGNALS = [
    "feature:a",
    "feature:b",
    "score",
    "prediction",
    "label",
    "error",
    "calibration",
    "metric:accuracy",
    "volume",
    "kpi:ctr",
]
SEGMENTS = ["*", "SEX=1", "SEX=2"]
INTERVAL = 20 * PANE


@st.composite
def findings(draw):
    """One finding of any kind; small worlds, so that the same signal comes back often."""
    signal = draw(st.sampled_from(SIGNALS))
    mood = draw(
        st.sampled_from(["still", "joins", "alarm", "alarm", "doubt", "outside", "unjudged"])
    )
    effect = {"psi": draw(st.sampled_from([0.01, 0.12, 0.4]))}
    if signal in ("error", "metric:accuracy"):
        effect["fall_ratio"] = draw(st.sampled_from([-0.1, 0.03, 0.07, 0.2]))
    return finding(
        signal,
        version=draw(st.sampled_from(["1", "1", "2"])),
        segment=draw(st.sampled_from(SEGMENTS)),
        state="too_few_rows" if mood == "unjudged" else "judged",
        alarm=mood in ("alarm", "doubt"),
        joins=mood in ("joins", "alarm", "doubt"),
        inside=mood in ("still", "doubt", "unjudged"),
        symptom=draw(st.sampled_from(["shift", "shift", "missing", "unseen"])),
        detector=draw(st.sampled_from(["shiryaev_roberts", "psi"])),
        direction=draw(st.sampled_from(["", "up", "down"])),
        **effect,
    )


@st.composite
def events(draw):
    """A model event that may name an incident or request still to be filled in."""
    kind = draw(
        st.sampled_from(
            [
                "incident_closed",
                "promoted",
                "rolled_back",
                "deployed",
                "external",
                "retraining_started",
                "retraining_failed",
                "retraining_finished",
                "silence",
                "reference_reset",
                "annotation",
                "incident_missed",
                "incident_acknowledged",
                "canary_started",
                "approved",
                "rejected",
            ]
        )
    )
    verdict = draw(st.sampled_from(["true_drift", "false_alarm"]))
    version = draw(st.sampled_from(["1", "2", None]))
    return event(kind, version=version, verdict=verdict, id=draw(st.sampled_from(["x", "y"])))


PANES = st.lists(
    st.tuples(st.lists(findings(), max_size=6), st.lists(events(), max_size=1)),
    min_size=1,
    max_size=40,
)
# Most panes of a fault look alike: repeat each a few times so that things open and resolve.
REPEATS = st.integers(1, 4)
LASTING = ("incident_closed", "incident_missed", "external", "annotation")
CONFIG = {
    "retrain": {"min_interval": "20h", "schedule": "0 */7 * * *"},
    "policy": {"cool_down": "6h"},
}


def live(run, panes, repeats, turn=lambda items: items):
    """Run panes, filling in which incident or request an event means."""
    for found, said in panes:
        for _ in range(repeats):
            named = []
            for one in said:
                incidents = sorted(i.id for i in run.state.incidents)
                requests = [s.request_id for s in run.state.requests]
                named.append(
                    msgspec.structs.replace(
                        one,
                        incident_id=incidents[-1] if incidents else None,
                        request_id=requests[-1] if requests else None,
                    )
                )
            run.pane_of(*turn(found), events=named)
    return run


def outputs(run):
    """All events as bytes, in order."""
    return [encode_event(e) for e in (*run.drift, *run.alerts, *run.retrains, *run.rollbacks)]


@settings(max_examples=60, deadline=None)
@given(PANES, REPEATS)
def test_a_firing_signal_is_never_forgotten(panes, repeats):
    """Each signal's openings and resolutions alternate; what is not resolved is in the state."""
    run = live(Run(**CONFIG), panes, repeats)
    firing = {}
    for e in run.drift:
        key = (e.version, e.segment, e.signal)
        if e.transition == "opened":
            assert key not in firing
            firing[key] = e.incident_id
        elif e.transition == "resolved":
            assert firing.pop(key) == e.incident_id
        else:
            assert e.incident_id == firing[key]
    kept = {
        (t.key.version, t.key.segment, t.key.signal): t.incident
        for t in run.state.signals
        if t.phase in ("firing", "resolving")
    }
    assert firing == kept
    assert set(kept.values()) == {i.id for i in run.open}


@settings(max_examples=60, deadline=None)
@given(PANES, REPEATS)
def test_alerts_open_and_resolve_in_pairs(panes, repeats):
    """An incident told as firing is told as resolved, or is still open; never twice the same.

    What is over is told again only with advice that a late verdict gave rise to.
    """
    run = live(Run(**CONFIG), panes, repeats)
    told = {}
    for alert in run.alerts:
        before = told.get(alert.incident_id)
        if alert.status == "resolved":
            assert before is not None
            assert before.status == "firing" or before.advice != alert.advice
        told[alert.incident_id] = alert
    firing = {name for name, alert in told.items() if alert.status == "firing"}
    assert firing <= {i.id for i in run.open}
    assert sorted(a.sequence for a in run.alerts) == [a.sequence for a in run.alerts]


@settings(max_examples=60, deadline=None)
@given(PANES, REPEATS)
def test_no_second_incident_for_a_signal_within_its_cool_down(panes, repeats):
    """A signal that breaches in its cool-down opens no new incident.

    It returns to its former one, or joins another that was open or whose own signal opened it;
    only what was released because it outlived its cause may be a cause itself.
    """
    run = Run(**CONFIG)
    resolved = {}
    for found, _ in panes:
        for _ in range(repeats):
            out = run.pane_of(*found)
            released = {r.signal for r in out.reasons if r.what == "released"}
            for e in out.drift_events:
                key = (e.version, e.segment, e.signal)
                if e.transition == "resolved":
                    resolved[key] = (run.now, e.incident_id)
                elif e.transition == "opened" and key in resolved:
                    then, incident = resolved[key]
                    cooling = run.now - then < run.policy.rules.cooling
                    goes_on = any((k.version, k.segment, k.signal) == key for k in released)
                    new = next(o for o in out.drift_events if o.incident_id == e.incident_id) is e
                    new &= any(
                        i.id == e.incident_id and i.opened == run.now for i in run.state.incidents
                    )
                    assert e.incident_id == incident or goes_on or not (cooling and new)


@settings(max_examples=60, deadline=None)
@given(PANES, REPEATS)
def test_requests_keep_their_distance(panes, repeats):
    """Two requests that are no emergency are an interval apart; no cause and attempt twice."""
    run = live(Run(**CONFIG), panes, repeats)
    stamps = [(parse(r.requested_at), r.urgency) for r in run.retrains]
    assert all(1 <= r.attempt <= run.policy.rules.retraining.attempts for r in run.retrains)
    for (before, _), (after, urgency) in pairwise(stamps):
        assert urgency == "emergency" or after - before >= INTERVAL
    assert len({r.request_id for r in run.retrains}) == len(run.retrains)
    causes = [(r.incident_ids, r.attempt) for r in run.retrains if r.incident_ids]
    assert len(set(causes)) == len(causes)


@settings(max_examples=50, deadline=None)
@given(PANES, REPEATS, st.randoms(use_true_random=False))
def test_order_and_repetition_within_a_pane_change_nothing(panes, repeats, chance):
    """Shuffled and doubled findings give the same outputs and the same state."""

    def mix(items):
        mixed = [*items, *items]
        chance.shuffle(mixed)
        return mixed

    plain = live(Run(**CONFIG), panes, repeats)
    mixed = live(Run(**CONFIG), panes, repeats, mix)
    assert outputs(plain) == outputs(mixed)
    assert encode(plain.state) == encode(mixed.state)
    assert plain.reasons == mixed.reasons


@settings(max_examples=40, deadline=None)
@given(PANES, REPEATS)
def test_what_is_said_twice_counts_once(panes, repeats):
    """Model events that arrive doubled, at once and again a pane later, give the same outputs.

    Deployments and silences begin when they are said; so those are repeated only at once.
    """

    class Echoing(Run):
        said: tuple = ()

        def pane_of(self, *found, events=()):
            late = [e for e in self.said if e.type in LASTING]
            self.said = tuple(events)
            return super().pane_of(*found, events=[*late, *events, *events])

    plain, doubled = live(Run(**CONFIG), panes, repeats), live(Echoing(**CONFIG), panes, repeats)
    assert outputs(plain) == outputs(doubled)


class Forgetful(Run):
    """A run that crashes after every pane."""

    def pane_of(self, *args, **says):
        before = encode(self.state)
        out = super().pane_of(*args, **says)
        assert decode(before) is not self.state
        self.state = decode(encode(self.state))
        return out


@settings(max_examples=50, deadline=None)
@given(PANES, REPEATS)
def test_a_crash_at_any_pane_changes_nothing(panes, repeats):
    """The state through its bytes at every pane gives the same outputs."""
    assert outputs(live(Run(**CONFIG), panes, repeats)) == outputs(
        live(Forgetful(**CONFIG), panes, repeats)
    )


@settings(max_examples=50, deadline=None)
@given(PANES, REPEATS)
def test_the_given_state_is_never_changed(panes, repeats):
    """A pane judged again from the same state gives the same answer."""
    run = live(Run(**CONFIG), panes[:-1], repeats)
    before = encode(run.state)
    args = (run.state, run.now + PANE, panes[-1][0], [(run.now, e) for e in panes[-1][1]], 7)
    first, again = run.policy.judge(*args), run.policy.judge(*args)
    assert (before, first) == (encode(run.state), again)


@settings(max_examples=20, deadline=None)
@given(PANES)
def test_the_state_is_bounded(panes):
    """However long it goes on, the state stays below what its limits allow."""
    run = live(Run(**CONFIG), panes, 12)
    state = run.state
    assert len(state.signals) <= 2 * len(SIGNALS) * len(SEGMENTS)
    assert len(state.incidents) <= MAX_INCIDENTS
    kept = (state.silences, state.versions, state.faults, state.wishes, state.requests)
    kept = (*kept, state.openings, state.cases, state.missed)
    assert all(len(part) <= MAX_KEPT for part in kept)
    parts = 1 + len(state.signals) + len(state.incidents)
    assert len(encode(state)) < 2_000 * parts + 1_000 * MAX_KEPT + 20_000


def test_a_model_never_heard_of_is_quiet():
    """The empty state is a valid one."""
    run = Run()
    assert PolicyState() != run.pane_of() is not None
    assert ([], []) == (run.drift, run.alerts)
