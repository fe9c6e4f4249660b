"""Canary: a new version against the one that serves, on the same panes and segments.

Harm is proven by errors (where labels come), failures, slow answers (`sides`), or figures that name
their version (`tagged`): `canary:RATE` and `canary:metric:NAME` alarm when the canary is surely
worse by more than the margin. Doubt is cast by `canary:estimate` (wrong answers as its scores have
them) and `canary:score` (its scores are spread otherwise): they pass their thresholds and alarm
nobody, except the estimate where `estimated: rollback`. `canary:ready` passes its threshold when
the canary is surely not worse.

The error rate is shared: by all measures of harm, by both of doubt, and readiness has its own; the
n-th figure has 1 / (n (n + 1)) of what figures have. All hold at any time, over the whole step, if
rows are independent.

Promises: a canary is what `canary_started` names, until it is promoted or rolled back; a step of
its traffic share begins the proof of readiness anew, never that of harm; harm once proven stays.
Leaves to others: the verdict (policy), whether anyone follows it.
"""

from math import log
from typing import Final

import msgspec

from detectors.contest import Score, no_worse, worse
from schemas.finding import Finding, Measured
from schemas.grid import WHOLE
from schemas.inputs import ModelEvent
from schemas.log import Millis
from streams.monitor.rollout import shifts, tagged
from streams.monitor.rollout.sides import Sides, both
from streams.monitor.rollout.trial import NOTHING, Pair, Trial, block, flat, mean, score
from streams.monitor.watch import Closing, Part, Setting

MOST: Final = 8
"""Canaries at a time; further ones wait."""
HARMS: Final = ("error", "failed", "slow")
DOUBTS: Final = 2
"""The estimate and the scores."""

Proof = tuple[float, float]
"""A log e-value and its threshold."""


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """The watch in a snapshot; `meanings` is what the champion's scores mean (`sides`)."""

    trials: dict[str, Trial]
    promoted: str
    meanings: list[int] = []


_encoder: Final = msgspec.msgpack.Encoder(order="deterministic")
_decoder: Final = msgspec.msgpack.Decoder(Saved)


