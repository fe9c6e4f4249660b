"""What the laws found once: the smallest case of each, kept."""

import msgspec
import pytest

from schemas.baseline import Baseline, encode
from schemas.config import Config
from schemas.envelope import seal
from schemas.journal import Forwarded, decode
from schemas.log import Record
from streams.profiler import Profiler
from tests.laws.mill import LOGS, Mill
from tests.laws.world import END_HEADERS, GRID, MODEL, PANE, T0, TAME, Item, World
from tests.laws.world import world as random_world

SPAN = {"lateness": 3_000, "horizon": 15_000}


def asked(number, time, *, broker=None, **rest):
    """A prediction `time` ms after the begin."""
    at = T0 + time
    came = at if broker is None else T0 + broker
    rest = {"version": "1", "x": 1.0, "c": "a", "score": 0.3, **rest}
    return Item("predictions", "prediction", came, number, at, **rest)


def told(number, time, *, broker=None, **rest):
    """A label `time` ms after the begin."""
    at = T0 + time
    return Item("labels", "label", at if broker is None else T0 + broker, number, at, **rest)


def bad(log, value, time=0, headers=()):
    """A record that cannot be counted."""
    return Item(log, "bad", T0 + time, 0, value=value, headers=headers)


def world(*items, **rest):
    """These items under short spans."""
    return World(items, **{**SPAN, **rest})


def test_the_first_pane_is_the_earliest_of_all_partitions():
    """A partition heard of later may begin earlier; its first pane is judged all the same."""
    items = [asked(0, 5 * PANE), asked(1, 0)]
    alone = Mill(world(*items), 1).finish()
    spread = Mill(world(*items), 2).finish()
    assert alone.spoken("evidence") == spread.spoken("evidence")


def letters(mill):
    """(log, offset) of every dead letter, and how often it was written."""
    return {(log, offset): n for (log, _, offset), n in mill.letters.items()}


def books(mill, log="labels"):
    """The tallies of partition 0."""
    return mill.owners[0].machine.accounting()[log]


def test_another_model_is_not_ours():
    """With one configured model, records that name another are refused, not counted as its."""
    value = b'{"model":"else","version":"1","prediction_id":"p1","timestamp":%d,"prediction":1}'
    mill = Mill(world(asked(0, 0), bad("predictions", value % T0))).finish()
    assert {("predictions", mill.offsets["predictions", 0][1]): 1} == letters(mill)
    assert (1, 1) == (books(mill, "predictions").counted, books(mill, "predictions").dead_lettered)
    assert mill.truths()[0].cells == mill.cells()


def step(mill, now):
    """Read all that has come by `now`, flush, store."""
    mill.now, owner = T0 + now, mill.owners[0]
    for log in LOGS:
        mill.poll(owner, log, 99)
    mill.flush(owner)
    mill.send(owner, 99)


def crash(mill):
    """Partition 0 goes on from its newest snapshot."""
    mill.owners[0] = mill._restored(0)


def test_a_correction_that_joins_is_a_joined_label():
    """Of the counted labels each is joined, waiting or orphaned; a correction joins too."""
    items = [asked(0, 0), told(0, 1_000), told(0, 2_000, answer=1, revision=2)]
    assert 2 == books(Mill(world(*items), check=True).finish()).joined


def test_a_joined_label_is_no_orphan_after_a_restore():
    """A label may outlive its prediction in memory; re-read alone, it is still a joined one."""
    items = [
        told(9, 200_000, broker=0),  # keeps later labels in the store
        asked(1, 1_000),
        told(1, 1_000),
        asked(2, 60_000),
        told(2, 60_000),
    ]
    mill = Mill(world(*items), check=True)
    step(mill, 2_000)
    step(mill, 61_000)
    crash(mill)
    step(mill, 62_000)
    mill.finish()
    assert [] == mill.problems
    assert (2, 1) == (books(mill).joined, books(mill).orphaned)


