"""Renewal: a model is counted anew, so what was firing by the former way of counting is over.

Promises: every open incident ends, and whoever was told of it is told why; what people said
(silences, verdicts, deployments) and what was asked of retraining stays in force, and so does what
was spent of the budget; no signal is remembered, because its statistics begin anew.
Leaves to others: when a model is counted anew (runtimes), judging (`policy`).
"""

from msgspec.structs import replace

from schemas.log import DAWN
from streams.policy.decisions import Decisions
from streams.policy.desk import Desk
from streams.policy.incidents import alert
from streams.policy.incidents.course import end, leave
from streams.policy.lessons import cases
from streams.policy.rules import Rules
from streams.policy.state import PolicyState


def renewed(
    state: PolicyState, rules: Rules, why: str, sequence: int
) -> tuple[PolicyState, Decisions]:
    """The state that the new epoch begins with, and what to say at the end of the former one.

    All of it is said of the last instant that was judged. `why` is told as the reason.
    """
    desk = Desk(state, rules, state.now, sequence)
    for incident in desk.open_incidents():
        for tracked in desk.alive(incident.id):
            leave(desk, tracked, why)
        end(desk, incident.id, why)
        desk.incidents[incident.id] = replace(desk.incidents[incident.id], remark=why)
    cases.keep(desk)
    alert.tell(desk)
    kept = replace(
        desk.clear_up(), began=None, now=DAWN, signals=(), incidents=(), faults=(), suppressed=0
    )
    # Nothing is restarted: there are no detectors yet.
    return kept, replace(desk.decisions(), restarts=(), rebuilds=())
