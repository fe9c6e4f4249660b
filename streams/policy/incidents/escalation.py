"""Red and nobody has it: who else is told, after how long.

Promises: an incident is escalated once, while it is red and not acknowledged; acknowledging it
takes the escalation back.
Leaves to others: telling (`alert`).
"""

from msgspec.structs import replace

from streams.policy.desk import Desk
from streams.policy.state import Incident


def watch_red(desk: Desk) -> None:
    """Note since when incidents are red, and say which have waited too long."""
    for found in desk.open_incidents():
        since = found.reddened if found.severity == "red" else None
        if found.severity == "red" and since is None:
            since = desk.now
        incident = found if since == found.reddened else replace(found, reddened=since)
        desk.incidents[incident.id] = incident
        told = incident.told
        if told is not None and not told.escalated and is_escalated(desk, incident):
            desk.say("escalated", "red, and nobody has acknowledged it", None, incident.id)


def is_escalated(desk: Desk, incident: Incident) -> bool:
    """Whether an incident that was told is red for too long without anybody on it."""
    after = desk.rules.escalation.after
    if after is None or incident.reddened is None or incident.acknowledged_by:
        return False
    if incident.told is None or incident.ended is not None:
        return False
    return incident.told.escalated or desk.now - incident.reddened >= after
