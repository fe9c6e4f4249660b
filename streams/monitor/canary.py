"""Canary: a new version against the one that serves, on the same panes and segments.

Three rates are compared: errors (where labels come; of numbers, residuals larger than 80 % of the
champion's), failures, and answers slower than 95 % of the champion's. `canary:RATE` alarms when the
canary is surely worse by more than the margin; `canary:ready` passes its threshold when it is
surely not. Both hold at any time, each with the promised error rate over the whole step
(`detectors.contest`), if rows are independent.

Promises: a canary is what `canary_started` names, until it is promoted or rolled back; a step of
its traffic share begins the proof of readiness anew, never that of harm; harm once proven stays.
Leaves to others: the verdict (policy), whether anyone follows it.
"""

from math import exp, log
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.contest import Block, Score, no_worse, worse
from schemas.finding import Finding, Measured
from schemas.grid import WHOLE
from schemas.inputs import ModelEvent
from schemas.journal import Counts
from schemas.log import Millis
from streams.monitor.outcomes.blocks import Blocks
from streams.monitor.watch import Closing, Part, Setting

MOST: Final = 8
"""Canaries at a time; further ones wait."""
SLOW: Final = 0.95
"""An answer is slow beyond this quantile of the champion's."""
FAR: Final = 0.8
"""A number is wrong beyond this quantile of the champion's absolute residuals."""
MEASURES: Final = ("error", "failed", "slow")

Flat = tuple[int, int, int, int, float]
"""A score in a snapshot."""
NOTHING: Final[Flat] = (0, 0, 0, 0, 0.0)
Hits = tuple[int, int]
"""Rows, and those of them that are a hit."""


class Trial(msgspec.Struct, kw_only=True):
    """One canary; `harms` by measure and place, `ready` over this step's rows."""

    champion: str
    share: float | None = None
    since: Millis = 0
    harms: dict[str, dict[str, Flat]] = {}
    ready: Flat = NOTHING
    proven: list[str] = []
    latency: list[int] = []
    residuals: list[int] = []


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """The watch in a snapshot."""

    trials: dict[str, Trial]
    promoted: str


_encoder: Final = msgspec.msgpack.Encoder(order="deterministic")
_decoder: Final = msgspec.msgpack.Decoder(Saved)


