"""The store in Redis: for horizons of days, too long for memory and for re-reading at a restart.

Promises: nothing waits longer than the configured timeout, twice; then Redis is left alone for a
while (`breaker`). Nothing is raised: what cannot be asked or stored is said by None and False.
A key lives for horizon and retention since it was last written: a broom, by the wall clock; what is
still valid is decided by the stream.
Leaves to others: what rows mean (`streams/join`), what follows from no answer (the profiler).
"""

import logging
import time
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from redis import Redis
from redis import exceptions as errors
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, RedisError
from redis.retry import Retry

from schemas import config_links
from schemas.log import Millis
from schemas.vocabulary import UNNAMED
from streams.join import Found, Leaving, Wanted
from streams.stores.breaker import Breaker
from streams.stores.scripts import FETCH, PUT

IDS_A_CALL: Final = 1_000
"""So many ids keep Redis for a few milliseconds; others wait no longer."""

TRIES: Final = 2
"""Before Redis counts as away: a connection that was cut is made anew by the second."""

_log = logging.getLogger(__name__)


def connect(config: config_links.Redis) -> Redis:
    """A client that gives up after the configured timeout, and does not try again by itself."""
    seconds = config.timeout / 1000
    return Redis.from_url(
        config.url,
        username=None if config.username is None else config.username.get_secret_value(),
        password=None if config.password is None else config.password.get_secret_value(),
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
        **({"ssl_ca_certs": config.ca} if config.ca else {}),
    )


class RedisStore:
    """One Redis, for all machines of a process."""

    def __init__(self, config: config_links.Redis, app: str, lives: Mapping[str, Millis]) -> None:
        """`app` names the installation, `lives` say for how long rows of each model are kept."""
        self._client = connect(config)
        self._fetch = self._client.register_script(FETCH)
        self._put = self._client.register_script(PUT)
        self._root, self._lives = f"windage:{app}".encode(), dict(lives)
        # Reading goes on where only writing is refused (a full Redis), so there are two circuits.
        self._reading, self._writing = Breaker(), Breaker()

    def fetch(self, wanted: Wanted) -> Found | None:
        """The stories of ids; None while Redis does not answer."""
        keys = self._keys(wanted.model, [wanted.ids.key(i) for i in range(len(wanted.ids))])
        parts = []
        for begin in range(0, len(keys), IDS_A_CALL):
            some = [self._root, *keys[begin : begin + IDS_A_CALL]]
            told = self._ask(self._reading, self._fetch, some, [wanted.source])
            if told is None:
                return None
            parts.append(told)
        counts = np.frombuffer(b"".join(part[1] for part in parts), "<u4").reshape(-1, 2)
        return Found(
            # The least of them: one that was emptied in between has lost what it told before.
            turn=min((int(part[0]) for part in parts), default=0),
            predictions=counts[:, 0].astype(np.int64),
            prediction_rows=b"".join(part[2] for part in parts),
            labels=counts[:, 1].astype(np.int64),
            label_rows=b"".join(part[3] for part in parts),
        )

    def put(self, leaving: Leaving) -> int | None:
        """Store rows; gives the last turn that Redis knew of, None while it does not take them."""
        keys = self._keys(leaving.model, [leaving.ids.key(i) for i in range(len(leaving.ids))])
        before = []
        for begin in range(0, len(keys), IDS_A_CALL):
            span = slice(begin, begin + IDS_A_CALL)
            # The turn is told with the last rows: until then it is not stored.
            turn = leaving.turn if begin + IDS_A_CALL >= len(keys) else 0
            told: list[Any] = [leaving.source, turn, self._life(leaving.model)]
            for field, row in zip(leaving.fields[span], leaving.rows[span], strict=True):
                told += (field, row)
            known = self._ask(self._writing, self._put, [self._root, *keys[span]], told)
            if known is None:
                return None
            before.append(int(known))
        return min(before)

    def _life(self, model: str) -> Millis:
        """For how long rows of a model are kept, named or not."""
        return self._lives.get(model) or self._lives[UNNAMED]

    def trouble(self) -> str | None:
        """Why Redis does not serve."""
        return self._writing.reason or self._reading.reason

    def _keys(self, model: str, ids: list[bytes]) -> list[bytes]:
        head = b"%s:%s:" % (self._root, model.encode())
        return [head + one for one in ids]

    def _ask(self, breaker: Breaker, script: Any, keys: list[bytes], told: list[Any]) -> Any:  # noqa: ANN401 - scripts answer anything
        """What a script answers; None if it does not."""
        for left in reversed(range(TRIES if breaker.closed else 1)):
            if not breaker.allows(time.monotonic()):
                return None
            try:
                answer = script(keys=keys, args=told)
            except (RedisError, OSError) as error:
                if left and not isinstance(error, OutOfMemoryError | errors.AuthenticationError):
                    continue
                if breaker.failed(time.monotonic(), said := reason(error)):
                    _log.warning("Redis %s: labels are joined from memory until it does", said)
                return None
            if breaker.answered():
                _log.warning("Redis is back")
            return answer
        return None


def reason(error: Exception) -> str:
    """What is the matter, in words; nothing of what was sent."""
    if isinstance(error, errors.AuthenticationError | errors.NoPermissionError):
        return "lets us in with neither name nor password"
    if isinstance(error, OutOfMemoryError):
        return "is full"
    if isinstance(error, errors.TimeoutError):
        return "does not answer in time"
    return f"does not answer ({type(error).__name__})"
