"""Instants: every declared form is read exactly, everything else is refused without an echo."""

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas import instants

millis = st.integers(instants.EARLIEST, instants.LATEST)
secret = "tell-nobody"


@given(millis)
def test_what_is_written_is_read_back(instant):
    assert instant == instants.parse(instants.rfc3339(instant))


@given(millis)
def test_the_text_agrees_with_datetime(instant):
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=instant)
    assert expected == datetime.fromisoformat(instants.rfc3339(instant))


@given(
    st.timedeltas(timedelta(days=-25_000), timedelta(days=80_000)),
    st.integers(-23 * 60, 23 * 60),
)
def test_an_offset_names_the_same_instant(since, minutes):
    moment = (datetime(1970, 1, 1, tzinfo=UTC) + since).astimezone(
        timezone(timedelta(minutes=minutes))
    )
    assert since // timedelta(milliseconds=1) == instants.parse(moment.isoformat())


@given(st.integers(-(10**10), 10**10))
def test_seconds_are_seconds_in_every_spelling(seconds):
    expected = seconds * 1000
    assert [expected] * 5 == [
        instants.parse(seconds),
        instants.parse(float(seconds)),
        instants.parse(seconds, "s"),
        instants.parse(str(seconds)),
        instants.parse(f"{seconds}.0"),
    ]


@given(st.integers(10**11, instants.LATEST))
def test_large_numbers_are_milliseconds(instant):
    assert [instant] * 3 == [
        instants.parse(instant),
        instants.parse(instant, "ms"),
        instants.parse(str(instant)),
    ]


@given(st.integers(0, 4 * 10**12))
def test_a_float_of_seconds_keeps_its_millisecond(instant):
    assert instant == instants.parse(instant / 1000, "s")


def test_milliseconds_are_shown_only_where_there_are_any():
    assert "2026-11-21T07:55:00Z" == instants.rfc3339(1795247700000)
    assert "2026-11-21T07:55:00.005Z" == instants.rfc3339(1795247700005)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T07:55:00Z", 1795247700000),
        ("2026-11-21t07:55:00z", 1795247700000),
        ("2026-11-21 07:55:00Z", 1795247700000),
        ("2026-11-21T07:55:00.1239Z", 1795247700123),
        ("2026-11-21T07:55:00.123456789Z", 1795247700123),
        ("2026-11-21T09:25:00+01:30", 1795247700000),
        ("2016-12-31T23:59:60Z", 1483228800000),  # the leap second is the instant after :59
    ],
)
def test_forms_of_rfc_3339(text, expected):
    assert expected == instants.parse(text, "rfc3339")


@pytest.mark.parametrize(
    "value",
    [
        secret,
        "",
        "2026-11-21",
        "2026-11-21T07:55:00",
        "20261121T075500Z",
        "2026-W47-6T07:55:00Z",
        "2026-11-21T07:55Z",
        "2026-13-21T07:55:00Z",
        "2026-11-21T07:55:61Z",
        "2026-11-21T07:55:00Z" + " " * 100,
        "٢٠٢٦-11-21T07:55:00Z",
        "1" * 5000,
        "1e9",
        "²",
        float("nan"),
        float("inf"),
        10**18,
        -(10**18),
        1795247700000000,
        True,
        None,
        [1],
    ],
)
def test_what_is_no_instant_is_refused_without_an_echo(value):
    with pytest.raises(ValueError, match="instant") as refusal:
        instants.parse(value)
    assert secret not in str(refusal.value)


def test_a_declared_unit_is_not_guessed():
    assert 1795247700 == instants.parse(1795247700, "ms")
    with pytest.raises(ValueError, match="RFC 3339"):
        instants.parse(1795247700, "rfc3339")
    with pytest.raises(ValueError, match="RFC 3339"):
        instants.parse("2026-11-21T07:55:00Z", "ms")


@given(st.text() | st.floats() | st.integers() | st.none() | st.booleans())
def test_any_value_is_an_instant_or_a_value_error(value):
    try:
        instant = instants.parse(value)
    except ValueError:
        return
    assert instants.EARLIEST <= instant <= instants.LATEST


def test_a_column_names_its_bad_rows():
    column, bad = instants.parse_many([1, "x", 2.5, None])
    assert [1000, 0, 2500, 0] == column.tolist()
    assert [1, 3] == bad


forms = st.sampled_from(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d %H:%M:%S"])
moments = st.datetimes(datetime(1900, 1, 1), datetime(9000, 1, 1))  # noqa: DTZ001 - UTC
texts = st.builds(
    lambda moment, form, cut, suffix: moment.strftime(form)[: 40 - cut] + suffix,
    moments,
    forms,
    st.integers(0, 20),
    st.sampled_from(["Z", "+00:00", "+01:30", "z", ""]),
)
edges = st.sampled_from(
    ["2024-02-29T23:59:59Z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "0000-01-01T00:00:00Z",
     "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-00-10T00:00:00Z", "2026-01-00T00:00:00Z",
     "2026-11-21T24:00:00Z", "2016-12-31T23:59:60Z", "2026-11-21T07:55:0/Z", "2026-11-2:T07:55:00Z",
     "2026-11-21T07:55:00.Z", "٢026-11-21T07:55:00Z", "", "Z", "+00:00"]
)  # fmt: skip
sane = st.floats(-1e14, 1e14) | st.integers(0, 4 * 10**12).map(lambda n: n / 1000)
columns = (
    st.lists(texts | edges, max_size=6)
    | st.lists(edges, max_size=6)
    | st.lists(moments.map(lambda m: m.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")), max_size=6)
    | st.lists(st.integers(-(10**19), 10**19) | st.integers(-(2**53), 2**53), max_size=6)
    | st.lists(st.floats() | sane, max_size=6)
    | st.lists(st.none() | st.booleans() | st.integers() | texts, max_size=6)
)


@given(columns, st.sampled_from(["auto", "s", "ms", "rfc3339"]))
@example([1.8e305, math.inf, math.nan], "s")
@settings(max_examples=400)
def test_a_column_is_read_as_its_rows_are(column, unit):
    expected, refused = [], []
    for i, value in enumerate(column):
        try:
            expected.append(instants.parse(value, unit))
        except ValueError:
            expected.append(0)
            refused.append(i)
    found, bad = instants.parse_many(column, unit)
    assert (expected, refused) == (found.tolist(), bad)
