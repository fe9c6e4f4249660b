"""Features together (`detector: pca`): found by both machines, quiet, exact, refused by name."""

import json

import numpy as np
import orjson
import pytest
from pydantic import ValidationError

from schemas.baseline import Baseline
from schemas.config import Config
from schemas.config_model import config_hash
from schemas.grid import Grid, Layout
from schemas.journal import decode
from schemas.log import Record
from streams.learning import LearningRows, build_grid
from streams.monitor.declared.declaration import budgeted
from streams.monitor.joint.multivariate import Multivariate
from streams.monitor.joint.stretches import MOST, Stretches
from streams.monitor.watch import Part, Setting
from streams.profiler import Profiler
from streams.runtime.assembly import open_embedded, open_replay
from streams.runtime.recordings.recording import Chunk
from streams.runtime.recordings.reference import build_reference
from streams.runtime.recordings.rows import FIRST_INSTANT, Entries
from streams.runtime.roles import counting, judging
from tests.monitor.closing import PANE, closing
from tests.runtime.test_machines import end as finish
from tests.runtime.test_machines import everything, feed

EVERY = 600
"""Milliseconds between rows: a hundred a pane."""
ROWS, TURNS = 5_000, 4_000
TOGETHER = {"watch": "features", "detector": "pca"}


def config(*monitors, **more):
    model = {
        "task": "none",
        "pane": "1m",
        "lateness": "0s",
        "clock": "event",
        "labels": "none",
        "reference": {"from": "first", "rows": 3000, "min_duration": "0s"},
        "features": {"x": "numeric", "y": "numeric", "z": "numeric", "c": "categorical"},
        "monitors": list(monitors),
        **more,
    }
    return Config.model_validate({"version": 1, "models": {"m": model}})


