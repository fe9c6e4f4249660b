"""A check: one line of `windage doctor`."""

from typing import Literal

import msgspec

State = Literal["ok", "warn", "fail"]


class Check(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line: what was looked at, what was found, what to do about it."""

    check: str
    state: State
    found: str
    todo: str = ""
    unreachable: bool = False
