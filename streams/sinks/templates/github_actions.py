"""GitHub Actions: a `repository_dispatch` event. `url` is `.../repos/OWNER/REPO/dispatches`.

GitHub takes at most ten members of `client_payload`, and knows no key against repetitions: the
workflow can take `event_id` as its concurrency group.
"""

from typing import Final

from streams.sinks.template import Form, Template

_DISPATCH: Final[Form] = {
    "event_type": "{event_type:100}",
    "client_payload": {
        "event_id": "{id}",
        "type": "{type}",
        "model": "{model}",
        "version": "{version}",
        "summary": "{summary:2000}",
        "drill": "{drill}",
        "event": "{event}",
    },
}

GITHUB_ACTIONS: Final = Template(
    name="github_actions",
    documentation=(
        "https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event"
    ),
    forms={"alerts": _DISPATCH, "retrain-requests": _DISPATCH, "rollback-requests": _DISPATCH},
    usual={"event_type": "windage"},
    headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
)
