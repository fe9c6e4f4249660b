"""Bad input, class by class: what a record is made of, and what must become of it at every door."""

import gzip
import json
from typing import NamedTuple

import orjson

from schemas.envelope import ARROW, STRUCTURED
from tests.laws.world import MODEL

DEEP = 40_000
ARROW_HEADERS = (("content-type", ARROW.encode()),)


class Case(NamedTuple):
    """A record, and its end: a code of refusal, or `counted`, `missing`, `duplicate`, `tombstone`.

    `missing` is counted with its feature x missing.
    """

    name: str
    end: str
    value: bytes | None
    log: str = "predictions"
    headers: tuple = ()
    key: bytes | None = b"k"


def prediction(name, now, /, **fields):
    """A sound prediction but for `fields`."""
    return {
        "model": MODEL,
        "version": "1",
        "prediction_id": name,
        "timestamp": now,
        "prediction": 1,
        "score": 0.5,
        "features": {"x": 2.5, "c": "a"},
        **fields,
    }


def label(name, now, /, **fields):
    """A sound label but for `fields`."""
    return {"model": MODEL, "prediction_id": name, "timestamp": now, "label": 1, **fields}


def metric(name, now, /, **fields):
    """A sound metric but for `fields`."""
    return {"model": MODEL, "name": "ctr", "value": 0.5, "timestamp": now, "note": name, **fields}


def event(name, now, /, **fields):
    """A sound model event but for `fields`."""
    return {"model": MODEL, "type": "annotation", "id": name, "timestamp": now, **fields}


def written(tree):
    """JSON as Python writes it, with NaN and lone surrogates."""
    return json.dumps(tree).encode()


def _malformed(now):
    """Bytes that are no JSON, or no envelope."""
    sound = orjson.dumps(prediction("sound", now))
    holed = sound.replace(b'"sound"', b'"%s"')
    deep = b'{"a":' * DEEP
    for name, value in {
        "empty": b"",
        "blank": b" \n",
        "text": b"not json",
        "cut short": sound[:-7],
        "trailing bytes": sound + b"x",
        "two objects": sound + sound,
        "byte order mark": b"\xef\xbb\xbf" + sound,
        "utf-16": sound.decode().encode("utf-16"),
        "latin-1": holed % b"caf\xe9",
        "lone surrogate": holed % b"\\ud800",
        "lone surrogate in a category": sound.replace(b'"a"', b'"\\udfff"'),
        "control character": holed % b"a\nb\x01",
        "compressed": gzip.compress(sound),
        "nul bytes": b"\0" * 64,
        "deep": deep,
        "deep list": b"[" * DEEP + b"]" * DEEP,
        "deep in a feature": sound.replace(b"2.5", b"[" * 40 + b"]" * 40),
        "single quotes": sound.replace(b'"', b"'"),
        "huge number": b"9" * 5_000,
    }.items():
        yield Case(name, "malformed", value)
    for name, headers in {
        "foreign envelope": (("ce_specversion", b"0.3"),),
        "envelope that is no text": (("ce_specversion", b"1.0"), ("ce_type", b"\xff")),
        "structured without content": (("content-type", STRUCTURED.encode()),),
        "arrow without a table": ARROW_HEADERS,
    }.items():
        yield Case(name, "malformed", sound.replace(b"sound", name.encode()), headers=headers)
    base64 = b'{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"@@"}'
    yield Case("base64", "malformed", base64)
    no_content = b'{"specversion":"1.0","id":"2","source":"s","type":"t"}'
    yield Case("envelope without content", "malformed", no_content)


def _schema(now):
    """JSON that is no event."""
    for name, value in {"list": b"[[]]", "number": b"7", "null": b"null", "string": b'"s"'}.items():
        yield Case(name, "schema", value)
    for made, log in ((prediction, "predictions"), (label, "labels")):
        for field in made("", now):
            tree = made(f"{log} without {field}", now)
            if field not in ("version", "score", "features"):
                rest = {k: v for k, v in tree.items() if k != field}
                yield Case(f"{log} without {field}", "schema", written(rest), log)
            name = f"{log} with {field} a list"
            yield Case(name, "schema", written({**made(name, now), field: [{}]}), log)
    for field, wrong in {"value": "x", "name": "a b", "kind": "king", "model": 7}.items():
        name = f"metric with a bad {field}"
        yield Case(name, "schema", written(metric(name, now, **{field: wrong})), "metrics")
    for field, wrong in {"type": "exploded", "matchers": {"signl": "x"}, "from": [1]}.items():
        name = f"event with a bad {field}"
        yield Case(name, "schema", written(event(name, now, **{field: wrong})), "model-events")
    for name, fields in {
        "many features": {"features": {f"f{i}": 1 for i in range(501)}},
        "feature's name": {"features": {"a b": 1}},
        "feature's long name": {"features": {"x" * 129: 1}},
        "feature's name is control": {"features": {"x\u202e": 1}},
        "empty id": {"prediction_id": ""},
        "long id": {"prediction_id": "i" * 257},
        "version's name": {"version": "1\n2"},
        "version's long name": {"version": "v" * 129},
        "version is bidi": {"version": "\u202e1"},
        "probabilities": {"probabilities": {"0": "x"}},
        "score is text": {"score": "high"},
    }.items():
        yield Case(name, "schema", written(prediction(name, now) | fields))
    for name, fields in {"revision": {"revision": 2**40}, "weight": {"weight": -1}}.items():
        yield Case(name, "schema", written(label(name, now, **fields)), "labels")


