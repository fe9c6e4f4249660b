"""`windage state export|import`: an installation moved, with checks on both sides.

Promises: nothing that is there is replaced; an embedded export is a whole log (a copy that is
consistent also while `windage serve` writes), a Kafka export the snapshots with their offsets and
the references.
Leaves to others: archives of Kafka states (`kafka.moving`), the log (`installation.reading`).
"""

import shutil
import sqlite3
from pathlib import Path
from typing import Any, Final

from streams.cli.console import emit_object, say
from streams.cli.endings import REFUSED, UNREACHABLE, OperatorError
from streams.cli.places import Place
from streams.runtime.installation.reading import FILE, SqliteReader

_SQLITE: Final = b"SQLite format 3\x00"


def export(place: Place, file: Path, *, as_json: bool) -> None:
    """Write the state to `file`."""
    if file.exists():
        raise OperatorError(f"{file}: is there already", REFUSED)
    if not file.parent.is_dir():
        raise OperatorError(f"{file.parent}: no such directory", UNREACHABLE)
    directory = place.directory
    told = _export_log(directory, file) if directory is not None else _export_kafka(place, file)
    _tell({**told, "bytes": file.stat().st_size}, f"{file}: exported", as_json=as_json)


def import_(place: Place, file: Path, *, as_json: bool) -> None:
    """Put what `export` wrote where nothing is yet."""
    if not file.is_file():
        raise OperatorError(f"{file}: no such file", UNREACHABLE)
    with file.open("rb") as content:
        embedded = content.read(len(_SQLITE)) == _SQLITE
    if embedded:
        if place.data is None:
            raise OperatorError(f"{file}: is an embedded log; say --data with a new directory")
        told = _import_log(file, place.data)
    elif place.data is not None:
        raise OperatorError(f"{file}: is no embedded log, and only such a one goes into --data")
    else:
        told = _import_kafka(place, file)
    _tell(told, f"{file}: imported", as_json=as_json)


def _export_log(directory: Path, file: Path) -> dict[str, Any]:
    with SqliteReader(directory) as reader:
        reader.copy(file)
    return {"kind": "embedded", **_look(file)}


def _import_log(file: Path, directory: Path) -> dict[str, Any]:
    if (directory / FILE).exists():
        raise OperatorError(f"{directory}: holds a log already; say a new directory", REFUSED)
    told = _look(file)
    directory.mkdir(parents=True, exist_ok=True)
    part = directory / f"{FILE}.part"
    shutil.copyfile(file, part)
    part.replace(directory / FILE)
    return {"kind": "embedded", **told}


def _look(file: Path) -> dict[str, Any]:
    """What is in a copied log; OperatorError if it is damaged or its state is ahead of it."""
    try:
        reader = SqliteReader(file.parent, file.name)
    except sqlite3.Error as error:
        raise OperatorError(f"{file}: {error}", REFUSED) from None
    with reader:
        if not reader.sound():
            raise OperatorError(f"{file}: SQLite finds damage", REFUSED)
        lag = reader.lag()
        if lag is None:
            raise OperatorError(f"{file}: holds no state yet: nothing was committed", REFUSED)
        return {"partitions": reader.partitions, "waiting": sum(lag.values())}


def _export_kafka(place: Place, file: Path) -> dict[str, Any]:
    import asyncio

    from streams.runtime.kafka import moving

    config = place.installation()
    archive = asyncio.run(moving.take(config))
    file.write_bytes(moving.pack(archive, config))
    return _told(archive)


def _import_kafka(place: Place, file: Path) -> dict[str, Any]:
    import asyncio

    from streams.runtime.kafka import moving

    config = place.installation()
    archive = moving.unpack(file.read_bytes(), config)
    asyncio.run(moving.put(archive, config))
    return _told(archive)


def _told(archive: Any) -> dict[str, Any]:  # noqa: ANN401 - imported when it is needed
    return {
        "kind": "kafka",
        "models": sorted(archive.models),
        "references": len(archive.references),
        "snapshots": [
            {"role": one.role, "partition": one.partition, "positions": dict(one.meta.positions)}
            for one in archive.snapshots
        ],
    }


def _tell(document: dict[str, Any], line: str, *, as_json: bool) -> None:
    if as_json:
        emit_object(document)
    elif document["kind"] == "embedded":
        say(f"{line}, {document['waiting']:,} records wait to be read")
    else:
        count = len(document["snapshots"])
        say(f"{line}, {count} snapshots and {document['references']} references")