def test_a_label_meets_all_live_labels_of_its_batch():
    """Which label came before is the same whether they are read in one batch or one by one."""
    items = [
        told(1, 14_000, broker=14_001),
        told(1, 0, broker=14_002, revision=2),
        told(1, 16_000, broker=20_000),
    ]
    expected = Mill(world(*items)).truths()[0].accounts["labels"]
    mill = Mill(world(*items), check=True)
    step(mill, 30_000)
    assert [] == mill.problems
    assert 1 == expected["conflict"] + expected["duplicate"]


def test_only_the_end_of_a_stream_ends_it_but_every_control_is_counted():
    """Model events in the wrong log are counted as controls, so that the books add up."""
    value = b'{"model":"m","type":"external","timestamp":%d}' % T0
    items = [asked(1, 0), asked(2, 2_000)]
    stray = bad("predictions", value, 1_000, END_HEADERS)
    mill = Mill(world(*items, stray)).finish()
    assert (3, 1, 2) == tuple(
        getattr(books(mill, "predictions"), name) for name in ("read", "control", "counted")
    )


def test_tombstones_beyond_a_control_are_counted_after_a_restore():
    """A batch cut by a control and by what a snapshot includes still counts every tombstone."""
    tombs = [Item("predictions", "tombstone", T0 + t, 0) for t in (1_000, 3_000)]
    end = Item("predictions", "end", T0 + 2_000, 0, time=T0, headers=END_HEADERS)
    mill = Mill(world(asked(1, 0), *tombs, end, clock="event"), check=True)
    step(mill, 1_000)
    crash(mill)
    mill.finish()
    assert 2 == books(mill, "predictions").tombstone
    assert [] == mill.problems


def forwarded(mill):
    """Model events in the journal."""
    entries = [decode(record.value) for record in mill.journal]
    return [entry for entry in entries if isinstance(entry, Forwarded)]


@pytest.mark.parametrize("form", ["binary", "structured"])
def test_a_model_event_in_any_envelope_reaches_the_monitor(form):
    """The monitor reads forwarded events as the profiler did, whatever they came in."""
    event = b'{"model":"m","type":"external","timestamp":%d,"id":"e"}' % T0
    sealed = seal(event, type="windage.model-event.v1", id="e", source="ci", time=T0, form=form)
    item = bad("model-events", sealed.value, headers=sealed.headers)
    mill = Mill(world(asked(0, 0), asked(1, 20_000), item)).finish()
    assert 1 == len(forwarded(mill))
    plain = Mill(world(asked(0, 0), asked(1, 20_000), bad("model-events", event))).finish()
    assert plain.spoken() == mill.spoken()


@pytest.mark.parametrize("stamp", ["4102444800000", '"9999-12-31T00:00:00Z"', "-5", '"x"', "1e300"])
def test_a_model_event_of_no_possible_instant_is_refused(stamp):
    """An event far ahead of the broker, or before the epoch, is a dead letter, not a promise."""
    value = b'{"model":"m","type":"external","timestamp":%s,"id":"e"}' % stamp.encode()
    mill = Mill(world(asked(0, 0), bad("model-events", value))).finish()
    assert [] == forwarded(mill)
    assert [1] == list(mill.letters.values())


def test_a_second_model_that_learns_does_not_disturb_the_first():
    """When one model is read again on its new grid, the other's events are not counted again."""
    one = world().roles()[0]._counting[MODEL]
    counting = {MODEL: one, "n": msgspec.structs.replace(one, model="n")}
    profiler = Profiler(counting, partition=0, partitions=1, grids={MODEL: GRID})
    values = [
        b'{"model":"%s","type":"external","timestamp":%d,"id":"e"}' % (m, T0) for m in (b"m", b"n")
    ]
    records = [Record(offset=i, timestamp=T0, value=value) for i, value in enumerate(values)]
    profiler.step("model-events", records)
    before = profiler.flush()
    profiler.adopt(
        encode(Baseline(model="n", grid=msgspec.structs.replace(GRID, model="n"), source=""))
    )
    profiler.step("model-events", records)
    assert 2 == profiler.accounting()["model-events"].read
    again = [decode(output.value) for output in profiler.flush()]
    assert not [entry for entry in again if isinstance(entry, Forwarded) and entry.model == MODEL]
    assert before


