"""`windage drill`: an exercise through the outputs.

Promises: says before and after that it is a drill, and where it went.
Leaves to others: its records (`installation.drill`), with --url the server (`web.drilling`).
"""

import time
from collections.abc import Sequence

import orjson

from schemas.config import Config
from schemas.inputs import is_name
from schemas.vocabulary import Severity
from streams.cli.console import emit_object, say
from streams.cli.endings import REFUSED, OperatorError
from streams.cli.places import Place, writer_of
from streams.runtime.installation import drill
from streams.runtime.installation.writing import HttpWriter


def run(
    place: Place, model: str, version: str, severity: Severity, *, rollback: bool, as_json: bool
) -> None:
    """Write the records of a drill."""
    for option, name in (("MODEL", model), ("--version", version)):
        if not is_name(name):
            raise OperatorError(f"{option}: up to 128 letters, digits and _ . : -", REFUSED)
    if place.url is not None:
        wanted = {"model": model, "version": version, "severity": severity, "rollback": rollback}
        answered = HttpWriter(place.url, place.token).ask("/v1/drill", orjson.dumps(wanted))
        incident, topics = answered["incident_id"], answered["topics"]
    else:
        now = time.time_ns() // 1_000_000
        letters = drill.letters(model, version, now, severity=severity, rollback=rollback)
        writer_of(place).write(letters)
        incident = (letters[-1].key or b"").decode()
        topics = [letter.topic for letter in letters]
    if as_json:
        emit_object({"drill": True, "incident_id": incident, "topics": topics})
    say(f"this was a DRILL: incident {incident} was opened and resolved in {', '.join(topics)}")
    config = place.told()
    told = [] if config is None else told_of_drills(config, topics)
    if told:
        say(f"sinks that are told of it, marked as a drill: {', '.join(told)}")
    say("nothing in it asks for a retraining: sinks that are told of nothing else hear nothing")


def told_of_drills(config: Config, topics: Sequence[str]) -> list[str]:
    """The sinks that a drill in `topics` goes through, whatever routes say."""
    return sorted(name for name, sink in config.sinks.items() if {*topics} & {*sink.told})
