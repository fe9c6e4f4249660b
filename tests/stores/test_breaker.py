"""The circuit breaker is a function of what it is told."""

from streams.stores.breaker import FIRST_PAUSE_S, LONGEST_PAUSE_S, Breaker


def test_it_asks_until_something_fails():
    """Closed at first, and after every answer."""
    one = Breaker()
    assert one.allows(0.0)
    assert not one.answered()
    assert one.closed


def test_a_failure_opens_it_for_a_pause_and_half_opens_it_then():
    """Only the first failure and the first answer after it are news."""
    one = Breaker()
    assert one.failed(10.0, "away")
    assert not one.closed
    assert not one.allows(10.0 + 0.9 * FIRST_PAUSE_S)
    assert one.allows(10.0 + FIRST_PAUSE_S)
    assert not one.failed(11.0, "still away")
    assert ("still away", 10.0) == (one.reason, one.since)
    assert one.answered()
    assert one.closed
    assert one.reason is None


def test_pauses_double_up_to_a_bound_and_begin_anew():
    """So a service that is back is noticed within the longest pause."""
    one, now, pauses = Breaker(), 0.0, []
    for _ in range(8):
        one.failed(now, "away")
        pauses.append(one.until - now)
        now = one.until
    assert [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S] == pauses[:3]
    assert LONGEST_PAUSE_S == max(pauses) == pauses[-1]
    one.answered()
    one.failed(now, "away")
    assert FIRST_PAUSE_S == one.until - now
