"""The line to the broker, as progress marks feel it: how long they take, and when that is news.

Promises: an answer after more than `LONG_SECONDS` is worth a line at once; answers several times
slower than usual are told once, and once more when they are as usual again.
Leaves to others: taking the time (`worker`), and a broker that does not answer at all (`speaking`).
"""

from collections import deque
from statistics import median
from typing import Final

LONG_SECONDS: Final = 2.0
FELT_SECONDS: Final = 0.1
"""Nothing quicker is slow, however quick the line usually is."""

TIMES: Final = 4
ANSWERS: Final = 60
FRESH: Final = 2
"""As many answers in a row must be slow: a single one may be a busy moment of our own."""


class Line:
    """The newest answers of the broker, in seconds each."""

    def __init__(self) -> None:
        self._answers: deque[float] = deque(maxlen=ANSWERS)
        self.slow = False

    def answered(self, seconds: float) -> str | None:
        """Take in one answer; a sentence, if it is news."""
        usual = median(self._answers) if self._answers else 0.0
        self._answers.append(seconds)
        fresh = list(self._answers)[-FRESH:]
        was, limit = self.slow, max(FELT_SECONDS, TIMES * usual)
        if was:
            self.slow = max(fresh) > limit
        else:
            self.slow = len(fresh) == FRESH and min(fresh) > limit
        if seconds > LONG_SECONDS:
            return f"progress marks were taken after {seconds:.1f} s"
        if self.slow and not was:
            return f"the broker answers after {seconds:.2f} s, usually {usual:.2f} s"
        return "the broker answers as usual again" if was and not self.slow else None
