"""One model in the monitor: learns, closes panes in order, judges them, asks the policy.

Promises: everything said is a function of the journal; one pane is decided once, at one stream
time, with all its findings together.
Leaves to others: watermarks and profiles (`intake`), judgement (`lane`), decisions (`policy`).
"""

from collections.abc import Iterator

import msgspec

from detectors.budget import Budget
from schemas.baseline import Baseline, Normal
from schemas.config_model import Labels, ModelConfig
from schemas.finding import Finding
from schemas.grid import WHOLE, Grid, Layout
from schemas.journal import Forwarded, LearningBatch, Profile, Progress
from schemas.judging import Judging
from schemas.lamp import Lamp
from schemas.log import Millis
from schemas.shadow import is_shadow
from schemas.standing import UNKNOWN, Standing
from schemas.vocabulary import Severity
from streams.learning import Bounds
from streams.monitor.declared.declaration import budgeted
from streams.monitor.declared.operations import Operations
from streams.monitor.evidence import Ranges, SavedRanges
from streams.monitor.intake import Intake, SavedIntake, Taken
from streams.monitor.lane import Lane
from streams.monitor.learner import MIN_PANES, Learner, SavedLearner
from streams.monitor.renewal import before, carried, reason, statement
from streams.monitor.rollout.tagged import apart, on_trial
from streams.monitor.waiting import Waiting, events_of, metrics_of
from streams.monitor.watch import (
    Closing,
    Rebuilds,
    Restarts,
    Setting,
    Stands,
    Wakes,
    Watch,
    able,
    parts,
    together,
)
from streams.monitor.watches import decline
from streams.monitor.watches.performance import alerting
from streams.monitor.watches.refused import breaks
from streams.monitor.watches.register import WATCHES
from streams.policy import Decisions, Policy, PolicyState
from streams.signals import outcome_signals, prediction_signals

Normals = dict[str, dict[str, Normal]]


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one closed pane."""

    pane: int
    findings: list[Finding]
    severities: list[Severity | None]
    """Of each finding, where it alarms."""
    decisions: Decisions


class SavedModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the monitor in a snapshot."""

    model: str
    baseline: Baseline | None
    learner: SavedLearner | None
    intake: SavedIntake | None
    watches: dict[str, bytes]
    """By their names in the register; empty while there is no grid."""
    ranges: SavedRanges
    forwarded: dict[str, int]
    pending: list[Forwarded]
    policy: PolicyState
    passed: dict[str, int] = {}
    """Forwarded records passed over, by log."""
    epoch: int = 0


