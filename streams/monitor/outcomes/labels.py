"""Labels: how late they come, how many, for whom, and how often they are corrected.

Readings `label:delay_p50_ms`, `label:delay_p90_ms`, `label:coverage`, `label:bias` (biased
labels: coverage differs strongly by predicted class or score), `label:correction_rate` (rows
whose label changed, less those that cancel out), `metric:accuracy` of detector `reweighted`. One
alarm: `operational:label_delay`, when more labels than a tenth come later than the reference's
p90 did.

Promises: delays are judged once the horizon has passed since the first pane, because before it
late labels cannot have come yet.
Leaves to others: a label class outside the grid (it is a cell of the signal `label`); whether
annotators agree (`annotators`).
"""

from typing import Final

import msgspec
import numpy as np

from detectors.metrics import coverage as covered
from detectors.metrics.interval import wilson
from detectors.metrics.quantiles import quantile
from detectors.reference import reference_of
from schemas.finding import Finding, Measured
from schemas.grid import WHOLE
from schemas.journal import Counts, Sparse
from schemas.log import Millis
from streams.monitor.outcomes.blocks import Blocks
from streams.monitor.outcomes.cohorts import Cohort
from streams.monitor.outcomes.normal import Normal
from streams.monitor.outcomes.stack import SavedStack, Stack, Subject, indicator
from streams.monitor.outcomes.telling import Teller
from streams.monitor.outcomes.windows import SavedWindows, Windows
from streams.monitor.watch import Closing, Setting

DELAY: Final = "operational:label_delay"
"""Whether a label came later than nine tenths of the reference's labels, and a cell more."""

REFERENCE_PANES: Final = 30
REFERENCE_ROWS: Final = 1000
"""Panes and labels that say which delays are normal."""

KEPT_PANES: Final = 200
"""Panes that wait for enough labels at most; the oldest give way."""

SLACK: Final = 1
"""Cells (of a tenth each) beyond the p90 that still count as within it."""

GROUPS: Final = 8
"""Bins of the score by which coverage is compared."""


class SavedLabels(msgspec.Struct, frozen=True, kw_only=True):
    """Labels in a snapshot."""

    first: int | None
    panes: list[Sparse]
    limit: int | None
    normal: tuple[int, int, float] | None
    stacks: dict[str, SavedStack]
    corrected: SavedWindows


