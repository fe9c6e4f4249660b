"""What must have come out, counted again from the logs as they stand on the broker.

Three witnesses: both machines over the same input logs in memory, without a fault; the monitor
alone over the journal that the workers wrote; and the newest profile of every key in a journal.

Promises: nothing of the run but its logs is used.
Leaves to others: comparing (`oracles`).
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import orjson

from schemas import baseline as baselines
from schemas.baseline import Baseline
from schemas.config import Config
from schemas.journal import Profile, ProfileKey, Progress, decode
from schemas.log import INPUT_LOGS, Output
from scripts.storm.topics import STATES, Read, newest
from streams.runtime.assembly import Profilers
from streams.runtime.crank import JOURNAL, Accounts, Crank
from streams.runtime.memory import MemoryLog
from streams.runtime.roles import MonitorRole, ProfilerRole

STEP_ROWS = 4096
LATER_MS = 600_000
Cells = dict[tuple[object, ...], Counter[int]]
"""Rows and cell counts by (model, kind, version, segment, pane); rows are under -1."""


class Undisturbed(msgspec.Struct, frozen=True, kw_only=True):
    """What both machines say of the input logs when nothing goes wrong."""

    cells: Cells
    accounts: Accounts
    outputs: list[Output]
    letters: Counter[tuple[str, int, int, bytes]]


def undisturbed(
    config: Config, known: Mapping[str, Baseline], inputs: Mapping[str, Sequence[Read]]
) -> Undisturbed:
    """Run profilers and monitor over the logs; `inputs` by topic."""
    partitions = config.topics.partitions
    log = MemoryLog(partitions)
    last = 0
    for topic in INPUT_LOGS:
        for one in inputs[topic]:
            appended = log.append(
                topic,
                one.partition,
                timestamp=one.timestamp,
                key=one.key,
                value=one.value,
                headers=one.headers,
            )
            assert appended.offset == one.offset, "an input log has holes"
            last = max(last, one.timestamp)
    references = [baselines.encode(one) for one in known.values()]
    profilers = Profilers(config, known)
    crank = Crank(
        profilers, MonitorRole(config, known), partitions=partitions, references=references
    )
    outputs: list[Output] = []
    ticked = False
    while True:
        stepped = crank.feed(log, STEP_ROWS, last + LATER_MS if ticked else None)
        for output in crank.harvest():
            if output.topic == JOURNAL:
                log.append(
                    JOURNAL,
                    0,
                    timestamp=output.timestamp or last,
                    key=output.key,
                    value=output.value,
                    headers=output.headers,
                )
            outputs.append(output)
        judged = crank.judge(log.read(JOURNAL, 0, crank.journal_cursor, 1 << 30))
        outputs += judged
        crank.adopt(judged)
        cursors = crank.cursors().items()
        left = any(at < log.end(topic, partition) for (partition, topic), at in cursors)
        if not stepped and not left and crank.journal_cursor == log.end(JOURNAL, 0):
            if ticked:
                break
            ticked = True  # the run went on until the last pane was over
    return Undisturbed(
        cells=cells_of(one.value for one in outputs if one.topic == JOURNAL),
        accounts=crank.accounting(),
        outputs=[one for one in outputs if one.topic != JOURNAL],
        letters=Counter(
            letter_of(one.headers, one.value) for one in outputs if one.topic == "dead-letters"
        ),
    )


def cells_of(journal: Iterable[bytes | None]) -> Cells:
    """What the newest profiles of a journal count, summed over partitions and arrival.

    Of a model the largest epoch and its last grid count: what was counted before was emptied.
    """
    newest: dict[tuple[str, ProfileKey], Profile] = {}
    grids: dict[str, tuple[int, str]] = {}
    for value in journal:
        record = None if value is None else decode(value)
        if not isinstance(record, Profile):
            continue
        key = record.key
        if key.epoch >= grids.get(record.model, (0, ""))[0]:
            grids[record.model] = (key.epoch, key.grid)
        old = newest.get((record.model, key))
        if old is None or all(a >= b for a, b in zip(record.offsets, old.offsets, strict=True)):
            newest[record.model, key] = record
    cells: Cells = defaultdict(Counter)
    for (model, key), profile in newest.items():
        if (key.epoch, key.grid) != grids[model]:
            continue
        counts = cells[model, key.kind, key.version, key.segment, key.pane]
        counts[-1] += profile.rows
        at = np.frombuffer(profile.vector.cells, "<u4").tolist()
        counts.update(
            dict(zip(at, np.frombuffer(profile.vector.counts, "<i8").tolist(), strict=True))
        )
    return dict(cells)


def letter_of(
    headers: Iterable[tuple[str, bytes]], value: bytes | None
) -> tuple[str, int, int, bytes]:
    """Which record a dead letter is of, and its bytes."""
    said = dict(headers)
    return (
        said["__connect.errors.topic"].decode(),
        int(said["__connect.errors.partition"]),
        int(said["__connect.errors.offset"]),
        value or b"",
    )


class States(msgspec.Struct, frozen=True, kw_only=True):
    """The newest stored states: positions by (log, partition), accounts summed over partitions."""

    positions: dict[tuple[str, int], int]
    accounts: dict[str, dict[str, int]]


def states(
    config: Config,
    known: Mapping[str, Baseline],
    stored: Mapping[str, Sequence[Read]],
    references: Sequence[bytes],
) -> States:
    """Read the snapshots of both roles; `stored` by topic."""
    partitions = config.topics.partitions
    learned = {one.model: one for one in map(baselines.decode, references)}
    profilers = ProfilerRole(config, {**learned, **known})
    positions: dict[tuple[str, int], int] = {}
    accounts: dict[str, dict[str, int]] = {}
    for topic, records in stored.items():
        for number, found in sorted(newest(records).items()):
            positions |= {(log, number): at for log, at in found.meta.positions.items()}
            if topic != STATES:
                continue
            machine = profilers.restored(number, partitions, found.snapshot)
            for log, tally in machine.accounting().items():
                own_log = accounts.setdefault(log, {})
                for outcome, count in msgspec.structs.asdict(tally).items():
                    own_log[outcome] = own_log.get(outcome, 0) + count
    return States(positions=positions, accounts=accounts)


def judged_again(
    config: Config,
    known: Mapping[str, Baseline],
    journal: Sequence[Read],
    positions: Mapping[tuple[str, int], int],
) -> list[Output]:
    """What one monitor a partition says of the journal as it stands, up to these positions."""
    role = MonitorRole(config, known)
    outputs: list[Output] = []
    for number in range(config.topics.partitions):
        end = positions.get((JOURNAL, number), 0)
        own = [one for one in journal if one.partition == number and one.offset < end]
        monitor = role.fresh(number, config.topics.partitions)
        for reference in known.values():
            monitor.adopt(baselines.encode(reference))
        monitor.step(JOURNAL, own)
        outputs += monitor.flush()
    return outputs


def unread_profiles(journal: Sequence[Read], positions: Mapping[tuple[str, int], int]) -> int:
    """Records beyond where the monitors stand that are more than progress."""
    left = [one for one in journal if one.offset >= positions.get((JOURNAL, one.partition), 0)]
    return sum(
        one.value is not None and not isinstance(decode(one.value), Progress) for one in left
    )


Saying = tuple[str, str, str]
"""Topic, id, digest of the content."""


def saying(
    topic: str,
    key: bytes | None,
    headers: Iterable[tuple[str, bytes]],
    value: bytes | None,
    *,
    bare: bool = False,
) -> Saying:
    """The identity and content of an output.

    `bare` leaves out what tells where in a log it comes from (`sequence`, evidence offsets): those
    differ between two runs, because a journal repeats profiles after a crash.
    """
    said = dict(headers)
    name = said["ce_id"].decode() if "ce_id" in said else repr(key)
    content: Any = value
    if bare and value is not None and "ce_id" in said:
        body = orjson.loads(value)
        _strip(body)
        content = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    elif not bare:
        content = repr(sorted(said.items())).encode() + (value or b"")
    return topic, name, hashlib.blake2b(content or b"", digest_size=16).hexdigest()


def _strip(body: object) -> None:
    if isinstance(body, dict):
        body.pop("sequence", None)
        body.pop("evidence", None)
        for part in body.values():
            _strip(part)
    elif isinstance(body, list):
        for part in body:
            _strip(part)
