"""Business: a figure that goes the wrong way while the model's own metrics hold.

Then the model is not the cause, or does not see it: prices, a competitor, a page that broke.

Promises: readings `kpi:NAME` (role context) beside the alarm of the figure itself; they page
nobody and spend no budget.
Leaves to others: the figures' detectors (`declared`, `adaptive`), metrics (`performance`).
"""

from typing import Final

import msgspec

from schemas.finding import Finding
from schemas.inputs import Metric
from streams.monitor.watch import Closing, Setting

MAX_NAMES: Final = 200

_OURS: Final = ("error", "gain", "metric:", "calibration", "spread", "label", "score", "prediction")
"""What the names of the model's own signals begin with; features may move without harm."""


class Business:
    """The figures of one model beside its metrics."""

    def __init__(self, setting: Setting) -> None:
        """No direction is known yet."""
        del setting
        self._directions: dict[str, str] = {}

    def close(self, closing: Closing) -> list[Finding]:
        """Of each figure that alarms the wrong way: whether the model's metrics hold."""
        for record in sorted(closing.metrics, key=_order):
            known = record.name in self._directions or len(self._directions) < MAX_NAMES
            if record.direction is not None and known:
                self._directions[record.name] = record.direction
        own = [one for one in closing.findings if one.version and one.signal.startswith(_OURS)]
        if not any(one.state == "judged" for one in own):
            return []
        if any(one.alarm or one.joins for one in own if one.role == "alert"):
            return []
        worse: dict[str, Finding] = {}
        for one in closing.findings:
            name = one.signal.removeprefix("metric:")
            figure = not one.version and name != one.signal
            if figure and one.alarm and self._is_worse(name, one.direction):
                worse.setdefault(name, one)
        return [
            msgspec.structs.replace(
                one, signal=f"kpi:{name}", detector="while_metrics_hold", role="context"
            )
            for name, one in sorted(worse.items())
        ]

    def _is_worse(self, name: str, direction: str) -> bool:
        good = self._directions.get(name)
        if good is None:
            return direction in ("up", "down")
        return direction == ("down" if good == "higher_is_better" else "up")

    def save(self) -> bytes:
        """The state, for a snapshot."""
        return msgspec.msgpack.encode(self._directions)

    def load(self, saved: bytes) -> None:
        """Take a snapshot up."""
        self._directions = msgspec.msgpack.decode(saved, type=dict[str, str])


def _order(one: Metric) -> tuple[str, str, str]:
    """Whatever the order in which records were read, the same says the direction."""
    return one.name, str(one.timestamp), one.direction or ""
