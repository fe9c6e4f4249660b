"""Performance: how well the model does, by label arrival, against its reference.

Promises: a metric alarms only with the proof of the error's sequential detector; how bad it is
comes from the fall of the metric itself.
Leaves to others: maturity by cohort, other metrics (they are readings, not alarms).
"""

from math import sqrt
from typing import Final

import msgspec

from schemas.finding import Finding, Measured
from schemas.judging import Judging
from streams.monitor.watch import Closing, Setting

_CAREFUL: Final = 2.0
"""Standard errors within which a metric counts as back at its baseline."""


class Performance:
    """Accuracy, read from what the outcomes' lane finds of the error; has no state of its own."""

    def __init__(self, setting: Setting) -> None:
        """`setting` says the tolerance."""
        self._judging = setting.judging

    def close(self, closing: Closing) -> list[Finding]:
        """A finding of accuracy for every finding of the error."""
        return [
            _accuracy(one, self._judging)
            for one in closing.findings
            if one.signal == "error" and one.role == "alert"
        ]

    def save(self) -> bytes:
        """Nothing to keep."""
        return b""

    def load(self, saved: bytes) -> None:
        """Nothing was kept."""


def _accuracy(error: Finding, judging: Judging) -> Finding:
    """Accuracy now and in the reference, read from the error's shares."""
    baseline = error.effect.baseline
    current = error.effect.current
    if baseline is None or current is None or not error.rows:
        return msgspec.structs.replace(
            error, signal="metric:accuracy", detector="window", state="too_few_rows", alarm=False
        )
    good, now = 1 - baseline, 1 - current
    fall = good - now
    noise = _CAREFUL * sqrt(error.dispersion * good * (1 - good) / error.rows)
    return msgspec.structs.replace(
        error,
        signal="metric:accuracy",
        detector="window",
        symptom="fall",
        alarm=error.alarm and fall > 0,
        joins=error.joins and fall > 0,
        inside=fall <= noise or error.inside,
        statistic=now,
        threshold=good,
        e_value=None,
        cells=(),
        histogram=(),
        effect=Measured(
            current=now,
            baseline=good,
            fall=fall,
            fall_ratio=fall / good if good > 0 else None,
            size=judging.tolerance,
        ),
    )
