"""Advice after false alarms: which limit to move, and what that would have cost and caught.

Promises: only beyond the promised rate, and from what was measured: the limit is tried on every
case that is kept with a verdict. Nothing is moved by itself.
Leaves to others: telling (`incidents.alert`), keeping cases (`cases`).
"""

from collections import Counter
from typing import Final

from schemas.durations import show_duration
from schemas.log import Millis
from schemas.output_parts import Advice
from streams.policy.desk import Desk
from streams.policy.state import Case, Peak, SignalKey

WEEK: Final[Millis] = 7 * 86_400_000
ENOUGH: Final = 3
"""False alarms in a week that are a pattern, where fewer are promised."""
ABOVE: Final = 1.1
"""The limit is set so far above the largest false alarm."""
FIELD: Final = {"psi": "effect.yellow", "fall": "metric.yellow", "size": "tolerance"}
REAL: Final = ("true_drift", "data_issue")


def advise(desk: Desk) -> Advice | None:
    """What to change after the false alarms of the last week; None if they are few enough."""
    recent = [
        case
        for case in desk.state.cases
        if case.verdict == "false_alarm" and case.judged is not None and case.peaks
        if desk.now - case.judged < WEEK
    ]
    promised = desk.rules.allowed * WEEK / desk.rules.per
    if len(recent) < ENOUGH or len(recent) <= promised:
        return None
    leads = Counter((case.peaks[0].signal, case.peaks[0].measure) for case in recent)
    (signal, measure), _ = min(leads.items(), key=lambda item: (-item[1], item[0]))
    mine = [
        case for case in desk.state.cases if case.peaks and _is_of(case.peaks[0], signal, measure)
    ]
    false = [case for case in mine if case.verdict == "false_alarm"]
    real = [case for case in mine if case.verdict in REAL]
    limit = _limit(false, real)
    avoided = [case for case in false if not _opens(case, signal, limit)]
    late = [wait for case in real if (wait := _wait(case, signal, limit)) is not None]
    now = _present(desk, signal, measure)
    return Advice(
        signal=signal,
        field=FIELD[measure],
        present=now,
        proposed=limit,
        verdicts=len(recent),
        false_alarms=len(false),
        avoided=len(avoided),
        real=len(real),
        caught=len(late),
        delay_panes=max(late, default=0),
        text=_text(desk, signal, FIELD[measure], now, limit, recent, false, avoided, real, late),
    )


def _is_of(peak: Peak, signal: str, measure: str) -> bool:
    return (peak.signal, peak.measure) == (signal, measure)


def _limit(false: list[Case], real: list[Case]) -> float:
    """Just above every false alarm, but not above any real case if that still avoids some."""
    above = ABOVE * max(case.peaks[0].size for case in false)
    least = min((case.peaks[0].size for case in real), default=above)
    lower = [case for case in false if case.peaks[0].size < least]
    return float(f"{above if above <= least or not lower else least:.3g}")


def _opens(case: Case, signal: str, limit: float) -> bool:
    """Whether a case would have opened all the same: by its own size, or by another signal."""
    return case.peaks[0].size >= limit or any(peak.signal != signal for peak in case.peaks)


def _wait(case: Case, signal: str, limit: float) -> int | None:
    """How many judged panes later a case would have opened; None: never."""
    if any(peak.signal != signal for peak in case.peaks):
        return 0  # as another signal alarmed in it too, at the latest when that one did
    return next((at for at, size in enumerate(case.trail) if size >= limit), None)


def _present(desk: Desk, signal: str, measure: str) -> float:
    """The limit in force: from which size on a confirmed change is told."""
    limits = desk.rules.limits_of(SignalKey("*", "*", signal))
    if measure == "size":
        return 1.0
    return limits.psi_yellow if measure == "psi" else limits.fall_yellow


def _text(  # noqa: PLR0913, PLR0917 - the numbers of one sentence
    desk: Desk,
    signal: str,
    field: str,
    now: float,
    limit: float,
    recent: list[Case],
    false: list[Case],
    avoided: list[Case],
    real: list[Case],
    late: list[int],
) -> str:
    """The advice in words."""
    promise = f"{desk.rules.allowed:g} per {desk.rules.per_text}"
    span = show_duration(WEEK)
    if field == "tolerance":
        where = f"tolerance of {signal}: {limit:g} times what it is"
    else:
        where = f"policy.overrides with signal {signal}: {field} {limit:g} instead of {now:g}"
    if not avoided:
        tried = "no limit on it would have avoided them, as what was real was no larger"
    else:
        slow = max(late, default=0)
        cost = f"{len(late)} of {len(real)} real ones still caught"
        cost += f", up to {slow} panes later" if slow else ""
        tried = (
            f"tried on what is kept, it avoids {len(avoided)} of {len(false)} false alarms, "
            + (cost if real else "and no real one is on record to lose")
        )
    said = f"{len(recent)} false alarms in {span}, promised are {promise}; {where}; {tried}"
    stakes = desk.rules.stakes if field == "metric.yellow" else None
    return said if stakes is None else f"{said}; {stakes}"
