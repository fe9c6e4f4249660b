"""A store: keeps stories of ids, row by row; what a machine needs of one, and no more.

Promises: a row has one name in its story, so writing it again changes nothing.
Leaves to others: what a row means (`streams/join/stories`), when it is asked for (`attended`).
"""

from typing import Protocol

from streams.join import Found, Leaving, Wanted


class Store(Protocol):
    """Neither method raises: whoever does not answer says so, and goes on being asked."""

    def fetch(self, wanted: Wanted) -> Found | None:
        """The stories of ids, of rows of one source; None: there is no answer."""

    def put(self, leaving: Leaving) -> int | None:
        """Add rows to the stories of their ids; None if not all of them are durable now.

        Gives the last turn of their source that the store knew of before.
        """

    def trouble(self) -> str | None:
        """Why it does not serve at present, for people; None while it does."""
