"""What is refused at a glance, in a batch of anything, is what the second look would refuse."""

import random

import msgspec
import pytest

from schemas.inputs import Label, Metric, ModelEvent
from schemas.log import Record
from schemas.refused import NOBODY
from streams.decode import Decoder, Limits, second_look
from streams.decode.glance import proven
from streams.decode.plain import Found, Plain, _tried, _without
from streams.decode.search import COLUMNS, ENVELOPE, INFINITY, NAN, holders, occurrences
from tests.fuzz.classes import cases, event, label, metric, prediction, written
from tests.laws.paths import plain
from tests.laws.world import GRID, T0

KINDS = {
    "predictions": (None, GRID, prediction),
    "learning": (None, None, prediction),
    "labels": (Label, None, label),
    "metrics": (Metric, None, metric),
    "model-events": (ModelEvent, None, event),
}
LIMITS = Limits(256 * 1024, 500)
SPLICES = (
    *(b"NaN", b"-Infinity", b"1e999", b"\xff", b"\x00", b"\x01", b"\\ud800", b"\\u0041", b"\\x"),
    *(b"}", b"{", b"]", b"[", b'"', b",", b":", b"null", b"true", b"9" * 30, b"-0", b" ", b"\n"),
    *(b'"model":7,', b'"columns":{},', b'"specversion":"1.0",', b'"version":null,', b"[" * 40),
    *(b'"z":"\xff",', b'"z":"\xc3\xa9",', b'"z":"\\ud800",', b'"z":1e999,', b'"z":NaN,'),
    *(b'"z":{"specversion":1},', b'"z":{"columns":1},', b'"z":%s,' % (b"[" * 40 + b"]" * 40)),
)


class Doubting(Plain):
    """Takes nothing as proven of what the strict type does not take."""

    def decoded(self, values, *, tables):
        events, failed = _tried(self._strict, values)
        if not tables and any(b'"columns"' in values[at] for at, _ in failed):
            return None
        places = _without([at for at, _ in failed], len(values))
        return Found(events, places, [(at, "") for at, _ in failed], NOBODY)


def mutants(made, count, r):
    """Events with a field missing or of another type, whose bytes are then cut, spliced, swapped.

    Every field of every event is met in every state several times.
    """
    for i in range(count):
        tree = made(f"id{i}", T0)
        for _ in range(r.randrange(3)):
            field = r.choice(sorted(tree))
            if r.random() < 0.4:
                del tree[field]
            else:
                tree[field] = r.choice([None, 7, 2**60, 0.5, "x", "", True, [], [1], {}, {"x": 1}])
        members = list(tree.items())
        r.shuffle(members)
        value = written(dict(members))
        for _ in range(r.choice((0, 0, 0, 1, 2))):
            at = r.randrange(len(value) + 1)
            kind = r.randrange(3)
            value = (value[:at], value[:at] + r.choice(SPLICES) + value[at:], value[at:])[kind]
        yield value


@pytest.mark.parametrize("kind", KINDS)
def test_a_glance_refuses_like_the_second_look(kind, monkeypatch):
    """Events and refusals of a batch are the same, word by word, if nothing is taken as proven."""
    struct, grid, made = KINDS[kind]
    r = random.Random(11)
    values = [v for case in cases(T0) if (v := case.value) is not None and len(v) < 4_000]
    values += mutants(made, 3_000, r)
    values += [None, b""]
    r.shuffle(values)
    log = [Record(offset=i, timestamp=T0, value=value) for i, value in enumerate(values)]
    glancing = Decoder(struct, LIMITS, grid)
    monkeypatch.setattr("streams.decode.decoder.Plain", Doubting)
    looking = Decoder(struct, LIMITS, grid)
    for _ in range(2):  # the second time the typed decoder knows the names
        found = glancing.batch(log)
        expected = looking.batch(log)
        assert list(expected.refused.one_by_one()) == list(found.refused.one_by_one())
        assert plain(expected) == plain(found)
        assert list(expected.positions) == list(found.positions)
        assert expected.tombstones == found.tombstones == 1


