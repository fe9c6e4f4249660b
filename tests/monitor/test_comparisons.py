"""Several references at once, through both machines: what changes by the hour is no drift."""

import json
from functools import cache

import numpy as np
import orjson
import pytest

from schemas.config import Config
from schemas.config_error import ConfigError
from schemas.load import load
from streams.cli.promise import promises
from streams.runtime.assembly import open_replay
from streams.runtime.recordings.recording import Chunk
from streams.runtime.recordings.rows import FIRST_INSTANT, Entries

HOUR, DAY = 3_600_000, 24
PER_PANE = 20
DAYS = 18


def config(*compare, **more):
    model = {
        "task": "none",
        "pane": "1h",
        "lateness": "0s",
        "clock": "event",
        "labels": "none",
        "reference": {"from": "first", "rows": 48 * PER_PANE, "min_duration": "0s"},
        "features": {"x": "numeric"},
        "compare": list(compare),
        "false_alarms": "1 per 60d",
        **more,
    }
    return Config.model_validate({"version": 1, "models": {"m": model}})


def chunks(shift, second=None):
    """Hours whose mean follows the time of day; from day 12 on `shift` more; maybe a version 2."""
    rng = np.random.default_rng(11)
    rows = DAYS * DAY * PER_PANE
    pane = np.arange(rows) // PER_PANE
    x = rng.normal(size=rows) + 3 * np.sin(2 * np.pi * pane / DAY)
    x[pane >= 12 * DAY] += shift
    times = (FIRST_INSTANT + np.arange(rows) * (HOUR // PER_PANE)).tolist()
    values = [
        orjson.dumps(
            {
                "model": "m",
                "version": "2" if second is not None and pane[i] >= second else "1",
                "prediction_id": str(i),
                "timestamp": times[i],
                "features": {"x": float(x[i])},
                "prediction": 0,
            }
        )
        for i in range(rows)
    ]
    keys = [str(i).encode() for i in range(rows)]
    yield Chunk(
        entries={"predictions": Entries(times=times, keys=keys, values=values)}, last=times[-1]
    )


@cache
def run(*compare, shift=0.0, second=None, crash=None, calendar=()):
    """The outputs by topic."""
    made = config(*compare, calendar=[dict(one) for one in calendar])
    replay = open_replay(made, {}, crash=crash, step_rows=1000)
    out = {}
    for output in replay.run(chunks(shift, second), ["m"]):
        if output.topic != "references":
            identity = dict(output.headers).get("ce_id")
            out.setdefault(output.topic, {})[identity] = json.loads(output.value)
    return {topic: list(found.values()) for topic, found in out.items()}


def readings(outputs, detector, **wanted):
    found = [r for r in outputs["readings"] if r["detector"] == detector]
    return [r for r in found if all(r[name] == value for name, value in wanted.items())]


def opened(outputs):
    return [e for e in outputs.get("drift-events", []) if e["transition"] == "opened"]


SEASONAL = "seasonal hour_of_day"


def test_the_first_comparison_alerts_and_a_season_is_no_drift():
    outputs = run(SEASONAL, "training")
    assert [] == opened(outputs)
    judged = readings(outputs, SEASONAL, state="judged")
    assert (DAYS - 8 - 1) * DAY <= len(judged)
    assert not any(r["breach"] for r in judged)
    assert {"warming_up", "judged"} == {r["state"] for r in readings(outputs, SEASONAL)}


def test_a_shift_beside_the_season_is_found_once_against_the_season():
    outputs = run(SEASONAL, "training", shift=1.5)
    (event,) = opened(outputs)
    assert (SEASONAL, "feature:x") == (event["detector"]["name"], event["signal"])
    assert "2020-01-12T16" <= event["change_point"] <= "2020-01-13T08"


@pytest.mark.slow
def test_without_it_the_season_itself_hides_the_shift_or_alarms():
    """The training reference knows the season only as noise: nothing is as sharp as against it."""
    plain, sharp = run("training", shift=1.5), run(SEASONAL, "training", shift=1.5)
    first = opened(sharp)[0]["current"]["window"]["end"]
    assert not any(e["current"]["window"]["end"] < first for e in opened(plain))


def test_further_comparisons_are_context_with_references_of_their_own():
    outputs = run("training", "rolling 4d", SEASONAL, shift=1.5)
    assert {"shiryaev_roberts"} >= {e["detector"]["name"] for e in opened(outputs)}
    for name in ("rolling 4d", SEASONAL):
        judged = readings(outputs, name, state="judged")
        assert judged
        ids = {r["reference"]["id"] for r in judged}
        assert "" not in ids
        assert 1 < len(ids)


def test_panes_of_an_open_incident_never_enter_a_reference():
    """While the incident is open the shift is seen undiminished, however often the day returns."""
    judged = readings(run(SEASONAL, "training", shift=1.5), SEASONAL, state="judged")
    late = [r["effect"]["psi"] for r in judged[-2 * DAY :]]
    assert min(late) > 0.3


@pytest.mark.slow
def test_a_crash_changes_nothing_that_is_said():
    names = (SEASONAL, "rolling 4d", "previous")
    plain, again = (
        run(*names, shift=1.5, second=300, crash=crash)
        for crash in (None, lambda turn: "stored" if turn % 5 == 2 else None)
    )
    assert plain["drift-events"] == again["drift-events"]
    assert plain["readings"] == again["readings"]


def test_a_new_version_is_compared_with_the_one_before():
    outputs = run("training", "previous", shift=1.5, second=12 * DAY)
    judged = readings(outputs, "previous", state="judged")
    assert {"2"} == {r["version"] for r in judged}
    assert any(r["breach"] for r in judged)
    assert 1 == len({r["reference"]["id"] for r in judged})


def test_with_a_reference_from_the_previous_version_that_one_alerts():
    """The first version has none before it: the rows it began with are its reference."""
    made = config("training", reference={"from": "previous"})
    replay = open_replay(made, {}, step_rows=1000)
    said = list(replay.run(chunks(1.5, 12 * DAY), ["m"]))
    events = [json.loads(o.value) for o in said if o.topic == "drift-events"]
    opened = {(e["version"], e["detector"]["name"]) for e in events if e["transition"] == "opened"}
    assert ("2", "previous") in opened
    assert ("2", "shiryaev_roberts") not in opened
    alone = [json.loads(o.value) for o in said if o.topic == "readings"]
    assert [] == [r for r in alone if r["version"] == "1" and r["detector"] == "previous"]


@pytest.mark.slow
def test_nothing_is_compared_in_a_named_period_of_the_calendar():
    festive = (("name", "fair"), ("from", "2020-01-13"), ("to", "2020-01-16"))
    outputs = run(SEASONAL, "training", shift=1.5, calendar=(festive,))
    said = [r["current"]["window"]["end"] for r in readings(outputs, SEASONAL)]
    assert not [at for at in said if "2020-01-13T01" <= at <= "2020-01-16T23"]


@pytest.mark.parametrize(
    ("compare", "said"),
    [
        ((SEASONAL, "training"), ["m: alerts against: seasonal hour_of_day; context: training"]),
        (("training", SEASONAL), []),
        ((), []),
    ],
)
def test_the_promise_says_which_reference_alerts(compare, said):
    (promise,) = promises(config(*compare))
    assert said == [words for words in promise.words if "alerts against" in words]


@pytest.mark.parametrize(
    ("compare", "pane", "said"),
    [
        ("seasonal hour_of_week", "1d", "needs a pane of at most 1h"),
        ("seasonal month_of_year", "7d", "needs a pane of at most 1d"),
        ("rolling 1h", "5m", "must roll over at least 50 panes"),
        ("rolling 900d", "1h", "must roll over more than nothing and at most 400d"),
        ("seasonal hour_of_weak", "1h", "must be training, previous, rolling DURATION"),
    ],
)
def test_what_cannot_be_compared_is_refused(compare, pane, said):
    text = f"version: 1\nmodels: {{m: {{task: none, pane: {pane}, compare: ['{compare}']}}}}\n"
    with pytest.raises(ConfigError, match=said):
        load("windage.yaml", {}, lambda _: text)


@pytest.mark.slow
def test_the_number_of_partitions_changes_nothing_that_is_said():
    made = config(SEASONAL, "rolling 4d", "previous")
    said = []
    for partitions in (1, 4):
        replay = open_replay(made, {}, step_rows=1000, partitions=partitions)
        readings = [o.value for o in replay.run(chunks(1.5, 300), ["m"]) if o.topic == "readings"]
        said.append(readings)
    assert said[0] == said[1]
