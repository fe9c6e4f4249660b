"""A circuit breaker: whoever does not answer is left alone for a while, and asked again.

Promises: after a failure nothing is asked for a pause, which doubles up to a bound while it goes
on; the first success closes the circuit. A function of what it is told, the time included.
Leaves to others: what counts as a failure, and the clock (`redis_store`).
Source: Nygard, Release It! (2007), chapter 5.
"""

from typing import Final

import msgspec

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 5.0
"""After this long at most a service that is back is noticed."""


class Breaker(msgspec.Struct, kw_only=True):
    """Closed while `until` is None; open until that instant (seconds of any clock), then half-open.

    `reason` says what failed last, `since` when it began to.
    """

    until: float | None = None
    pause: float = FIRST_PAUSE_S
    reason: str | None = None
    since: float | None = None

    def allows(self, now: float) -> bool:
        """Whether to ask now."""
        return self.until is None or now >= self.until

    @property
    def closed(self) -> bool:
        """Whether the last that was asked was answered."""
        return self.until is None

    def failed(self, now: float, reason: str) -> bool:
        """There was no answer; gives whether this is news."""
        news = self.until is None
        self.pause = FIRST_PAUSE_S if news else min(2 * self.pause, LONGEST_PAUSE_S)
        self.until, self.reason = now + self.pause, reason
        self.since = now if news else self.since
        return news

    def answered(self) -> bool:
        """There was one; gives whether this is news."""
        news = self.until is not None
        self.until, self.reason, self.since, self.pause = None, None, None, FIRST_PAUSE_S
        return news
