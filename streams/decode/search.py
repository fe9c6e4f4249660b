"""Search: which of many texts hold a word, at a fraction of what asking each of them costs.

Promises: exactly what `in` and `count` say of each.
Leaves to others: what it means that one does (`plain`, `glance`).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.rows import Ints

Mask = npt.NDArray[np.bool_]


class Word(NamedTuple):
    """A word, and where in it two bytes stand beside each other that are rare in what is sent."""

    text: bytes
    rare: int


ENVELOPE: Final = Word(b'"specversion"', 4)
COLUMNS: Final = Word(b'"columns"', 5)
NAN: Final = Word(b"NaN", 1)
INFINITY: Final = Word(b"Infinity", 0)


def holders(texts: Sequence[bytes], *words: Word) -> Mask:
    """Which of the texts (n,) hold at least one of the words."""
    found = np.zeros(len(texts), np.bool_)
    whole = np.frombuffer(b"".join(texts), np.uint8)
    ends: Ints | None = None
    for word in words:
        first, second = word.text[word.rare : word.rare + 2]
        places = np.flatnonzero(whole[:-1] == first)
        places = places[whole[places + 1] == second]
        if not len(places):
            continue
        if ends is None:
            ends = _ends(texts)
        doubtful = np.unique(np.searchsorted(ends, places, "right"))
        holding = [i for i in doubtful.tolist() if word.text in texts[i]]
        found[holding] = True
    return found


def occurrences(texts: Sequence[bytes], characters: bytes) -> Ints:
    """How many of the characters stand in each text (n,)."""
    whole = np.frombuffer(b"".join(texts), np.uint8)
    here = np.zeros(len(whole), np.bool_)
    for character in characters:
        here |= whole == character
    before = np.searchsorted(np.flatnonzero(here), _ends(texts))
    return np.diff(before, prepend=0)


def _ends(texts: Sequence[bytes]) -> Ints:
    """Where each text ends among all (n,)."""
    return np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
