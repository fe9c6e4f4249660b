"""Opening: the store that a config names, or none.

Promises: nothing is asked yet, so a Redis that is away at the start holds nobody up: what is read
until it answers is told like any other time in which it is away.
Leaves to others: who uses it (`runtime.roles`).
"""

from schemas.config import Config
from schemas.log import Millis
from schemas.topics import plan
from streams.stores.store import Store


def open_store(config: Config) -> Store | None:
    """Where predictions wait for labels; None: in memory."""
    if config.redis is None or not any(model.labelled for model in config.models.values()):
        return None
    from streams.stores.redis_store import RedisStore  # noqa: PLC0415 - who needs none loads none

    kept = max(one.retention for one in plan(config) if one.topic in ("predictions", "labels"))
    lives = {
        name: _life(model.labels.horizon + model.lateness, kept)
        for name, model in config.models.items()
    }
    return RedisStore(config.redis, config.app, lives)


def _life(wait: Millis, kept: Millis) -> Millis:
    """Of a row: as long as it may be asked for, by whoever reads the oldest record there is."""
    return wait + max(kept, 0)
