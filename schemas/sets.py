"""Sets: the cells of the versions of a feature set, by name, for whoever counts rows by them.

Promises: any name has its cell, so no flood of names takes memory; two of a few names share one
with a chance of one in a thousand.
"""

import zlib
from typing import Final

WIDTH: Final = 1024


def cell_of(name: str) -> int:
    """The cell (0..WIDTH - 1) of a name."""
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) % WIDTH
