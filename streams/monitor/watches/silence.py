"""Silence: no prediction comes any more, although they came at a known pace.

Silence is decided in the pane in which the wait has become too long, and told at that pane's end,
whether a tick or a later row shows that nothing came: so live and replay say the same. It is over
with the first prediction, counted or refused.

Promises: a function of the panes alone; a stream that has ended is not silent; nothing is said
while nothing is wrong, and nothing is charged to the budget.
Leaves to others: closing a pane without rows (`intake`), what follows (policy).
"""

from typing import Final

import msgspec

from schemas.finding import Finding, Measured
from schemas.grid import WHOLE
from schemas.log import Millis
from schemas.refusals import CODES, REFUSED
from streams.monitor.watch import Closing, Setting

SIGNAL: Final = "volume"

PANES: Final = 10
"""A wait shorter than this is never silence, unless the config says so."""

TIMES: Final = 3
"""How many times as long as the usual waits it must be.

The longest wait that has come twice is usual: one outage makes nothing usual, a quiet night does.
"""

KNOWN: Final = 30
"""Panes with predictions from which on the pace is known."""

REMEMBERED: Final = 1_000
"""Panes after a silence in which the volume is still told, so that its incident can be resolved."""


_REFUSED: Final = [REFUSED["predictions", code] for code in CODES]


class SavedSilence(msgspec.Struct, frozen=True, array_like=True):
    """The watch in a snapshot."""

    last: int | None
    panes: int
    waits: tuple[int, int]
    alarmed: int | None


class Silence:
    """The pace of one model's predictions."""

    def __init__(self, setting: Setting) -> None:
        """None came yet."""
        judging, asked = setting.judging, setting.config.silent_after
        self._model, self._pane = judging.model, judging.pane
        self._never = asked == "off"
        self._asked = None if isinstance(asked, str) else -(-asked // judging.pane)
        self._last: int | None = None
        """The last pane with predictions."""
        self._panes = 0
        self._waits = (1, 1)
        """The two longest waits between panes with predictions, the longest first."""
        self._alarmed: int | None = None

    @property
    def _most(self) -> int | None:
        """How many panes may pass from one with predictions on; None: no matter how many."""
        if self._never:
            return None
        if self._asked is not None:
            return max(self._asked, 1)
        return max(PANES, TIMES * self._waits[1]) if self._panes >= KNOWN else None

    def wakes(self) -> int | None:
        """The pane in which it is silent if nothing comes; None if that was told already."""
        most = self._most
        if self._last is None or most is None:
            return None
        due = self._last + most
        return None if self._alarmed is not None and self._alarmed >= due else due

    def close(self, closing: Closing) -> list[Finding]:
        """Whether it is silent in this pane."""
        pane, most = closing.pane, self._most
        if closing.predictions or any(one.vector[_REFUSED].any() for one in closing.refusals):
            self._hear(pane)
        waited = 0 if self._last is None else pane - self._last
        silent = most is not None and waited >= most and not closing.ended
        if silent:
            self._alarmed = pane
        if self._alarmed is None or pane - self._alarmed > REMEMBERED or self._last is None:
            return []
        since: Millis | None = (self._last + 1) * self._pane if silent else None
        return [
            Finding(
                model=self._model,
                version="",
                segment=WHOLE,
                signal=SIGNAL,
                detector="silence",
                state="judged",
                alarm=silent,
                joins=False,
                inside=not silent,
                symptom="silence",
                statistic=float(waited),
                threshold=None if most is None else float(most),
                effect=Measured(),
                change_point=since,
                shape="sudden",
                window_start=closing.span[0] if since is None else since,
                window_end=closing.span[1],
                rows=0,
                reference_id="",
                reference_rows=0,
            )
        ]

    def _hear(self, pane: int) -> None:
        """A pane with predictions."""
        if self._last is not None:
            longest, second = self._waits
            wait = pane - self._last
            self._waits = (max(longest, wait), max(second, min(longest, wait)))
        self._last = pane
        self._panes = min(self._panes + 1, KNOWN)

    def save(self) -> bytes:
        """The state, for a snapshot."""
        one = SavedSilence(self._last, self._panes, self._waits, self._alarmed)
        return msgspec.msgpack.encode(one)

    def load(self, saved: bytes) -> None:
        """Take a snapshot up."""
        one = msgspec.msgpack.decode(saved, type=SavedSilence)
        self._last, self._panes, self._waits = one.last, one.panes, one.waits
        self._alarmed = one.alarmed
