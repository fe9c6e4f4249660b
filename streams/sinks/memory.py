"""What one sink remembers of what it was told: ids, and the alert last said of each incident.

Promises: a fold of the messages in their order, so a restart that reads them again knows the same;
bounded by `IDS` and `INCIDENTS`: those that are over are forgotten first, then the longest
unchanged; an event that stands twice in a topic, or an alert with a lower sequence than one before,
is not said.
Leaves to others: reading again after a restart (`source`), sending (`courier`).
"""

from collections import OrderedDict
from typing import Final, Literal

import msgspec

from schemas.outputs import Alert
from streams.sinks.message import Message

IDS: Final = 10_000
INCIDENTS: Final = 1_000
"""Their alerts are kept whole, tens of kilobytes each at most."""

Fate = Literal["say", "repeated", "superseded", "elsewhere"]


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """An incident: the highest sequence heard, and the alert that was said last (None: none)."""

    sequence: int
    said: Message | None


class Memory:
    """The memory of the sink `name`; `named`: sinks that routes name."""

    def __init__(self, name: str, named: frozenset[str]) -> None:
        self._name = name
        self._named = named
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._incidents: OrderedDict[str, Known] = OrderedDict()

    def fate(self, message: Message) -> Fate:
        """What is to be done about a message."""
        if message.id in self._ids:
            return "repeated"
        alert = message.event
        if not isinstance(alert, Alert):
            return "say"
        known = self._incidents.get(alert.incident_id)
        if known is not None and alert.sequence < known.sequence:
            return "superseded"
        return "say" if self._is_ours(message, alert, known) else "elsewhere"

    def before(self, message: Message) -> Message | None:
        """What was said last of the incident of a message."""
        known = None if message.incident is None else self._incidents.get(message.incident)
        return None if known is None else known.said

    def took(self, message: Message, *, said: bool) -> None:
        """A message is done with; `said`: the sink was told."""
        self._ids[message.id] = None
        if len(self._ids) > IDS:
            self._ids.popitem(last=False)
        alert = message.event
        if not isinstance(alert, Alert):
            return
        known = self._incidents.pop(alert.incident_id, None)
        last = message if said else (None if known is None else known.said)
        sequence = max(alert.sequence, -1 if known is None else known.sequence)
        self._incidents[alert.incident_id] = Known(sequence=sequence, said=last)
        if len(self._incidents) > INCIDENTS:
            del self._incidents[self._dispensable()]

    def _dispensable(self) -> str:
        """The incident to forget: the first that the sink does not believe open, or the first."""
        over = (
            name for name, one in self._incidents.items() if one.said is None or not one.said.firing
        )
        return next(over, next(iter(self._incidents)))

    def open_ones(self) -> list[Message]:
        """The alerts of incidents that the sink believes open, the longest unchanged first."""
        said = [one.said for one in self._incidents.values() if one.said is not None]
        return [message for message in said if message.firing]

    def _is_ours(self, message: Message, alert: Alert, known: Known | None) -> bool:
        """Whether an alert belongs to this sink.

        To the one its route names; without a route to all that no route names; a drill to all. And
        whoever was told that an incident is open hears how it goes on, though it be rerouted.
        """
        if known is not None and known.said is not None and known.said.firing:
            return True
        return message.drill or alert.labels.get("sink") == self._name or not self._is_named

    @property
    def _is_named(self) -> bool:
        return self._name in self._named
