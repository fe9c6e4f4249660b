"""PagerDuty: Events API v2. An incident of ours is one of theirs, by `dedup_key`."""

from typing import Final

from streams.sinks.template import Template

PAGERDUTY: Final = Template(
    name="pagerduty",
    documentation="https://developer.pagerduty.com/docs/send-alert-event",
    forms={
        "alerts": {
            "routing_key": "{token}",
            "event_action": "{deed}",
            "dedup_key": "{incident_id:255}",
            "client": "Windage",
            "client_url": "{dashboard_url}",
            "links": [
                {"href": "{runbook_url}", "text": "runbook"},
                {"href": "{dashboard_url}", "text": "dashboard"},
            ],
            "payload": {
                "summary": "{title:200}: {summary:800}",
                "source": "{model}",
                "severity": "{urgent}",
                "timestamp": "{starts_at}",
                "component": "{version}",
                "group": "{segment:200}",
                "class": "{class}",
                "custom_details": {
                    "recommended_action": "{action}",
                    "owner": "{owner}",
                    "drill": "{drill}",
                    "event_id": "{id}",
                },
            },
        }
    },
    derived={
        "deed": ("status", {"firing": "trigger", "resolved": "resolve"}),
        "urgent": ("severity", {"red": "critical", "yellow": "warning"}),
    },
    place="body",
)
