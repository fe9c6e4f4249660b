"""Which epoch is present, and who may count in it; without a broker."""

import msgspec
import pytest

from schemas.epoch import encode
from streams.runtime.kafka import agreement
from streams.runtime.kafka.agreement import Agreement
from streams.runtime.kafka.connection import Connection
from streams.runtime.kafka.exits import RefusedError, UnreachableError
from streams.runtime.kafka.settings import Settings
from streams.snapshot import Found, Meta
from tests.schemas.test_epoch import epoch

SETTINGS = Settings(
    connection=Connection(bootstrap="nowhere"),
    group="g",
    names={},
    state_topic="s",
    partitions=2,
)


def stored(config):
    """A snapshot that was written by workers with this config."""
    meta = Meta(order=(0, 0), positions={}, config=config)
    return Found(meta=meta, snapshot=b"x", digest=b"", keys=(), litter=(), damaged=0)


async def reached(config, was, *told, role="monitor"):
    """The references by which a worker with `config` goes on, where a state `was` stored."""

    async def latest():
        return [encode(one) for one in told]

    settings = msgspec.structs.replace(SETTINGS, config=config)
    asked = Agreement(settings, role, ("journal",))
    return await asked.reached({0: stored(was), 1: None}, latest, None)


async def test_the_same_config_goes_on_and_models_may_come():
    """Nothing has begun, so nothing is announced."""
    assert [] == await reached("m=a n=b", "m=a")


async def test_a_worker_joins_the_epoch_that_its_config_began():
    """Also where the newest state of its partition is of the former one."""
    assert [encode(epoch(1, "x"))] == await reached("m=new", "m=old", epoch(1, "x"))


@pytest.mark.parametrize("role", ["profiler", "monitor"])
async def test_a_config_that_was_given_up_is_refused(role):
    """With the model, since when, and the way back."""
    with pytest.raises(RefusedError, match=r"model m .*2023-11-14.*epoch 1.*--reset-from"):
        await reached("m=old", "m=old", epoch(1, "x"), role=role)
    with pytest.raises(RefusedError, match="took the place of this one"):
        await reached("m=new", "m=x", epoch(1, "x"), epoch(2, "y", "newest"), role=role)


async def test_a_reset_brings_a_former_config_back():
    """The epoch that it began is counted by it."""
    told = epoch(1, "x"), epoch(2, "y", "old")
    assert 2 == len(await reached("m=old", "m=new", *told))


async def test_a_monitor_does_not_begin_an_epoch(monkeypatch):
    """It waits for a profiler with its config, and then ends, to be started again."""
    monkeypatch.setattr(agreement, "WAIT_SECONDS", 0.0)
    monkeypatch.setattr(agreement, "LOOK_SECONDS", 0.0)
    with pytest.raises(UnreachableError, match=r"config of m has changed.*start the profilers"):
        await reached("m=new", "m=old")
