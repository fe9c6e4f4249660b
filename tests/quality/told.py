"""What the product says of made columns: a whole replay, from tables of rows to alerts.

Rows come a second apart unless instants are given; tables of a thousand rows are one record each,
so a million rows take seconds. The reference is learned of the first rows, as in production.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import orjson

from schemas.config import Config
from schemas.instants import parse
from streams.runtime.recordings.recording import Chunk
from streams.runtime.recordings.rows import FIRST_INSTANT, Entries
from streams.runtime.replay import Replay
from streams.runtime.roles import MonitorRole, ProfilerRole

EVERY = 1000
"""Milliseconds between rows."""
TABLE = 1000
"""Rows of a record."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """Everything said of one replay, as JSON documents in the order of their saying."""

    drift: list[dict] = field(default_factory=list)
    alerts: list[dict] = field(default_factory=list)
    requests: list[dict] = field(default_factory=list)
    readings: list[dict] = field(default_factory=list)

    @property
    def incidents(self) -> list[str]:
        """Incidents by their first alert."""
        return list(dict.fromkeys(one["incident_id"] for one in self.alerts))

    @property
    def opened(self) -> list[dict]:
        """The first alert of every incident."""
        first: dict[str, dict] = {}
        for one in self.alerts:
            first.setdefault(one["incident_id"], one)
        return list(first.values())


def row_of(instant: str) -> int:
    """How many rows had come before an instant, where rows come a second apart."""
    return (parse(instant) - FIRST_INSTANT) // EVERY


def config(pane_rows: int, reference_rows: int, allowed: int, per_rows: int, **more) -> Config:
    """A model of features only: lengths in rows, `allowed` false alarms in each `per_rows`."""
    model = {
        "task": "none",
        "clock": "event",
        "lateness": "0s",
        "pane": f"{pane_rows}s",
        "reference": {"from": "first", "rows": reference_rows, "min_duration": "0s"},
        "false_alarms": f"{allowed} per {per_rows}s",
        **more,
    }
    return Config.model_validate({"version": 1, "models": {"m": model}})


def chunks(
    columns: Mapping[str, np.ndarray], times: np.ndarray, fields: Mapping[str, np.ndarray]
) -> Iterator[Chunk]:
    """Rows as tables; NaN and None are missing. `fields` are `prediction`, `score`, .. columns."""
    rows, plain = len(times), {name: _plain(column) for name, column in columns.items()}
    others = {name: _plain(column) for name, column in fields.items() if name != "label"}
    for begin in range(0, rows, TABLE):
        end = min(begin + TABLE, rows)
        ids = [str(i) for i in range(begin, end)]
        instants = times[begin:end].tolist()
        table = {"prediction_id": ids, "timestamp": instants, "prediction": [None] * len(ids)}
        table |= {name: column[begin:end] for name, column in others.items()}
        table["features"] = {name: column[begin:end] for name, column in plain.items()}
        entries = {"predictions": _record({"model": "m", "version": "1", "columns": table})}
        if "label" in fields:
            told = {"prediction_id": ids, "timestamp": instants}
            told["label"] = _plain(fields["label"])[begin:end]
            entries["labels"] = _record({"model": "m", "columns": told})
        yield Chunk(entries=entries, last=instants[-1])


def _record(body: dict) -> Entries:
    last = max(body["columns"]["timestamp"])
    return Entries(times=[last], keys=[None], values=[orjson.dumps(body)])


def _plain(column: np.ndarray) -> list:
    """As JSON has it; orjson writes NaN as null."""
    return column.tolist()


def tell(
    wanted: Config,
    columns: Mapping[str, np.ndarray],
    *,
    times: np.ndarray | None = None,
    readings: bool = False,
    **fields: np.ndarray,
) -> Told:
    """Replay columns (n,) by name; readings are kept only where asked for."""
    rows = len(next(iter(columns.values())))
    if times is None:
        times = FIRST_INSTANT + EVERY * np.arange(rows)
    replay = Replay(ProfilerRole(wanted, {}), MonitorRole(wanted, {}))
    told = Told()
    places = {"drift-events": told.drift, "alerts": told.alerts}
    places["retrain-requests"] = told.requests
    if readings:
        places["readings"] = told.readings
    for output in replay.run(chunks(columns, times, fields), ["m"]):
        assert output.topic != "dead-letters", output.headers
        if output.topic in places:
            places[output.topic].append(orjson.loads(output.value))
    return told