def pairs(rows, correlation, seed=3):
    """Rows x, y, z: normal, x and y correlated."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(rows, 3))
    found[:, 1] = correlation * found[:, 0] + np.sqrt(1 - correlation**2) * found[:, 1]
    return found


def turning(change):
    """A correlation of .8 that is .2 from row 4,000 on; the margins stay as they are."""
    return pairs(ROWS, np.where(np.arange(ROWS) < TURNS, 0.8, 0.2 if change else 0.8))


def record(number, features):
    row = {
        "model": "m", "version": "1", "prediction_id": str(number), "prediction": 0,
        "timestamp": FIRST_INSTANT + EVERY * number, "features": features,
    }  # fmt: skip
    return orjson.dumps(row)


def recorded(columns):
    """The rows as one chunk."""
    values = [
        record(i, dict(zip("xyz", row, strict=True))) for i, row in enumerate(columns.tolist())
    ]
    times = [FIRST_INSTANT + EVERY * i for i in range(len(values))]
    keys = [str(i).encode() for i in range(len(values))]
    entries = {"predictions": Entries(times=times, keys=keys, values=values)}
    return Chunk(entries=entries, last=times[-1])


def run(made, columns, **options):
    """What is said, by topic and id, without what may differ between runtimes."""
    out, replay = {}, open_replay(made, {}, step_rows=1000, **options)
    for output in replay.run([recorded(columns)], ["m"]):
        if output.topic != "references":
            event = json.loads(output.value)
            event.pop("sequence", None)
            event.pop("evidence", None)
            out.setdefault(output.topic, {})[dict(output.headers)["ce_id"]] = event
    return out


@pytest.fixture(scope="module")
def turned():
    """Return what is said of a correlation that breaks at row 4,000."""
    return run(config(TOGETHER), turning(change=True))


def test_a_correlation_that_breaks_is_one_incident_that_names_the_pair(turned):
    """No feature by itself has moved, so nobody else says anything."""
    (event,) = turned["drift-events"].values()
    assert ("features", "covariate_drift", "pca") == (
        event["signal"], event["kind"], event["detector"]["name"],
    )  # fmt: skip
    assert event["detector"]["statistic"] >= event["detector"]["threshold"] > 0
    assert 1.5 < event["detector"]["effect"]["spread_ratio"]
    assert "correlation of x ~ y fell from 0.8" in event["explanation"]
    assert "reconstruction error" in event["explanation"]
    begun = (event["change_point"], event["current"]["window"]["end"])
    assert ("2020-01-01T00:40:00Z", "2020-01-01T00:45:00Z") >= begun > ("2020-01-01T00:39",)


def test_without_a_change_nothing_is_said_and_every_pane_is_judged():
    quiet = run(config(TOGETHER), turning(change=False))
    assert {} == quiet.get("drift-events", {})
    states = [one["state"] for one in quiet["readings"].values() if one["detector"] == "pca"]
    assert ["warming_up", "judged"] == list(dict.fromkeys(states))
    assert states.count("judged") >= ROWS // 100 - 33


def test_partitions_and_crashes_change_nothing(turned):
    crash = lambda turn: "stored" if turn in (4, 7) else None
    assert turned == run(config(TOGETHER), turning(change=True), partitions=3, crash=crash)


@pytest.mark.slow
def test_embedded_says_what_replay_says(turned, tmp_path):
    """With a stop and a start in the middle of the change."""
    chunk, made = recorded(turning(change=True)), config(TOGETHER)
    entries = chunk.entries["predictions"]
    for begin, end in ((0, 4_200), (4_200, ROWS)):
        runtime = open_embedded(made, {}, tmp_path)
        span = slice(begin, end)
        part = Entries(
            times=entries.times[span], keys=entries.keys[span], values=entries.values[span]
        )
        feed(runtime, Chunk(entries={"predictions": part}, last=part.times[-1]))
        runtime.run_until_idle()
        if end == ROWS:
            finish(runtime, chunk.last)
            runtime.run_until_idle()
            said = everything(runtime)
        runtime.stop()
    for topic in ("readings", "drift-events", "alerts"):
        expected = list(turned[topic].values())
        assert sorted(map(json.dumps, expected)) == sorted(json.dumps(e) for _, e in said[topic])


# -- what is counted -------------------------------------------------------------------------------


def grid(made, rows):
    features = dict(zip("xyz", rows.T.tolist(), strict=True)) | {"c": ["a"] * len(rows)}
    nothing = [None] * len(rows)
    return build_grid("m", made.models["m"], LearningRows(features, nothing, nothing, {}))


def products(made, values, partition=0, partitions=1):
    """The sums of products that a profiler counts of records, by pane."""
    found = grid(made, pairs(2000, 0.8, seed=9))
    counted = {"m": counting("m", made.models["m"], made)}
    profiler = Profiler(counted, partition=partition, partitions=partitions, grids={"m": found})
    records = [
        Record(offset=i, timestamp=FIRST_INSTANT, value=value) for i, value in enumerate(values)
    ]
    profiler.step("predictions", records)
    profiler.finish()
    width = Layout(found).width("products")
    entries = [decode(one.value) for one in profiler.flush() if one.topic == "journal"]
    return {
        one.key.pane: one.vector.full(width)
        for one in entries
        if getattr(one, "key", None) is not None and one.key.kind == "products"
    }


def test_two_partitions_add_up_to_one_and_gaps_count_nowhere():
    rows = pairs(500, 0.8).tolist()
    features = [dict(zip("xyz", row, strict=True)) for row in rows]
    for one in features[::10]:
        one["y"] = None
    values = [record(i, one) for i, one in enumerate(features)]
    whole = products(config(TOGETHER), values)
    parts = [products(config(TOGETHER), values[i::2], i, 2) for i in (0, 1)]
    assert 5 == len(whole)
    for pane, vector in whole.items():
        assert vector.tolist() == (parts[0][pane] + parts[1][pane]).tolist()
        assert 90 == vector[0]


def test_without_such_a_monitor_nothing_is_counted_and_no_id_changes():
    rows = pairs(500, 0.8)
    plain = grid(config(), rows)
    assert {} == products(config(), [record(0, {"x": 1.0, "y": 2.0, "z": 3.0})])
    assert 0 == Layout(plain).width("products")
    assert plain.id != grid(config(TOGETHER), rows).id
    # As the ids of grids and baselines were before there was anything to watch together.
    bare = Grid(model="m", task="none", features=())
    assert ("db70386302371daa", "64cc8b6d87896615") == (
        bare.id,
        Baseline(model="m", grid=bare, source="file").id,
    )


def test_what_is_watched_together_begins_an_epoch_and_how_it_is_judged_does_not():
    hashes = [
        config_hash(config(*monitors).models["m"])
        for monitors in (
            (),
            ({"watch": "feature:x", "detector": "psi"},),
            (TOGETHER,),
            (TOGETHER | {"tolerance": 0.05, "window": "10 panes"},),
            (TOGETHER | {"features": ["x", "y"]},),
        )
    ]
    assert hashes[0] == hashes[1]
    assert hashes[2] == hashes[3]
    assert 3 == len({hashes[0], hashes[2], hashes[4]})
    assert 1 == budgeted(config(TOGETHER).models["m"], ["feature:x"], ["*", "region=a"])


# -- the watch -------------------------------------------------------------------------------------


def watch(*monitors, rows=None):
    """A watch over x, y, z, and how rows become a part of a pane."""
    made = config(*monitors)
    found = grid(made, pairs(2000, 0.8, seed=9) if rows is None else rows)
    layout = Layout(found)
    setting = Setting(
        layout=layout,
        baseline=Baseline(model="m", grid=found, source="fixed"),
        judging=judging("m", made.models["m"], made.limits),
        config=made.models["m"],
        threshold=12.0,
    )

    def part(rows, version="1", pane=0, late=False):
        vector = np.zeros(layout.width("products"), np.int64)
        for group in layout.grid.together:
            places = ["xyz".index(name) for name in group.features]
            codes = [layout.features["xyz"[i]].codes(rows[:, i]) for i in places]
            tables = [np.array([*steps, np.nan]) for steps in group.scores]
            scores = [table[own] for table, own in zip(tables, codes, strict=True)]
            block = layout.together[group.name]
            vector[layout.products[group.name].span] = block.count(
                np.column_stack(scores), groups=np.zeros(len(rows), np.intp), n_groups=1
            )[0]
        return Part(version, "*", pane, late=late, vector=vector)

    return (lambda: Multivariate(setting)), part


def panes(correlation, count, seed):
    return np.split(pairs(100 * count, correlation, seed), count)


def test_it_goes_on_exactly_after_every_pane_and_a_new_normal_is_of_one_version():
    fresh, part = watch(TOGETHER, TOGETHER | {"watch": "features:two", "features": ["x", "z"]})
    rows = panes(0.8, 40, 1) + panes(0.1, 40, 2)
    straight, stepped, states = fresh(), fresh(), []
    for number, own in enumerate(rows):
        closed = closing(number, products=tuple(part(own, v) for v in ("1", "2")))
        found = straight.close(closed)
        again = fresh()
        again.load(stepped.save())
        stepped = again
        assert found == stepped.close(closed)
        states.append({(f.signal, f.version): (f.state, f.alarm) for f in found})
        if number == 45:
            for one in (straight, stepped):
                one.rebuild("2", 46 * PANE)
    assert {("warming_up", False)} == set(states[20].values())
    assert {("judged", False)} == set(states[39].values())
    assert ("judged", True) == states[45]["features", "1"] == states[45]["features", "2"]
    assert ("judged", False) == states[45]["features:two", "1"]  # x and z never went together
    assert ("warming_up", False) == states[46]["features", "2"]
    assert [("judged", True), ("judged", False)] == [states[-1]["features", v] for v in "12"]


def test_a_detector_that_is_restarted_begins_anew():
    fresh, part = watch(TOGETHER)
    one = fresh()
    for number, own in enumerate(panes(0.8, 35, 1) + panes(0.1, 5, 2)):
        (found,) = one.close(closing(number, products=(part(own),)))
    assert found.alarm
    one.restart("1", "*", "features")
    (found,) = one.close(closing(41, products=(part(panes(0.8, 1, 3)[0]),)))
    assert not found.alarm


def test_a_small_shift_of_all_is_t2_and_names_the_features():
    """Against what they do together: .2 up in x, .2 down in y, which go up and down together."""
    fresh, part = watch(TOGETHER | {"tolerance": 0.05})
    one = fresh()
    for number, own in enumerate(panes(0.8, 40, 1) + panes(0.8, 25, 2)):
        shift = np.array([0.2, -0.2, 0.0]) if number >= 40 else 0.0
        (found,) = one.close(closing(number, products=(part(own + shift),)))
    assert (True, "T2") == (found.alarm, found.direction)
    assert {"x", "y"} == {cell.name for cell in found.cells[:2]}
    assert 0.3 < found.effect.size < 0.9  # sqrt(2 (.2)^2 / (1 - .8)) is .63


def test_late_rows_excepted_panes_and_gaps_are_no_reference():
    fresh, part = watch(TOGETHER)
    one, states = fresh(), []
    for number, own in enumerate(panes(0.8, 45, 1)):
        late = (part(panes(0.0, 1, 7)[0], pane=number - 1, late=True),)
        products = (part(own), *late) if number != 44 else (part(np.full((5, 3), np.nan)),)
        (found,) = one.close(closing(number, products=products, excepted=number < 10))
        states.append(found.state)
    assert ["warming_up"] * 40 + ["judged"] * 4 + ["too_few_rows"] == states
    assert found.reference_rows == 0


def test_features_that_turn_out_to_be_no_numbers_are_told():
    made = config(TOGETHER | {"features": ["x", "y"]}, features="auto")
    texts = {"x": ["a", "b"] * 50, "y": np.arange(100.0).tolist()}
    found = build_grid("m", made.models["m"], LearningRows(texts, [None] * 100, [None] * 100, {}))
    assert () == found.together
    setting = Setting(
        layout=Layout(found),
        baseline=Baseline(model="m", grid=found, source="fixed"),
        judging=judging("m", made.models["m"], made.limits),
        config=made.models["m"],
        threshold=12.0,
    )
    (said,) = Multivariate(setting).close(closing(0, predictions=[Part("1", "*", 0, False, None)]))
    assert ("schema_mismatch", "features") == (said.state, said.signal)


def test_stretches_are_few_and_do_not_depend_on_the_order_of_panes():
    order = np.random.default_rng(1).permutation(1000)
    straight, mixed = Stretches(), Stretches()
    for one, numbers in ((straight, range(1000)), (mixed, order.tolist())):
        for pane in numbers:
            one.add(pane, np.array([1, pane]))
    assert [one.tolist() for one in straight.sums] == [one.tolist() for one in mixed.sums]
    assert MOST / 2 <= len(straight.sums) <= MOST
    assert 1000 == sum(int(one[0]) for one in straight.sums)


def test_a_file_is_a_reference_for_features_together(tmp_path):
    made, file = config(TOGETHER), tmp_path / "rows.csv"
    lines = [f"{x},{y},{z},a" for x, y, z in pairs(2000, 0.8).tolist()]
    file.write_text("\n".join(["x,y,z,c", *lines]))
    counted = counting("m", made.models["m"], made)
    found = build_reference("m", made.models["m"], counted, file)
    standard = found.together["features"]
    assert (2000, (0, 1, 2)) == (standard.rows, standard.columns)
    assert standard.correlation[1] == pytest.approx(0.8, abs=0.03)
    assert {} == build_reference("m", config().models["m"], counted, file).together


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("monitor", "words"),
    [
        ({"watch": "feature:*"}, "pca watches several features as one signal: write features"),
        ({"features": ["x"]}, "must name at least two"),
        ({"features": ["x", "x"]}, "must not name one twice"),
        ({"features": [f"f{i}" for i in range(65)]}, "must name at most 64, not 65"),
        ({"features": ["x", "nope"]}, "is no declared feature"),
        ({"features": ["x", "c"]}, "is categorical; pca takes numeric ones"),
        ({"segments": ["region=*"]}, "pca judges all rows of a version together"),
        ({"red": 0.3}, "pca takes none: whatever it proves is yellow"),
        ({"detector": "psi", "features": ["x", "y"]}, "only pca watches several features"),
    ],
)
def test_what_it_cannot_watch_is_refused_with_the_reason(monitor, words):
    with pytest.raises(ValidationError, match=words):
        config(TOGETHER | monitor)


def test_more_features_than_can_be_watched_must_be_chosen_from():
    many = {f"f{i:03}": "numeric" for i in range(70)}
    with pytest.raises(ValidationError, match="must name 2 to 64 numeric features: 70 are declar"):
        config(TOGETHER, features=many)
    chosen = config(TOGETHER | {"features": sorted(many)[:64]}, features=many)
    assert 64 == len(chosen.models["m"].monitors[0].features)
    with pytest.raises(ValidationError, match="must differ between pca monitors"):
        config(TOGETHER, TOGETHER)
