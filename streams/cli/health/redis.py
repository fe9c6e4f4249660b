"""Checks of Redis as the place where predictions wait for their labels, for `windage doctor`.

Promises: nothing is changed; an address without an answer is one line.
Leaves to others: using it (`streams/stores`), printing (`doctor`).
"""

from typing import Any, Final

from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from schemas.config import Config
from streams.cli.health.check import Check
from streams.stores.redis_store import connect, reason
from streams.stores.scripts import FETCH

_CROWDED: Final = 0.8
"""Share of Redis' memory from which on it is worth a word."""

_SAFE: Final = ("noeviction", "volatile-ttl")
"""Policies that drop no row that is still waited for, or the one that would have gone first."""


def redis(config: Config) -> list[Check]:
    """Whether the pending store answers, lets us in, and keeps what it is given."""
    if config.redis is None:
        return [Check(check="redis", state="ok", found="not configured: labels wait in memory")]
    url, client = config.redis.url, connect(config.redis)
    try:
        client.ping()
        # What a worker asks most, of nothing: shows that scripts are allowed.
        client.eval(FETCH, 1, f"windage:{config.app}", b"\0" * 8)
        about: dict[str, Any] = client.info()
    except (AuthenticationError, NoPermissionError) as error:
        todo = "mend redis.username and redis.password; needed: EVAL, EVALSHA, HSET, PEXPIRE, INFO"
        return [_away(f"{url} {reason(error)}", todo)]
    except (RedisError, OSError) as error:
        todo = "start it, or mend redis.url; until then labels are joined from memory alone"
        return [_away(f"{url} {reason(error)}", todo)]
    finally:
        client.close()
    found = f"{url} answers (version {about.get('redis_version')})"
    return [Check(check="redis", state="ok", found=found), *_kept(about)]


def _away(found: str, todo: str) -> Check:
    return Check(check="redis", state="fail", found=found, todo=todo, unreachable=True)


def _kept(about: dict[str, Any]) -> list[Check]:
    """Whether what it is given stays."""
    out = []
    policy, most = str(about.get("maxmemory_policy", "")), int(about.get("maxmemory", 0))
    if most and policy not in _SAFE:
        found = f"with maxmemory-policy {policy} it may drop predictions that wait, and tell nobody"
        todo = "CONFIG SET maxmemory-policy noeviction"
        out.append(Check(check="redis memory", state="fail", found=found, todo=todo))
    used = int(about.get("used_memory", 0))
    if most and used > _CROWDED * most:
        found = f"{used / most:.0%} of {most / 1e6:,.0f} MB are used"
        todo = "raise maxmemory, or shorten labels.horizon; when it is full, rows stay in memory"
        out.append(Check(check="redis memory", state="warn", found=found, todo=todo))
    if not int(about.get("aof_enabled", 0)):
        found = "appends no log: what waits may be lost when it restarts (and is told then)"
        todo = "CONFIG SET appendonly yes"
        out.append(Check(check="redis persistence", state="warn", found=found, todo=todo))
    return out
