"""The register of templates: one file a service."""

from typing import Final

from schemas.config_sinks import TemplateName
from streams.sinks.template import Template
from streams.sinks.templates.airflow import AIRFLOW
from streams.sinks.templates.dagster import DAGSTER
from streams.sinks.templates.github_actions import GITHUB_ACTIONS
from streams.sinks.templates.jira import JIRA
from streams.sinks.templates.openlineage import OPENLINEAGE
from streams.sinks.templates.pagerduty import PAGERDUTY
from streams.sinks.templates.prefect import PREFECT
from streams.sinks.templates.slack import SLACK

TEMPLATES: Final[dict[TemplateName, Template]] = {
    one.name: one
    for one in (
        *(SLACK, PAGERDUTY, JIRA, AIRFLOW, PREFECT, DAGSTER, GITHUB_ACTIONS),
        OPENLINEAGE,
    )
}
