"""What sort of movement a signal's departure is, and which sorts explain which.

Promises: a pure table from (signal name, symptom) to a family; the order of proof of design
section 4 as numbers; who may be a consequence of whom.
Leaves to others: whether a signal moves at all (`observation`), and in which segment (`scope`).
"""

from functools import lru_cache
from typing import Final

from schemas.finding import Symptom
from schemas.vocabulary import Kind

Family = Kind
"""Families carry the names of the kinds a drift event may have: one signal, one kind."""

PROOF: Final[dict[Family, int]] = {
    "data_quality": 8,
    "novelty": 7,
    "covariate_drift": 6,
    "prediction_drift": 5,
    # Above label_drift: where errors move and no input does, moved labels are the same change.
    "concept_drift": 4,
    "label_drift": 3,
    "calibration_drift": 2,
    "performance_drop": 1,
    "fairness": 0,
    "operational": 0,
    "kpi": 0,
    "canary": 0,
}
"""Strength of proof: an incident's class only ever moves to a larger number."""

INPUTS: Final[frozenset[Family]] = frozenset({"data_quality", "novelty", "covariate_drift"})
OUTCOMES: Final[frozenset[Family]] = frozenset(
    {"concept_drift", "label_drift", "calibration_drift", "performance_drop"}
)
"""Families that wait for labels, so their movement is seen a label delay after its cause."""

ALONE: Final[frozenset[Family]] = frozenset({"fairness", "operational", "kpi", "canary"})
"""Kinds that say how bad it is; they neither explain nor are explained."""

EXPLAINS: Final[dict[Family, frozenset[Family]]] = {
    # Labels are true whatever a feature's pipeline does: a fault does not explain label drift.
    "data_quality": frozenset(
        {"prediction_drift", "concept_drift", "calibration_drift", "performance_drop"}
    ),
    "novelty": OUTCOMES | {"covariate_drift", "prediction_drift"},
    "covariate_drift": OUTCOMES | {"prediction_drift"},
    "prediction_drift": frozenset({"concept_drift", "calibration_drift", "performance_drop"}),
    "concept_drift": frozenset({"label_drift", "calibration_drift", "performance_drop"}),
    "label_drift": frozenset({"calibration_drift", "performance_drop"}),
    "calibration_drift": frozenset({"performance_drop"}),
    "performance_drop": frozenset(),
    "fairness": frozenset(),
    "operational": frozenset(),
    "kpi": frozenset(),
    "canary": frozenset(),
}
"""class of an incident -> families of signals that may be its consequences."""

FAULTS: Final[frozenset[Symptom]] = frozenset(
    {"missing", "constant", "rescaled", "silence", "refused", "replaced"}
)
NEW_VALUES: Final[frozenset[Symptom]] = frozenset({"unseen", "range"})

_PERFORMANCE: Final[frozenset[str]] = frozenset(
    [
        "accuracy",
        "balanced_accuracy",
        "error_rate",
        "precision",
        "recall",
        "f1",
        "auc",
        "roc_auc",
        "pr_auc",
        "log_loss",
        "brier",
        "mcc",
        "kappa",
        "specificity",
        "mae",
        "mse",
        "rmse",
        "mape",
        "r2",
        "bias",
        "gini",
        "ece",
        "ndcg",
        "average_precision",
        "false_positive_rate",
        "false_negative_rate",
    ]
)
SWINGS: Final = "spread"
"""The signal of panes that swing around a level that holds."""

_OPERATIONAL: Final[frozenset[str]] = frozenset(
    ["latency", "latency_ms", "cost", "queue_depth", "error_ratio", "errors", "throughput"]
    + [f"latency_ms_{quantile}" for quantile in ("p50", "p95", "p99")]
)
_BY_PREFIX: Final[dict[str, Family]] = {
    "feature": "covariate_drift",
    "features": "covariate_drift",
    "segment": "covariate_drift",
    "score": "prediction_drift",
    "prediction": "prediction_drift",
    "error": "concept_drift",
    "gain": "data_quality",
    "label": "label_drift",
    "calibration": "calibration_drift",
    SWINGS: "performance_drop",  # at times; what explains a fall explains swings, too
    "volume": "data_quality",
    "input_quality": "data_quality",
    "feature_set": "data_quality",
    "fairness": "fairness",
    "operational": "operational",
    "kpi": "kpi",
    "canary": "canary",
}


@lru_cache(maxsize=4096)  # the same few signals, pane after pane
def family_of(signal: str, symptom: Symptom) -> Family:
    """The family of `signal` departing in the way of `symptom`.

    `feature:age` and `error|score` go by what stands before the colon or bar; a metric by its
    name. A name nobody knows is somebody's own figure: `kpi`.
    """
    prefix, _, name = signal.replace("|", ":", 1).partition(":")
    if prefix == "metric" and name.startswith("spread:"):
        return "fairness"  # parts that gain what others lose
    if prefix == "metric":
        if name in _PERFORMANCE:
            return "performance_drop"
        return "operational" if name in _OPERATIONAL else "kpi"
    family = _BY_PREFIX.get(prefix, "kpi")
    if symptom == "gain":
        return "data_quality"  # errors that vanish are too good to be true: labels may leak
    if symptom in FAULTS and (family in INPUTS or prefix in ("score", "prediction", "label")):
        return "data_quality"
    if symptom in NEW_VALUES and family == "covariate_drift":
        return "novelty"
    if symptom == "unseen" and prefix == "label":
        return "novelty"  # a class that nobody has declared or predicted: the world has a new one
    return family


@lru_cache(maxsize=4096)
def is_harmful_only_upwards(signal: str) -> bool:
    """True for signals whose fall is good news: error rates."""
    return signal.replace("|", ":", 1).partition(":")[0] == "error"