class Canary:
    """Every canary of one model."""

    def __init__(self, setting: Setting) -> None:
        """`setting` gives the layout and how a canary is judged."""
        self._judging, self._layout = setting.judging, setting.layout
        self._rules = setting.config.rollout
        kept = setting.layout.outcomes if setting.judging.labelled else {}
        self._blocks = Blocks(setting.layout) if "confusion" in kept else None
        self._sizes: npt.NDArray[np.float64] | None = None
        if setting.layout.residuals is not None and "error" in kept:
            self._sizes = np.abs(setting.layout.residuals.values)
        self._places = 1 + sum(len(one.labels()) for one in setting.layout.grid.segments)
        self._reference = setting.baseline.id
        self._trials: dict[str, Trial] = {}
        self._promoted = ""

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
                self._promoted = version
                for name, trial in self._trials.items():
                    # Against a new champion everything is to be shown anew.
                    self._trials[name] = Trial(champion=version, share=trial.share, since=at)

    def _champion(self, predictions: list[Part]) -> str:
        """Where nobody said so: the version with most rows that is no canary."""
        rows = [
            (_rows(self._asked(part.vector)), part.version)
            for part in predictions
            if part.segment == WHOLE and not part.late and part.version not in self._trials
        ]
        return max(rows, default=(0, ""))[1]

    def _judge(self, version: str, trial: Trial, closing: Closing) -> list[Finding]:
        """Compare what both did in this pane; gives a finding a measure, and one of readiness."""
        sides = self._sides(version, trial, closing)
        level = -log(self._rules.error_rate)
        measures = [name for name in MEASURES if name in sides]
        steady = "failed" if self._blocks is None and self._sizes is None else "error"
        found = []
        for name in measures:
            places = trial.harms.setdefault(name, {})
            for place, (champion, canary) in sides[name].items():
                score = _score(places.get(place, NOTHING))
                places[place] = _flat(worse(score, _block(champion, canary), self._rules.margin))
            whole = _score(places.get(WHOLE, NOTHING))
            evidence = _mean([one[4] for one in places.values()], self._places)
            threshold = level + log(len(MEASURES))
            if evidence >= threshold and name not in trial.proven:
                trial.proven.append(name)
            found.append(
                self._finding(
                    (version, trial, closing.span),
                    f"canary:{name}",
                    (evidence, threshold),
                    whole,
                    alarm=name in trial.proven,
                )
            )
        pair = sides.get(steady, {}).get(WHOLE)
        if pair is not None:
            step = no_worse(_score(trial.ready), _block(*pair), self._rules.margin)
            trial.ready = _flat(step)
        ready = _score(trial.ready)
        found.append(
            self._finding(
                (version, trial, closing.span), "canary:ready", (ready.log_e, level), ready
            )
        )
        return found

    def _sides(
        self, version: str, trial: Trial, closing: Closing
    ) -> dict[str, dict[str, tuple[Hits, Hits]]]:
        """By measure and place, rows and hits of the champion and of the canary."""
        asked = _both(closing.predictions, trial.champion, version)
        out: dict[str, dict[str, tuple[Hits, Hits]]] = {"failed": {}, "slow": {}}
        slow = _beyond(trial.latency, None, SLOW)
        for place, (champion, canary) in asked.items():
            out["failed"][place] = self._failed(champion), self._failed(canary)
            if slow is not None:
                out["slow"][place] = self._slow(champion, slow), self._slow(canary, slow)
        if WHOLE in asked:
            seen = asked[WHOLE][0][self._layout.predictions["latency"].span]
            trial.latency = _added(trial.latency, seen)
        answered = _both(closing.outcomes, trial.champion, version)
        if self._blocks is not None:
            out["error"] = {
                place: (self._wrong(champion), self._wrong(canary))
                for place, (champion, canary) in answered.items()
            }
        elif self._sizes is not None:
            out["error"] = self._far(trial, answered)
        return out

    def _far(
        self, trial: Trial, answered: dict[str, tuple[Counts, Counts]]
    ) -> dict[str, tuple[Hits, Hits]]:
        """Rows whose number is far off, for both versions by place."""
        span = self._layout.outcomes["error"].span
        far = _beyond(trial.residuals, self._sizes, FAR)
        if WHOLE in answered:
            trial.residuals = _added(trial.residuals, answered[WHOLE][0][span])
        if far is None:
            return {}
        return {
            place: (_hits(champion[span], far), _hits(canary[span], far))
            for place, (champion, canary) in answered.items()
        }

    def _asked(self, vector: Counts) -> Counts:
        name = "prediction" if "prediction" in self._layout.predictions else "latency"
        return vector[self._layout.predictions[name].span]

    def _failed(self, vector: Counts) -> Hits:
        failed = int(vector[self._layout.predictions["failed"].span].sum())
        return max(_rows(self._asked(vector)), failed), failed

    def _slow(self, vector: Counts, slow: npt.NDArray[np.bool_]) -> Hits:
        return _hits(vector[self._layout.predictions["latency"].span], slow)

    def _wrong(self, vector: Counts) -> Hits:
        assert self._blocks is not None
        table = self._blocks.table(self._blocks.compact(vector))
        rows = int(table[:, :-1].sum())
        classes = len(self._blocks.classes)
        return rows, rows - int(np.trace(table[:classes, :classes]))

    def _finding(
        self,
        whose: tuple[str, Trial, tuple[Millis, Millis]],
        signal: str,
        proof: tuple[float, float],
        score: Score,
        *,
        alarm: bool = False,
    ) -> Finding:
        """What a contest says now; performance is what is left of 1."""
        version, trial, span = whose
        judged = bool(score.rows_a and score.rows_b)
        champion, canary = score.rate_a, score.rate_b
        fall = canary - champion
        return Finding(
            model=self._judging.model,
            version=version,
            segment=WHOLE,
            signal=signal,
            detector="contest",
            state="judged" if judged else "too_few_rows",
            alarm=alarm,
            joins=alarm,
            inside=not alarm,
            symptom="fall",
            statistic=proof[0],
            threshold=proof[1],
            effect=Measured(
                current=canary,
                baseline=champion,
                fall=fall if alarm else None,
                fall_ratio=max(fall, self._rules.margin) / (1 - champion) if alarm else None,
            ),
            direction="up" if fall > 0 else "down",
            change_point=trial.since if alarm else None,
            window_start=min(trial.since, span[0]),
            window_end=span[1],
            rows=score.rows_b,
            reference_id=trial.champion,
            reference_rows=score.rows_a,
        )

    def save(self) -> bytes:
        """The state, for a snapshot."""
        return _encoder.encode(Saved(trials=self._trials, promoted=self._promoted))

    def load(self, saved: bytes) -> None:
        """Take a snapshot up."""
        one = _decoder.decode(saved)
        self._trials, self._promoted = dict(one.trials), one.promoted


