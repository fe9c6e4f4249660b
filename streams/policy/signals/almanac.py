"""Times that are different: the calendar's exceptions, silences, maintenance windows.

Promises: inside an exception nothing is judged, so nothing opens, counts or resolves; in the
first pane after it every detector that alarms starts anew, as what it saw was the exception.
Silences and maintenance hold alerts back and judge on.
Leaves to others: leaving the stretches out of what is trained on (`retraining.request`).
"""

from collections.abc import Iterable

from msgspec.structs import replace

from schemas.log import Millis
from streams.policy.desk import Desk
from streams.policy.rules import Holiday, Rules
from streams.policy.signals.observation import Observation
from streams.policy.state import Silence


def exception(rules: Rules, start: Millis, end: Millis) -> Holiday | None:
    """The first exception of the calendar that [start, end) touches."""
    return next((one for one in rules.calendar if one.start < end and start < one.end), None)


def except_holidays(desk: Desk, seen: Iterable[Observation]) -> list[Observation]:
    """The observations of a pane; unjudged inside an exception and in the pane that ends it."""
    observed = list(seen)
    if not desk.rules.calendar:
        return observed
    pane = desk.rules.pane
    now = exception(desk.rules, desk.now - pane, desk.now)
    before = exception(desk.rules, desk.state.now - pane, desk.state.now)
    found = now or before
    if found is None:
        return observed
    if now is None:
        spent = [one.key for one in observed if one.finding.alarm and one.judged]
        desk.restart(spent)
        desk.say("event", f"{found.name} is over: {len(spent)} detectors start anew")
    else:
        desk.say("event", f"{found.name}: nothing is judged")
    return [_unjudged(one) for one in observed]


def silences(desk: Desk) -> Iterable[Silence]:
    """The silences in force now: said, declared, and those of maintenance windows."""
    for silence in (*desk.rules.silences, *desk.state.silences):
        if silence.start <= desk.now < silence.end:
            yield silence
    for window in desk.rules.maintenance:
        began = window.schedule.after(desk.now - window.lasts)
        if began is not None and began <= desk.now:
            yield Silence(
                signal=window.signal,
                segment=window.segment,
                start=began,
                end=began + window.lasts,
            )


def _unjudged(seen: Observation) -> Observation:
    return replace(seen, severity=None, judged=False, alarm=False, joins=False, doubt=False)