class Canary:
    """Every canary of one model."""

    def __init__(self, setting: Setting) -> None:
        """`setting` gives the layout and how a canary is judged."""
        self._model, self._rules = setting.judging.model, setting.config.rollout
        self._sides = Sides(setting)
        self._score = setting.layout.predictions.get("score")
        self._places = 1 + sum(len(one.labels()) for one in setting.layout.grid.segments)
        self._trials: dict[str, Trial] = {}
        self._promoted = ""
        self._harms: tuple[str, ...] = HARMS
        if self._rules.estimated == "rollback":
            self._harms = (*HARMS, "estimate")
        shares = len(self._harms) + 1  # the figures have one together
        self._level = -log(self._rules.error_rate)
        self._harm, self._doubt = self._level + log(shares), self._level + log(DOUBTS)

    def close(self, closing: Closing) -> list[Finding]:
        """Judge the canaries of a pane."""
        for at, event in closing.events:
            self._hear(at, event)
        found: list[Finding] = []
        for version in sorted(self._trials):
            trial = self._trials[version]
            if not trial.champion:
                trial.champion = self._champion(closing.predictions)
            if trial.champion:
                found += self._judge(version, trial, closing)
        self._sides.learn(closing.outcomes, set(self._trials))
        return found

    def _hear(self, at: Millis, event: ModelEvent) -> None:
        """What people and services say of versions."""
        version = event.version
        if version is None:
            return
        if event.type == "canary_started":
            trial = self._trials.get(version)
            if trial is None and len(self._trials) < MOST:
                self._trials[version] = Trial(
                    champion="" if self._promoted == version else self._promoted,
                    share=event.traffic_share,
                    since=at,
                )
            elif trial is not None and event.traffic_share not in (None, trial.share):
                trial.share, trial.since = event.traffic_share, at
                trial.ready = NOTHING
        elif event.type in ("promoted", "rolled_back"):
            self._trials.pop(version, None)
            if event.type == "promoted":
                self._promoted, self._sides.meanings = version, []
                for name, trial in self._trials.items():
                    # Against a new champion everything is to be shown anew.
                    self._trials[name] = Trial(champion=version, share=trial.share, since=at)

    def _champion(self, predictions: list[Part]) -> str:
        """Where nobody said so: the version with most rows that is no canary."""
        rows = [
            (self._sides.rows(part.vector), part.version)
            for part in predictions
            if part.segment == WHOLE and not part.late and part.version not in self._trials
        ]
        return max(rows, default=(0, ""))[1]

    def _judge(self, version: str, trial: Trial, closing: Closing) -> list[Finding]:
        """Compare what both did in this pane; gives a finding a measure, and one of readiness."""
        sides = self._sides.of(version, trial, closing)
        whose = version, trial, closing.span
        found = [
            self._rate(whose, name, sides[name]) for name in (*HARMS, "estimate") if name in sides
        ]
        found += self._figures(whose, closing)
        if self._score is not None:
            found.append(self._shift(whose, closing))
        steady = "error" if self._sides.labelled else "failed"
        pair = sides.get(steady, {}).get(WHOLE)
        if pair is not None:
            trial.ready = flat(no_worse(score(trial.ready), block(pair), self._rules.margin))
        ready = score(trial.ready)
        proof = ready.log_e, self._level
        found.append(self._finding(whose, "ready", proof, _rates(ready), _rows(ready)))
        return found

    def _rate(
        self, whose: tuple[str, Trial, tuple[Millis, Millis]], name: str, pairs: dict[str, Pair]
    ) -> Finding:
        """How a rate stands, over all places."""
        trial, margin = whose[1], self._rules.margin
        places = trial.harms.setdefault(name, {})
        for place, pair in pairs.items():
            before = score(places.get(place, NOTHING))
            places[place] = flat(worse(before, block(pair), margin))
        whole = score(places.get(WHOLE, NOTHING))
        evidence = mean([one[4] for one in places.values()], self._places)
        harmful = name in self._harms
        threshold = self._harm if harmful else self._doubt
        alarm = harmful and _proven(trial, name, evidence >= threshold)
        effect = _rates(whole)
        if alarm:
            fall = whole.rate_b - whole.rate_a
            effect = msgspec.structs.replace(
                effect, fall=fall, fall_ratio=max(fall, margin) / (1 - whole.rate_a)
            )
        return self._finding(whose, name, (evidence, threshold), effect, _rows(whole), alarm=alarm)

    def _figures(
        self, whose: tuple[str, Trial, tuple[Millis, Millis]], closing: Closing
    ) -> list[Finding]:
        """How the figures stand that both have sent."""
        version, trial, _ = whose
        asked = both(closing.predictions, trial.champion, version).get(WHOLE)
        if asked is not None:
            rows = self._sides.rows(asked[0]), self._sides.rows(asked[1])
            sent = (*closing.metrics, *closing.trials)
            tagged.compare(trial, version, sent, rows, self._rules.margin)
        found = []
        for place, (name, one) in enumerate(trial.figures.items(), 1):
            threshold = self._harm + log(place * (place + 1))
            signal = f"metric:{name}"
            alarm = _proven(trial, signal, one.log_e >= threshold)
            effect = tagged.effect(trial, name, self._rules.margin, alarm=alarm)
            rows = (one.rows_a, one.rows_b) if one.told else (0, 0)
            found.append(
                self._finding(whose, signal, (one.log_e, threshold), effect, rows, alarm=alarm)
            )
        return found

    def _shift(self, whose: tuple[str, Trial, tuple[Millis, Millis]], closing: Closing) -> Finding:
        """How far apart the scores are."""
        version, trial, _ = whose
        assert self._score is not None
        asked = both(closing.predictions, trial.champion, version).get(WHOLE)
        if asked is not None:
            shifts.compare(trial, asked[0][self._score.span], asked[1][self._score.span])
        proof = shifts.evidence(trial), self._doubt
        return self._finding(whose, "score", proof, shifts.effect(trial), shifts.rows(trial))

    def _finding(
        self,
        whose: tuple[str, Trial, tuple[Millis, Millis]],
        name: str,
        proof: Proof,
        effect: Measured,
        rows: tuple[int, int],
        *,
        alarm: bool = False,
    ) -> Finding:
        """What a contest says now, of so many rows of the champion and of the canary."""
        version, trial, span = whose
        now, then = effect.current, effect.baseline
        return Finding(
            model=self._model,
            version=version,
            segment=WHOLE,
            signal=f"canary:{name}",
            detector="contest",
            state="judged" if min(rows) else "too_few_rows",
            alarm=alarm,
            joins=alarm,
            inside=not alarm,
            symptom="fall",
            statistic=proof[0],
            threshold=proof[1],
            effect=effect,
            direction="" if now is None or then is None else "up" if now > then else "down",
            change_point=trial.since if alarm else None,
            window_start=min(trial.since, span[0]),
            window_end=span[1],
            rows=rows[1],
            reference_id=trial.champion,
            reference_rows=rows[0],
        )

    def save(self) -> bytes:
        """The state, for a snapshot."""
        meanings = self._sides.meanings
        saved = Saved(trials=self._trials, promoted=self._promoted, meanings=meanings)
        return _encoder.encode(saved)

    def load(self, saved: bytes) -> None:
        """Take a snapshot up."""
        one = _decoder.decode(saved)
        self._trials, self._promoted = dict(one.trials), one.promoted
        self._sides.meanings = list(one.meanings)


def _proven(trial: Trial, name: str, now: bool) -> bool:  # noqa: FBT001 - what is seen now
    """Whether harm is proven, now or before."""
    if now and name not in trial.proven:
        trial.proven.append(name)
    return name in trial.proven


def _rates(one: Score) -> Measured:
    return Measured(current=one.rate_b, baseline=one.rate_a)


def _rows(one: Score) -> tuple[int, int]:
    return one.rows_a, one.rows_b
