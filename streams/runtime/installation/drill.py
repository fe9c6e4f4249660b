"""A drill: an incident that says of itself that it is none, for every output and whoever reads it.

Promises: each event says DRILL where a person looks first, the alert has the label `drill`; it is
opened and resolved, so that nothing stays open; ids are those of this one drill.
Leaves to others: writing it (`writing`), delivering it (sinks).
"""

from typing import Final

from schemas.envelope import output_id, seal
from schemas.instants import rfc3339
from schemas.log import Millis
from schemas.output_parts import Current, Detector, Effect, ReferenceRef, Triage, Window
from schemas.outputs import Alert, DriftEvent, OutputEvent, RollbackRequest, encode
from schemas.vocabulary import EVENT_TYPES, Severity, TopicName
from streams.runtime.installation.writing import Letter

SOURCE: Final = "windage/drill"
TITLE: Final = "DRILL, nothing is wrong"
_MINUTE: Final[Millis] = 60_000


def letters(
    model: str, version: str, now: Millis, *, severity: Severity = "red", rollback: bool = False
) -> list[Letter]:
    """The records of a drill at instant `now`, in their order; with `rollback` a request too."""
    name = output_id("windage.alert.v1", model=model, version=version, window=now, cause="drill")
    incident = f"drill-{name[:12]}"
    reason = f"{TITLE}: an exercise for {model} {version}, started by a person"
    event = _drift(model, version, incident, now, severity, reason)
    made = [_letter("drift-events", model, f"{incident}/drift", event, now)]
    if rollback:
        asked = RollbackRequest(
            request_id=f"{incident}-rollback",
            model=model,
            version=version,
            to_version=version,  # to where it is already: whoever obeys changes nothing
            reason=reason,
            severity=severity,
        )
        made.append(_letter("rollback-requests", model, asked.request_id, asked, now))
    for sequence, status in enumerate(("firing", "resolved")):
        at = now + sequence
        alert = Alert(
            status="firing" if status == "firing" else "resolved",
            sequence=sequence,
            recommended_action="investigate",
            incident_id=incident,
            fingerprint=incident,
            severity=severity,
            model=model,
            version=version,
            title=f"{TITLE} ({model} {version})",
            summary=reason,
            triage=Triage(class_="operational", because=("this is an exercise",)),
            segments=("*",),
            starts_at=rfc3339(now),
            updated_at=rfc3339(at),
            ends_at=None if status == "firing" else rfc3339(at),
            labels={"alertname": "drill", "drill": "true", "model": model, "severity": severity},
        )
        made.append(_letter("alerts", incident, f"{incident}/{status}", alert, at))
    return made


def _drift(
    model: str, version: str, incident: str, now: Millis, severity: Severity, reason: str
) -> DriftEvent:
    return DriftEvent(
        incident_id=incident,
        transition="opened",
        model=model,
        version=version,
        segment="*",
        kind="operational",
        severity=severity,
        monitor="drill/drill",
        signal="drill",
        detector=Detector(name="drill", statistic=None, threshold=None, effect=Effect()),
        reference=ReferenceRef(id="drill", rows=0),
        current=Current(rows=0, window=Window(start=rfc3339(now - _MINUTE), end=rfc3339(now))),
        reason=reason,
        explanation=reason,
    )


def _letter(topic: TopicName, key: str, name: str, event: OutputEvent, at: Millis) -> Letter:
    sealed = seal(
        encode(event), type=EVENT_TYPES[topic], id=name, source=SOURCE, time=at, subject=key
    )
    return Letter(topic=topic, key=key.encode(), value=sealed.value, headers=sealed.headers)