def _both(parts: list[Part], champion: str, canary: str) -> dict[str, tuple[Counts, Counts]]:
    """The rows of both versions, by segment, where both have some in this pane."""
    rows: dict[tuple[str, str], Counts] = {
        (part.segment, part.version): part.vector for part in parts if not part.late
    }
    places = [segment for segment, version in rows if version == canary]
    return {
        place: (rows[place, champion], rows[place, canary])
        for place in places
        if (place, champion) in rows
    }


def _rows(cells: Counts) -> int:
    return int(cells.sum())


def _hits(cells: Counts, bad: npt.NDArray[np.bool_]) -> Hits:
    return _rows(cells), int(cells[bad].sum())


def _added(before: list[int], seen: Counts) -> list[int]:
    """The champion's cells so far: a pane is judged by what was fixed before it."""
    total: list[int] = (np.array(before or [0] * len(seen), np.int64) + seen).tolist()
    return total


def _beyond(
    cells: list[int], sizes: npt.NDArray[np.float64] | None, quantile: float
) -> npt.NDArray[np.bool_] | None:
    """The cells (width,) that lie wholly beyond a quantile of the rows in `cells`; None: no rows.

    `sizes` (width,): what makes a cell bad, NaN the most; None: the cells are in that order.
    """
    counts = np.array(cells, np.int64)
    if not counts.sum():
        return None
    ranks = np.arange(len(counts), dtype=np.float64)
    if sizes is not None:
        ranks = np.where(np.isnan(sizes), np.inf, sizes)
    order = np.argsort(ranks, kind="stable")
    enough = np.cumsum(counts[order]) >= quantile * counts.sum()
    beyond: npt.NDArray[np.bool_] = ranks > ranks[order[int(np.argmax(enough))]]
    return beyond


def _mean(logs: list[float], places: int) -> float:
    """The log of the mean of e-processes over all places; those without rows are 1 each."""
    most = max([0.0, *logs])
    rest = max(0, places - len(logs)) * exp(-most)
    total = sum(exp(one - most) for one in logs) + rest
    return most + log(total / max(places, len(logs)))


def _block(champion: Hits, canary: Hits) -> Block:
    return Block(rows_a=champion[0], hits_a=champion[1], rows_b=canary[0], hits_b=canary[1])


def _score(flat: Flat) -> Score:
    rows_a, hits_a, rows_b, hits_b, log_e = flat
    return Score(rows_a=rows_a, hits_a=hits_a, rows_b=rows_b, hits_b=hits_b, log_e=log_e)


def _flat(score: Score) -> Flat:
    return score.rows_a, score.hits_a, score.rows_b, score.hits_b, score.log_e
