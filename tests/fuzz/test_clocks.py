"""Clocks that are wrong: a record's own time may be anything, and nobody else's count changes.

Workers' clocks are the matter of the simulation, where they go an hour ahead and behind.
"""

import pytest

from tests.laws.mill import DAY
from tests.laws.test_poison import FIELDS, poison, run, sound, unharmed
from tests.laws.world import T0

HOUR = 3_600_000
WRONG = {
    "an hour ahead": T0 + HOUR,
    "a day ahead": T0 + DAY,
    "the year 2100": 4_102_444_800_000,
    "the end of all years": 253_402_300_799_000,
    "epoch 0": 0,
    "before the epoch": -T0,
    "seconds for milliseconds": T0 // 1000,
    "microseconds for milliseconds": T0 * 1000,
    "nanoseconds for milliseconds": T0 * 1_000_000,
    "a day behind": T0 - DAY,
}


def written(log, at, n):
    """A sound event but for its time."""
    members = {**FIELDS[log], "timestamp": b"%d" % at}
    text = b",".join(b'"%s":%s' % (name.encode(), value) for name, value in members.items())
    return b"{%s}" % text.replace(b"%d", b"%d" % n)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("clock", ["broker", "event"])
def test_a_wrong_clock_harms_nobody_else(wrong, clock):
    """The watermark does not follow it: each such record is a dead letter, the rest is counted."""
    good = sound(0)
    bad = [
        poison(log, written(log, WRONG[wrong], number), 0)
        for log in ("predictions", "labels")
        for number in range(3)
    ]
    mill = run([*good, *bad], clock=clock)
    assert len(bad) == len(mill.letters)
    unharmed(mill, good)
