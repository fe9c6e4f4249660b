"""Performance: how well the model does, by label arrival, by mature cohort, and as estimated.

Readings `metric:NAME` of three detectors: `window` (outcomes by the arrival of their labels),
`cohort` (all predictions of a stretch of time, once its labels have come) and `estimate` (present
predictions, before any of their labels). `estimate:accuracy` says how far estimates were off.

Promises: a metric alarms only with the proof of the error's sequential detector; how bad it is
comes from the fall of the metric itself; everything else is context.
Leaves to others: labels (`outcomes.labels`), where errors concentrate (`outcomes.slices`), the
error (`lane`).
"""

from typing import Final

import msgspec
import numpy as np

from detectors.metrics.interval import Interval
from schemas.finding import Finding, Measured, Slice
from schemas.grid import WHOLE, Layout
from schemas.journal import Counts
from schemas.log import Millis
from schemas.output_parts import Performance as Shown
from schemas.standing import Standing, Tally
from streams.monitor.outcomes import bins, fairness, spread
from streams.monitor.outcomes.bins import Bins, SavedBins
from streams.monitor.outcomes.blocks import Blocks
from streams.monitor.outcomes.cohorts import Cohort, Cohorts, SavedCohort
from streams.monitor.outcomes.estimate import Bias, Check, SavedCheck, widened
from streams.monitor.outcomes.labels import Labels, SavedLabels
from streams.monitor.outcomes.normal import Normal, SavedNormal
from streams.monitor.outcomes.slices import Slices
from streams.monitor.outcomes.tallies import Tallies
from streams.monitor.outcomes.telling import Teller, measured
from streams.monitor.outcomes.windows import SavedWindows, Windows
from streams.monitor.watch import Closing, Part, Setting

_CAREFUL: Final = 2.0
"""Standard errors within which a metric counts as back at its baseline."""


OUTCOME_SIGNALS: Final = ("label", "error", "gain")
"""What the names of the outcomes' lane's signals begin with."""


def alerting(layout: Layout, groups: tuple[str, ...] = ()) -> int:
    """Signals that alarm here beside those of the lanes: the budget must know of them."""
    if not layout.outcomes:
        return 0
    by_score = len(bins.SIGNALS) if "wrong" in layout.outcomes else 0
    return 1 + by_score + fairness.signals(layout, groups) + spread.signals(layout)


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """Performance in a snapshot."""

    normal: SavedNormal
    asked: SavedWindows
    arrived: SavedWindows
    slices: SavedWindows
    cohorts: list[SavedCohort]
    checks: dict[str, SavedCheck]
    labels: SavedLabels
    bins: SavedBins
    tallies: tuple[Tally, ...]
    shown: dict[str, Shown]
    widening: spread.Saved = []


