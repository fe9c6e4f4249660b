"""Sets of offsets as short texts: `0-12,15`.

Promises: `read(write(s)) == s`; neighbours are one stretch.
Leaves to others: what the offsets mean.
"""

from collections.abc import Iterable


def write(offsets: Iterable[int]) -> str:
    """The offsets as stretches, ascending."""
    out: list[tuple[int, int]] = []
    for offset in sorted(set(offsets)):
        if out and out[-1][1] == offset - 1:
            out[-1] = (out[-1][0], offset)
        else:
            out.append((offset, offset))
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in out)


def read(text: str) -> set[int]:
    """The offsets of a text that `write` made; ValueError if it is none."""
    found: set[int] = set()
    for stretch in filter(None, text.split(",")):
        first, _, last = stretch.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found