def _numbers(now):
    """NaN, infinity, and what no float holds."""
    awkward = {"NaN": "NaN", "infinity": "-Infinity", "1e999": "1e999", "2**60": str(2**60)}
    awkward["400 digits"] = "1" + "0" * 400
    for name, number in awkward.items():
        for field, text in (("score", "0.5"), ("prediction", "1")):
            tree = written(prediction(f"{field} {name}", now))
            old, new = f'"{field}": {text}'.encode(), f'"{field}": {number}'.encode()
            yield Case(f"{field} is {name}", "non_finite", tree.replace(old, new))
        tree = written(label(f"label {name}", now)).replace(
            b'"label": 1', f'"label": {number}'.encode()
        )
        yield Case(f"label is {name}", "non_finite", tree, "labels")
        tree = written(prediction(f"x {name}", now)).replace(b"2.5", number.encode())
        yield Case(f"feature is {name}", "missing", tree)
    tree = written(metric("NaN", now)).replace(b"0.5", b"NaN")
    yield Case("metric is NaN", "non_finite", tree, "metrics")
    for name, value in {"text": "x", "list": [1], "object": {}, "true": True, "null": None}.items():
        features = {"x": value, "c": "a"}
        tree = prediction(f"x {name}", now, features=features)
        yield Case(f"feature is {name}", "missing", written(tree))


def _times(now):
    """Instants that cannot be, or cannot be yet."""
    for name, at in {
        "epoch 0": 0,
        "negative": -now,
        "no instant": "yesterday",
        "empty instant": "",
        "text of digits": "12ab",
        "beyond all years": 1e300,
        "truncated": "2026-11-21T",
        "seconds for milliseconds": now // 1000,
        "no offset": "2026-11-21T07:55:00",
    }.items():
        yield Case(name, "bad_timestamp", written(prediction(name, at)))
        yield Case(f"label: {name}", "bad_timestamp", written(label(name, at)), "labels")
    for name, at in {
        "six minutes ahead": now + 6 * 60_000,
        "a day ahead": now + 86_400_000,
        "year 2100": 4_102_444_800_000,
        "microseconds for milliseconds": now * 100,
    }.items():
        yield Case(name, "future_timestamp", written(prediction(name, at)))
        yield Case(f"label: {name}", "future_timestamp", written(label(name, at)), "labels")
        yield Case(f"metric: {name}", "future_timestamp", written(metric(name, at)), "metrics")
    old = now - 3 * 86_400_000
    yield Case("three days old", "expired", written(prediction("old", old)))


def _known(now):
    """Models, identities, and what only looks bad."""
    for log, made in (
        ("predictions", prediction),
        ("labels", label),
        ("metrics", metric),
        ("model-events", event),
    ):
        yield Case(f"{log} of nobody", "unknown_model", written(made("n", now, model="else")), log)
    yield Case("first", "counted", written(prediction("same", now)))
    yield Case("again", "duplicate", written({**prediction("same", now), "unknown": 1}))
    yield Case("conflict", "conflict", written(prediction("same", now, score=0.9)))
    yield Case("late", "counted", written(prediction("late", now - 3_600_000)))
    yield Case("null key", "counted", written(prediction("null key", now)), key=None)
    yield Case("tombstone", "tombstone", None)
    yield Case("tombstone label", "tombstone", None, "labels")
    for name, text in {"nul": "a\0b", "bidi": "\u202eb", "zero width": "a\u200bb"}.items():
        tree = prediction(f"category {name}", now, features={"x": 2.5, "c": text})
        yield Case(f"category with {name}", "counted", written(tree))
    lines = prediction("id\r\nX-Injected: 1", now)
    yield Case("line breaks in an id", "counted", written(lines))
    prefixed = b"\0\0\0\0\7" + written(prediction("registry", now))
    yield Case("registry prefix", "counted", prefixed)
    unknown = prediction("unknown", now, more={"a": [1, {"b": None}]})
    yield Case("unknown fields", "counted", written(unknown))


def _large(now):
    """Events of 256 KiB, batches of 8 MiB."""
    wide = prediction("wide", now, note="x" * (256 * 1024))
    yield Case("too large", "too_large", written(wide))
    ids = ["i" * 250] * (8 * 1024 * 4 + 400)
    batch = {"model": MODEL, "version": "1", "columns": {"prediction_id": ids}}
    yield Case("too large a batch", "too_large", written(batch))


def cases(now):
    """Every case; `now` is the broker's time in ms."""
    return [
        *_malformed(now),
        *_schema(now),
        *_numbers(now),
        *_times(now),
        *_known(now),
        *_large(now),
    ]