def test_most_poison_needs_no_second_look():
    """What is cut short, or lacks or mistypes a field, is refused by the decoder's own words."""
    look = second_look.SecondLook(None, LIMITS, GRID)
    decode = Decoder(None, LIMITS, GRID)._plain
    sound = written(prediction("a", T0))
    poison = {
        sound[:-7]: ("malformed", "not a JSON text in UTF-8"),
        sound.replace(b'"a"', b'"\xff"'): ("malformed", "not a JSON text in UTF-8"),
        written(prediction("a", [])): ("schema", "wrong type at $.timestamp"),
        written(prediction(7, T0)): ("schema", "wrong type at $.prediction_id"),
        sound.replace(b'"model"', b'"modell"'): ("schema", "required field model is missing"),
    }
    words = {value: decode.decoded([value], tables=True).failed[0][1] for value in poison}
    assert poison == {value: proven(value, said, look) for value, said in words.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_log_of_one_kind_of_poison_is_refused_like_its_records_alone(kind):
    """However often the same fault comes, among good ones or not, it is told as if it came once."""
    struct, grid, made = KINDS[kind]
    sound = written(made("a", T0))
    broken = [
        sound[:-7],
        sound[:1],
        b"",
        b"\x00\x00\x00\x00\x01" + sound,
        b"[]",
        b"1",
        sound + b"}",
    ]
    broken += [sound.replace(b'"a"', b'"\xff"'), sound.replace(b'"a"', b'"\\ud800"')]
    for field in ("model", "prediction_id", "timestamp", "version", "prediction", "label"):
        tree = made("a", T0)
        broken.append(written({k: v for k, v in tree.items() if k != field}))
        broken += [written({**tree, field: odd}) for odd in ([], None, True, 7, {"x": 1}, 1.5)]
        broken.append(written({**tree, field: [], "z": "\xe9"}))
        broken.append(written({**tree, field: [[[]]] * 40}))
    for value in broken:
        alone = Decoder(struct, LIMITS, grid).batch([Record(offset=0, timestamp=T0, value=value)])
        (reason,) = [one[1:] for one in alone.refused.one_by_one()] or [None]
        for values in ([value] * 40, [sound, value] * 40):
            log = [Record(offset=i, timestamp=T0, value=one) for i, one in enumerate(values)]
            places = [i for i, one in enumerate(values) if one == value and reason]
            decoder = Decoder(struct, LIMITS, grid)
            for _ in range(2):  # the second time it is wary from the first record on
                found = decoder.batch(log)
                told = list(found.refused.one_by_one())
                assert [(at, *reason) for at in places] == [tuple(one) for one in told], value
                assert len(values) - len(places) == len(found.events)


@pytest.mark.parametrize("seed", range(3))
def test_searching_many_texts_is_asking_each(seed):
    """Words at every edge of texts, halves of words in two neighbours, and texts of nothing."""
    r = random.Random(seed)
    parts = [
        b"",
        b"x",
        b"NaN",
        b"Na",
        b"N",
        b'"columns"',
        b'"colum',
        b'ns"',
        b'"specversion"',
        b"cv",
    ]
    texts = [b"".join(r.choices(parts, k=r.randrange(4))) for _ in range(300)]
    for word in (NAN, INFINITY, COLUMNS, ENVELOPE):
        assert [word.text in one for one in texts] == holders(texts, word).tolist()
        assert [False] * 2 == holders([b"", b""], word).tolist()
    assert [one.count(b"N") + one.count(b"m") for one in texts] == occurrences(
        texts, b"Nm"
    ).tolist()
    assert [] == holders([], NAN, COLUMNS).tolist()


def test_rows_of_a_table_beside_plain_records_are_told_by_number():
    """Who asks whether a row was taken asks a list; a bad row and a broken record are refused."""
    rows = [prediction(f"t{i}", T0) for i in range(3)]
    columns = {name: [row[name] for row in rows] for name in ("prediction_id", "prediction")}
    columns |= {"timestamp": [T0, [], T0], "features": {"x": [1, 2, 3], "c": ["a", "b", "c"]}}
    table = written({"model": "m", "version": "1", "columns": columns})
    log = [written(prediction("a", T0)), table, b"{", written(prediction("b", T0))]
    records = [Record(offset=i, timestamp=T0, value=value) for i, value in enumerate(log)]
    found = Decoder(None, LIMITS).batch(records)
    assert [-1, 0, 2, -1] == found.rows
    assert [0, 1, 1, 3] == list(found.positions)
    assert ["a", "t0", "t2", "b"] == [event.prediction_id for event in found.events]
    assert [(1, "schema", 1), (2, "malformed", -1)] == [
        (r[0], r[1], r[3]) for r in found.refused.one_by_one()
    ]


@pytest.mark.parametrize("grid", [None, msgspec.structs.replace(GRID, task="none")])
def test_who_watches_inputs_alone_need_not_send_predictions(grid):
    """Task none: an event without `prediction` is one whose prediction is null, also in a table.

    Of other tasks it is refused.
    """
    rows = [prediction(f"p{i}", T0) for i in range(3)]
    for row in rows[1:]:
        del row["prediction"]
    columns = {"prediction_id": ["t0"], "timestamp": [T0], "features": {"x": [1], "c": ["a"]}}
    table = written({"model": "m", "version": "1", "columns": columns})
    log = [*map(written, rows), b"{", table]
    records = [Record(offset=i, timestamp=T0, value=value) for i, value in enumerate(log)]
    found = Decoder(None, LIMITS._replace(task="none"), grid).batch(records)
    assert ["p0", "p1", "p2", "t0"] == [event.prediction_id for event in found.events]
    assert [rows[0]["prediction"], None, None, None] == [one.prediction for one in found.events]
    assert [3] == [refused[0] for refused in found.refused.one_by_one()]
    other = Decoder(None, LIMITS, grid and GRID).batch(records)
    assert [1, 2, 3, 4] == [refused[0] for refused in other.refused.one_by_one()]
