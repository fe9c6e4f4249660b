"""What the doctor says of a Redis: reachable, let in, and whether it keeps what it is given."""

import pytest

from schemas import config_links
from schemas.config import Config
from streams.cli.health.redis import redis
from streams.stores import open_store
from tests.stores.conftest import Server, need_redis


def configured(url, **more):
    """A config with this Redis."""
    one = config_links.Redis.model_validate({"url": url, "timeout": "300ms"} | more)
    return Config.model_validate({"models": {"m": {"task": "binary"}}}).model_copy(
        update={"redis": one}
    )


def states(config):
    """State by check."""
    return {one.check: one.state for one in redis(config)}


def test_a_sound_redis_is_sound(server):
    """It answers, runs scripts, and appends a log."""
    assert {"redis": "ok"} == states(configured(server.url))


def test_one_that_may_drop_what_waits_is_a_fault(server):
    """Because nobody would ever be told."""
    client = server.client()
    client.config_set("maxmemory", "100mb")
    client.config_set("maxmemory-policy", "allkeys-lru")
    (fault,) = [one for one in redis(configured(server.url)) if one.state == "fail"]
    assert ("redis memory", False) == (fault.check, fault.unreachable)
    assert "allkeys-lru" in fault.found


def test_one_that_is_nearly_full_or_keeps_no_log_is_a_warning(server):
    """It works today."""
    client = server.client()
    client.config_set("appendonly", "no")
    client.config_set("maxmemory", str(client.info()["used_memory"] + 100_000))
    found = states(configured(server.url))
    assert {"redis": "ok", "redis memory": "warn", "redis persistence": "warn"} == found


def test_a_wrong_password_and_no_answer_are_told_apart(tmp_path):
    """Both end with the code for what is not reachable."""
    need_redis()
    server = Server(tmp_path, "--requirepass", "right")
    server.start()
    try:
        assert {"redis": "ok"} == states(configured(server.url, password="right"))
        (wrong,) = redis(configured(server.url, password="wrong"))
        assert "password" in wrong.found
        assert "wrong" not in wrong.found
        assert wrong.unreachable
    finally:
        server.kill()
    (away,) = redis(configured(server.url))
    assert "does not answer" in away.found
    assert away.unreachable


@pytest.mark.parametrize("model", [{"task": "none"}, {"task": "binary", "labels": "none"}])
def test_without_labels_nothing_waits_and_no_redis_is_used(model):
    """Whatever the config names."""
    config = Config.model_validate({"redis": {}, "models": {"m": model}})
    assert open_store(config) is None
