"""How long a restart would take whose store is rebuilt from the topics."""

import pytest

from schemas.config import Config
from streams.cli.promise import promises
from streams.runtime.rereading import A_SECOND, rereading

DAY = 86_400_000


def config(horizon, **more):
    """Two models, of which one waits longer."""
    models = {
        "slow": {"task": "binary", "lateness": "1m", "labels": {"horizon": horizon}},
        "quick": {"task": "binary", "labels": {"horizon": "1h"}},
        "never": {"task": "none"},
    }
    return Config.model_validate({"models": models} | more)


def test_it_is_the_records_of_the_longest_wait():
    """Of both logs, within horizon and lateness."""
    asked = []

    def count(log, span):
        asked.append((log, span))
        return 6 * A_SECOND

    found = rereading(config("7d"), count)
    assert [("predictions", 7 * DAY + 60_000), ("labels", 7 * DAY + 60_000)] == asked
    assert ("slow", 12_000, True) == (found.model, found.spent, found.long)
    assert "slow waits 7d1m for labels: a restart reads about 1,200,000 records" in found.sentence()
    assert not rereading(config("7d", limits={"rebuild": "12s"}), count).long


@pytest.mark.parametrize("more", [{"redis": {}}, {"models": {"never": {"task": "none"}}}])
def test_nothing_is_read_again_where_nothing_waits_in_memory(more):
    """With Redis, or without labels."""
    assert rereading(config("7d", **more), lambda *_: 1 << 40) is None


def test_validate_says_it_for_the_traffic_that_it_assumes():
    """A day at ten thousand rows an hour is quick, a month is not; Redis cures it."""
    slow = promises(config("30d"))[0].words
    (said,) = [one for one in slow if "a restart reads" in one]
    assert "at 10,000 rows per hour: wait for labels in Redis (redis:), or shorten" in said
    for quick in (config("1d"), config("30d", redis={})):
        assert not [w for one in promises(quick) for w in one.words if "a restart reads" in w]
