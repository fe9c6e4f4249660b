"""A standing: how a model does and how many rows there are, at a closed pane, for the policy.

Promises: facts only, bounded; an empty standing says that nothing is known.
Leaves to others: measuring (monitor), what is told of it (policy).
"""

from typing import Final

import msgspec

from schemas.log import Millis
from schemas.output_parts import Performance


class Tally(msgspec.Struct, frozen=True, array_like=True):
    """Predictions with event times in [start, end), and how many of them have a label by now."""

    start: Millis
    end: Millis
    rows: int
    labelled: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """`performance` by version; `tallies` in order of time, older ones coarser."""

    performance: dict[str, Performance] = {}
    tallies: tuple[Tally, ...] = ()

    def rows_from(self, start: Millis) -> tuple[int, int] | None:
        """Predictions and labels from `start` on, of tallies that end after it; None: unknown."""
        if not self.tallies:
            return None
        inside = [one for one in self.tallies if one.end > start]
        return sum(one.rows for one in inside), sum(one.labelled for one in inside)


UNKNOWN: Final = Standing()
"""Nothing is known."""
