"""How long to wait before a call is made again.

Promises: pauses grow by a factor, are never longer than `LONGEST_S` (or what the service asks for,
up to that), and differ from sink to sink by chance, so that they don't all come back at once.
"""

import random
from typing import Final

FIRST_S: Final = 1.0
FACTOR: Final = 4.0
LONGEST_S: Final = 600.0
"""With eight attempts a sink may be away for about 25 minutes."""

_SPREAD: Final = 0.25


def pause_s(failures: int, asked_s: float | None = None) -> float:
    """Seconds to wait after so many failures in a row (1: the first); `asked_s`: Retry-After."""
    grown = min(LONGEST_S, FIRST_S * FACTOR ** min(failures - 1, 20))
    spread = grown * random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 - no secret
    return min(LONGEST_S, max(spread, asked_s or 0.0))
