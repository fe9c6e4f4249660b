"""The record of a model's incidents: how often it was wrong, what it missed, how long things took.

Promises: a pure function of the state; rates are of verdicts that people gave, so what nobody
judged is counted apart and in no rate.
Leaves to others: showing it.
"""

from collections.abc import Iterable, Sequence

import msgspec

from schemas.log import Millis
from streams.policy.rules import Rules
from streams.policy.state import Case, PolicyState


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the incidents that a monitor (`signal/detector`; `*`: all) opened.

    `false_alarm_rate`: false alarms in each period of the promise, over the time watched.
    `precision`: share of the judged that was no false alarm. `recall`: share of the real ones,
    those that people missed included, that was told. None: nothing to say it of.
    """

    monitor: str
    incidents: int
    unjudged: int
    true_drift: int
    data_issue: int
    false_alarm: int
    false_alarm_rate: float | None
    precision: float | None
    recall: float | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The record of a model beside its promise; times are means in milliseconds."""

    allowed: float
    per: str
    model: Tried
    monitors: tuple[Tried, ...]
    missed: int
    to_detect: Millis | None
    to_acknowledge: Millis | None
    to_recover: Millis | None


def record(state: PolicyState, rules: Rules) -> Record:
    """The record as far as cases are kept."""
    cases = state.cases
    monitors = sorted({_monitor(case) for case in cases})
    began = state.began if state.began is not None else state.now
    if len(cases) and cases[0].opened > began:
        began = min(began, cases[0].opened)
    periods = max(1.0, (state.now - began) / rules.per)
    whole = _tried("*", cases, periods)
    real = whole.true_drift + whole.data_issue
    known = real + len(state.missed)
    return Record(
        allowed=rules.allowed,
        per=rules.per_text,
        model=msgspec.structs.replace(whole, recall=real / known if known else None),
        monitors=tuple(
            _tried(name, [case for case in cases if _monitor(case) == name], periods)
            for name in monitors
        ),
        missed=len(state.missed),
        to_detect=_mean(c.opened - c.changed for c in cases if c.changed is not None),
        to_acknowledge=_mean(
            c.acknowledged - c.opened for c in cases if c.acknowledged is not None
        ),
        to_recover=_mean(c.ended - c.opened for c in cases if c.ended is not None),
    )


def _tried(monitor: str, cases: Sequence[Case], periods: float) -> Tried:
    verdicts = [case.verdict for case in cases]
    false, true = verdicts.count("false_alarm"), verdicts.count("true_drift")
    issues = verdicts.count("data_issue")
    judged = false + true + issues
    return Tried(
        monitor=monitor,
        incidents=len(cases),
        unjudged=len(cases) - judged,
        true_drift=true,
        data_issue=issues,
        false_alarm=false,
        false_alarm_rate=false / periods if judged else None,
        precision=(true + issues) / judged if judged else None,
    )


def _monitor(case: Case) -> str:
    return f"{case.peaks[0].signal}/{case.detector}" if case.peaks else case.detector


def _mean(spans: Iterable[Millis]) -> Millis | None:
    known = [max(0, span) for span in spans]
    return sum(known) // len(known) if known else None
