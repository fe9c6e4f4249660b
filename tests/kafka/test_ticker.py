"""Ticks: the time is told to machines whose logs were read to their end, and to no others."""

from types import SimpleNamespace

import pytest
from aiokafka.consumer.subscription_state import SubscriptionState
from faust.types import TP

from streams.runtime.kafka import faust_app
from streams.runtime.kafka.broker_clock import BrokerClock
from streams.runtime.kafka.ticker import Ticker


class Consumer:
    """A log that ends at 10."""

    def __init__(self, position=10, handed=10):
        self.at = position
        self.handed = handed
        self.alone = False

    async def highwaters(self, *tps):
        return dict.fromkeys(tps, 10)

    async def position(self, _tp):
        return self.at

    def handed_out(self, _tp):
        return self.handed

    def one_broker(self):
        return self.alone


async def test_a_position_is_never_waited_for():
    """It is asked for beside a rebalance, which must not wait for whoever asks."""
    known = SubscriptionState()
    asked = SimpleNamespace(_subscription=known)
    consumer = faust_app.Consumer.__new__(faust_app.Consumer)
    consumer._thread = SimpleNamespace(_ensure_consumer=lambda: asked)
    mine, other = TP("predictions", 0), TP("predictions", 1)
    assert await consumer.position(mine) is None  # nothing is assigned
    known.assign_from_user([mine])
    assert await consumer.position(mine) is None  # nobody has sought it yet
    known.seek(mine, 7)
    assert [7, None] == [await consumer.position(tp) for tp in (mine, other)]


class Clock(BrokerClock):
    def __init__(self, now):
        super().__init__()
        self.time = now

    def now(self):
        return self.time


@pytest.mark.parametrize(
    ("position", "handed", "counted", "expected"),
    [
        (10, 10, 10, [("predictions", 99_000)]),
        (11, 10, 10, [("predictions", 99_000)]),  # a transaction marker stands at the end
        (9, 9, 9, []),  # not at its end
        (10, 10, 8, []),  # fetched to its end, but a batch is not counted yet
        (10, 12, 10, []),  # more was fetched meanwhile
    ],
)
async def test_a_tick_only_where_everything_to_the_end_was_counted(
    position, handed, counted, expected
):
    """The instant told is the one read before, less the allowance."""
    told = []
    tenure = SimpleNamespace(owned=True, tick=lambda log, now: told.append((log, now)))
    tp = TP("predictions", 0)
    ticker = Ticker(Clock(100_000), pane=10_000, allowance=1_000)
    for _ in range(2):  # the second one is in the same pane
        await ticker.tick(Consumer(position, handed), [(tp, "predictions", tenure)], {tp: counted})
    assert expected == told


@pytest.mark.parametrize(
    ("alone", "heard", "expected"),
    [
        (False, True, 99_000),  # another broker's clock may be behind
        (True, False, 99_000),  # and this machine's may be ahead
        (True, True, 100_000),
    ],
)
async def test_one_broker_whose_clock_is_known_needs_no_allowance(alone, heard, expected):
    """What it appends from now on is stamped with that clock, and so not before the tick."""
    told = []
    tenure = SimpleNamespace(owned=True, tick=lambda _log, now: told.append(now))
    clock, consumer = Clock(100_000), Consumer(10, 10)
    consumer.alone = alone
    if heard:
        clock.heard(100_000)
    tp = TP("predictions", 0)
    await Ticker(clock, 10_000, 1_000).tick(consumer, [(tp, "predictions", tenure)], {tp: 10})
    assert [expected] == told


async def test_a_tick_comes_when_rows_that_are_late_have_had_their_time():
    """A tick at the end of a pane would not close it, and the next one comes a pane later."""
    told = []
    tenure = SimpleNamespace(owned=True, tick=lambda _log, now: told.append(now))
    clock, tp = Clock(100_000), TP("predictions", 0)
    ticker = Ticker(clock, pane=10_000, allowance=1_000, lateness=3_000)
    for clock.time in range(100_000, 130_000, 500):
        await ticker.tick(Consumer(10, 10), [(tp, "predictions", tenure)], {tp: 10})
    assert [99_000, 103_000, 113_000, 123_000] == told


def test_the_broker_clock_goes_by_the_broker_once_it_has_heard_of_it():
    """However wrong the local clock is."""
    clock = BrokerClock()
    clock.heard(5_000)
    assert 5_000 <= clock.now() < 6_000