def test_a_label_of_two_versions_is_joined_once_also_after_a_restore():
    """Re-reading may meet the newer prediction before the label that an older one joined."""
    items = [asked(1, 0), asked(1, 0, broker=5_000, version="2"), told(1, 2_000)]
    mill = Mill(world(*items), check=True)
    step(mill, 3_000)
    crash(mill)
    mill.now = T0 + 6_000
    mill.poll(mill.owners[0], "predictions", 9)
    mill.finish()
    assert [] == mill.problems
    assert 1 == books(mill).joined


def learning(*items):
    """A stream of forty panes, one row each, that is learned from; and these items."""
    rows = [asked(i, i * PANE, x=float(i % 5), c="ab"[i % 2]) for i in range(100, 140)]
    rows = [
        row._replace(time=row.time - 100 * PANE, broker=row.broker - 100 * PANE) for row in rows
    ]
    return World((*rows, *items), **SPAN, learning=30)


def test_what_only_counting_can_refuse_is_refused_after_learning():
    """A conflict shows when learned rows are read again; its dead letter is written then."""
    again = asked(100, 1_000, x=4.0)
    mill = Mill(learning(again)).finish()
    assert {("predictions", mill.offsets["predictions", 0][1]): 1} == letters(mill)
    assert 1 == books(mill, "predictions").conflict


def test_a_row_sent_twice_is_learned_from_once():
    """The grid is the same whether the producer repeats itself or not."""
    items = [asked(i, (i - 100) * PANE, x=float(i % 5), c="ab"[i % 2]) for i in range(100, 110)]
    once, twice = Mill(learning()).finish(), Mill(learning(*items)).finish()
    assert once.references
    assert once.references == twice.references


@pytest.mark.parametrize("change", [{"labels": "none"}, {"task": "none", "classes": None}])
def test_labels_that_nobody_asked_for_harm_nobody(change, monkeypatch):
    """A model without labels may get some; the monitor goes on."""
    usual = World.config

    def config(self):
        model = usual(self).models[MODEL].model_dump(mode="json", by_alias=True) | change
        return Config.model_validate({"models": {MODEL: model}})

    monkeypatch.setattr(World, "config", config)
    rows = [asked(i, i * PANE // 2) for i in range(90)]
    labels = [told(i, i * PANE // 2 + 1_000) for i in range(90)]
    with_labels = Mill(World((*rows, *labels), **SPAN, learning=30)).finish()
    without = Mill(World(tuple(rows), **SPAN, learning=30)).finish()
    assert without.spoken("evidence")
    assert without.spoken("evidence") == with_labels.spoken("evidence")


def test_a_stream_ends_for_all_its_logs():
    """Under the broker's clock, too, the ends of all logs close the last pane without a tick."""
    ends = [Item(log, "end", T0 + PANE, 0, time=T0 + PANE, headers=END_HEADERS) for log in LOGS]
    mill = Mill(world(asked(1, 1_000), *ends))
    owner = mill.owners[0]
    for log in LOGS:
        owner.machine.step(log, mill.records[log, 0])
    mill.flush(owner)
    mill.send(owner, 9)
    mill.judge(9)
    mill.say()
    assert mill.spoken()
    assert mill.spoken() == Mill(world(asked(1, 1_000))).finish().spoken()


def test_a_model_event_by_event_time_acts_in_its_own_pane():
    """Whether it is read before or after the rows of its pane must not matter."""
    at = T0 + 2 * PANE
    value = b'{"model":"m","type":"silence","timestamp":%d,"until":%d}' % (at, at + 3 * PANE)
    for seed in (9, 17, 25, 39):
        made = random_world(seed, TAME, clock="event")
        made = made._replace(items=(*made.items, bad("model-events", value, 2 * PANE)))
        torn = [Mill(made, seed=seed).run(seed + n, 120, faults=False).spoken() for n in range(4)]
        assert [Mill(made, seed=seed).finish().spoken()] * 4 == torn
