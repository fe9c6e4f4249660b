"""Calls and answers: one HTTP request to a service, and what came back."""

from typing import Literal

import msgspec

Outcome = Literal["taken", "again", "refused"]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `taken`, `proof`: how its answer says that it was taken, as in `Template`."""

    url: str
    body: bytes
    method: Literal["POST", "GET"] = "POST"
    headers: dict[str, str] = {}
    taken: frozenset[int] = frozenset()
    proof: tuple[str, ...] = ()


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back. `wait_s`: how long the service asks us to wait."""

    status: int
    body: bytes = b""
    wait_s: float | None = None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from an answer; `reason` is in our own words and quotes nothing of it."""

    outcome: Outcome
    reason: str = ""
    wait_s: float | None = None


_TRY_AGAIN = frozenset({401, 403, 404, 407, 408, 423, 425, 429})
"""Refusals that a person mends at the other end (a token, a path) or that pass by themselves."""


def judge(call: Call, answer: Answer) -> Verdict:
    """Whether the call was taken, may be made again, or never will be."""
    status = answer.status
    if status in call.taken:
        return Verdict(outcome="taken")
    if 200 <= status < 300:  # noqa: PLR2004 - success, as HTTP has it
        if call.proof and not _is_proven(call, answer):
            reason = f"answered {status}, but not with {call.proof[-1]}"
            return Verdict(outcome="refused", reason=reason)
        return Verdict(outcome="taken")
    if 300 <= status < 400:  # noqa: PLR2004 - redirections
        return Verdict(
            outcome="refused", reason=f"answered {status}: redirections are not followed"
        )
    reason = f"answered {status}"
    if status in _TRY_AGAIN or status >= 500:  # noqa: PLR2004 - its own trouble
        return Verdict(outcome="again", reason=reason, wait_s=answer.wait_s)
    return Verdict(outcome="refused", reason=reason)


def _is_proven(call: Call, answer: Answer) -> bool:
    try:
        found = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    *path, word = call.proof
    for step in path:
        found = found.get(step) if isinstance(found, dict) else None
    return bool(found == word)
