"""A change of config in a simulation: who may end because of it, and what must come of it.

After it the same must be counted, said and written down as by workers who have the later config
from the beginning and begin at the places that were announced.
"""

from typing import Any

import orjson

from schemas.epoch import is_epoch
from schemas.journal import Profile
from schemas.journal import decode as read
from streams.runtime.kafka.exits import RefusedError
from streams.snapshot import SupersededError
from tests.laws.mill import winners, without
from tests.simulation.broker import Broker
from tests.simulation.result import Result

EPOCHS = ("references", 0)


def announced(broker: Broker) -> bytes | None:
    """The record that an epoch has begun with; the first one counts."""
    told = (record.value for record in broker.log(EPOCHS) if record.value is not None)
    return next((value for value in told if is_epoch(value)), None)


def superseded(reason: BaseException) -> bool:
    """Whether a process has ended because its config was given up."""
    cause = reason.__cause__ or reason
    given_up = isinstance(cause, RefusedError) and "took the place of this one" in str(cause)
    return given_up or isinstance(cause, SupersededError)


def differs(found: Result, fresh: Result) -> list[tuple[Any, ...]]:
    """What must not happen after a change, and what is not as if all had begun there."""
    # What one event asks for is asked under one name, also where both epochs have heard of it.
    again = [one for one in found.problems if _asked_twice(one)]
    told = [one for one in found.problems if one not in again]
    problems = [*told, *(("begun there", *one) for one in fresh.problems)]
    expected, said = _said(fresh), _said(found)
    ids = {one["reference"]["id"] for one in expected.values() if "reference" in one} - {""}
    missing = [name for name in expected if name not in said]
    differing = [name for name in expected if name in said and expected[name] != said[name]]
    extra = [
        name
        for name, one in said.items()
        if name not in expected and one.get("reference", {}).get("id") in ids
    ]
    if missing or differing or extra:
        problems.append(("after the change", len(missing), differing[:3], extra[:3]))
    if _counted(fresh) != _counted(found):
        problems.append(("other counts after the change",))
    if fresh.books() != found.books():
        problems.append(("other books after the change", fresh.books(), found.books()))
    if not set(fresh.letters) <= set(found.letters):
        problems.append(("dead letters that are missing", set(fresh.letters) - set(found.letters)))
    return problems


def _asked_twice(problem: tuple[Any, ...]) -> bool:
    """Whether the problem is a retrain request that was said with two dates."""
    return problem[0] == "two payloads of one id" and problem[1][0] == "retrain-requests"


def _said(result: Result) -> dict[str, Any]:
    """What does not depend on what was remembered of before, by id."""
    told = {
        name: orjson.loads(said[2] or b"null")
        for name, said in result.spoken().items()
        if said[0] in ("readings", "drift-events", "alerts")
    }
    return {
        name: without(one, {"sequence", "budget"})
        for name, one in told.items()
        if one.get("signal") != "operational:epoch"
        and "counted anew" not in f"{one.get('summary')} {one.get('reason')}"
    }


def _counted(result: Result) -> dict[Any, Any]:
    """The winning profiles of the new epoch."""
    entries = [record for record in result.journal if isinstance(read(record.value), Profile)]
    return winners(record for record in entries if read(record.value).key.epoch == 1)
