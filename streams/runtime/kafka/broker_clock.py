"""What time it is for the broker, without trusting this machine's clock.

Promises: never ahead of the broker that stamped the last snapshot, however wrong the local clock
is; until a snapshot was stamped it is the local clock, which is all there is.
Leaves to others: the allowance for several brokers' clocks and for replication.
"""

import time

from schemas.log import Millis


class BrokerClock:
    """The append time of our own last record, carried on by the monotonic clock."""

    def __init__(self) -> None:
        self._stamped: Millis | None = None
        self._heard_s = 0.0

    @property
    def told(self) -> bool:
        """Whether it goes by the broker, and not by this machine."""
        return self._stamped is not None

    def heard(self, stamped: Millis) -> None:
        """The broker stamped a record with `stamped`, and its acknowledgement came just now."""
        self._stamped = stamped
        self._heard_s = time.monotonic()

    def now(self) -> Millis:
        """Return an instant that the broker's clock has reached."""
        if self._stamped is None:
            return int(time.time() * 1000)
        return self._stamped + int((time.monotonic() - self._heard_s) * 1000)
