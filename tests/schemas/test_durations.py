"""Quantities of the config: written forms are exact, reversible, and refused with a reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import durations as d

spans = st.integers(0, d.LONGEST)


@given(spans)
def test_a_duration_shown_is_the_duration_read(span):
    assert span == d.parse_duration(d.show_duration(span))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", 30_000),
        ("1m", 60_000),
        ("500ms", 500),
        ("62h30m", 225_000_000),
        ("30d", 2_592_000_000),
        ("2w", 1_209_600_000),
        ("1m500ms", 60_500),
        ("0s", 0),
    ],
)
def test_written_durations(text, expected):
    assert expected == d.parse_duration(text)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (30, "unit"),
        (1.5, "unit"),
        ("-30s", "negative"),
        ("30", "must be a duration"),
        ("", "must be a duration"),
        ("1.5h", "must be a duration"),
        ("30m2h", "must be a duration"),
        ("1h1h", "must be a duration"),
        ("30S", "must be a duration"),
        ("٣s", "must be a duration"),
        ("30s\n", "must be a duration"),
        ("999999999d", "century"),
        (True, "must be a duration"),
        (None, "must be a duration"),
    ],
)
def test_what_is_no_duration_is_refused_with_a_reason(value, reason):
    with pytest.raises(ValueError, match=reason):
        d.parse_duration(value)


@given(st.integers(0, d.LARGEST))
def test_sizes_are_reversible(size):
    assert size == d.parse_size(d.show_size(size)) == d.parse_size(size)


def test_sizes_are_powers_of_two():
    assert [262_144, 8_388_608, 7] == [d.parse_size(t) for t in ("256KiB", "8MiB", "7B")]
    for wrong in ("256KB", "-1B", -1, True, 1.5, "KiB", "1025GiB", 2**40 + 1):
        with pytest.raises(ValueError, match="size"):
            d.parse_size(wrong)


@given(st.integers(1, 10_000), st.integers(1, d.LONGEST))
def test_rates_are_reversible(count, per):
    rate = d.Rate(count=count, per=per)
    assert rate == d.parse_rate(d.show_rate(rate)) == d.parse_rate(rate)


def test_a_budget_is_so_many_per_duration():
    assert d.Rate(count=1, per=2_592_000_000) == d.parse_rate("1 per 30d")
    assert d.Rate(count=0.5, per=60_000) == d.parse_rate("0.5 per 1m")
    for wrong in ("1 per", "per 30d", "0 per 30d", "1 per 0s", "1 per 30", 1, "-1 per 30d"):
        with pytest.raises(ValueError, match=r"per|duration"):
            d.parse_rate(wrong)


def test_shares_are_numbers_or_percentages():
    assert [0.1, 0.1, 0.1, 0.005, 1, 0] == [
        d.parse_ratio(v) for v in ("10%", 0.1, "0.1", "0.5%", 1, "0%")
    ]
    for wrong in ("110%", 1.1, -0.1, "10 percent", True, float("nan"), None):
        with pytest.raises(ValueError, match="share"):
            d.parse_ratio(wrong)


@given(st.integers(1, 999_999))
def test_panes_are_reversible(panes):
    assert panes == d.parse_panes(d.show_panes(panes)) == d.parse_panes(panes)


@pytest.mark.parametrize("wrong", [0, -1, "0 panes", "panes", True, 1.0, None, 1_000_000])
def test_there_is_at_least_one_pane(wrong):
    with pytest.raises(ValueError, match="at least 1"):
        d.parse_panes(wrong)


@given(
    st.builds(lambda n: d.Length(panes=n), st.integers(1, 999_999))
    | st.builds(lambda n: d.Length(span=n), st.integers(1, d.LONGEST))
)
def test_lengths_are_reversible(length):
    assert length == d.parse_length(d.show_length(length))


def test_a_length_covers_whole_panes():
    assert 20 == d.parse_length("20 panes").in_panes(60_000)
    assert 60 == d.parse_length("1h").in_panes(60_000)
    assert 2 == d.parse_length("90s").in_panes(60_000)
    assert 1 == d.parse_length("1s").in_panes(60_000)
    with pytest.raises(ValueError, match="longer than nothing"):
        d.parse_length("0s")


@given(
    st.builds(
        lambda n, scale: d.Threshold(value=n / 1000, scale=scale),
        st.integers(0, 10**6),
        st.sampled_from(["absolute", "relative", "points"]),
    )
)
def test_thresholds_are_reversible(threshold):
    again = d.parse_threshold(d.show_threshold(threshold))
    assert threshold.scale == again.scale
    assert threshold.value == pytest.approx(again.value, abs=1e-12)


def test_thresholds_say_their_scale():
    assert d.Threshold(value=0.25) == d.parse_threshold(0.25) == d.parse_threshold("0.25")
    assert d.Threshold(value=0.05, scale="relative") == d.parse_threshold("5%")
    assert d.Threshold(value=2, scale="points") == d.parse_threshold("2 points")
    for wrong in (-1, float("inf"), "five", True, None, "2 ponts"):
        with pytest.raises(ValueError, match="must be a number"):
            d.parse_threshold(wrong)


@given(st.text() | st.floats() | st.integers() | st.none())
def test_no_value_raises_anything_but_value_error(value):
    for parse in (d.parse_duration, d.parse_size, d.parse_ratio, d.parse_rate, d.parse_panes,
                  d.parse_length, d.parse_threshold):  # fmt: skip
        try:
            parsed = parse(value)
        except ValueError as refusal:
            parsed = str(refusal)
        assert parsed is not None
