"""Half of 20,000 records are poison: what becomes of both halves, and what that costs.

Run as a program it prints one JSON document; `scripts/poison` does that. Costs are CPU time of
the profiler, the three arms interleaved in one process, medians of the rounds.
"""

import gc
import json
import random
import statistics
import sys
import time
from contextlib import contextmanager
from itertools import chain
from typing import NamedTuple

import orjson

from schemas.log import Record
from streams.runtime.roles import ProfilerRole
from tests.fuzz.classes import cases, prediction
from tests.fuzz.doors import config
from tests.laws.world import BASELINE, MODEL

NOW = 1_800_000_000_000
BATCH = 4096
ROUNDS = 5
LARGEST = 5_000
"""Bytes of a poisonous record here: larger ones would measure copying."""

ROLE = ProfilerRole(config(), {MODEL: BASELINE})
KEPT = ("counted", "missing", "duplicate", "tombstone", "conflict")


class Run(NamedTuple):
    """What became of records, and the CPU seconds it took."""

    seconds: float
    counted: int
    letters: list[bytes]


def good(count, seed=3):
    """Sound predictions: (value, headers)."""
    r = random.Random(seed)
    for i in range(count):
        features = {"x": r.random() * 4, "c": r.choice("abc")}
        made = prediction(f"g{i}", NOW - i % 50_000, features=features, score=r.random())
        yield orjson.dumps({**made, "tags": {"region": "eu"}}), ()


def bad(count):
    """Poison of every class in turn: (value, headers)."""
    kinds = [
        (case.value, case.headers)
        for case in cases(NOW)
        if case.log == "predictions" and case.end not in KEPT and len(case.value) < LARGEST
    ]
    for i in range(count):
        yield kinds[i % len(kinds)]


def records(parts, now):
    """Records of one log, appended at one instant."""
    return [
        Record(offset=i, timestamp=now, key=None, value=value, headers=headers)
        for i, (value, headers) in enumerate(parts)
    ]


def run(log, role):
    """Read a log to its end."""
    machine, letters = role.fresh(0, 1), []
    begun = time.process_time()
    for begin in range(0, len(log), BATCH):
        machine.step("predictions", log[begin : begin + BATCH])
        letters += [out.value for out in machine.flush() if out.topic == "dead-letters"]
    seconds = time.process_time() - begun
    return Run(seconds, machine.accounting()["predictions"].counted, letters)


def usual(healthy):
    """Poison as broken producers make it: cut short, a field renamed, or of a wrong type."""
    breaks = (
        lambda value: value[:-7],
        lambda value: value.replace(b'"model"', b'"modell"'),
        lambda value: value.replace(b'"timestamp":', b'"timestamp":[],"at":'),
        lambda value: value.replace(b'"g', b'"\xff'),
        lambda value: value.replace(b'"timestamp":1', b'"timestamp":4'),
    )
    for i, (value, headers) in enumerate(healthy):
        yield breaks[i % len(breaks)](value), headers


def measured(count, rounds=ROUNDS):
    """The document: `count` good records alone, among as many of poison, and the poison alone.

    For poison of every class in turn and, under `usual`, as broken producers make it.
    """
    healthy = list(good(count))
    with collected_by_hand():
        found = compared(healthy, list(bad(count)), rounds)
        return {**found, "usual": compared(healthy, list(usual(healthy)), rounds)}


@contextmanager
def collected_by_hand():
    """Without Python's collector, as in a worker."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def compared(healthy, poison, rounds, role=ROLE, now=NOW):
    """What became of both in a profiler of `role`, and the cost of each.

    `throughput_ratio`: good records a second among as many refused ones, to good ones alone.
    `records_ratio`: records a second, half of them refused, to good ones alone.
    """
    count = len(healthy)
    arms = {
        "good": records(healthy, now),
        "both": records(chain.from_iterable(zip(healthy, poison, strict=True)), now),
        "bad": records(poison, now),
    }
    runs = {name: [] for name in arms}
    for _ in range(rounds):
        for name, log in arms.items():
            runs[name].append(run(log, role))
        gc.collect()
    spent = {name: statistics.median(one.seconds for one in found) for name, found in runs.items()}
    both = runs["both"][0]
    micro = 1e6 / count
    return {
        "good": count,
        "bad": count,
        "counted": both.counted,
        "dead_letters": len(both.letters),
        "bytes_equal": sorted(both.letters) == sorted(value for value, _ in poison),
        "good_alone_us": round(spent["good"] * micro, 1),
        "good_among_poison_us": round((spent["both"] - spent["bad"]) * micro, 1),
        "bad_us": round(spent["bad"] * micro, 1),
        "throughput_ratio": round(spent["good"] / spent["both"], 3),
        "records_ratio": round(2 * spent["good"] / spent["both"], 3),
        "own_cost_ratio": round(spent["good"] / max(spent["both"] - spent["bad"], 1e-9), 3),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measured(10_000)) + "\n")
