"""A service on a free port, a log in a folder, and couriers that do not wait between attempts."""

import pytest

from streams.runtime.sqlite_log import SqliteLog
from streams.sinks import courier
from tests.sinks.world import Service


@pytest.fixture
async def service():
    async with Service() as one:
        yield one


@pytest.fixture
def log(tmp_path):
    one = SqliteLog(tmp_path)
    yield one
    one.close()


@pytest.fixture
def pauses(monkeypatch):
    """The pauses a courier makes, in seconds, none of which is waited for."""
    made = []

    async def sleep(seconds):
        made.append(seconds)

    monkeypatch.setattr(courier, "_sleep", sleep)
    return made