class ModelMonitor:
    """Judges one model."""

    def __init__(
        self, judging: Judging, config: ModelConfig, baseline: Baseline | None, per: Millis
    ) -> None:
        """`baseline` None: the model learns its grid first. `per` is the pane's length."""
        self._judging, self._config = judging, config
        self._pane = per
        self.epoch = judging.epoch
        self._policy = Policy(config, judging.model, per, judging.epoch)
        self._state = PolicyState()
        self._ranges = Ranges()
        self._watches: dict[str, Watch] = {}
        self._stands: Stands | None = None
        self._watchful: list[Wakes] = []
        self._waiting = Waiting()
        self.baseline: Baseline | None = None
        self.announced: Baseline | None = None
        """A baseline that was learned since it was last asked for."""
        bounds = Bounds(judging.segments, judging.category_rows)
        self._learner = Learner(judging.model, config, judging.learn_rows, bounds, judging.stretch)
        self._intake: Intake | None = None
        if baseline is not None:
            self._begin(baseline)

    @property
    def grid(self) -> tuple[int, str]:
        """Epoch and id of the grid; the id is empty while it is being learned."""
        return (self.epoch, "" if self.baseline is None else self.baseline.grid.id)

    # -- reading ---------------------------------------------------------------------------------

    def adopt(self, baseline: Baseline) -> None:
        """Take a baseline from elsewhere, if there is none yet."""
        if self.baseline is None:
            self._begin(baseline)

    def admit(self, record: Profile | LearningBatch | Forwarded) -> None:
        """Take a record of the journal in; only progress closes panes."""
        match record:
            case Profile():
                if self._intake is not None:
                    self._intake.admit(record)
            case LearningBatch():
                if self.baseline is None:
                    self._learner.admit(record)
            case Forwarded():
                if record.epoch == self.epoch:
                    self._waiting.admit(record)
                elif before(record, self._judging):
                    self._waiting.admit(carried(record, self._judging))

    def hear(self, progress: Progress, sequence: int) -> Iterator[Closed]:
        """Note how far a partition is; gives the panes that this closes, in order."""
        if self._intake is None:
            self._learner.hear(progress)
            learned = self._learner.learned(self._pane)
            if learned is not None:
                self._learn(*learned)
            return
        self._intake.hear(progress)
        for pane in self._intake.closable(self._wakes):
            closed = self._close(pane, sequence)
            if closed is not None:
                yield closed

    def _learn(self, grid: Grid, last: int) -> None:
        grid = msgspec.structs.replace(grid, epoch=self.epoch)
        span = (last + 1 - self._learner.first_pane) * self._pane
        self._begin(
            Baseline(
                model=grid.model,
                grid=grid,
                source="topic" if self._judging.learn_until else "first rows",
                learned_until=last,
                provisional=span < self._judging.learn_span,
            )
        )
        self.announced = self.baseline

    def _begin(self, baseline: Baseline) -> None:
        """Start judging (or building the reference) on a grid."""
        self.baseline, self._reference_id = baseline, baseline.id
        self._layout = layout = Layout(baseline.grid)
        self._intake = Intake(layout, labelled=self._judging.labelled, pane=self._pane)
        first, second = prediction_signals(layout), outcome_signals(layout)
        labelled = self._judging.labelled
        segments = [WHOLE, *(label for one in baseline.grid.segments for label in one.labels())]
        names = [one.name for one in (*first, *(second if labelled else ()))]
        signals = len(names) * len(segments) + budgeted(self._config, names, segments)
        threshold = Budget(
            false_alarms=self._judging.allowed,
            panes=self._judging.per / self._pane,
            # A model whose columns were empty while it learned has nothing to divide the budget by.
            signals=max(1, signals + self._beside(layout)),
        ).log_threshold
        setting = Setting(
            layout=layout,
            baseline=baseline,
            judging=self._judging,
            config=self._config,
            threshold=threshold,
        )
        self._operations = Operations(setting)
        self._watches = {name: made(setting) for name, made in WATCHES.items()}
        self._watchful = able(self._watches.values(), Wakes)  # type: ignore[type-abstract]
        self._stands = next(iter(able(self._watches.values(), Stands)), None)  # type: ignore[type-abstract]

    def _beside(self, layout: Layout) -> int:
        """Signals that alarm beside those of the lanes."""
        groups = self._config.fairness.segments
        return alerting(layout, groups) + decline.alerting(layout) if self._judging.labelled else 0

    def end_of(self, pane: int) -> Millis:
        """The instant at which a pane ends."""
        return (pane + 1) * self._pane

    def lamp(self) -> Lamp:
        """How the model stands."""
        return self._policy.lamp(self._state)

    # -- closing ---------------------------------------------------------------------------------

    def _wakes(self) -> int | None:
        """The first pane that must close even if nothing comes."""
        asked = (watch.wakes() for watch in self._watchful)
        return min((pane for pane in asked if pane is not None), default=None)

    def _close(self, pane: int, sequence: int) -> Closed | None:
        """Judge one pane and let the policy decide; None where nothing came and nobody minds.

        A pane without a counted row is judged by those who look for what is missing, alone.
        """
        assert self._intake is not None
        everything = self._intake.take(pane)
        counted = [one for one in everything if one.key.kind != "refusals"]
        refusals = [one for one in everything if one.key.kind == "refusals"]
        closing = self._closing(pane, counted, refusals)
        findings, now = closing.findings, self.end_of(pane)
        for watch in self._watches.values() if counted else self._watchful:
            findings += watch.close(closing)
        if not counted and not findings:
            return None
        if counted:
            findings += self._waiting.told(self._judging.model, closing.span)
            self._finish_references(pane)
        findings = self._ranges.attach(findings, self._pane)
        alerting = [one for one in findings if self._policy.acts_on(one)]
        self._state, decisions = self._policy.judge(
            self._state, now, alerting, closing.events, sequence, self._standing()
        )
        self._obey(decisions)
        severities = [self._policy.severity(one) if one.alarm else None for one in findings]
        return Closed(pane=pane, findings=findings, severities=severities, decisions=decisions)

    def _closing(self, pane: int, counted: list[Taken], refusals: list[Taken]) -> Closing:
        """What the watches see of a pane; what was forwarded waits for one with counted rows."""
        assert self._intake is not None
        self._ranges.add(pane, counted)
        taken = [one for one in counted if not is_shadow(one.key.version)]
        shadows = [one for one in counted if is_shadow(one.key.version)]
        due = self._waiting.due(pane) if counted else []
        events = events_of(due)
        figures, tried = apart(metrics_of(due), on_trial(self._state.versions, events))
        cohorts = parts(taken, "outcomes", None)
        now, calendar = self.end_of(pane), self._config.calendar
        span, asked = (now - self._pane, now), parts(taken, "predictions", pane)
        return Closing(
            pane=pane,
            span=span,
            predictions=asked,
            outcomes=together(cohorts, pane),
            cohorts=cohorts,
            revisions=parts(taken, "revisions", None),
            metrics=figures + self._operations.figures(asked, span),
            trials=tried,
            events=events,
            building=frozenset(lane.kind for lane in self._lanes() if lane.collecting is not None),
            reference_id=self._reference_id,
            findings=[],
            troubles=self._troubles(now),
            shadows=tuple(parts(shadows, "predictions", pane)),
            shadow_outcomes=tuple(together(parts(shadows, "outcomes", None), pane)),
            agreements=tuple(together(parts(shadows, "agreements", None), pane)),
            sets=tuple(together(parts(taken, "sets", None), pane)),
            opinions=tuple(together(parts(taken, "opinions", None), pane)),
            products=tuple(parts(taken, "products", pane)),
            refusals=tuple(refusals),
            excepted=any(one.from_ < now and now - self._pane < one.to for one in calendar)
            or breaks(refusals, self._judging.refused),
            ended=self._intake.ended(pane),
            joins=self._intake.joins,
        )

    def _troubles(self, now: Millis) -> tuple[tuple[Millis, Millis], ...]:
        """From when to when it was not normal: the calendar's exceptions, and incidents.

        What a person closed is normal, or accepted.
        """
        days = ((one.from_, one.to) for one in self._config.calendar if one.from_ < now)
        return (*days, *self._incidents(now))

    def _incidents(self, now: Millis) -> tuple[tuple[Millis, Millis], ...]:
        return tuple(
            (
                one.opened if one.change_point is None else one.change_point,
                now if one.ended is None else one.ended,
            )
            for one in self._state.incidents
            if one.ended is None or not one.closed_by_person
        )

    def _standing(self) -> Standing:
        """How the model does, as far as a watch knows."""
        return UNKNOWN if self._stands is None else self._stands.standing()

    def _lanes(self) -> list[Lane]:
        """The watches that judge against the reference."""
        return [watch for watch in self._watches.values() if isinstance(watch, Lane)]

    def _finish_references(self, pane: int) -> None:
        """A reference that has grown enough is in force from the next pane on."""
        baseline = self.baseline
        assert baseline is not None
        judging, over = self._judging, self.end_of(pane) >= self._judging.learn_until
        enough = {
            "predictions": (pane >= baseline.learned_until, judging.learn_rows),
            "outcomes": (over, _share(judging.learn_rows, self._config.labels)),
        }
        for lane in self._lanes():
            growing, (due, rows) = lane.collecting, enough[lane.kind]
            if growing is not None and due and growing.panes >= MIN_PANES and growing.rows >= rows:
                normals = growing.normals()
                merged = msgspec.structs.replace(
                    baseline, normals=_merged(baseline, normals), source=f"panes to {pane}"
                )
                self.baseline = baseline = merged
                self._reference_id = merged.id
                lane.adopt(normals, merged.id)
            lane.settle(rows, baseline)

    def _obey(self, decisions: Decisions) -> None:
        """Carry out what the policy asks of the monitor itself."""
        for restart in decisions.restarts:
            for key in restart.signals:
                for watch in able(self._watches.values(), Restarts):  # type: ignore[type-abstract]
                    watch.restart(key.version, key.segment, key.signal)
        for wish in decisions.rebuilds:
            for other in able(self._watches.values(), Rebuilds):  # type: ignore[type-abstract]
                other.rebuild(wish.version, wish.since)

    # -- snapshots ---------------------------------------------------------------------------------

    def save(self) -> SavedModel:
        """The state, for a snapshot."""
        judging = self._intake is not None
        forwarded, pending, passed = self._waiting.save()
        return SavedModel(
            model=self._judging.model,
            baseline=self.baseline,
            learner=None if judging else self._learner.save(),
            intake=self._intake.save() if self._intake is not None else None,
            watches={name: watch.save() for name, watch in self._watches.items()},
            ranges=self._ranges.save(),
            forwarded=forwarded,
            pending=pending,
            passed=passed,
            policy=self._state,
            epoch=self.epoch,
        )

    def renew(self, saved: SavedModel, sequence: int) -> tuple[Closed, Millis]:
        """Begin after a snapshot of an earlier epoch: what to say, and of which instant."""
        judging, state = self._judging, saved.policy
        until = judging.since if state.began is None else state.now
        self._state, decisions = self._policy.renewed(state, reason(judging), sequence)
        said = [statement(judging, until)]
        # All of it: what was read is not read again, wherever the epoch begins.
        waiting = [carried(one, judging) for one in saved.pending]
        self._waiting.load(saved.forwarded, waiting, {})
        pane = until // self._pane
        return Closed(pane=pane, findings=said, severities=[None], decisions=decisions), until

    def load(self, saved: SavedModel) -> None:
        """Take a snapshot up."""
        if saved.baseline is not None and saved.baseline != self.baseline:
            self._begin(saved.baseline)
        if saved.learner is not None:
            self._learner.load(saved.learner)
        if saved.intake is not None and self._intake is not None:
            self._intake.load(saved.intake)
        for name, watch in self._watches.items():
            if name in saved.watches:  # one that is newer than the snapshot begins with nothing
                watch.load(saved.watches[name])
        self._ranges.load(saved.ranges)
        self._waiting.load(saved.forwarded, saved.pending, saved.passed)
        self._state = saved.policy


def _share(rows: int, labels: Labels) -> int:
    """How many of `rows` have labels that are kept, as far as that is promised."""
    return int(rows * labels.min_coverage * labels.sample)


def _merged(baseline: Baseline, normals: Normals) -> Normals:
    """The reference of both lanes: what was there, and what has just been built."""
    out = {segment: dict(signals) for segment, signals in baseline.normals.items()}
    for segment, signals in normals.items():
        out.setdefault(segment, {}).update(signals)
    return out
