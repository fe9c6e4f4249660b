"""`windage adapt`: what other tools have logged, as records of the contract, one a line.

Promises: a line comes out as soon as its record is read, so it works in a pipe; records that do
not fit are counted and told, with the number of the first of each kind, and stop nobody; a file of
which nothing fits is refused.
Leaves to others: the formats (`streams/adapters`), sending the lines.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import orjson
import yaml

from schemas.inputs import Event, Label, Metric, ModelEvent, Prediction, encode
from schemas.log import InputLog
from streams.adapters.arize import Arize
from streams.adapters.asked import Adapter, Asked, MisfitError
from streams.adapters.bentoml import BentoMl
from streams.adapters.evidently import read
from streams.adapters.great_expectations import GreatExpectations
from streams.adapters.sagemaker import SageMaker
from streams.adapters.served import Served
from streams.cli.console import say
from streams.cli.endings import REFUSED, UNREACHABLE, OperatorError

FORMATS: Final[dict[str, Callable[[Asked], Adapter]]] = {
    "arize": Arize,
    "bentoml": BentoMl,
    "great-expectations": GreatExpectations,
    "kserve": Served,
    "sagemaker": SageMaker,
    "seldon": Served,
}
EVIDENTLY: Final = "evidently"
STDIN: Final = "-"

_LOG_OF: Final[dict[type[Event], InputLog]] = {
    Prediction: "predictions",
    Label: "labels",
    Metric: "metrics",
    ModelEvent: "model-events",
}
_MAX_LINE: Final = 16 * 1024 * 1024


def run(name: str, source: str, asked: Asked, to: Path | None) -> None:
    """Write the events of `source` to stdout, or to a file a kind in the directory `to`."""
    if name == EVIDENTLY:
        _define(source, asked)
        return
    adapter = FORMATS[name](msgspec.structs.replace(asked, now=time.time_ns() // 1_000_000))
    misfits: Counter[str] = Counter()
    first: dict[str, int] = {}
    read_in = written = 0
    with ExitStack() as stack:
        write = _stdout() if to is None else _files(to, stack)
        for number, record in enumerate(records(source), 1):
            read_in = number
            try:
                for event in adapter.take(record):
                    write(_LOG_OF[type(event)], encode(event))
                    written += 1
            except MisfitError as error:
                misfits[str(error)] += 1
                first.setdefault(str(error), number)
    for reason, count in misfits.most_common():
        say(f"{source}: {count:,} of {read_in:,} records left out: the first, {first[reason]},"
            f" {reason}")  # fmt: skip
    if adapter.waiting:
        say(f"{source}: {adapter.waiting:,} records had no other half")
    if read_in and not written and (misfits or adapter.waiting):
        raise OperatorError(f"{source}: no record of it is of the format {name}", REFUSED)
    say(f"{source}: {written:,} events of {read_in:,} records")


def records(source: str) -> Iterator[bytes]:
    """The records of a file: its lines, the elements of its array, or itself; `-` is stdin."""
    if source == STDIN:
        yield from _lines(sys.stdin.buffer)
        return
    path = Path(source)
    try:
        with path.open("rb") as file:
            if path.suffix.lower() == ".json":
                yield from _documents(file.read())
            else:
                yield from _lines(file)
    except OSError as error:
        raise OperatorError(f"{source}: {error.strerror or error}", UNREACHABLE) from None


def _documents(content: bytes) -> Iterable[bytes]:
    try:
        tree = orjson.loads(content)
    except orjson.JSONDecodeError:
        return [line for line in content.splitlines() if line.strip()]
    return [orjson.dumps(one) for one in tree] if isinstance(tree, list) else [content]


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(_MAX_LINE):
        if line.strip():
            yield line.strip()


def _stdout() -> Callable[[InputLog, bytes], None]:
    def write(_log: InputLog, value: bytes) -> None:
        sys.stdout.buffer.write(value + b"\n")
        sys.stdout.buffer.flush()

    return write


def _files(folder: Path, stack: ExitStack) -> Callable[[InputLog, bytes], None]:
    """Write each kind to a file of its own, made when there is something for it."""
    files: dict[InputLog, IO[bytes]] = {}

    def write(log: InputLog, value: bytes) -> None:
        if log not in files:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                files[log] = stack.enter_context((folder / f"{log}.jsonl").open("wb"))
            except OSError as error:
                message = f"{folder}: {error.strerror or error}"
                raise OperatorError(message, UNREACHABLE) from None
        files[log].write(value + b"\n")

    return write


def _define(source: str, asked: Asked) -> None:
    """Print a model of the configuration; which columns are what is said beside it."""
    try:
        content = sys.stdin.buffer.read() if source == STDIN else Path(source).read_bytes()
        found = read(yaml.safe_load(content.decode()))
    except OSError as error:
        raise OperatorError(f"{source}: {error.strerror or error}", UNREACHABLE) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        raise OperatorError(f"{source}: is neither JSON nor YAML", REFUSED) from None
    except MisfitError as error:
        raise OperatorError(f"{source}: {error}", REFUSED) from None
    model: dict[str, Any] = {"task": found.task, "features": found.features}
    if found.positive is not None:
        model["positive"] = found.positive
    name = asked.model or "model"
    print(yaml.safe_dump({"version": 1, "models": {name: model}}, sort_keys=False), end="")
    roles = ("id", "timestamp", "prediction", "score", "label")
    told = [f"--{role} {value}" for role in roles if (value := getattr(found, role))]
    say(f"columns, for replay and init: {' '.join(told) or 'none are named'}")
