"""Policy: from what a monitor sees to what anyone should do about it."""

from streams.policy.decisions import Decisions, Reason, Rebuild, Restart
from streams.policy.lessons.record import Record, Tried, record
from streams.policy.policy import Policy
from streams.policy.state import PolicyState, SignalKey, decode, encode

__all__ = [
    "Decisions",
    "Policy",
    "PolicyState",
    "Reason",
    "Rebuild",
    "Record",
    "Restart",
    "SignalKey",
    "Tried",
    "decode",
    "encode",
    "record",
]
