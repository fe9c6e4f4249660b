"""Halves that belong together: a request and its answer, in whichever order they come.

Promises: at most `WAITING` halves wait; beyond it the one that came first is given up.
Leaves to others: what a half is.
"""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

WAITING: Final = 100_000

Half = TypeVar("Half")


class Pairs(Generic[Half]):
    """Requests and answers by id."""

    def __init__(self, waiting: int = WAITING) -> None:
        self._most = waiting
        self._halves: tuple[OrderedDict[str, Half], OrderedDict[str, Half]] = (
            OrderedDict(),
            OrderedDict(),
        )
        self._given_up = 0

    @property
    def waiting(self) -> int:
        """Halves without the other, those given up included."""
        return self._given_up + sum(map(len, self._halves))

    def take(self, name: str, half: Half, *, answers: bool) -> tuple[Half, Half] | None:
        """Request and answer, if both are there now; a second one of the same kind replaces it."""
        own, other = self._halves[answers], self._halves[not answers]
        found = other.pop(name, None)
        if found is not None:
            return (found, half) if answers else (half, found)
        own[name] = half
        if len(own) > self._most:
            own.popitem(last=False)
            self._given_up += 1
        return None
