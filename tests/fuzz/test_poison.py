"""Half of a log is poison: `scripts/poison` measures what that costs, and nothing is lost by it."""

import pytest

from tests.fuzz.poison import measured


@pytest.fixture(scope="module")
def found():
    """Return what the program prints, of one round."""
    return measured(10_000, 1)


@pytest.mark.parametrize("poison", ["every class", "usual"])
def test_every_good_record_is_counted_and_every_bad_one_is_a_letter(found, poison):
    """10,000 of each, in turn; the letters hold the bytes that were refused."""
    said = found if poison == "every class" else found["usual"]
    assert 10_000 == said["counted"]
    assert 10_000 == said["dead_letters"]
    assert said["bytes_equal"]


def test_the_usual_poison_costs_less_than_three_good_records(found):
    """Half of that in truth: a quarter of the rate is where something has become slow."""
    assert 0.25 < found["usual"]["throughput_ratio"]
