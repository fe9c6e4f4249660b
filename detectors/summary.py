"""What a mergeable summary of rows is: a vector of integers, and merging is addition.

Promises, of everything that fits `Summary`: counting is additive (any split of the rows gives the
same sums), counts are exact integers, reading never gives NaN or infinity: what cannot be judged
is None.
Leaves to others: the blocks themselves, one file each.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from detectors.arrays import Counts

Statistics_co = TypeVar("Statistics_co", covariant=True)


class Summary(Protocol[Statistics_co]):
    """A frozen description of a block of `width` integers."""

    @property
    def width(self) -> int:
        """How many integers the block takes."""
        ...

    @property
    def count(self) -> Callable[..., Counts]:
        """`count(*columns, groups=(n,), n_groups=int)` sums rows per group: (n_groups, width).

        Which columns, each (n,), is the block's own; every group index is in 0..n_groups-1.
        """
        ...

    def read(self, counts: Counts) -> Statistics_co:
        """Statistics of a vector (width,), however many sums went into it."""
        ...
