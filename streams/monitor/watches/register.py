"""The register of watches: what is judged of every model, in this order.

A new judgement is a new file with a `Watch`, and one line here. A watch may build upon the
findings of those before it (`Closing.findings`); findings are said in this order too.
"""

from collections.abc import Callable
from typing import Final

from streams.monitor.adaptive import Figures
from streams.monitor.declared.monitors import Declared
from streams.monitor.joint.multivariate import Multivariate
from streams.monitor.lane import Lane
from streams.monitor.references.comparisons import Comparisons
from streams.monitor.rollout.canary import Canary
from streams.monitor.rollout.shadow import Shadows
from streams.monitor.watch import Setting, Watch
from streams.monitor.watches.annotators import Annotators
from streams.monitor.watches.business import Business
from streams.monitor.watches.crowd import Crowd
from streams.monitor.watches.decline import Decline
from streams.monitor.watches.featuresets import FeatureSets
from streams.monitor.watches.joining import Joining
from streams.monitor.watches.performance import Performance
from streams.monitor.watches.refused import Refused
from streams.monitor.watches.silence import Silence
from streams.monitor.watches.summaries import Summaries

WATCHES: Final[dict[str, Callable[[Setting], Watch]]] = {
    "predictions": Lane.predictions,
    "outcomes": Lane.outcomes,
    "comparisons": Comparisons,
    "performance": Performance,
    "figures": lambda setting: Figures(setting.judging.model),
    "declared": Declared,
    "summaries": Summaries,
    "business": Business,
    "canary": Canary,
    "decline": Decline,
    "shadows": Shadows,
    "joining": Joining,
    "refused": Refused,
    "crowd": Crowd,
    "silence": Silence,
    "sets": FeatureSets,
    "annotators": Annotators,
    "together": Multivariate,
}
"""Name in a snapshot, and what makes the watch."""
