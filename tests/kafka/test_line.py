"""The line to the broker: what is told of it, and what is not worth a word."""

import pytest

from streams.runtime.kafka.line import Line


def told(line, *seconds):
    return [news for one in seconds if (news := line.answered(one)) is not None]


@pytest.fixture
def line():
    """A line whose answers took 10 ms so far."""
    line = Line()
    assert [] == told(line, *[0.01] * 20)
    return line


def test_slower_answers_are_told_once_and_their_end_once(line):
    """Whoever reads the log sees when it began and when it was over."""
    begun = ["the broker answers after 0.21 s, usually 0.01 s"]
    assert begun == told(line, 0.2, 0.21, 0.3, 0.25)
    assert ["the broker answers as usual again"] == told(line, 0.01, 0.01, 0.01)


def test_one_slow_answer_is_not_worth_a_line(line):
    """A busy moment of our own looks the same."""
    assert [] == told(line, 0.5, 0.01, 0.5, 0.01)


def test_an_answer_after_seconds_is_told_at_once(line):
    """The line was dead meanwhile."""
    assert ["progress marks were taken after 4.2 s"] == told(line, 4.2, 0.01, 0.01)


def test_a_line_that_is_always_slow_is_no_news():
    """What is usual is learned from the line itself."""
    assert [] == told(Line(), *[0.3] * 80)


def test_what_lasts_becomes_usual(line):
    """A broker that has moved away is slow news only once."""
    assert 1 == len(told(line, *[0.2] * 15))
    assert ["the broker answers as usual again"] == told(line, *[0.2] * 60)
