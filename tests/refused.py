"""Twenty records that nobody can count, each of a kind of its own, with the code it must get.

Every one is a good record with one thing wrong, unless that cannot be. Whoever reads `kinds` must
write twenty dead letters, `expected`, and count the `good` ones behind them.
"""

import time

import orjson

ROWS = 1000
"""Good records that come behind the bad ones."""

TOO_LARGE = 256 * 1024 + 1
"""Bytes: the least that the default of `limits.event` refuses."""

CONFIG = """
version: 1
kafka: {{bootstrap: "{bootstrap}"}}
topics: {{prefix: "{prefix}", partitions: {partitions}}}
state: {{every: 1s}}
models:
  m:
    task: binary
    pane: 1m
    labels: {{horizon: 1d}}
    reference: {{from: first, rows: 500, min_duration: 0s}}
"""


def now():
    """Return the present in epoch milliseconds; asked for by each test, so that no row is late."""
    return int(time.time() * 1000)


def good(number, at):
    """Return a record that counts, at epoch ms `at`: its key and value."""
    fields = {
        "prediction_id": f"p{number}",
        "features": {"x": number % 7 / 2, "city": ("rome", "oslo")[number % 2]},
        "prediction": number % 2,
    }
    return f"p{number}".encode(), _record(at, **fields)


def headers(kind):
    """Return what a producer said beside the record: text, bytes that are no text, and nothing."""
    return (("x-kind", kind.encode()), ("x-raw", b"\x00\xff\xfe"), ("x-empty", b""))


def _record(at, **fields):
    plain = {
        "model": "m",
        "version": "1",
        "prediction_id": "bad",
        "timestamp": at,
        "features": {"x": 1.5, "city": "rome"},
        "prediction": 1,
        "score": 0.7,
    }
    wanted = {name: value for name, value in (plain | fields).items() if value is not ...}
    return orjson.dumps(wanted)


def kinds(at):
    """Return kind: (value, code) of the twenty, made at epoch ms `at`; `...` leaves a field out."""
    sound = _record(at)
    label = {"model": "m", "prediction_id": "bad", "timestamp": at, "label": 1}
    padding = "x" * (TOO_LARGE - len(_record(at, note="")))
    nested = b"[" * 100_000 + b"]" * 100_000
    return {
        "truncated": (sound[:-9], "malformed"),
        "bad UTF-8": (sound.replace(b"rome", b"r\xf6me"), "malformed"),
        "oversize": (_record(at, note=padding), "too_large"),
        "no id": (_record(at, prediction_id=...), "schema"),
        "id of the wrong type": (_record(at, prediction_id=7), "schema"),
        "prediction of the wrong type": (_record(at, prediction=[1]), "schema"),
        "prediction not a number": (
            sound.replace(b'"prediction":1', b'"prediction":NaN'),
            "non_finite",
        ),
        "no timestamp": (_record(at, timestamp=...), "schema"),
        "unreadable timestamp": (_record(at, timestamp="yesterday"), "bad_timestamp"),
        "future timestamp": (_record(at, timestamp="2199-01-01T00:00:00Z"), "future_timestamp"),
        "unknown model": (_record(at, model="stranger"), "unknown_model"),
        "array": (b"[%s]" % sound, "schema"),
        "number": (b"42", "schema"),
        "empty": (b"", "malformed"),
        "deep": (sound.replace(b'"rome"', nested), "malformed"),
        "lone surrogate": (sound.replace(b"rome", rb"\ud800"), "malformed"),
        "byte order mark": (b"\xef\xbb\xbf" + sound, "malformed"),
        "trailing bytes": (sound + b"}", "malformed"),
        "features not an object": (_record(at, features=[1.5, "rome"]), "schema"),
        "a label": (orjson.dumps(label), "schema"),
    }


ACCOUNTS = {"read": 1020, "counted": 1000, "dead_lettered": 20}
"""Of `predictions`; whatever else is counted there is 0."""


def expected(bad):
    """Return the dead letters of `kinds` as `told` gives them."""
    return {kind: (value, headers(kind), "profiler", code) for kind, (value, code) in bad.items()}


def told(letters):
    """Return kind: (value, its own headers, stage, code) of (key, value, headers) read."""
    found = {}
    for key, value, said in letters:
        own = tuple(said)[: len(headers(""))]
        reasons = {name: text.decode() for name, text in tuple(said)[len(own) :]}
        assert reasons["windage.error.code"] in reasons["__connect.errors.exception.class.name"]
        assert "predictions" == reasons["__connect.errors.topic"]
        kind = key.decode()
        assert kind not in found, "one dead letter a record"
        found[kind] = (value, own, reasons["windage.error.stage"], reasons["windage.error.code"])
    return found


def outcomes(accounts):
    """Return the accounts of predictions that are not 0 and say what became of them."""
    return {name: count for name, count in accounts["predictions"].items() if count}