class Labels:
    """The labels of one model."""

    def __init__(self, setting: Setting, blocks: Blocks) -> None:
        """`setting` says horizon, coverage and budget."""
        self._setting, self._blocks = setting, blocks
        self._first: int | None = None
        self._panes: list[Counts] = []
        self._limit: int | None = None
        self._normal: tuple[int, int, float] | None = None
        """Labels within and beyond the limit in the reference, and their dispersion."""
        self._stacks: dict[str, Stack] = {}
        self._corrected = Windows(2, lambda vector: int(vector[1]))

    def delay(self, arrived: Windows) -> Millis | None:
        """The p90 of the delays of all versions lately; None before the first label."""
        sums = [
            self._blocks.part(arrived.sum(place).counts, "delay")
            for place in arrived
            if place[1] == WHOLE
        ]
        if not sums:
            return None
        found = quantile(np.sum(sums, axis=0), self._blocks.layout.delay.values, 0.9)
        return None if found is None else int(found.value)

    def enough(self, cohort: Cohort) -> bool:
        """Whether so many labels have come that a cohort may be judged."""
        labels = self._setting.config.labels
        return self._blocks.rows(cohort.outcomes) >= labels.min_coverage * self._kept(cohort.rows)

    def _kept(self, rows: int) -> int:
        """How many of so many rows are kept for their labels: all, or a sample of the ids."""
        return round(rows * self._setting.config.labels.sample)

    def close(self, closing: Closing, normal: Normal, arrived: Windows) -> list[Finding]:
        """Delays and corrections of the labels that came in a pane."""
        found: list[Finding] = []
        self._stacks = {name: one for name, one in self._stacks.items() if name in arrived.versions}
        if self._first is None and closing.predictions:
            self._first = min(part.pane for part in closing.predictions)
        self._note_corrections(closing)
        values = self._blocks.layout.delay.values
        for part in closing.outcomes:
            if part.segment != WHOLE:
                continue
            window = arrived.sum((part.version, WHOLE))
            pane = self._setting.judging.pane
            teller = Teller(
                model=self._setting.judging.model,
                version=part.version,
                segment=WHOLE,
                span=(window.first * pane, closing.span[1]),
                reference_id=normal.reference_id,
                reference_rows=normal.rows,
            )
            delays = self._blocks.part(window.counts, "delay")
            for name, share in (("p50", 0.5), ("p90", 0.9)):
                one = quantile(delays, values, share)
                if one is not None:
                    effect = Measured(current=one.value, low=one.low, high=one.high)
                    found.append(
                        teller.tell(
                            f"label:delay_{name}_ms",
                            "window",
                            statistic=one.value,
                            rows=one.rows,
                            effect=effect,
                        )
                    )
            found += self._correction(teller)
        return found + self._late(closing)

    # -- corrections -----------------------------------------------------------------------------

    def _note_corrections(self, closing: Closing) -> None:
        told: dict[str, Counts] = {}
        for parts, column in ((closing.revisions, 0), (closing.outcomes, 1)):
            for part in parts:
                if part.segment == WHOLE:
                    counts = self._blocks.compact(part.vector)
                    row = told.setdefault(part.version, np.zeros(2, np.int64))
                    row[column] += self._blocks.rows(counts) if column else self._changed(counts)
        for version, row in sorted(told.items()):
            self._corrected.add((version, WHOLE), closing.pane, row)

    def _changed(self, revised: Counts) -> int:
        """Rows that corrected labels took out of a cell of outcomes."""
        layout = self._blocks.layout
        name = "confusion" if layout.residuals is None else "label"
        block = self._blocks.part(revised, "error" if layout.ranking else name)
        return int(-block[block < 0].sum())

    def _correction(self, teller: Teller) -> list[Finding]:
        if (teller.version, WHOLE) not in self._corrected:
            return []
        changed, rows = self._corrected.sum((teller.version, WHOLE)).counts.tolist()
        rate = wilson(min(changed, rows), rows)
        if rate is None:
            return []
        effect = Measured(current=rate.value, low=rate.low, high=rate.high)
        return [
            teller.tell(
                "label:correction_rate", "window", statistic=rate.value, rows=rows, effect=effect
            )
        ]

    # -- coverage --------------------------------------------------------------------------------

    def coverage(
        self, teller: Teller, asked: Counts, counts: Counts, normal: Normal
    ) -> list[Finding]:
        """How many of a mature cohort got a label, and whether they are like the others.

        Where ids are sampled, a label is found for a share of those that came. The share is known,
        how many ids it chose is not: so it is the share of all rows that has an interval, and both
        are divided by it. `rows` are those that are kept, as many as are to be expected.
        """
        every, labelled = int(asked.sum()), self._blocks.rows(counts)
        rows, sample = self._kept(every), self._setting.config.labels.sample
        found = wilson(min(labelled, every), every)
        if found is None:
            return []
        value, low, high = (min(one / sample, 1.0) for one in (found.value, found.low, found.high))
        least = self._setting.config.labels.min_coverage
        out = [
            teller.tell(
                "label:coverage",
                "cohort",
                statistic=value,
                threshold=least,
                rows=rows,
                breach=value < least,
                effect=Measured(current=value, low=low, high=high),
            )
        ]
        for name, strata in self._strata(asked, counts).items():
            gap = covered.gap(strata[0], strata[1])
            if gap is not None:
                gap = gap._replace(size=min(gap.size / sample, 1.0))
                finding = teller.tell(
                    f"label:bias:{name}",
                    "coverage",
                    statistic=gap.size,
                    threshold=covered.BIASED,
                    rows=rows,
                    breach=gap.biased,
                )
                out.append(msgspec.structs.replace(finding, p_value=gap.p_value))
            if len(strata) == 3:  # noqa: PLR2004 - asked, labelled, right
                even = covered.reweighted(*strata, normal.dispersion)
                if even is not None:
                    good = normal.metrics().get("accuracy")
                    out.append(teller.metric("reweighted", "accuracy", even, good))
        return out

    def _strata(self, asked: Counts, counts: Counts) -> dict[str, tuple[Counts, ...]]:
        """By predicted class (asked, labelled), by bin of the score (asked, labelled, right)."""
        blocks = self._blocks
        if blocks.layout.residuals is not None:
            return {}
        table = blocks.table(counts)
        width = len(table)
        out: dict[str, tuple[Counts, ...]] = {
            "class": (asked.reshape(-1, width).sum(axis=0), table[:, :-1].sum(axis=1))
        }
        if "wrong" in blocks and blocks.layout.score is not None:
            by_score = asked.reshape(blocks.layout.score.width, -1).sum(axis=1)
            right, wrong = blocks.part(counts, "wrong").reshape(-1, 2).T
            bins = np.minimum(
                np.cumsum(by_score) * GROUPS // max(by_score.sum() + 1, 1), GROUPS - 1
            )
            out["score"] = tuple(
                np.bincount(bins, one, GROUPS).astype(np.int64)
                for one in (by_score, right + wrong, right)
            )
        return out

    # -- delay -----------------------------------------------------------------------------------

    def _late(self, closing: Closing) -> list[Finding]:
        """The alarm on delays; before there is a reference, gather one."""
        wholes = [part for part in closing.outcomes if part.segment == WHOLE]
        delays = {
            part.version: self._blocks.part(self._blocks.compact(part.vector), "delay")
            for part in wholes
        }
        if not delays or self._first is None:
            return []
        if self._normal is None:
            judging, horizon = self._setting.judging, self._setting.config.labels.horizon
            if closing.span[0] >= self._first * judging.pane + horizon:
                self._panes.append(np.sum(list(delays.values()), axis=0))
                self._learn()
            return []
        found = [
            self._stack(version).update(closing.pane, self._sides(counts)[None, :])
            for version, counts in sorted(delays.items())
        ]
        return [one for one in found if one is not None]

    def _learn(self) -> None:
        del self._panes[:-KEPT_PANES]
        total = np.sum(self._panes, axis=0)
        rows = int(total.sum())
        if len(self._panes) < REFERENCE_PANES or rows < REFERENCE_ROWS:
            return
        self._limit = int(np.searchsorted(np.cumsum(total), 0.9 * rows)) + SLACK
        panes = np.array([self._sides(counts) for counts in self._panes])
        dispersion = float(reference_of("binary", panes).dispersion.max())
        within, beyond = panes.sum(axis=0).tolist()
        self._normal = within, beyond, dispersion
        self._panes = []

    def _sides(self, delays: Counts) -> Counts:
        assert self._limit is not None
        within = int(delays[: self._limit + 1].sum())
        return np.array([within, int(delays.sum()) - within], np.int64)

    def _stack(self, version: str) -> Stack:
        stack = self._stacks.get(version)
        if stack is None:
            assert self._normal is not None
            subject = Subject(
                version=version,
                segment=WHOLE,
                signal=DELAY,
                upward=True,
                reference_id="first labels",
            )
            stack = Stack(
                subject,
                ["later than the reference's p90"],
                [indicator(*self._normal)],
                self._setting.judging,
                self._setting.threshold,
            )
            self._stacks[version] = stack
        return stack

    def restart(self, version: str, segment: str, signal: str) -> None:
        """Begin the detector of delays anew."""
        if signal == DELAY and segment == WHOLE and version in self._stacks:
            self._stacks[version].restart()

    def save(self) -> SavedLabels:
        """The state, for a snapshot."""
        return SavedLabels(
            first=self._first,
            panes=[Sparse.pack(one) for one in self._panes],
            limit=self._limit,
            normal=self._normal,
            stacks={version: one.save() for version, one in sorted(self._stacks.items())},
            corrected=self._corrected.save(),
        )

    def load(self, saved: SavedLabels) -> None:
        """Take a snapshot up."""
        width = self._blocks.layout.delay.width
        self._first, self._limit, self._normal = saved.first, saved.limit, saved.normal
        self._panes = [one.full(width) for one in saved.panes]
        self._corrected.load(saved.corrected)
        self._stacks = {}
        for version, stack in saved.stacks.items():
            self._stack(version).load(stack)
