"""`examples/loop`: a drift is found, a model retrained, let in, and the incident over."""

import json
import subprocess

import pytest

pytestmark = pytest.mark.slow

LONGEST_SECONDS = 600


def played(root, *options, code=0):
    """The document of a run, which ends with `code`."""
    done = subprocess.run(
        [root / "examples" / "loop", "--once", "--json", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_SECONDS,
    )
    assert code == done.returncode, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def honest(root):
    return played(root)


@pytest.fixture(scope="module")
def sabotaged(root):
    return played(root, "--sabotage")


def test_the_accuracy_falls_where_the_world_changed_and_comes_back(honest):
    """Among women; most of what was lost returns."""
    shares = [
        honest["accuracy"]["SEX=2"][phase]["accuracy"] for phase in ("before", "during", "after")
    ]
    before, during, after = shares
    assert during < before - 0.1
    assert after > during + 0.5 * (before - during)


def test_one_cause_is_one_incident_and_one_request(honest):
    """A concept drift in the segment, resolved when the new version was promoted."""
    (incident,) = honest["incidents"]
    assert ("concept_drift", True) == (incident["class"], "SEX=2" in incident["segments"])
    assert "resolved" == incident["status"]
    assert honest["changed_row"] < incident["opened_row"] < honest["promoted_row"]
    assert honest["promoted_row"] <= incident["resolved_row"] <= honest["promoted_row"] + 1_000
    (request,) = honest["retrain_requests"]
    assert ([incident["incident_id"]], 1) == (request["incident_ids"], request["attempt"])


def test_the_canary_goes_step_by_step(honest):
    """5, 20, 50 and 100 %, each on a verdict of Windage, and no way back."""
    steps = [(step["share"], step["verdict"]) for step in honest["canary"]]
    assert [(share, "advance") for share in (0.05, 0.2, 0.5, 1.0)] == steps
    assert [] == honest["rollback_requests"]
    kinds = [event["type"] for event in honest["model_events"]]
    middle = ["deployed", *["canary_started"] * 4, "promoted"]
    assert ["retraining_started", *middle, "retraining_finished"] == kinds


def test_a_sabotaged_candidate_is_rolled_back(sabotaged):
    """It had passed the gates; the second attempt is an honest one and closes the loop."""
    first, *others = sabotaged["canary"]
    assert ("2", 0.05, "rollback") == (first["version"], first["share"], first["verdict"])
    assert {"3"} == {step["version"] for step in others}
    (back,) = sabotaged["rollback_requests"]
    assert ("2", "1") == (back["version"], back["to_version"])
    assert [1, 2] == [request["attempt"] for request in sabotaged["retrain_requests"]]
    assert [[], []] == [candidate["missed"] for candidate in sabotaged["candidates"]]


def test_two_runs_are_the_same(honest, sabotaged):
    """To the last digit, as far as the sabotage has no part in it."""
    assert honest["retrain_requests"][0] == sabotaged["retrain_requests"][0]
    assert honest["candidates"][0] == sabotaged["candidates"][0]
    assert honest["accuracy"]["SEX=2"]["before"] == sabotaged["accuracy"]["SEX=2"]["before"]


def test_what_chance_decides_is_not_cured(root):
    """Three candidates miss the gates, none sees traffic, and a person is asked."""
    found = played(root, "--coin", code=1)
    assert [False, []] == [found["closed"], found["canary"]]
    assert [1, 2, 3] == [request["attempt"] for request in found["retrain_requests"]]
    assert all("recent_gain" in " ".join(one["missed"]) for one in found["candidates"])
    (incident,) = found["incidents"]
    assert "firing" == incident["status"]
    assert "a person must look" in incident["summary"]
