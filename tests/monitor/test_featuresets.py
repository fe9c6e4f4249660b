"""Feature sets: one that is new to a version, without a deployment, is a fault of the pipeline."""

import numpy as np
import orjson
import pytest

from schemas.inputs import ModelEvent
from schemas.journal import decode
from schemas.log import Record
from schemas.sets import WIDTH, cell_of
from streams.monitor.watch import Part
from streams.monitor.watches.featuresets import GRACE, KNOWN, LASTING, LEAST, FeatureSets
from streams.policy.family import family_of
from tests.laws.mill import LOGS
from tests.laws.world import MODEL, PANE, T0, World
from tests.monitor.closing import closing
from tests.monitor.outcomes import setting


def part(number, version="1", **rows):
    """Rows by feature set of one pane."""
    vector = np.zeros(WIDTH, np.int64)
    for name, count in rows.items():
        vector[cell_of(name)] = count
    return Part(version, "*", number, late=False, vector=vector)


def event(kind):
    return 0, ModelEvent(model="m", type=kind, timestamp=1)


def run(*panes, events=None, watch=None, begin=0):
    """Whether each pane alarms (None: nothing is said), saved and loaded after each."""
    watch, out = watch or FeatureSets(setting()), []
    for number, parts in enumerate(panes, start=begin):
        said = [event(kind) for at, kind in (events or {}).items() if at == number]
        found = watch.close(closing(number, sets=tuple(parts), events=said))
        out.append(found[0].alarm if found else None)
        other = FeatureSets(setting())
        other.load(watch.save())
        assert watch.save() == other.save()
        watch = other
    return out


USUAL = [[part(n, v1=100)] for n in range(KNOWN)]


def test_a_set_that_is_new_alarms_while_its_rows_come():
    later = [[part(KNOWN, v1=50, v2=50)], [part(KNOWN + 1, v2=100)], [part(KNOWN + 2, v1=100)]]
    assert [None] * KNOWN + [True, True, False] == run(*USUAL, *later)
    assert "data_quality" == family_of("feature_set", "replaced")


def test_a_few_rows_are_somebodys_test():
    later = [[part(KNOWN, v1=100, v2=LEAST - 1)], [part(KNOWN + 1, v1=100, v2=1)]]
    assert [None, True] == run(*USUAL, *later)[KNOWN:]


def test_all_sets_of_the_first_panes_are_known_also_in_turns():
    mixed = [[part(n, **{f"v{n % 3}": 100})] for n in range(2 * KNOWN)]
    assert {None} == set(run(*mixed))


@pytest.mark.parametrize("kind", ["deployed", "promoted", "rolled_back"])
def test_a_deployment_makes_a_new_set_known(kind):
    later = [[part(n, v2=100)] for n in range(KNOWN, KNOWN + 3)]
    assert {None} == set(run(*USUAL, *later, events={KNOWN - GRACE: kind}))
    assert [True, False, False] == run(*USUAL, *later, events={KNOWN + 1: kind})[KNOWN:]


def test_an_annotation_is_no_deployment_and_an_old_one_explains_nothing():
    later = [[part(KNOWN, v2=100)]]
    assert [True] == run(*USUAL, *later, events={KNOWN: "annotation"})[KNOWN:]
    assert [True] == run(*USUAL, *later, events={KNOWN - GRACE - 1: "deployed"})[KNOWN:]


def test_what_has_lasted_is_normal():
    later = [[part(n, v2=100)] for n in range(KNOWN, KNOWN + LASTING + 1)]
    assert [True] * LASTING + [False] == run(*USUAL, *later)[KNOWN:]


def test_another_version_has_sets_of_its_own():
    later = [[part(KNOWN, v1=100), part(KNOWN, version="2", v2=100)]]
    assert {None} == set(run(*USUAL, *later))


