"""What a state was counted by: one hash a model, so that no state is read on with another config.

Promises: models may come; one that is counted in another way than its state was is named.
Leaves to others: the hash (`schemas.config_model`), what follows from a change (`epochs`).
"""

from collections.abc import Mapping
from typing import Final

import msgspec

STATE: Final = "counted"
"""Under this name an embedded log's state says by which config it was counted."""

Hashes = Mapping[str, str]
"""What names the way of counting, by model."""


def changed(was: Hashes, now: Hashes) -> list[str]:
    """The models of both whose way of counting differs, in order."""
    return sorted(name for name in was.keys() & now.keys() if was[name] != now[name])


def encode(hashes: Hashes) -> bytes:
    """The bytes that stand beside a state."""
    return msgspec.json.encode(dict(hashes), order="sorted")


def decode(stored: bytes) -> dict[str, str]:
    """What `encode` wrote."""
    return msgspec.json.decode(stored, type=dict[str, str])
