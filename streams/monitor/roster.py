"""A roster: which versions of a model are kept in mind, so that names without end take no memory.

Promises: at most `most` versions; the one not seen for longest gives way, but none of the same
pane, so what is kept is a function of the panes and never of an order within one.
Leaves to others: what is kept of a version.
"""

from collections.abc import Mapping
from typing import Final

MAX_VERSIONS: Final = 16


class Roster:
    """Versions, and the pane each was seen in last."""

    def __init__(self, most: int = MAX_VERSIONS) -> None:
        """Nobody yet."""
        self._most = most
        self._seen: dict[str, int] = {}

    def __contains__(self, version: object) -> bool:
        """Whether a version is kept."""
        return version in self._seen

    def admit(self, version: str, pane: int) -> tuple[bool, str | None]:
        """Whether a version seen in a pane (they come in order) is kept, and which gives way."""
        gone = None
        if version not in self._seen and len(self._seen) >= self._most:
            last, gone = min((at, name) for name, at in self._seen.items())
            if last >= pane:
                return False, None
            del self._seen[gone]
        self._seen[version] = pane
        return True, gone

    def save(self) -> dict[str, int]:
        """The state, for a snapshot."""
        return dict(sorted(self._seen.items()))

    def load(self, saved: Mapping[str, int]) -> None:
        """Take a snapshot up."""
        self._seen = dict(saved)