def test_a_new_normal_knows_what_came():
    watch = FeatureSets(setting())
    for number, parts in enumerate([*USUAL, [part(KNOWN, v2=100)]]):
        found = watch.close(closing(number, sets=tuple(parts)))
    assert found[0].alarm
    watch.rebuild(None, 0)
    assert [False] == run([part(KNOWN + 1, v2=100)], watch=watch, begin=KNOWN + 1)


# -- through both machines -------------------------------------------------------------------------


def _row(number, time, name):
    row = {
        "model": MODEL, "version": "1", "prediction_id": f"q{number}", "timestamp": time,
        "features": {"x": number % 5 / 2, "c": "abc"[number % 3]}, "prediction": number % 2,
        "score": number % 10 / 10,
    }  # fmt: skip
    return row if name is None else {**row, "feature_set": name}


def _table(rows):
    names = ("version", "prediction_id", "timestamp", "prediction", "score", "feature_set")
    columns = {name: [row.get(name) for row in rows] for name in names}
    columns["features"] = {k: [row["features"][k] for row in rows] for k in ("x", "c")}
    return {"model": MODEL, "columns": columns}


def _profiles(values):
    """What is counted by feature set of records with these values, two at a time."""
    profiler = World((), 0, 15_000).roles()[0].fresh(0, 1)
    records = [
        Record(offset=i, timestamp=T0 + 50, value=orjson.dumps(value))
        for i, value in enumerate(values)
    ]
    for begin in range(0, len(records), 2):
        profiler.step("predictions", records[begin : begin + 2])
    for log in LOGS:
        profiler.tick(log, T0 + PANE)
    entries = [decode(one.value) for one in profiler.flush() if one.topic == "journal"]
    return [
        (e.key.version, e.key.segment, e.rows, e.vector.full(WIDTH))
        for e in entries
        if getattr(e, "key", None) is not None and e.key.kind == "sets"
    ]


def test_rows_and_tables_are_counted_alike_once_a_row():
    """Nothing, a number and null are no names; a repeated id counts once."""
    names = ["v7", "v8", None, 5, "v7"]
    rows = [_row(i, T0 + 10, name) for i, name in enumerate(names)]
    rows.append(rows[0])
    (alone,), (table,) = _profiles(rows), _profiles([_table(rows)])
    for version, segment, count, vector in (alone, table):
        assert ("1", "*", 3) == (version, segment, count)
        assert (2, 1, 3) == (vector[cell_of("v7")], vector[cell_of("v8")], vector.sum())


def test_rows_without_a_feature_set_cost_no_profile():
    assert [] == _profiles([_row(i, T0, None) for i in range(4)])


def test_it_is_one_incident_of_data_quality_that_asks_for_no_retraining():
    """Forty panes as usual, then another set: one event, which says so, and no request for it."""
    profilers, monitors = World((), 0, 15_000).roles()
    profiler, monitor = profilers.fresh(0, 1), monitors.fresh(0, 1)
    said, journal = [], 0
    for pane in range(KNOWN + 15):
        begin, name = T0 + pane * PANE, "v7" if pane < KNOWN + 10 else "v8"
        rows = [_row(pane * 30 + n, begin + n, name) for n in range(30)]
        records = [
            Record(offset=pane * 30 + n, timestamp=begin + n, value=orjson.dumps(row))
            for n, row in enumerate(rows)
        ]
        profiler.step("predictions", records)
        for log in LOGS:
            profiler.tick(log, begin + PANE)
        for output in profiler.flush():
            monitor.step("journal", [Record(offset=journal, timestamp=0, value=output.value)])
            journal += 1
        said += monitor.flush()
    events = [orjson.loads(one.value) for one in said if one.topic == "drift-events"]
    own = [one for one in events if one["signal"] == "feature_set"]
    assert [("opened", "data_quality")] == [(one["transition"], one["kind"]) for one in own]
    assert "feature set" in own[0]["explanation"]
    asked = [orjson.loads(one.value) for one in said if one.topic == "retrain-requests"]
    assert own[0]["incident_id"] not in {name for one in asked for name in one["incident_ids"]}
