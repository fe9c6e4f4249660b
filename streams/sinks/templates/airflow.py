"""Airflow: a run of a DAG. `url` is `.../api/v2/dags/DAG/dagRuns` (Airflow 2: `/api/v1/`).

The run is named by the event, so a second delivery of it meets a conflict (409) and starts nothing.
"""

from typing import Final

from streams.sinks.template import Form, Template

_RUN: Final[Form] = {
    "dag_run_id": "windage__{id}",
    "logical_date": None,
    "conf": {"event_id": "{id}", "type": "{type}", "drill": "{drill}", "event": "{event}"},
    "note": "{summary:900}",
}

AIRFLOW: Final = Template(
    name="airflow",
    documentation="https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html",
    forms={"retrain-requests": _RUN, "rollback-requests": _RUN},
    taken=frozenset({409}),
)
