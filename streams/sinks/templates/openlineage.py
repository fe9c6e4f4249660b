"""OpenLineage: an incident as assertions on a dataset. `url` is `.../api/v1/lineage` (Marquez).

Each event of an incident is a run of its own of the job `windage.MODEL`, with one input: the
dataset that the fields `namespace` and `dataset` name. Its facet `dataQualityAssertions` says that
there is no such incident, and the same of each of its signals, with the column where that is a
feature: not met while the incident is open, met when it is resolved.
"""

from typing import Final

from streams.sinks.template import Template

_PRODUCER: Final = "urn:windage:monitor"
_SPEC: Final = "https://openlineage.io/spec"

OPENLINEAGE: Final = Template(
    name="openlineage",
    documentation="https://openlineage.io/docs/spec/facets/dataset-facets/data_quality_assertions",
    forms={
        "alerts": {
            "eventType": "COMPLETE",
            "eventTime": "{time}",
            "producer": _PRODUCER,
            "schemaURL": f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
            "run": {"runId": "{uuid}"},
            "job": {"namespace": "{namespace}", "name": "windage.{model}"},
            "inputs": [
                {
                    "namespace": "{namespace}",
                    "name": "{dataset}",
                    "inputFacets": {
                        "dataQualityAssertions": {
                            "_producer": _PRODUCER,
                            "_schemaURL": (
                                f"{_SPEC}/facets/1-0-1/DataQualityAssertionsDatasetFacet.json"
                                "#/$defs/DataQualityAssertionsDatasetFacet"
                            ),
                            "assertions": "{assertions}",
                        }
                    },
                }
            ],
        }
    },
)
