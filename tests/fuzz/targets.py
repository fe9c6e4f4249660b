"""Targets: what a payload is thrown at; each returns quietly or raises what it promises, no more.

A target is handed a stretch of seeded payloads at a time, so that state between them counts too.
"""

import contextlib
import random

import orjson

from schemas.config_error import ConfigError
from schemas.envelope import ARROW, EnvelopeError, open_envelope
from schemas.load import load_text
from schemas.log import INPUT_LOGS, Record
from schemas.tables import TableError, of_arrow
from streams.decode import Decoder, Limits
from streams.runtime.roles import MonitorRole, ProfilerRole
from streams.snapshot import SnapshotError
from streams.web.bodies import BodyError, cut
from tests.fuzz.doors import config
from tests.fuzz.payloads import batch, document, mutated, record
from tests.laws.mill import finite
from tests.laws.world import BASELINE, GRID, MODEL

NOW = 1_800_000_000_000
YAML = """\
version: 1
kafka: {bootstrap: "localhost:9092"}
models:
  fraud:
    task: binary
    pane: 1m
    lateness: 30s
    labels: {horizon: 30d, min_coverage: 0.3}
    features: {amount: {type: numeric}, country: categorical}
    segments: [region, {feature: amount, edges: [30, 50]}]
    reference: {from: first, rows: 5000}
    tolerance: 0.1
    false_alarms: 1 per 30d
    policy: {sustained: 3 panes, cool_down: 1h}
    retrain: {mode: hybrid, schedule: "0 2 1 * *", timezone: UTC, min_interval: 7d}
    calendar: [{name: friday, from: 2026-11-27, to: 2026-11-30}]
limits: {event: 256KiB, features: 500}
"""


def machines(r: random.Random, count: int, *, known: bool = True) -> None:
    """Both machines read any records: one letter for each that is not kept, and finite outputs."""
    baselines = {MODEL: BASELINE} if known else {}
    profiler = ProfilerRole(config(), baselines).fresh(0, 1)
    monitor = MonitorRole(config(), baselines).fresh(0, 1)
    logs: dict[str, list[Record]] = {log: [] for log in INPUT_LOGS}
    for i in range(count):
        log, headers, value = record(r, NOW)
        logs[log].append(
            Record(
                offset=len(logs[log]),
                timestamp=NOW + i * 100,
                key=None,
                value=value,
                headers=headers,
            )
        )
    for log, records in logs.items():
        begin = 0
        while begin < len(records):
            size = r.choice((1, 7, 50))
            profiler.step(log, records[begin : begin + size])
            begin += size
        profiler.tick(log, NOW + 9 * 86_400_000)
    out = profiler.flush()
    letters = [one for one in out if one.topic == "dead-letters"]
    _letters_are_right(letters, logs)
    journal = [one.value for one in out if one.topic == "journal"]
    monitor.step(
        "journal",
        [Record(offset=i, timestamp=NOW, value=value) for i, value in enumerate(journal)],
    )
    for output in monitor.flush():
        if output.topic != "references":
            finite(orjson.loads(output.value))
    restored = ProfilerRole(config(), baselines).restored(0, 1, profiler.snapshot())
    assert profiler.accounting()["metrics"] == restored.accounting()["metrics"]


def learners(r: random.Random, count: int) -> None:
    """The same while the model learns."""
    machines(r, count, known=False)


def _letters_are_right(letters, logs):
    """At most one letter a record, with its bytes."""
    met = set()
    for letter in letters:
        headers = dict(letter.headers)
        log = headers["__connect.errors.topic"].decode()
        offset = int(headers["__connect.errors.offset"])
        assert (log, offset) not in met, "two letters of one record"
        met.add((log, offset))
        assert logs[log][offset].value == letter.value, "a letter changed its record"


def tables(r: random.Random, count: int) -> None:
    """Damaged Arrow streams: a decoder refuses rows or the record, and nothing crashes."""
    decoder = Decoder(None, Limits(1 << 18, 500, 1 << 23, timestamps="ms"), GRID)
    headers = (("content-type", ARROW.encode()),)
    for _ in range(count):
        value = mutated(r, batch(r, "predictions", "arrow")[1])
        for _ in decoder.parts([Record(offset=0, timestamp=NOW, value=value, headers=headers)]):
            pass
        with contextlib.suppress(TableError):
            list(of_arrow(value, "ms", 1 << 23))


def envelopes(r: random.Random, count: int) -> None:
    """Opening an envelope answers or raises EnvelopeError."""
    for _ in range(count):
        _, headers, value = record(r, NOW)
        with contextlib.suppress(EnvelopeError):
            open_envelope(headers, value)


def bodies(r: random.Random, count: int) -> None:
    """Cutting a body gives records or raises BodyError."""
    for _ in range(count):
        _, headers, value = record(r, NOW)
        _, _, more = record(r, NOW)
        said = {name.lower().replace("ce_", "ce-"): t.decode("latin-1") for name, t in headers}
        if r.random() < 0.3:
            said["content-type"] = "application/x-ndjson"
        body = r.choice((value, value + b"\n" + more, b"[" + value + b"," + more + b"]"))
        try:
            pieces = cut(body, said, r.choice((None, None, *INPUT_LOGS)))
        except BodyError:
            continue
        for piece in pieces:
            assert piece.log in INPUT_LOGS


def configs(r: random.Random, count: int) -> None:
    """A config is loaded or refused with ConfigError; no file is read unasked."""
    for _ in range(count):
        with contextlib.suppress(ConfigError):
            load_text(document(r, YAML), {"X": "1"}, _no_file)


def _no_file(path: str) -> str:
    raise OSError(path)


def snapshots(r: random.Random, count: int) -> None:
    """A damaged snapshot is refused with SnapshotError, or it is a machine that works."""
    for role, state in zip(_ROLES, _states(), strict=True):
        for _ in range(count // 2):
            try:
                machine = role.restored(0, 1, mutated(r, state))
            except SnapshotError:
                continue
            machine.positions()
            machine.order()
            machine.flush()


_ROLES = (
    ProfilerRole(config(), {MODEL: BASELINE}),
    MonitorRole(config(), {MODEL: BASELINE}),
)


def _states() -> tuple[bytes, bytes]:
    """Snapshots of both machines with something in them."""
    r = random.Random(1)
    profiler, monitor = _ROLES[0].fresh(0, 1), _ROLES[1].fresh(0, 1)
    for offset in range(40):
        _, headers, value = record(r, NOW)
        one = Record(offset=offset, timestamp=NOW, value=value, headers=headers)
        profiler.step("predictions", [one])
    profiler.flush()
    return profiler.snapshot(), monitor.snapshot()


TARGETS = {
    "machines": machines,
    "learners": learners,
    "tables": tables,
    "envelopes": envelopes,
    "bodies": bodies,
    "configs": configs,
    "snapshots": snapshots,
}
