"""A lane judges every version against its reference, and builds one anew when it is told to."""

import msgspec
import numpy as np
import pytest

from detectors.arcsine import angle, share
from detectors.reference import reference_of
from detectors.shiryaev_roberts import Bank
from schemas.grid import WHOLE, Layout
from streams.monitor.lane import MAX_VERSIONS, Lane
from streams.monitor.learner import MIN_PANES
from streams.monitor.panel import WINDOW_PANES
from streams.monitor.watch import Part, Setting
from streams.monitor.yardstick import tolerance_of
from streams.runtime.roles import judging
from streams.signals import Signal
from tests.laws.world import BASELINE, GRID, MODEL, World
from tests.monitor.closing import closing

LAYOUT = Layout(GRID)
CONFIG = World((), 3_000, 15_000).config().models[MODEL]
JUDGING = judging(MODEL, CONFIG)
ROWS = 30
"""Rows of a version in each pane."""


def lane(judging=JUDGING, of=Lane.predictions):
    """Predictions against the reference of the tiny model."""
    return of(
        Setting(layout=LAYOUT, baseline=BASELINE, judging=judging, config=CONFIG, threshold=9.0)
    )


def part(version, pane, cell=1):
    """Rows of one version, each signal's in one cell."""
    vector = np.zeros(LAYOUT.width("predictions"), np.int64)
    for block in LAYOUT.predictions.values():
        vector[block.span][min(cell, block.width - 1)] = ROWS
    return Part(version, WHOLE, pane, late=False, vector=vector)


def close(one, pane, *versions):
    """Close a pane in which these versions have rows; gives (version, reference) of findings."""
    found = one.close(closing(pane, predictions=[part(version, pane) for version in versions]))
    one.settle(ROWS * MIN_PANES, BASELINE)
    return {(f.version, f.reference_id) for f in found if f.detector == "shiryaev_roberts"}


def test_a_rebuilt_reference_is_of_that_version_alone():
    """Version 2 gets a reference of its own panes; version 1 is judged on, without a gap."""
    one, old = lane(), BASELINE.id
    assert {("1", old), ("2", old)} == close(one, 0, "1", "2")
    one.rebuild("2", 1 * JUDGING.pane)
    for pane in range(1, MIN_PANES + 1):
        assert {("1", old)} == close(one, pane, "1", "2")
    (first, _), (second, own) = sorted(close(one, MIN_PANES + 1, "1", "2"))
    assert ("1", "2") == (first, second)
    assert own != old


@pytest.mark.parametrize(
    ("since", "panes"), [(0, MIN_PANES - 3), (2, MIN_PANES - 1), (9, MIN_PANES + 6)]
)
def test_a_reference_is_built_of_panes_since_the_instant(since, panes):
    """Panes that a window still holds count, earlier ones and those before the instant do not."""
    one = lane()
    for pane in range(3):
        close(one, pane, "1")
    one.rebuild("1", since * JUDGING.pane)
    silent = 0
    while not close(one, 3 + silent, "1"):
        silent += 1
    assert panes == silent


@pytest.mark.parametrize("tolerance", [0.0, 0.3, 2.5])
def test_another_tolerance_acts_after_a_restart(tolerance):
    """Where there are other alternatives, the evidence of a state begins anew."""
    before = lane()
    for pane in range(5):
        close(before, pane, "1")
    after = lane(msgspec.structs.replace(JUDGING, tolerance=tolerance))
    after.load(before.save())
    fresh = lane(msgspec.structs.replace(JUDGING, tolerance=tolerance))
    for pane in range(5, 60):
        found = after.close(closing(pane, predictions=[part("1", pane)]))
        plain = fresh.close(closing(pane, predictions=[part("1", pane)]))
    assert [f.signal for f in plain] == [f.signal for f in found]
    assert [f.alarm for f in plain] == [f.alarm for f in found]


def test_error_rates_are_held_to_points():
    """At the usual tolerance two points, less where an angle of it is less; nothing else is."""
    signal = lambda name, kind: Signal(name, kind, ("no", "yes"), None, important=True)
    rate = lambda yes: reference_of("binary", np.array([[1000 - yes, yes]]))
    of = lambda name, yes, tolerance=0.1: tolerance_of(signal(name, "binary"), rate(yes), tolerance)
    assert 0.26 == pytest.approx(share(angle(0.24) + of("error", 240)))
    assert 0.25 == pytest.approx(share(angle(0.24) + of("error:false_negative", 240, 0.05)))
    assert 0.1 == of("error", 5) == of("gain", 240) == of("label", 240)
    assert 0.0 == of("error", 240, 0.0)


def test_a_version_whose_reference_grows_goes_on_after_a_snapshot():
    """Taken up at any pane, a lane says what it would have said."""
    whole = lane()
    for pane in range(50):
        if pane == 5:
            whole.rebuild("2", 3 * JUDGING.pane)
        again = lane()
        again.load(whole.save())
        assert close(again, pane, "1", "2", "3") == close(whole, pane, "1", "2", "3")


def test_versions_give_way_but_none_of_the_same_pane():
    """At most so many versions are judged; those not seen for longest make room."""
    one = lane()
    names = [f"{n:03}" for n in range(3 * MAX_VERSIONS)]
    assert MAX_VERSIONS == len(close(one, 0, *names))
    assert {names[-1]} == {version for version, _ in close(one, 1, names[-1])}
    for pane in range(2, 2 + WINDOW_PANES):
        close(one, pane, *names)
    size = len(one.save())
    for pane in range(2 + WINDOW_PANES, 60 + WINDOW_PANES):
        close(one, pane, *names[pane % 7 :], *names[: pane % 7])
    assert len(one.save()) <= size + 1_000  # numbers of panes take more bytes as they grow


def test_a_change_is_dated_by_panes_whatever_panes_a_signal_missed():
    """Two signals move in the same pane; the one that had empty panes before says so too."""
    rng = np.random.default_rng(3)
    normal = reference_of("categorical", rng.multinomial(100, [0.8, 0.2], size=60))
    bank = Bank([normal, normal], tolerance=0.0)
    for pane in range(100, 160):
        shares = [0.8, 0.2] if pane < 140 else [0.2, 0.8]
        counts = rng.multinomial(50, shares)
        holes = counts if pane % 3 else np.zeros(2, np.int64)
        bank.update([counts, holes], pane)
    assert all(139 <= start <= 141 for start in bank.start.tolist())
