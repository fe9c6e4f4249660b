"""A broker of the harness that does not come up again ends the run, and does not hang it."""

import asyncio

import pytest

from scripts.storm.broker import BrokerError
from scripts.storm.run import beside


async def hang():
    await asyncio.Event().wait()


async def test_traffic_that_nobody_takes_is_given_up_with_the_fault():
    with pytest.raises(BrokerError, match="did not come up"):
        async with asyncio.timeout(5), beside(hang()):
            raise BrokerError("the broker did not come up")


async def test_traffic_is_written_to_its_end_where_the_fault_is_over_before():
    written = []

    async def write():
        await asyncio.sleep(0.01)
        written.append("all")

    async with beside(write()):
        pass
    assert ["all"] == written


async def test_traffic_that_fails_is_told():
    async def fail():
        raise RuntimeError("not taken")

    with pytest.raises(RuntimeError, match="not taken"):
        async with beside(fail()):
            pass
