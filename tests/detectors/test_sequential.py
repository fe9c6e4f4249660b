"""ADWIN, Page-Hinkley and the adapter: one list of checks, river as the oracle."""

import json
import random
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from detectors.adwin import Adwin, AdwinSettings, AdwinState
from detectors.control_chart import ControlChart, ControlChartSettings, ControlChartState
from detectors.page_hinkley import PageHinkley, PageHinkleySettings, PageHinkleyState
from detectors.river_adapter import RiverDetector, RiverSettings, RiverState

river_drift = pytest.importorskip("river.drift")

SHARED = Path(__file__).parents[3] / "shared" / "data"


def s1():
    rng = np.random.RandomState(12345)
    return np.concatenate([rng.randint(2, size=1000), rng.randint(8, size=1000)]).tolist()


def s2():
    rng = np.random.RandomState(12345)
    return np.concatenate([rng.binomial(1, 0.2, 1000), rng.binomial(1, 0.8, 1000)]).tolist()


def multi():
    rng = random.Random(42)
    stream = []
    for _ in range(2):
        stream += rng.choices([0, 1], k=1000) + rng.choices(range(4, 8), k=1000)
    return stream


def sk():
    path = SHARED / "skmultiflow_drift_stream.npy"
    if not path.exists():
        pytest.skip("the published stream is not on this machine and states no licence to ship it")
    return np.load(path).tolist()


def fr():
    rng = np.random.RandomState(31)
    parts = [rng.normal(0, 0.5, 100), rng.normal(4, 0.2, 100), rng.normal(6, 0.5, 100)]
    return np.concatenate(parts).tolist()


DETECTORS = {
    "adwin": (Adwin, AdwinSettings(), AdwinState),
    "adwin_clock_1": (Adwin, AdwinSettings(clock=1), AdwinState),
    "page_hinkley": (PageHinkley, PageHinkleySettings(threshold=5), PageHinkleyState),
    "control_chart": (
        ControlChart,
        ControlChartSettings(center=0, sd=1, limit=4),
        ControlChartState,
    ),
    "river_kswin": (
        RiverDetector,
        RiverSettings(name="KSWIN", parameters={"seed": 1}),
        RiverState,
    ),
}
every_detector = pytest.mark.parametrize("name", DETECTORS)


def alarms(detector, stream):
    return [i for i, value in enumerate(stream) if detector.update(value)]


def steps(seed):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(m, 1, 250) for m in (0, 2, -1, 4)]).tolist()


@every_detector
def test_it_finds_a_change(name):
    make, settings, _ = DETECTORS[name]
    assert any(250 <= i < 400 for i in alarms(make(settings), steps(1)))


@every_detector
@pytest.mark.parametrize("cut", [0, 1, 249, 290, 300, 600])
def test_a_snapshot_changes_no_later_alarm(name, cut):
    make, settings, state_type = DETECTORS[name]
    stream = steps(2)
    expected = alarms(make(settings), stream)
    detector = make(settings)
    first = alarms(detector, stream[:cut])
    stored = json.loads(json.dumps(asdict(detector.state()), allow_nan=False))
    detector = make.from_state(settings, state_type(**stored))
    assert expected == first + [cut + i for i in alarms(detector, stream[cut:])]


@every_detector
def test_a_snapshot_is_not_changed_by_what_comes_after(name):
    make, settings, _ = DETECTORS[name]
    detector = make(settings)
    alarms(detector, steps(3)[:100])
    taken = detector.state()
    expected = asdict(taken)
    alarms(detector, steps(3)[100:])
    assert expected == asdict(taken)


@every_detector
def test_values_that_are_not_finite_are_ignored_and_silence_nothing(name):
    make, settings, _ = DETECTORS[name]
    stream = steps(4)
    clean, noisy = make(settings), make(settings)
    found = []
    for i, value in enumerate(stream):
        assert not noisy.update([float("nan"), float("inf"), -float("inf")][i % 3])
        if noisy.update(value):
            found.append(i)
    expected = alarms(clean, stream)
    assert expected
    assert expected == found


@pytest.mark.parametrize(
    ("stream", "clock", "expected"),
    [
        (s1, 32, [1023]),
        (s1, 1, [1004]),
        (multi, 32, [1023, 2015, 3007]),
        (sk, 32, [1023]),
    ],
)
def test_adwin_conforms(stream, clock, expected):
    assert expected == alarms(Adwin(AdwinSettings(clock=clock)), stream())


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (s1, [1020, 1397, 1548, 1988]),
        (sk, [1013, 1335, 1505, 1758, 1996]),
        (fr, [113, 226]),
    ],
)
def test_page_hinkley_conforms(stream, expected):
    assert expected == alarms(PageHinkley(), stream())


@pytest.mark.parametrize(
    ("name", "parameters", "stream", "expected"),
    [
        ("river:DDM", {}, s2, [1049]),
        ("river:EDDM", {}, s2, [663, 828, 1007, 1078]),
        ("river:HDDM_A", {}, s2, [1047]),
        ("river:HDDM_W", {}, s2, [1018]),
        ("river:KSWIN", {"seed": 42}, multi, [1013, 2013, 3013]),
    ],
)
def test_the_adapter_conforms(name, parameters, stream, expected):
    settings = RiverSettings(name=name, parameters=parameters)
    assert expected == alarms(RiverDetector(settings), stream())


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("clock", "grace", "least"), [(32, 10, 5), (1, 10, 5), (7, 3, 2)])
def test_adwin_equals_river_on_any_steps(seed, clock, grace, least):
    theirs = river_drift.ADWIN(clock=clock, grace_period=grace, min_window_length=least)
    ours = Adwin(AdwinSettings(clock=clock, grace=grace, min_window=least))
    for value in steps(seed) * 3:
        theirs.update(value)
        assert theirs.drift_detected == ours.update(value)
        assert theirs.width == ours.width


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("mode", ["up", "down", "both"])
def test_page_hinkley_equals_river_on_any_steps(seed, mode):
    theirs = river_drift.PageHinkley(mode=mode, threshold=8)
    ours = PageHinkley(PageHinkleySettings(mode=mode, threshold=8))
    for value in steps(seed) * 3:
        theirs.update(value)
        assert theirs.drift_detected == ours.update(value)


def test_adwin_memory_grows_with_the_logarithm():
    detector = Adwin()
    rng = np.random.default_rng(5)
    for value in rng.normal(size=20_000):
        detector.update(float(value))
    assert 20_000 == detector.width
    assert sum(map(len, detector.state().totals)) <= 6 * 15


def test_the_adapter_keeps_no_more_values_than_its_limit():
    settings = RiverSettings(name="PageHinkley", limit=100)
    detector = RiverDetector(settings)
    for i in range(1000):
        detector.update(i % 2)
        assert len(detector.state().values) <= 100


def test_an_unknown_river_detector_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match="nearest: KSWIN"):
        RiverDetector(RiverSettings(name="river:KSWINN"))


def test_settings_outside_their_range_are_refused():
    for make in (
        lambda: AdwinSettings(delta=0),
        lambda: AdwinSettings(clock=0),
        lambda: PageHinkleySettings(threshold=-1),
        lambda: RiverSettings(name="DDM", limit=1),
    ):
        with pytest.raises(ValueError):
            make()