class Performance:
    """The outcomes of one model."""

    def __init__(self, setting: Setting) -> None:
        """`setting` says the grid, the reference and the horizon."""
        layout, judging = setting.layout, setting.judging
        self._judging, self._pane = judging, judging.pane
        self._blocks = blocks = Blocks(layout)
        self._labelled = judging.labelled and bool(layout.outcomes)
        self._told = "accuracy" if layout.ranking is None else blocks.leader
        name = "decision" if "decision" in layout.predictions else "prediction"
        self._asks = layout.predictions.get(name)
        width = self._asks.width if self._asks is not None else 0
        self._normal = Normal(blocks, setting.baseline)
        self._asked = Windows(width, lambda vector: int(vector.sum()))
        self._slices = Slices(layout)
        self._arrived = Windows(blocks.width, blocks.rows if self._labelled else _nothing)
        horizon = setting.config.labels.horizon
        self._cohorts = Cohorts((width, blocks.width), self._pane, horizon)
        self._checks: dict[str, Check] = {}
        self._labels = Labels(setting, blocks)
        self._bins = Bins(setting, blocks, self._normal)
        self._fairness = fairness.Fairness(setting, blocks)
        self._spread = spread.Spread(setting, blocks)
        self._tallies = Tallies(self._pane)
        self._shown: dict[str, Shown] = {}

    def standing(self) -> Standing:
        """How the model does, for the policy."""
        return Standing(performance=dict(self._shown), tallies=self._tallies.all())

    def close(self, closing: Closing) -> list[Finding]:
        """Everything there is to say of outcomes at a pane."""
        if not self._labelled or self._asks is None:
            return []
        if self._normal.close(closing):
            self._bins.reset()
            self._spread.reset()
        fresh = self._count(closing)
        kept = self._arrived.versions
        closing = msgspec.structs.replace(
            closing, outcomes=[part for part in closing.outcomes if part.version in kept]
        )
        delay = self._labels.delay(self._arrived)
        self._annotate(closing.findings, delay or 0)
        found = self._alarms(closing)
        for version, _ in sorted(place for place in fresh if place[1] == WHOLE):
            found += self._by_arrival(version, closing, {one.signal for one in found})
        for version in sorted({one.version for one in closing.predictions}):
            found += self._estimated(version, closing)
        found += self._matured(closing, delay)
        found += self._bins.close(closing, kept)
        found += self._fairness.close(closing, self._normal, self._arrived)
        found += self._spread.close(closing, self._normal, self._arrived)
        found += self._labels.close(closing, self._normal, self._arrived)
        return found

    def _count(self, closing: Closing) -> set[tuple[str, str]]:
        """Add what the pane brings; gives the places whose outcomes have grown."""
        assert self._asks is not None
        blocks, span = self._blocks, self._asks.span
        for part in closing.predictions:
            asked, place = part.vector[span], (part.version, part.segment)
            if part.late:
                self._asked.correct(place, part.pane, asked)
            else:
                self._asked.add(place, part.pane, asked)
            if part.segment == WHOLE:
                self._cohorts.ask(part.version, part.pane, asked)
                self._tallies.add(part.pane, int(asked.sum()), 0)
        for part in closing.outcomes:
            place = part.version, part.segment
            self._arrived.add(place, closing.pane, blocks.compact(part.vector))
            self._slices.add(place, closing.pane, part.vector)
        for part in closing.cohorts:
            if part.segment == WHOLE:
                counts = blocks.compact(part.vector)
                self._cohorts.answer(part.version, part.pane, counts)
                self._tallies.add(part.pane, 0, blocks.rows(counts))
        for part in closing.revisions:
            self._revise(part)
        places = {(part.version, part.segment) for part in closing.outcomes}
        return {place for place in places if place in self._arrived}

    def _revise(self, part: Part) -> None:
        counts = self._blocks.compact(part.vector)
        self._arrived.revise((part.version, part.segment), counts)
        self._slices.revise((part.version, part.segment), part.vector)
        if part.segment == WHOLE:
            self._cohorts.answer(part.version, part.pane, counts)

    def _annotate(self, findings: list[Finding], delay: Millis) -> None:
        """Say of the outcomes' findings how old their rows are and where errors concentrate."""
        for index, one in enumerate(findings):
            if one.role != "alert" or not one.signal.startswith(OUTCOME_SIGNALS):
                continue
            slices: tuple[Slice, ...] = ()
            reference = self._normal.whole(one.segment)
            if (
                one.signal.startswith("error")
                and (one.alarm or one.joins)
                and reference is not None
            ):
                slices = self._slices.leading((one.version, one.segment), reference)
            findings[index] = msgspec.structs.replace(one, label_delay=delay, slices=slices)

    # -- by label arrival ------------------------------------------------------------------------

    def _alarms(self, closing: Closing) -> list[Finding]:
        """A finding of the leading metric for every finding of the error."""
        out = []
        for one in closing.findings:
            if one.signal != "error" or one.role != "alert":
                continue
            place = one.version, one.segment
            seen: dict[str, Interval] = {}
            if place in self._arrived:
                seen = self._blocks.leading(
                    self._arrived.sum(place).counts, self._normal.dispersion
                )
            out.append(self._leading(one, seen, self._normal.metrics(one.segment)))
        return out

    def _leading(
        self, error: Finding, seen: dict[str, Interval], normal: dict[str, Interval]
    ) -> Finding:
        """Accuracy (MAE, NDCG) now and in the reference, with the error's proof."""
        name = self._blocks.leader
        now, good = seen.get(name), normal.get(name)
        plain = msgspec.structs.replace(
            error,
            signal=f"metric:{name}",
            detector="window",
            symptom="fall",
            e_value=None,
            p_value=None,
            cells=(),
            histogram=(),
        )
        if now is None or good is None or not error.rows:
            return msgspec.structs.replace(
                plain, state="too_few_rows", alarm=False, joins=False, statistic=None
            )
        effect = measured(name, now, good)
        fall = effect.fall or 0.0
        noise = _CAREFUL * (now.error**2 + good.error**2) ** 0.5
        return msgspec.structs.replace(
            plain,
            alarm=error.alarm and fall > 0,
            joins=error.joins and fall > 0,
            inside=fall <= noise or error.inside,
            statistic=now.value,
            threshold=good.value,
            direction=error.direction if name == "mae" else "",
            rows=now.rows,
            effect=msgspec.structs.replace(effect, size=self._judging.tolerance),
        )

    def _by_arrival(self, version: str, closing: Closing, said: set[str]) -> list[Finding]:
        window = self._arrived.sum((version, WHOLE))
        span = window.first * self._pane, closing.span[1]
        seen = self._metrics(window.counts)
        if self._told in seen:
            self._note(version, realised=seen[self._told].value)
        without = {name for name in seen if f"metric:{name}" in said}
        teller = self._teller(version, span)
        return teller.metrics("window", seen, self._normal.metrics(), without)

    def _metrics(self, counts: Counts) -> dict[str, Interval]:
        return self._blocks.metrics(counts, self._normal.dispersion)

    # -- before and after labels -----------------------------------------------------------------

    def _estimated(self, version: str, closing: Closing) -> list[Finding]:
        estimator = self._normal.estimator
        if estimator is None or (version, WHOLE) not in self._asked:
            return []
        window = self._asked.sum((version, WHOLE))
        bias = self._bias(version)
        seen = {
            name: widened(one, bias) if name == "accuracy" else one
            for name, one in estimator.metrics(window.counts).items()
        }
        if "accuracy" in seen:
            self._note(version, estimated=seen["accuracy"].value)
        teller = self._teller(version, (window.first * self._pane, closing.span[1]))
        return teller.metrics("estimate", seen, self._normal.metrics())

    def _matured(self, closing: Closing, delay: Millis | None) -> list[Finding]:
        """Metrics of the cohorts that are mature now, those of a version together."""
        groups: dict[str, list[tuple[int, Cohort]]] = {}
        for version, number, cohort in self._cohorts.mature(
            closing.span[1], delay, self._labels.enough
        ):
            groups.setdefault(version, []).append((number, cohort))
        out: list[Finding] = []
        for version, cohorts in sorted(groups.items()):
            asked = np.sum([one.asked for _, one in cohorts], axis=0)
            counts = np.sum([one.outcomes for _, one in cohorts], axis=0)
            length = self._cohorts.span * self._pane
            span = cohorts[0][0] * length, (cohorts[-1][0] + 1) * length
            teller = self._teller(version, span)
            seen = self._metrics(counts)
            out += teller.metrics("cohort", seen, self._normal.metrics())
            out += self._labels.coverage(teller, asked, counts, self._normal)
            out += self._checked(version, teller, asked, counts, seen.get("accuracy"))
        return out

    def _checked(
        self,
        version: str,
        teller: Teller,
        asked: Counts,
        counts: Counts,
        realised: Interval | None,
    ) -> list[Finding]:
        """How far the estimates of these rows, and of those before, were off."""
        estimator = self._normal.estimator
        if estimator is None or "wrong" not in self._blocks or not self._blocks.rows(counts):
            return []
        check = self._checks.setdefault(version, Check())
        check.add(self._blocks.part(counts, "wrong"))
        bias = self._bias(version)
        own = estimator.metrics(asked).get("accuracy")
        if bias is None or own is None or realised is None:
            return []
        reach = 3 * bias.error
        return [
            teller.tell(
                "estimate:accuracy",
                "check",
                statistic=bias.value,
                threshold=reach,
                rows=bias.rows,
                breach=bias.proven,
                effect=Measured(
                    current=realised.value, baseline=own.value, low=own.low, high=own.high
                ),
            )
        ]

    def _bias(self, version: str) -> Bias | None:
        check, estimator = self._checks.get(version), self._normal.estimator
        return check.bias(estimator) if check is not None and estimator is not None else None

    def _note(
        self, version: str, *, estimated: float | None = None, realised: float | None = None
    ) -> None:
        """Keep the accuracy (NDCG of rankings) of a version for the policy."""
        before = self._shown.get(version, Shown(metric=self._told))
        good = self._normal.metrics().get(self._told)
        # Versions that no window knows any more have given way.
        self._shown = {v: one for v, one in self._shown.items() if (v, WHOLE) in self._asked}
        self._checks = {v: one for v, one in self._checks.items() if (v, WHOLE) in self._asked}
        self._shown[version] = msgspec.structs.replace(
            before,
            estimated=before.estimated if estimated is None else estimated,
            realised=before.realised if realised is None else realised,
            baseline=None if good is None else good.value,
        )

    def _teller(self, version: str, span: tuple[Millis, Millis]) -> Teller:
        return Teller(
            model=self._judging.model,
            version=version,
            segment=WHOLE,
            span=span,
            reference_id=self._normal.reference_id,
            reference_rows=self._normal.rows,
        )

    # -- references and snapshots ----------------------------------------------------------------

    def rebuild(self, _version: str | None, _since: Millis) -> None:
        """The reference is built anew by the lane; follow it."""
        self._normal.rebuild()
        self._checks = {}

    def restart(self, version: str, segment: str, signal: str) -> None:
        """Begin a detector of the labels anew."""
        self._labels.restart(version, segment, signal)
        self._bins.restart(version, segment, signal)
        self._spread.restart(version, segment, signal)

    def save(self) -> bytes:
        """The state, for a snapshot."""
        return _encoder.encode(
            Saved(
                normal=self._normal.save(),
                asked=self._asked.save(),
                arrived=self._arrived.save(),
                slices=self._slices.save(),
                cohorts=self._cohorts.save(),
                checks={name: one.save() for name, one in sorted(self._checks.items())},
                labels=self._labels.save(),
                bins=self._bins.save(),
                tallies=self._tallies.all(),
                shown=self._shown,
                widening=self._spread.save(),
            )
        )

    def load(self, saved: bytes) -> None:
        """Take a snapshot up."""
        one = _decoder.decode(saved)
        self._normal.load(one.normal)
        self._asked.load(one.asked)
        self._arrived.load(one.arrived)
        self._slices.load(one.slices)
        self._cohorts.load(one.cohorts)
        self._checks = {}
        for name, check in one.checks.items():
            self._checks[name] = Check()
            self._checks[name].load(check)
        self._labels.load(one.labels)
        self._bins.load(one.bins)
        self._tallies.load(one.tallies)
        self._shown = dict(one.shown)
        self._spread.load(one.widening)


def _nothing(_: Counts) -> int:
    return 0


_encoder: Final = msgspec.msgpack.Encoder(order="deterministic")
_decoder: Final = msgspec.msgpack.Decoder(Saved)
