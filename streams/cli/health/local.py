"""Checks of an installation that need no broker; each is one line for `windage doctor`.

Promises: nothing is changed; a check that cannot be made says so instead of passing.
Leaves to others: Kafka (`kafka`), Redis (`redis`), sinks (`sinks`), printing (`doctor`).
"""

import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from schemas.baseline import decode
from schemas.config import Config
from schemas.config_model import FromFile
from schemas.durations import show_duration
from schemas.epoch import is_epoch
from schemas.log import Millis, Record
from schemas.vocabulary import UNNAMED
from streams.cli.configured import load_baselines
from streams.cli.endings import code_of
from streams.cli.health.check import Check, State
from streams.cli.health.redis import redis
from streams.cli.health.sinks import sinks
from streams.cli.places import Place
from streams.runtime.epochs import known
from streams.runtime.installation.reading import Located, Reader, Span, SqliteReader
from streams.runtime.sqlite_log import LogError

SAMPLE: Final = 100
"""Newest predictions that are decoded."""

_LAG: Final = 100_000
"""Records waiting that are worth a word: about a second's or ten seconds' work."""

_FREE_BYTES: Final = 1 << 30


def embedded(place: Place, directory: Path) -> list[Check]:
    """The checks of a directory of `windage serve`."""
    try:
        reader = SqliteReader(directory)
    except LogError as error:
        return [Check(check="log", state="fail", found=str(error), unreachable=True)]
    config = place.told()
    with reader:
        checks = [_sound(reader, directory), _space(directory), _log_clock(reader, config)]
        checks += [lag(reader.lag(), "is windage serve running?")]
        checks += about_models(reader, config, place)
    return checks


def about_models(reader: Reader, config: Config | None, place: Place) -> list[Check]:
    """Redis, references, predictions, sinks; the same for every installation."""
    if config is None:
        hint = "say --config FILE to have references, Redis, sinks and a sample checked"
        return [Check(check="config", state="warn", found="no windage.yaml here", todo=hint)]
    folder = Path() if place.config is None else place.config.parent
    about = [*references(reader, config, folder), sample(reader, config)]
    return [*redis(config), *about, *sinks(config)]


def _sound(reader: SqliteReader, directory: Path) -> Check:
    if reader.sound():
        return Check(check="log", state="ok", found=f"{directory} is intact")
    todo = "restore a copy (windage state import), or start with an empty --data directory"
    return Check(check="log", state="fail", found=f"{directory}: SQLite finds damage", todo=todo)


def _space(directory: Path) -> Check:
    free = shutil.disk_usage(directory).free
    found = f"{free / 1e9:.1f} GB free"
    if free >= _FREE_BYTES:
        return Check(check="disk", state="ok", found=found)
    return Check(check="disk", state="warn", found=found, todo="make room: intake stops when full")


def _log_clock(reader: SqliteReader, config: Config | None) -> Check:
    told = reader.state("clock")
    allowed = 5_000 if config is None else config.limits.skew
    return clock(None if told is None else int(told), allowed, "the log's clock")


def clock(stamped: Millis | None, allowed: Millis, whose: str) -> Check:
    """Whether a clock that stamped `stamped` in the past is ahead of this machine's."""
    if stamped is None:
        return Check(check="clock", state="warn", found=f"{whose}: nothing was stamped yet")
    ahead = stamped - time.time_ns() // 1_000_000
    if ahead <= allowed:
        return Check(check="clock", state="ok", found=f"{whose} is not ahead of this machine's")
    found = f"{whose} is {show_duration(ahead)} ahead of this machine's"
    return Check(check="clock", state="fail", found=found, todo="set the clocks (NTP)")


def lag(waiting: dict[str, int] | None, hint: str) -> Check:
    """Whether input is read as it comes."""
    if waiting is None:
        found = "nothing was read yet, or nobody has written how far"
        return Check(check="lag", state="warn", found=found, todo=hint)
    total = sum(waiting.values())
    found = f"{total:,} records wait to be read"
    if total <= _LAG:
        return Check(check="lag", state="ok", found=found)
    return Check(check="lag", state="warn", found=found, todo=hint)


def references(reader: Reader, config: Config, folder: Path) -> list[Check]:
    """Whether each model has a description of normal."""
    told = [one.value for one in reader.read("references") if one.value is not None]
    learned = known([one for one in told if _is_ours(one)], {}, config.models).baselines
    checks = []
    for name, model in config.models.items():
        if name == UNNAMED:  # whoever comes learns; `windage status` has each that came
            continue
        check = f"reference of {name}"
        if isinstance(model.reference, FromFile):
            try:
                load_baselines(config.model_copy(update={"models": {name: model}}), folder)
            except Exception as error:  # noqa: BLE001 - every kind of broken file is one line
                away = code_of(error) == 3  # noqa: PLR2004 - UNREACHABLE
                todo = "windage reference build makes one"
                found = Check(
                    check=check, state="fail", found=str(error), todo=todo, unreachable=away
                )
                checks.append(found)
                continue
            checks.append(Check(check=check, state="ok", found=f"{model.reference.path} loads"))
        elif name in learned:
            checks.append(Check(check=check, state="ok", found="learned"))
        else:
            todo = "it judges once the reference is complete (windage status shows the state)"
            checks.append(Check(check=check, state="warn", found="not learned yet", todo=todo))
    return checks


def _is_ours(value: bytes) -> bool:
    """Whether a record of `references` can be read."""
    try:
        return is_epoch(value) or bool(decode(value))
    except (msgspec.DecodeError, ValueError):
        return False


def sample(reader: Reader, config: Config) -> Check:
    """Whether the newest predictions are what the profiler takes: it is asked itself."""
    records = sorted(
        reader.read("predictions", Span(newest=SAMPLE)), key=lambda one: one.timestamp
    )[-SAMPLE:]
    if not records:
        todo = "send one: POST /v1/events, or produce to the topic"
        return Check(check="predictions", state="warn", found="there are none yet", todo=todo)
    refused = _refused(config, records)
    if not refused:
        return Check(check="predictions", state="ok", found=f"the newest {len(records)} decode")
    codes = ", ".join(f"{count} {code}" for code, count in refused.most_common())
    found = f"of the newest {len(records)} predictions {sum(refused.values())} are refused: {codes}"
    state: State = "fail" if sum(refused.values()) == len(records) else "warn"
    todo = "windage dead-letters show tells which and why"
    return Check(check="predictions", state=state, found=found, todo=todo)


def _refused(config: Config, records: Sequence[Located]) -> Counter[str]:
    """Why a fresh profiler refuses records, by code."""
    from streams.runtime.roles import ProfilerRole

    profiler = ProfilerRole(config, {}).fresh(0, 1)
    told = [
        Record(
            offset=number,
            timestamp=one.timestamp,
            key=one.key,
            value=one.value,
            headers=tuple(one.headers),
        )
        for number, one in enumerate(records)
    ]
    profiler.step("predictions", told)
    return Counter(
        dict(output.headers)["windage.error.code"].decode()
        for output in profiler.flush()
        if output.topic == "dead-letters"
    )
