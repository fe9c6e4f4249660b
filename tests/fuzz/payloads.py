"""Payloads: random bytes, mutated sound records, and structures made to be awkward; all seeded."""

import gzip
import json
import random

import orjson

from schemas.envelope import ARROW, BATCHED, STRUCTURED
from schemas.log import INPUT_LOGS
from tests.fuzz.classes import event, label, metric, prediction
from tests.laws.test_tables import rows_of, table
from tests.laws.world import END_HEADERS, MODEL

MADE = {"predictions": prediction, "labels": label, "metrics": metric, "model-events": event}
HEADERS = (
    (),
    (),
    (),
    END_HEADERS,
    (("ce_specversion", b"1.0"), ("ce_type", b"\xff")),
    (("ce_specversion", b"1.0"), ("ce_id", b""), ("traceparent", b"\x00")),
    (("content-type", STRUCTURED.encode()),),
    (("content-type", BATCHED.encode()),),
    (("content-type", ARROW.encode()),),
    (("content-type", b"\xfe"),),
    (("Content-Type", b"application/json; charset=utf-16"), ("", b"")),
)
SCALARS = (
    *(None, True, False, 0, -1, 1, 0.5, -0.0, 1e308, -1e308, 5e-324),
    *(2**53, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**400),
    *(float("nan"), float("inf"), float("-inf")),
    *("", "a", "x" * 300, "\0", "\ud800", "\u202e", "NaN", "1e999", "null", "0x10", "1_000"),
    *("2026-11-21T07:55:00Z", "9999-12-31T23:59:60+23:59", "0000-00-00", "12:00"),
)
TOKENS = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u", b"\\ud83d", b"\xed\xa0\x80"),
    *(b"NaN", b"Infinity", b"-", b"1e999", b"1E+", b"00", b"null", b"tru", b"\0", b"\xff\xfe"),
    *(
        b'"specversion":"1.0",',
        b'"columns":',
        b'"data_base64":"',
        b'"model":',
        b"[[[[[[[[",
        b"9" * 99,
    ),
)
NAMES = (
    *("model", "version", "prediction_id", "timestamp", "features", "prediction", "score"),
    *("probabilities", "tags", "role", "latency_ms", "error", "label", "revision", "weight"),
    *("name", "value", "type", "id", "from", "until", "matchers", "deployment", "columns", "data"),
    *("specversion", "data_base64", "x", "c", "region", "", "a b"),
)


def tree(r: random.Random, depth=0):
    """Any JSON value, with names that mean something."""
    kind = r.random()
    if depth > 5 or kind < 0.5:
        return r.choice(SCALARS)
    if kind < 0.75:
        return [tree(r, depth + 1) for _ in range(r.choice((0, 1, 2, 3, 9)))]
    return {r.choice(NAMES): tree(r, depth + 1) for _ in range(r.choice((0, 1, 2, 3, 9)))}


def sound(r: random.Random, log: str, now: int):
    """A sound event of a log."""
    return MADE[log](f"id{r.randrange(1 << 40)}", now - r.randrange(100_000))


def batch(r: random.Random, log: str, form: str):
    """A sound table of rows: (headers, value)."""
    kind = log if log in ("predictions", "labels") else "predictions"
    return table(rows_of(r.randrange(1 << 20), kind, r.choice((1, 2, 20))), form)


def mutated(r: random.Random, value: bytes) -> bytes:
    """Bytes with some of them changed, cut, doubled, moved, or a token put in."""
    out = bytearray(value)
    for _ in range(r.choice((1, 1, 2, 5, 20))):
        at, to = sorted((r.randrange(len(out) + 1), r.randrange(len(out) + 1)))
        kind = r.randrange(7)
        if kind == 0 and out:
            out[r.randrange(len(out))] ^= 1 << r.randrange(8)
        elif kind == 1:
            out[at:at] = r.choice(TOKENS)
        elif kind == 2:
            del out[at : min(to, at + 40)]
        elif kind == 3:
            out[at:at] = out[at : min(to, at + 200)]
        elif kind == 4:
            del out[to:]
        elif kind == 5 and out:
            out[r.randrange(len(out))] = r.randrange(256)
        elif out:
            out[at : at + 4] = r.randbytes(4)
    return bytes(out)


def replaced(r: random.Random, log: str, now: int):
    """A sound event, one of its values (or one more) replaced by anything."""
    made = sound(r, log, now)
    place = made
    if r.random() < 0.4 and isinstance(made.get("features"), dict):
        place = made["features"]
    place[r.choice((*place, *NAMES))] = tree(r)
    return made


def record(r: random.Random, now: int):
    """Any record: (log, headers, value)."""
    log, headers, kind = r.choice(INPUT_LOGS), r.choice(HEADERS), r.random()
    if kind < 0.1:
        return log, headers, r.randbytes(r.choice((0, 1, 5, 60, 1000)))
    if kind < 0.4:
        return log, headers, mutated(r, orjson.dumps(sound(r, log, now)))
    if kind < 0.6:
        return log, headers, json.dumps(replaced(r, log, now)).encode()
    if kind < 0.7:
        return log, headers, json.dumps(tree(r)).encode()
    if kind < 0.8:
        around = {"specversion": r.choice(("1.0", "0.3", 1, None)), "id": "i", "source": "s"}
        around |= {"type": "windage.prediction.v1", "data": replaced(r, log, now)}
        around |= {r.choice(NAMES): tree(r)} if r.random() < 0.3 else {}
        return log, headers, json.dumps(around).encode()
    own, value = batch(r, log, r.choice(("json", "arrow")))
    if kind < 0.95:
        return log, own, mutated(r, value)
    packed = r.choice((gzip.compress(value), b"\0\0\0\0\7" + value, value))
    return log, r.choice((headers, own)), packed


def document(r: random.Random, text: str) -> str:
    """A config with lines moved, doubled, lost, and values replaced."""
    lines = text.splitlines()
    for _ in range(r.choice((1, 1, 2, 6))):
        at, kind = r.randrange(len(lines)), r.randrange(6)
        if kind == 0:
            lines.insert(at, lines[r.randrange(len(lines))])
        elif kind == 1 and len(lines) > 1:
            del lines[at]
        elif kind == 2:
            lines[at] = " " * r.randrange(6) + lines[at].strip()
        elif kind == 3:
            key = lines[at].partition(":")[0]
            lines[at] = f"{key}: {json.dumps(tree(r), ensure_ascii=r.random() < 0.9)}"
        elif kind == 4:
            words = (
                "&a",
                "*a",
                "<<: *a",
                "!!python/object:x",
                "${X}",
                "${file:/etc/passwd}",
                "? -",
            )
            lines[at] += " " + r.choice(words)
        else:
            lines[at] = mutated(r, lines[at].encode("utf-8", "replace")).decode("utf-8", "replace")
    return "\n".join(lines)


__all__ = ["MODEL", "document", "mutated", "record"]
