"""Dagster: a run of a job through GraphQL. `url` is `.../graphql`; the event is in the run's tags.

GraphQL answers 200 also where it refuses, so the answer must say LaunchRunSuccess. Dagster knows no
key against repetitions: the tag `windage/event_id` tells a run that was started twice.
"""

from typing import Final

from streams.sinks.template import Form, Template

_LAUNCH: Final[Form] = {
    "query": (
        "mutation Launch($run: ExecutionParams!) { launchRun(executionParams: $run) {"
        " __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"
    ),
    "variables": {
        "run": {
            "selector": {
                "repositoryLocationName": "{location}",
                "repositoryName": "{repository}",
                "jobName": "{job}",
            },
            "runConfigData": {},
            "executionMetadata": {
                "tags": [
                    {"key": "windage/event_id", "value": "{id}"},
                    {"key": "windage/request_id", "value": "{request_id}"},
                    {"key": "windage/model", "value": "{model}"},
                    {"key": "windage/version", "value": "{version}"},
                    {"key": "windage/urgency", "value": "{urgency}"},
                    {"key": "windage/strategy", "value": "{strategy}"},
                    {"key": "windage/rows_from", "value": "{rows_from}"},
                    {"key": "windage/rows_until", "value": "{rows_until}"},
                    {"key": "windage/to_version", "value": "{to_version}"},
                    {"key": "windage/drill", "value": "{exercise}"},
                ]
            },
        }
    },
}

DAGSTER: Final = Template(
    name="dagster",
    documentation="https://docs.dagster.io/api/graphql",
    forms={"retrain-requests": _LAUNCH, "rollback-requests": _LAUNCH},
    usual={"repository": "__repository__"},
    place="header",
    header="Dagster-Cloud-Api-Token",
    proof=("data", "launchRun", "__typename", "LaunchRunSuccess"),
)
