"""The closed vocabularies of events and config: one word, one meaning, in one place.

Promises: each set is a `Literal`, so that decoders refuse and type checkers see a foreign word;
`words` gives its members in the order of declaration.
Leaves to others: what a word causes (policy, detectors).
"""

from typing import Any, Final, Literal, get_args

# -- inputs ------------------------------------------------------------------------------------

Role = Literal["champion", "canary", "shadow"]
LabelSource = Literal["truth", "feedback"]
MetricKind = Literal["kpi", "operational"]
Direction = Literal["higher_is_better", "lower_is_better"]
ModelEventType = Literal[
    "deployed",
    "canary_started",
    "approved",
    "rejected",
    "promoted",
    "rolled_back",
    "retraining_started",
    "retraining_failed",
    "retraining_finished",
    "external",
    "labels_redefined",
    "end_of_stream",
    "annotation",
    "silence",
    "incident_acknowledged",
    "incident_assigned",
    "incident_closed",
    "incident_missed",
    "reference_reset",
]
Verdict = Literal["true_drift", "false_alarm", "data_issue"]

RefusalCode = Literal[
    "too_large",
    "malformed",
    "schema",
    "non_finite",
    "unknown_model",
    "bad_timestamp",
    "future_timestamp",
    "conflict",
    "expired",
    "cardinality",
]
"""Why a record is a dead letter."""

UNDELIVERED: Final = "undelivered"
"""Why an output is a dead letter: a sink did not take it."""

# -- outputs -----------------------------------------------------------------------------------

ReadingState = Literal[
    "judged", "warming_up", "too_few_rows", "no_labels", "stale", "schema_mismatch"
]
Severity = Literal["yellow", "red"]
Transition = Literal["opened", "escalated", "deescalated", "resolved"]
Kind = Literal[
    "data_quality",
    "novelty",
    "covariate_drift",
    "prediction_drift",
    "label_drift",
    "concept_drift",
    "performance_drop",
    "calibration_drift",
    "fairness",
    "operational",
    "kpi",
    "canary",
]
Shape = Literal["sudden", "gradual"]
Breadth = Literal["uniform", "localised"]
AlertStatus = Literal["firing", "resolved"]
RecommendedAction = Literal[
    "fix_pipeline",
    "retrain_full",
    "retrain_incremental",
    "accept_as_new_normal",
    "rollback",
    "investigate",
]
Trigger = Literal["performance", "drift", "trend", "schedule", "external", "manual"]
Urgency = Literal["scheduled", "normal", "emergency"]
Strategy = Literal["full", "incremental"]
RolloutVerdict = Literal["advance", "hold", "rollback"]

# -- config ------------------------------------------------------------------------------------

Task = Literal["binary", "multiclass", "regression", "ranking", "none"]
Clock = Literal["broker", "event"]
TimestampUnit = Literal["auto", "s", "ms", "rfc3339"]
DetectorName = Literal[
    "psi",
    "ks",
    "js",
    "wasserstein",
    "chi2",
    "hellinger",
    "adwin",
    "page_hinkley",
    "shiryaev_roberts",
    "control_chart",
    "trend",
    "pca",
]
"""Besides `river:<Class>`."""

RetrainCause = Literal[
    "performance_red",
    "performance_yellow",
    "important_drift_red",
    "novelty_red",
    "external",
    "labels_redefined",
]

SIGNALS: Final = (
    "feature",
    "features",
    "prediction",
    "score",
    "label",
    "error",
    "performance",
    "calibration",
    "fairness",
    "metric",
    "volume",
    "latency_ms",
    "cost",
    "queue_depth",
)
"""What a signal's name begins with, before its colon: `feature:age`, `score`, `metric:ctr`."""

TopicName = Literal[
    "predictions",
    "labels",
    "metrics",
    "model-events",
    "journal",
    "profiler-state",
    "monitor-state",
    "references",
    "readings",
    "drift-events",
    "alerts",
    "retrain-requests",
    "rollback-requests",
    "dead-letters",
]

EventType = Literal[
    "windage.prediction.v1",
    "windage.label.v1",
    "windage.metric.v1",
    "windage.model-event.v1",
    "windage.reading.v1",
    "windage.drift.v1",
    "windage.alert.v1",
    "windage.retrain-request.v1",
    "windage.rollback-request.v1",
]

EVENT_TYPES: Final[dict[TopicName, EventType]] = {
    "predictions": "windage.prediction.v1",
    "labels": "windage.label.v1",
    "metrics": "windage.metric.v1",
    "model-events": "windage.model-event.v1",
    "readings": "windage.reading.v1",
    "drift-events": "windage.drift.v1",
    "alerts": "windage.alert.v1",
    "retrain-requests": "windage.retrain-request.v1",
    "rollback-requests": "windage.rollback-request.v1",
}
"""What a public topic carries. A model event of type end_of_stream travels in every input."""

NAME_PATTERN: Final = r"^[A-Za-z0-9_.:-]{1,128}$"
"""Names of models, versions, features, tags and metrics."""


def words(vocabulary: Any) -> tuple[str, ...]:  # noqa: ANN401 - a Literal has no type of its own
    """The members of a vocabulary, in order."""
    return get_args(vocabulary)


UNNAMED: Final = "*"
"""Stands for every model that the config does not name; no model can be called so."""
