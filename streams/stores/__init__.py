"""Stores: where predictions wait for their labels when memory is not the place for it."""

from streams.stores.attended import Attended
from streams.stores.opening import open_store
from streams.stores.store import Store

__all__ = ["Attended", "Store", "open_store"]
