"""Identifiers of a batch as one stretch of bytes: hashed, compared and kept without a Python loop.

Promises: two rows are equal only if their bytes are; a hash is a hint of where to look and is
never taken for the identifier itself.
Leaves to others: which rows are asked for (`join.index`, `join.ledger`).
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import repeat
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]

_WORD: Final = 8
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
"""Odd constant of Fibonacci hashing (2**64 / golden ratio)."""
_SHIFTS: Final = (np.uint64(29), np.uint64(32))


class Ids:
    """Identifiers (n,): `content` is their UTF-8 bytes one after the other, each up to its end."""

    def __init__(self, content: Bytes, ends: Rows) -> None:
        """`ends` (n,) ascends, and its last is the length of `content`."""
        self.content, self.ends = content, ends

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Ids":
        """Identifiers of texts."""
        joined = "".join(texts)
        if joined.isascii():
            raw, lengths = joined.encode("ascii"), map(len, texts)
        else:
            parts = list(map(str.encode, texts, repeat("utf-8"), repeat("surrogatepass")))
            raw, lengths = b"".join(parts), map(len, parts)
        ends = np.cumsum(np.fromiter(lengths, np.int64, len(texts)))
        return cls(np.frombuffer(raw, np.uint8), ends)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.ends)

    def key(self, row: int) -> bytes:
        """The bytes of one."""
        begin = self.ends[row - 1] if row else 0
        return self.content[begin : self.ends[row]].tobytes()

    @cached_property
    def begins(self) -> Rows:
        """Where each begins (n,)."""
        begins = np.zeros(len(self.ends), np.int64)
        begins[1:] = self.ends[:-1]
        return begins

    @cached_property
    def hashes(self) -> Hashes:
        """Hashes (n,) of 64 bits."""
        out = np.zeros(len(self), np.uint64)
        for rows, table in self.tables():
            out[rows] = _hashed(table)
        return out

    @cached_property
    def again(self) -> npt.NDArray[np.bool_]:
        """Rows (n,) whose hash comes more than once: all that may come more than once."""
        ordered = np.sort(self.hashes)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        if not len(twice):
            return np.zeros(len(self), np.bool_)
        return np.isin(self.hashes, twice)

    @cached_property
    def turns(self) -> Rows:
        """For each row (n,), how many rows before it have its hash."""
        order = np.argsort(self.hashes, kind="stable")
        ordered = self.hashes[order]
        begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        runs = np.diff(np.concatenate([begins, [len(ordered)]]))
        turns = np.empty(len(ordered), np.int64)
        turns[order] = np.arange(len(ordered)) - np.repeat(begins, runs)
        return turns

    def only(self, rows: Rows | npt.NDArray[np.bool_]) -> "Ids":
        """Some of them, by row numbers or by a mask."""
        begins, lengths = self.begins[rows], (self.ends - self.begins)[rows]
        ends = np.cumsum(lengths)
        # Each byte's place: how far into its own row, from where that row begins.
        places = np.arange(ends[-1] if len(ends) else 0) + np.repeat(
            begins - (ends - lengths), lengths
        )
        return Ids(self.content[places], ends)

    def equal(self, rows: Rows, content: Bytes, begins: Rows, ends: Rows) -> npt.NDArray[np.bool_]:
        """Whether row `rows[i]` is what `content` holds from begins[i] to ends[i] (m,)."""
        own, lengths = self.begins[rows], ends - begins
        same = (self.ends - self.begins)[rows] == lengths
        for length in np.unique(lengths[same]).tolist():
            of = np.flatnonzero(same & (lengths == length))
            mine, theirs = own[of], begins[of]
            if length < _WORD:
                across = np.arange(length)
                alike = self.content[mine[:, None] + across] == content[theirs[:, None] + across]
                same[of] = alike.all(axis=1)
                continue
            ours, others = _words(self.content), _words(content)
            equal = np.ones(len(of), np.bool_)
            for at in (*range(0, length - _WORD, _WORD), length - _WORD):  # the last may overlap
                equal &= ours[mine + at] == others[theirs + at]
            same[of] = equal
        return np.asarray(same, np.bool_)

    def tables(self) -> list[tuple[Any, Bytes]]:
        """Rows of one length with their bytes (m, length)."""
        if not len(self):
            return []
        lengths = self.ends - self.begins
        length = int(lengths[0])
        if (lengths == length).all():
            return [(slice(None), self.content.reshape(len(self), length))]
        out: list[tuple[Any, Bytes]] = []
        for one in np.unique(lengths).tolist():
            rows = np.flatnonzero(lengths == one)
            out.append((rows, self.content[self.begins[rows, None] + np.arange(one)]))
        return out


def _words(content: Bytes) -> Hashes:
    """The eight bytes from each place on (m - 7,), as far as there are eight: a view."""
    return np.ndarray((len(content) - _WORD + 1,), "<u8", content.data, strides=(1,))


def _hashed(table: Bytes) -> Hashes:
    """Hashes (n,) of rows of bytes (n, length)."""
    n, length = table.shape
    padded = np.zeros((n, max(1, -(-length // _WORD)) * _WORD), np.uint8)
    padded[:, :length] = table
    mixed = np.full(n, length + 1, np.uint64)
    for word in padded.view("<u8").T:
        mixed = (mixed ^ word) * _MIX
        mixed ^= mixed >> _SHIFTS[0]
    mixed *= _MIX
    mixed ^= mixed >> _SHIFTS[1]
    return mixed
