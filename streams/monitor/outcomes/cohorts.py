"""Cohorts: the predictions of a stretch of time, and what has become of them by now.

A cohort is one pane, or several where the horizon is long, so that no horizon needs more than
`MAX_COHORTS` of them. It is mature once enough of its labels have come and the measured label
delay has passed, or the horizon; it is judged then, once. Labels and corrections that come later
still count in it.

Promises: a cohort is the sum of what counts in it, so its metric is that of the corrected labels
from the beginning; bounded by versions and cohorts.
Leaves to others: metrics (`blocks`), estimates (`estimate`).
"""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec
import numpy as np

from schemas.journal import Counts, Sparse
from schemas.log import Millis
from streams.monitor.outcomes.windows import MAX_VERSIONS

MAX_COHORTS: Final = 256
"""Cohorts of a version that are waited for at once."""


class Cohort(msgspec.Struct, kw_only=True):
    """Predictions `asked` (score cells x predicted cells, or predicted cells), their outcomes."""

    asked: Counts
    outcomes: Counts
    judged: bool = False

    @property
    def rows(self) -> int:
        """Predictions."""
        return int(self.asked.sum())


class SavedCohort(msgspec.Struct, frozen=True, array_like=True):
    """A cohort in a snapshot."""

    version: str
    number: int
    asked: Sparse
    outcomes: Sparse
    judged: bool


class Cohorts:
    """The cohorts of every version that labels still come for."""

    def __init__(self, widths: tuple[int, int], pane: Millis, horizon: Millis) -> None:
        """`widths` of the vectors of predictions and of outcomes."""
        self._widths, self._pane, self._horizon = widths, pane, horizon
        self.span = max(1, -(-horizon // (pane * (MAX_COHORTS - 2))))
        """Panes in a cohort."""
        self._held: dict[str, dict[int, Cohort]] = {}

    def ask(self, version: str, pane: int, asked: Counts) -> None:
        """Count predictions of a pane, on time or late, if there is room for their version."""
        cohort = self._cohort(version, pane)
        if cohort is not None:
            np.add(cohort.asked, asked, out=cohort.asked)

    def answer(self, version: str, pane: int, outcomes: Counts) -> None:
        """Count outcomes, or signed counts of corrected ones, of predictions of a pane.

        Those of a cohort that is not kept, or not since it began, are passed over.
        """
        known = self.outcomes(version, pane)
        if known is not None and not (known + outcomes < 0).any():
            np.add(known, outcomes, out=known)

    def outcomes(self, version: str, pane: int) -> Counts | None:
        """What has become of the predictions of the cohort of a pane; None if it is not kept."""
        cohort = self._held.get(version, {}).get(pane // self.span)
        return None if cohort is None else cohort.outcomes

    def mature(
        self, now: Millis, delay: Millis | None, enough: Callable[[Cohort], bool]
    ) -> list[tuple[str, int, Cohort]]:
        """Version, number and cohort of those that are to be judged now, in order, once each.

        `delay` is the measured label delay (None: not known yet), `enough` whether the labels
        that have come suffice. Cohorts that nothing can reach any more are forgotten.
        """
        found = []
        for version in sorted(self._held):
            cohorts = self._held[version]
            for number in sorted(cohorts):
                age = now - (number + 1) * self.span * self._pane
                cohort = cohorts[number]
                if not cohort.judged and cohort.rows:
                    waited = delay is not None and age >= delay and enough(cohort)
                    if age >= 0 and (waited or age >= self._horizon):
                        cohort.judged = True
                        found.append((version, number, cohort))
                # A pane more than the horizon, because a label's own pane closes after it.
                if age > self._horizon + self.span * self._pane:
                    del cohorts[number]
        self._held = {version: cohorts for version, cohorts in self._held.items() if cohorts}
        return found

    def _cohort(self, version: str, pane: int) -> Cohort | None:
        number = pane // self.span
        cohorts = self._held.get(version)
        if cohorts is None:
            if len(self._held) >= MAX_VERSIONS:
                last, oldest = min((max(held), name) for name, held in self._held.items())
                if last >= number:
                    return None
                del self._held[oldest]
            cohorts = self._held.setdefault(version, {})
        if number not in cohorts:
            asked, outcomes = (np.zeros(width, np.int64) for width in self._widths)
            cohorts[number] = Cohort(asked=asked, outcomes=outcomes)
            while len(cohorts) > MAX_COHORTS:
                del cohorts[min(cohorts)]
        return cohorts[number]

    def save(self) -> list[SavedCohort]:
        """The state, for a snapshot."""
        return [
            SavedCohort(
                version, number, Sparse.pack(one.asked), Sparse.pack(one.outcomes), one.judged
            )
            for version, cohorts in sorted(self._held.items())
            for number, one in sorted(cohorts.items())
        ]

    def load(self, saved: Iterable[SavedCohort]) -> None:
        """Take a snapshot up."""
        self._held = {}
        for one in saved:
            asked, outcomes = self._widths
            self._held.setdefault(one.version, {})[one.number] = Cohort(
                asked=one.asked.full(asked), outcomes=one.outcomes.full(outcomes), judged=one.judged
            )
