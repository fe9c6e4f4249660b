"""Slack: an incoming webhook takes a text and blocks; the address is the password.

`&`, `<` and `>` are escaped as Slack asks, so that no fact can mention a channel or pose as a link.
"""

from typing import Final

from streams.sinks.template import Form, Template

_MARK: Final = ("severity", {"red": ":red_circle:", "yellow": ":large_yellow_circle:"})
_ALERT: Final[Form] = {
    "text": "{mark} [{status}] {title:200}",
    "blocks": [
        {
            "type": "section",
            "text": {
                "type": "mrkdwn",
                "text": "{mark} *{title:200}* ({status})\n{summary:2000}\nNext: {next}",
            },
        },
        {
            "type": "context",
            "elements": [
                {"type": "mrkdwn", "text": "incident `{incident_id}` since {starts_at}"},
                {"type": "mrkdwn", "text": "{owner:100}"},
                {"type": "mrkdwn", "text": "{runbook_url}"},
            ],
        },
    ],
}
_REQUEST: Final[Form] = {
    "text": "{mark} {title:200}",
    "blocks": [
        {
            "type": "section",
            "text": {"type": "mrkdwn", "text": "{mark} *{title:200}*\n{summary:2000}"},
        },
        {
            "type": "context",
            "elements": [{"type": "mrkdwn", "text": "request `{request_id}` {urgency}"}],
        },
    ],
}

SLACK: Final = Template(
    name="slack",
    documentation="https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks",
    forms={"alerts": _ALERT, "retrain-requests": _REQUEST, "rollback-requests": _REQUEST},
    derived={
        "mark": _MARK,
        "next": (
            "action",
            {
                "fix_pipeline": "fix the pipeline",
                "retrain_full": "retrain on everything",
                "retrain_incremental": "retrain on the newest rows",
                "accept_as_new_normal": "accept it as the new normal",
                "rollback": "go back to the version before",
                "investigate": "look into it",
            },
        ),
    },
    escaped={"&": "&amp;", "<": "&lt;", ">": "&gt;"},
)
