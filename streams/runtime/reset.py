"""Reset of an embedded directory: every model begins a new epoch at a place that a person names.

Promises: one transaction; nothing of what was learned or counted before counts afterwards, and
every output that was said stands.
Leaves to others: what an epoch is to a machine, asking the person.
"""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from schemas.epoch import epochs_of
from schemas.log import INPUT_LOGS
from streams.runtime import counted, epochs
from streams.runtime.crank import REFERENCES
from streams.runtime.sqlite_log import SqliteLog

_MOST = 1_000_000
"""References that are read; there is one for each epoch of each model."""


def reset(directory: Path, hashes: Mapping[str, str], where: str | int) -> None:
    """Let the models of these `hashes` begin at `where`: "earliest", "latest", or epoch ms.

    LogError: the directory cannot be used.
    """
    with closing(SqliteLog(directory)) as log:
        told = [one.value for one in log.read(REFERENCES, 0, 0, _MOST) if one.value is not None]
        lines, since = epochs_of(told), log.fence()
        starts = {str(one): _offsets(log, one, where) for one in INPUT_LOGS}
        said = []
        for model, now in sorted(hashes.items()):
            last = lines[model][-1] if model in lines else None
            before = now if last is None else last.counted
            epoch = epochs.following(last, model, now, before, since, starts)
            said.append((epochs.announcement(epoch), epochs.PARTITION))
        log.commit(said, {counted.STATE: counted.encode(hashes)})


def _offsets(log: SqliteLog, topic: str, where: str | int) -> tuple[int, ...]:
    """The offset at `where`, of each partition."""
    numbers = range(log.partitions)
    if where == "latest":
        return tuple(log.end(topic, number) for number in numbers)
    since = 0 if where == "earliest" else int(where)
    return tuple(log.offset_at(topic, number, since) for number in numbers)
