"""Where predictions and labels meet: identity, duplicates, corrections, the pending store."""

from schemas.frames.ids import Ids
from streams.join.join import Arrivals, Join

__all__ = ["Arrivals", "Ids", "Join"]
