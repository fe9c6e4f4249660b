"""Prefect: a run of a deployment. `url` is `.../api/deployments/ID/create_flow_run`.

The run has the event's id as its `idempotency_key`, so a second delivery of it starts nothing. The
flow takes one parameter, `event`; the run of a drill has the tag `drill`.
"""

from typing import Final

from streams.sinks.template import Form, Template

_RUN: Final[Form] = {
    "name": "windage-{id}",
    "idempotency_key": "{id}",
    "parameters": {"event": "{event}"},
    "tags": ["windage", "{model}", "{exercise}"],
}

PREFECT: Final = Template(
    name="prefect",
    documentation=(
        "https://docs.prefect.io/v3/api-ref/rest-api/server/deployments/"
        "create-flow-run-from-deployment"
    ),
    forms={"retrain-requests": _RUN, "rollback-requests": _RUN},
)
