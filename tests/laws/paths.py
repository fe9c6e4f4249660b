"""The decoder's two paths, the fast and the slow one, asked the same."""

import json

import msgspec
import numpy as np

from schemas.inputs import Label
from schemas.log import Record
from streams.decode import Decoder
from streams.profiler.lesson import _plain
from tests.laws.world import T0


def both_paths_agree(kind, grid, limits, values):
    """Assert that both decode each value alike; `kind`: labels, or counting, or learning."""
    fast, slow = (_decoder(kind, grid, limits) for _ in range(2))
    slow._quicken = lambda: None
    slow._plain.use(_never, None)
    for value in values * 2:  # the second time the fast path knows the names
        record = Record(offset=0, timestamp=T0, value=value)
        expected, found = (plain(one.batch([record])) for one in (slow, fast))
        assert expected == found, value


def any_json(tree):
    """JSON, also of numbers that orjson does not write."""
    return json.dumps(tree).encode()


def _decoder(kind, grid, limits):
    if kind == "labels":
        return Decoder(Label, limits)
    return Decoder(None, limits, grid if kind == "counting" else None)


def _never(_):
    raise ValueError


def plain(decoded):
    """Events by what counts of them, refusals, and how many controls."""
    events = []
    for event in decoded.events:
        row = msgspec.to_builtins(event)
        features = getattr(event, "features", None)
        if hasattr(features, "f0"):
            row["features"] = _of_struct(features)
        elif isinstance(features, dict):
            row["features"] = {name: _plain(value) for name, value in features.items()}
        row.pop("specversion", None)
        row.pop("columns", None)
        events.append(row)
    return events, list(decoded.refused.one_by_one()), len(decoded.controls)


def _of_struct(features):
    """The first number, NaN or not, and the first category with its type, if the grid has one."""
    category = getattr(features, "f1", None)
    return np.float64(features.f0).tobytes(), category, type(category)
