"""The state machine of one signal, as a table.

    quiet --breach--> pending --sustained--> firing --calm--> resolving --long enough--> cooling
      |                  |                     ^                  |                         |
      +------strong------|---------------------+<-----breach------+<--reopened--------------+
                         +--calm--> quiet                                 cool-down over --> quiet

Promises: a pure function of (phase, input, counts); a pane that was not judged changes nothing.
Leaves to others: what counts as a breach (`observation`), and the incident it belongs to.
"""

from typing import Final, Literal

import msgspec

from streams.policy.state import Phase

Input = Literal["strong", "breach", "doubt", "calm", "unjudged"]
"""`strong`: a red alarm. `breach`: an alarm, or one that was and is not back inside. `doubt`:
the detector alarms, the effect is inside the tolerance. `calm`: neither."""

Act = Literal["stay", "wait", "open", "count", "drop", "restart", "calm", "back", "ease", "reopen"]

TABLE: Final[dict[tuple[Phase | None, Input], Act]] = {
    (None, "strong"): "open",
    (None, "breach"): "wait",
    (None, "doubt"): "wait",
    (None, "calm"): "stay",
    ("pending", "strong"): "open",
    ("pending", "breach"): "count",
    ("pending", "doubt"): "ease",
    ("pending", "calm"): "drop",
    ("firing", "strong"): "back",
    ("firing", "breach"): "back",
    ("firing", "doubt"): "calm",
    ("firing", "calm"): "calm",
    ("resolving", "strong"): "back",
    ("resolving", "breach"): "back",
    ("resolving", "doubt"): "ease",
    ("resolving", "calm"): "ease",
    ("cooling", "strong"): "reopen",
    ("cooling", "breach"): "count",
    ("cooling", "doubt"): "stay",
    ("cooling", "calm"): "stay",
}
"""What to do; whatever is not in it (unjudged panes) stays as it is."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How many judged panes in a row open a yellow signal, and how many resolve one."""

    sustained: int
    resolve_after: int


class Step(msgspec.Struct, frozen=True):
    """The outcome of a pane for a signal: what to do and the two counts from now on."""

    act: Literal["stay", "wait", "open", "drop", "restart", "resolve", "reopen", "calm", "back"]
    breaches: int
    clears: int


def step(phase: Phase | None, given: Input, breaches: int, clears: int, rule: Patience) -> Step:
    """The step of a signal in `phase` (None: quiet) on `given`, with its counts so far.

    `restart`: dropped although its detector still alarms, so that one must start anew.
    """
    act = TABLE.get((phase, given), "stay")
    if act == "wait":
        first = 1 if given == "breach" else 0
        return Step("open" if first >= rule.sustained else "wait", first, 1 - first)
    if act == "count":
        if breaches + 1 < rule.sustained:
            return Step("stay", breaches + 1, 0)
        return Step("open" if phase == "pending" else "reopen", breaches + 1, 0)
    if act == "ease":
        return _ease(phase, breaches, clears + 1, rule)
    if act == "calm":
        return Step("resolve" if rule.resolve_after <= 1 else "calm", 0, 1)
    if act in ("open", "reopen", "back"):
        return Step(act, breaches + 1, 0)
    if given == "unjudged":
        return Step("stay", breaches, clears)
    return Step("drop" if act == "drop" else "stay", 0, clears + 1)


def _ease(phase: Phase | None, breaches: int, clears: int, rule: Patience) -> Step:
    """One more pane inside: enough of them end a resolving signal, or a doubtful pending one."""
    if clears < rule.resolve_after:
        return Step("stay", breaches, clears)
    return Step("resolve" if phase == "resolving" else "restart", 0, clears)
