"""Where predictions and labels meet: identity, duplicates, corrections, the pending store."""

from streams.join.ids import Ids
from streams.join.join import Arrivals, Join

__all__ = ["Arrivals", "Ids", "Join"]
