"""A directory that is opened with another config: counted anew from there, and nothing mixed."""

import numpy as np
import orjson
import pytest

from schemas.config import Config
from schemas.instants import parse
from streams.runtime.assembly import open_embedded
from streams.runtime.reset import reset
from streams.snapshot import SnapshotError
from tests.laws.world import BASELINE, MODEL, PANE, T0, Item, World

WORLD = World((), 1_000, 100_000, clock="event")
CALM = {"x": 1.0, "c": "a", "score": 0.3}
SHIFTED = {"x": 5.0, "c": "d", "score": 0.9}


def opened(folder, **changed):
    """The embedded runtime of the small model, some keys of its config changed."""
    told = WORLD.config().model_dump(mode="json", by_alias=True)
    told["models"][MODEL] |= {"policy": {"sustained": "1 panes"}, **changed}
    return open_embedded(Config.model_validate(told), {MODEL: BASELINE}, folder)


def feed(runtime, first, panes, rows, values):
    """So many rows in each of some panes of ten seconds, read and judged."""
    for pane in range(first, first + panes):
        for row in range(rows):
            at = T0 + pane * PANE + row * PANE // rows
            item = Item("predictions", "prediction", at, pane * 1_000 + row, at, "1", **values)
            runtime.append("predictions", b"k", item.bytes(), timestamp=at)
            told = Item("labels", "label", at, pane * 1_000 + row, at, answer=0)
            runtime.append("labels", b"k", told.bytes(), timestamp=at)
    runtime.run_until_idle(T0 + 10**9)


def said(runtime, topic):
    """What a topic holds."""
    return [orjson.loads(record.value) for record in runtime.outputs(topic, limit=100_000)]


def ends(readings):
    """When the panes ended that feature x was judged in, epoch milliseconds, in their order."""
    told = [one for one in readings if one["signal"] == "feature:x" and one["segment"] == "*"]
    return sorted({parse(one["current"]["window"]["end"]) for one in told})


def test_another_pane_begins_a_new_epoch(tmp_path):
    """Read once each, before or after; told; the open incident ends; panes are the new ones."""
    runtime = opened(tmp_path)
    feed(runtime, 0, 10, 40, CALM)
    feed(runtime, 10, 10, 40, SHIFTED)
    before = runtime.accounting()["predictions"]["counted"]
    firing = {one["incident_id"] for one in said(runtime, "alerts") if one["status"] == "firing"}
    readings = len(said(runtime, "readings"))
    runtime.stop()
    assert (800, True) == (before, bool(firing))

    runtime = opened(tmp_path, pane="20s")
    try:
        runtime.run_until_idle(T0 + 10**9)
        ended = [one for one in said(runtime, "alerts") if one["status"] == "resolved"]
        assert firing == {one["incident_id"] for one in ended}
        assert all("counted anew since" in one["summary"] for one in ended)
        (told,) = [r for r in said(runtime, "readings") if r["signal"] == "operational:epoch"]
        assert ("warming_up", False) == (told["state"], told["breach"])

        feed(runtime, 20, 20, 40, CALM)
        assert 800 == runtime.accounting()["predictions"]["counted"]
        fresh = said(runtime, "readings")[readings + 1 :]  # behind the word of the epoch
        assert {20_000} == set(np.diff(ends(fresh)).tolist())
    finally:
        runtime.stop()


def test_each_change_is_one_epoch_and_a_start_is_none(tmp_path):
    """There and back are two; stopping and starting changes nothing."""
    for number, pane in enumerate(["10s", "20s", "20s", "10s", "10s"]):
        runtime = opened(tmp_path, pane=pane)
        feed(runtime, number * 10, 10, 5, CALM)
        runtime.stop()
    runtime = opened(tmp_path)
    try:
        assert 2 == len(runtime.outputs("references"))
        assert 100 == runtime.accounting()["predictions"]["counted"]
    finally:
        runtime.stop()


def test_a_change_that_was_cut_off_is_the_same_change(tmp_path):
    """Killed after the epoch was announced and before anything was counted in it: as if not."""
    runtime = opened(tmp_path)
    feed(runtime, 0, 10, 5, CALM)
    runtime.stop()
    for _ in range(2):  # opened, and ended before its first commit
        runtime = opened(tmp_path, lateness="3s")
        runtime.log.close()
    runtime = opened(tmp_path, lateness="3s")
    try:
        feed(runtime, 10, 10, 5, CALM)
        assert 1 == len(runtime.outputs("references"))
        assert 50 == runtime.accounting()["predictions"]["counted"]
    finally:
        runtime.stop()


def test_a_model_that_was_dropped_is_refused_still(tmp_path):
    """Nobody said what becomes of its rows."""
    runtime = opened(tmp_path)
    feed(runtime, 0, 2, 5, CALM)
    runtime.stop()
    other = Config.model_validate({"models": {"n": {"task": "none"}}})
    with pytest.raises(SnapshotError, match="holds model m, the config does not"):
        open_embedded(other, {}, tmp_path)


def test_a_reset_counts_anew_from_the_place_it_names(tmp_path):
    """The same config, from the first record that is kept, from an instant, and from the end."""
    config = WORLD.config()
    runtime = opened(tmp_path)
    feed(runtime, 0, 10, 5, CALM)
    runtime.stop()
    for where, expected in (("earliest", 50), (T0 + 4 * PANE, 30), ("latest", 0)):
        reset(tmp_path, config.hashes(), where)
        runtime = opened(tmp_path)
        try:
            runtime.run_until_idle(T0 + 10**9)
            assert expected == runtime.accounting()["predictions"]["counted"]
        finally:
            runtime.stop()


def test_models_that_are_not_named_begin_anew_together(tmp_path):
    """Their one config changes: each is let in again, and counts what comes from then on."""

    def anybody(pane):
        told = {"task": "binary", "pane": pane, "clock": "event", "timestamps": "ms"}
        config = Config.model_validate({"models": {"*": told | {"labels": {"horizon": "1h"}}}})
        return open_embedded(config, {}, tmp_path)

    def come(runtime, names, first):
        for number in range(first, first + 30):
            at = T0 + number * PANE
            row = Item("predictions", "prediction", at, number, at, "1", **CALM).bytes()
            for name in names:
                value = row.replace(b'"model":"m"', b'"model":"%s"' % name)
                runtime.append("predictions", b"k", value, timestamp=at)
        runtime.run_until_idle(T0 + 10**9)

    runtime = anybody("10s")
    come(runtime, [b"one", b"two"], 0)
    assert 60 == runtime.accounting()["predictions"]["counted"]
    runtime.stop()

    runtime = anybody("20s")
    try:
        come(runtime, [b"two", b"three"], 30)
        assert 60 == runtime.accounting()["predictions"]["counted"]
        assert 0 == runtime.accounting()["predictions"]["dead_lettered"]
        assert 1 == len(runtime.outputs("references"))
    finally:
        runtime.stop()
