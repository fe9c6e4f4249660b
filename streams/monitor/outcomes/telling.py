"""Telling: metrics with their intervals as findings, beside those of the reference.

Promises: readings only (role context): they page nobody and spend no budget.
Leaves to others: which rows a metric is of (callers), alarms (`watches.performance`, `lane`).
"""

from collections.abc import Iterable

import msgspec

from detectors.metrics.interval import Interval
from schemas.finding import Finding, JudgedState, Measured
from schemas.log import Millis
from streams.monitor.outcomes.blocks import DIRECTED, LOWER_IS_BETTER

MIN_ROWS = 30
"""Rows below which a metric of a cohort or window is no verdict."""


class Teller(msgspec.Struct, frozen=True, kw_only=True):
    """Of whom and what: a model's version and segment, a span of event time, a reference."""

    model: str
    version: str
    segment: str
    span: tuple[Millis, Millis]
    reference_id: str
    reference_rows: int

    def tell(
        self,
        signal: str,
        detector: str,
        *,
        statistic: float | None,
        threshold: float | None = None,
        effect: Measured = Measured(),  # noqa: B008 - frozen
        rows: int,
        state: JudgedState = "judged",
        breach: bool = False,
    ) -> Finding:
        """One reading."""
        return Finding(
            model=self.model,
            version=self.version,
            segment=self.segment,
            signal=signal,
            detector=detector,
            state=state,
            alarm=breach,
            joins=False,
            inside=not breach,
            symptom="fall" if signal.startswith("metric:") else "shift",
            statistic=statistic,
            threshold=threshold,
            effect=effect,
            window_start=self.span[0],
            window_end=self.span[1],
            rows=rows,
            reference_id=self.reference_id,
            reference_rows=self.reference_rows,
            role="context",
        )

    def metrics(
        self,
        detector: str,
        found: dict[str, Interval],
        baseline: dict[str, Interval],
        without: Iterable[str] = (),
    ) -> list[Finding]:
        """A reading a metric; `threshold` is the baseline, on the same scale."""
        return [
            self.metric(detector, name, one, baseline.get(name))
            for name, one in found.items()
            if name not in without
        ]

    def metric(
        self, detector: str, name: str, seen: Interval, baseline: Interval | None
    ) -> Finding:
        """A reading of one metric."""
        return self.tell(
            f"metric:{name}",
            detector,
            statistic=seen.value,
            threshold=None if baseline is None else baseline.value,
            effect=measured(name, seen, baseline),
            rows=seen.rows,
            state="judged" if seen.rows >= MIN_ROWS else "too_few_rows",
        )


def measured(name: str, seen: Interval, baseline: Interval | None) -> Measured:
    """A metric beside its baseline: `fall` is positive where it is worse."""
    fall = ratio = None
    if baseline is not None and name in DIRECTED:
        worse = -1 if name in LOWER_IS_BETTER else 1
        fall = worse * (baseline.value - seen.value)
        ratio = fall / abs(baseline.value) if baseline.value else None
    return Measured(
        current=seen.value,
        baseline=None if baseline is None else baseline.value,
        fall=fall,
        fall_ratio=ratio,
        low=seen.low,
        high=seen.high,
    )
