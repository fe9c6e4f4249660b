"""The parts that output events are made of. Instants are RFC 3339 texts in UTC.

Promises: field order is fixed, so equal content is equal bytes; shares and ratios are 0..1.
Leaves to others: filling them (monitor, policy).
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.vocabulary import Kind, RolloutVerdict, Severity, Strategy

Instant = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Count = Annotated[int, Meta(ge=0)]
Probability = Annotated[float, Meta(ge=0, le=1)]
Share = Annotated[float, Meta(ge=0, le=1)]
MAX_BINS = 64


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of event time: `start` belongs to it, `end` does not."""

    start: Instant
    end: Instant


class Summary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the values of a stretch are like, in their own unit; what is not known is left out.

    `deciles` are nine; `outside` and `missing` are shares of the rows: beyond the reference's
    range, and without a value. `min` and `max` are left out where values lie beyond that range.
    `p25` to `p75` are of the metrics of parts, or of panes (`spread`).
    """

    mean: float | None = None
    sd: float | None = None
    min: float | None = None
    max: float | None = None
    deciles: tuple[float, ...] = ()
    p25: float | None = None
    p50: float | None = None
    p75: float | None = None
    p95: float | None = None
    p99: float | None = None
    outside: float | None = None
    missing: float | None = None


class Effect(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How large a departure is, whatever its significance; what was not measured is left out.

    `psi` is corrected for its bias; `size` is in the unit of the tolerance (standard deviations, of
    shares angles); `fall` is how far a metric is below its baseline in points, `fall_ratio` as a
    share of it (positive is worse). `low` and `high` are the 95 % confidence limits of `current`.
    """

    size: float | None = None
    psi: float | None = None
    ks: float | None = None
    js: float | None = None
    wasserstein_sd: float | None = None
    chi2: float | None = None
    hellinger: float | None = None
    mean_shift_sd: float | None = None
    spread_ratio: float | None = None
    current: float | None = None
    baseline: float | None = None
    fall: float | None = None
    fall_ratio: float | None = None
    low: float | None = None
    high: float | None = None


class ReferenceRef(msgspec.Struct, frozen=True, kw_only=True):
    """Which description of normal a reading was judged against, and how much it rests on."""

    id: str
    rows: Count
    provisional: bool = False


class Histograms(msgspec.Struct, frozen=True, kw_only=True):
    """Shares per bin, then and now; the three lists are aligned."""

    labels: Annotated[tuple[str, ...], Meta(max_length=MAX_BINS)]
    reference: Annotated[tuple[Share, ...], Meta(max_length=MAX_BINS)]
    current: Annotated[tuple[Share, ...], Meta(max_length=MAX_BINS)]


class Current(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was judged; drift events show the histograms, readings now and then.

    Those of readings have sixteen bars at most, of shares with four digits.
    """

    rows: Count
    window: Window
    histograms: Histograms | None = None


class Detector(msgspec.Struct, frozen=True, kw_only=True):
    """What the detector saw; `statistic` and `threshold` are on one scale.

    `dispersion` is the variance factor of panes in the reference; 1 is an assumption.
    """

    name: str
    statistic: float | None
    threshold: float | None
    p_value: Probability | None = None
    e_value: float | None = None
    effect: Effect = Effect()
    dispersion: float = 1.0


class EvidenceRange(msgspec.Struct, frozen=True, kw_only=True):
    """Raw records behind an event: offsets `from` to `to`, both included."""

    topic: str
    partition: Count
    from_: Count = msgspec.field(name="from")
    to: Count


class ErrorSlice(msgspec.Struct, frozen=True, kw_only=True):
    """Errors among the rows of one value of a feature, then and now.

    `excess` is its share of all errors beyond the reference's rates.
    """

    feature: str
    value: str
    rows: Count
    reference: Share
    current: Share
    excess: Share


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Where the raw records behind an event lie; for errors, where they concentrate."""

    ranges: tuple[EvidenceRange, ...] = ()
    slices: tuple[ErrorSlice, ...] = ()


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """False alarms: `allowed` in each period `per` (text such as 30d), and `spent` in this one.

    `spent` counts every incident; `realised` those that people called false; `recall` is the share
    of real incidents that was told. None: nobody has judged any.
    """

    allowed: float
    per: str
    spent: float
    realised: float | None = None
    recall: float | None = None


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """Which limit to move after too many false alarms, tried on the incidents that are kept.

    `field`: of an override of `signal` in the policy. `verdicts`: false alarms in the last week.
    Of the `false_alarms` and `real` incidents on record it would have avoided and caught so many,
    the latter at most `delay_panes` later.
    """

    signal: str
    field: str
    present: float
    proposed: float
    verdicts: Count
    false_alarms: Count
    avoided: Count
    real: Count
    caught: Count
    delay_panes: Count
    text: str


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with a canary now: give it `next_share` of the traffic, wait, or take it back."""

    verdict: RolloutVerdict
    share: Share | None = None
    next_share: Share | None = None
    reason: str = ""


class Triage(msgspec.Struct, frozen=True, kw_only=True):
    """What an incident is taken for, and what speaks for and against it (sentences)."""

    class_: Kind = msgspec.field(name="class")
    because: tuple[str, ...] = ()
    against: tuple[str, ...] = ()


class SignalInIncident(msgspec.Struct, frozen=True, kw_only=True):
    """One signal's part in an incident; `contribution` is its share of the whole."""

    signal: str
    segment: str
    kind: Kind
    detector: str
    severity: Severity
    contribution: Share
    statistic: float | None = None
    threshold: float | None = None
    effect: Effect = Effect()
    explanation: str = ""


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of quality three times: estimated without labels, measured with, and before."""

    metric: str | None = None
    estimated: float | None = None
    realised: float | None = None
    baseline: float | None = None


class Annotations(msgspec.Struct, frozen=True, kw_only=True):
    """Links for whoever is woken up."""

    runbook_url: str | None = None
    dashboard_url: str | None = None


class Exclusion(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of event time that must not be trained on."""

    start: Instant
    end: Instant
    reason: str


class DataWindow(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows a retraining should use.

    `end` is when the request expires: a training takes what has come until it runs. The numbers
    of rows are None where they are not known.
    """

    start: Instant
    end: Instant
    change_point: Instant | None = None
    rows: Count | None = None
    labelled_rows: Count | None = None
    exclude: tuple[Exclusion, ...] = ()


class Weight(msgspec.Struct, frozen=True, kw_only=True):
    """How much the rows of a stretch should count (1: as they are)."""

    start: Instant
    end: Instant
    weight: Annotated[float, Meta(ge=0)]


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """How to retrain."""

    strategy: Strategy
    weights: tuple[Weight, ...] = ()


class Bound(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a metric must keep: at least `min`, at most `max`."""

    min: float | None = None
    max: float | None = None


class Gates(msgspec.Struct, frozen=True, kw_only=True):
    """What a new version must show, overall and in each of the slices, before it is promoted."""

    metrics: dict[str, Bound] = {}
    slices: tuple[str, ...] = ()


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """One reason for a request: the drift event behind it, in words a person can check."""

    explanation: str
    event_id: str | None = None
    incident_id: str | None = None
    signal: str | None = None
    segment: str | None = None
    kind: Kind | None = None
    severity: Severity | None = None
