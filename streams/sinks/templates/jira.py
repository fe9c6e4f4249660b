"""Jira: an issue for each incident or request, REST API version 2 (its descriptions are texts).

An issue is made once: what becomes of the incident is seen on our pages, not in the issue.
"""

from typing import Final

from streams.sinks.template import Form, Template

_FIELDS: Final[dict[str, Form]] = {
    "project": {"key": "{project}"},
    "issuetype": {"name": "{issue_type}"},
    "summary": "{title:250}",
    "labels": ["windage", "{model}", "{severity}"],
}

JIRA: Final = Template(
    name="jira",
    documentation=(
        "https://developer.atlassian.com/cloud/jira/platform/rest/v2/api-group-issues/"
        "#api-rest-api-2-issue-post"
    ),
    forms={
        "alerts": {
            "fields": {
                **_FIELDS,
                "description": (
                    "{summary:20000}\n\nClass: {class}\nNext: {action}\nOwner: {owner}\n"
                    "Since: {starts_at}\nRunbook: {runbook_url}\nIncident: {incident_id}\n"
                    "Drill: {drill}"
                ),
            }
        },
        "retrain-requests": {
            "fields": {
                **_FIELDS,
                "description": (
                    "{summary:20000}\n\nUrgency: {urgency}\nRows: {rows_from} to {rows_until}\n"
                    "Request: {request_id}"
                ),
            }
        },
        "rollback-requests": {
            "fields": {
                **_FIELDS,
                "description": "{summary:20000}\n\nBack to: {to_version}\nRequest: {request_id}",
            }
        },
    },
    usual={"issue_type": "Task"},
    first_only=True,
)
