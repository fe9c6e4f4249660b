"""Alertmanager: incidents as its alerts, through its API version 2.

It forgets an alert that is not said again, and takes one with other labels for another alert.

Promises: an open incident is said again every `AGAIN_MS` and is good for `GOOD_FOR_MS`, so a
restart of ours does not look as if it were over; when its labels change (another severity, another
class) the alert with the old ones is ended in the same call.
Leaves to others: when to say it (`courier`), whom it is about (`memory`).
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.config_sinks import Sink
from schemas.instants import parse, rfc3339
from schemas.log import Millis
from schemas.outputs import Alert
from streams.sinks.call import Call
from streams.sinks.message import Message
from streams.sinks.webhook import authorization

AGAIN_MS: Final[Millis] = 60_000
GOOD_FOR_MS: Final[Millis] = 3_600_000
SAID_AT_ONCE: Final = 50
"""Alerts of one call: a body has a limit, and an alert of ours at most some kilobytes here."""

_TEXT: Final = 4_000
_label: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z", re.ASCII).match


class Posted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An alert as the API takes it."""

    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: str
    ends_at: str
    generator_url: str | msgspec.UnsetType = msgspec.field(
        default=msgspec.UNSET, name="generatorURL"
    )


class Alertmanager:
    """Composes the calls of one sink."""

    first_only: Final = False

    def __init__(self, sink: Sink) -> None:
        self._url = alerts_url(sink.url)
        self._headers = {}
        if sink.token is not None:
            self._headers = authorization(sink.username, sink.token.get_secret_value())

    def compose(self, message: Message, before: Message | None, now: Millis) -> Call:
        """The call for an alert, which also ends the one said `before` if that had other labels."""
        said = [posted(message, now)]
        if before is not None and before.firing:
            former = posted(before, now)
            if former.labels != said[0].labels:
                said.append(msgspec.structs.replace(former, ends_at=_ended(former, now)))
        return self._call(said)

    def again(self, open_ones: Sequence[Message], now: Millis) -> list[Call]:
        """The calls that say open incidents again."""
        said = [posted(one, now) for one in open_ones]
        return [
            self._call(said[first : first + SAID_AT_ONCE])
            for first in range(0, len(said), SAID_AT_ONCE)
        ]

    def _call(self, said: Sequence[Posted]) -> Call:
        return Call(url=self._url, body=msgspec.json.encode(said), headers=self._headers)


def alerts_url(url: str) -> str:
    """Where alerts are posted: `url` may be the server's address or the path itself."""
    base = url.rstrip("/")
    return base if base.endswith("/api/v2/alerts") else f"{base}/api/v2/alerts"


def posted(message: Message, now: Millis) -> Posted:
    """One alert; its instants are never in the future of `now`, its end only while it fires."""
    alert = message.event
    assert isinstance(alert, Alert)
    start = min(parse(alert.starts_at), now)
    if alert.status == "firing":
        end = now + GOOD_FOR_MS
    else:
        end = max(start, min(now, now if alert.ends_at is None else parse(alert.ends_at)))
    url = alert.annotations.dashboard_url
    return Posted(
        labels=labels(alert, drill=message.drill),
        annotations=_annotations(alert),
        starts_at=rfc3339(start),
        ends_at=rfc3339(end),
        generator_url=msgspec.UNSET if url is None else url,
    )


def labels(alert: Alert, *, drill: bool) -> dict[str, str]:
    """What makes it this alert: the incident's own labels, and its id."""
    named = {**alert.labels, "incident_id": alert.incident_id, "source": "windage"}
    if drill:
        named["drill"] = "true"
    return {name: text for name, text in named.items() if text and _label(name)}


def _ended(former: Posted, now: Millis) -> str:
    return rfc3339(max(parse(former.starts_at), now))


def _annotations(alert: Alert) -> dict[str, str]:
    said = {
        "title": alert.title,
        "summary": alert.summary or alert.title,
        "description": " ".join(alert.triage.because),
        "recommended_action": alert.recommended_action,
        "owner": alert.owner,
        "acknowledged_by": alert.acknowledged_by,
        "runbook_url": alert.annotations.runbook_url,
        "dashboard_url": alert.annotations.dashboard_url,
    }
    return {name: text[:_TEXT] for name, text in said.items() if text}
