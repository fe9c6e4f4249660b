"""Schedules without a clock."""

import pytest

from schemas.instants import parse, rfc3339
from streams.policy.retraining.cron import Cron


@pytest.mark.parametrize(
    ("text", "zone", "after", "expected"),
    [
        ("0 2 1 * *", "UTC", "2026-11-21T07:55:00Z", "2026-12-01T02:00:00Z"),
        ("0 2 1 * *", "UTC", "2026-12-01T02:00:00Z", "2027-01-01T02:00:00Z"),
        ("*/15 * * * *", "UTC", "2026-11-21T07:55:00Z", "2026-11-21T08:00:00Z"),
        ("30 3 * * sun", "UTC", "2026-11-21T07:55:00Z", "2026-11-22T03:30:00Z"),
        ("30 3 * * 7", "UTC", "2026-11-21T07:55:00Z", "2026-11-22T03:30:00Z"),
        ("0 0 13 * 5", "UTC", "2026-11-21T07:55:00Z", "2026-11-27T00:00:00Z"),
        ("0 0 29 2 *", "UTC", "2026-11-21T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 8-18/5,23 * mar-apr mon-fri", "UTC", "2026-02-01T00:00:00Z", "2026-03-02T08:00:00Z"),
        ("@weekly", "UTC", "2026-11-21T07:55:00Z", "2026-11-22T00:00:00Z"),
        # Berlin is an hour ahead in winter, two in summer.
        ("0 2 * * *", "Europe/Berlin", "2026-11-21T07:55:00Z", "2026-11-22T01:00:00Z"),
        ("0 2 * * *", "Europe/Berlin", "2026-07-21T07:55:00Z", "2026-07-22T00:00:00Z"),
        # 02:30 of 29 March 2026 does not exist there; that of 25 October comes twice.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
    ],
)
def test_the_next_time(text, zone, after, expected):
    """Strictly later than the given instant."""
    assert expected == rfc3339(Cron.parse(text, zone).after(parse(after)))


def test_what_never_comes_is_none():
    """The 31st of February."""
    assert Cron.parse("0 0 31 2 *").after(0) is None


@pytest.mark.parametrize(
    ("text", "zone", "word"),
    [
        ("0 2 1 *", "UTC", "five fields"),
        ("60 2 1 * *", "UTC", "minute"),
        ("0 2 1 13 *", "UTC", "month"),
        ("0 5-2 * * *", "UTC", "backwards"),
        ("0 2 * * x", "UTC", "day of week"),
        ("0 2 * * *", "Mars/Olympus", "time zone"),
    ],
)
def test_what_cannot_be_read_is_named(text, zone, word):
    """The operator is told which field is wrong."""
    with pytest.raises(ValueError, match=word):
        Cron.parse(text, zone)
