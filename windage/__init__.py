"""Windage, for programs that send predictions or act on drift.

    import windage

    pub = windage.Publisher("kafka://localhost:9092", model="fraud", version="3.2")
    pid = pub.prediction({"amount": 20.1, "country": "DE"}, prediction=1, score=0.83)
    pub.label(pid, 0)

Promises: importing it is quick and imports nothing else of this project and no client of Kafka;
those are imported by the thread that needs them.
Leaves to others: the commands and machines (`windage` on the command line).
"""

from typing import TYPE_CHECKING, Any

from windage.fields import ArgumentError
from windage.publisher import Publisher

if TYPE_CHECKING:
    from windage import aio as aio
    from windage.checking import assert_valid_event
    from windage.memory import InMemoryPublisher
    from windage.retraining import on_retrain
    from windage.subscribing import subscribe

__version__ = "0.1.0"
__all__ = [
    "ArgumentError",
    "InMemoryPublisher",
    "Publisher",
    "aio",
    "assert_valid_event",
    "on_retrain",
    "subscribe",
]

_LATER = {
    "InMemoryPublisher": "windage.memory",
    "aio": "windage.aio",
    "asgi": "windage.asgi",
    "assert_valid_event": "windage.checking",
    "on_retrain": "windage.retraining",
    "subscribe": "windage.subscribing",
}
"""Names that are imported when they are asked for, and where they are."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - one of the names above
    if name not in _LATER:
        raise AttributeError(f"module 'windage' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    module = import_module(_LATER[name])
    return module if _LATER[name] == f"windage.{name}" else getattr(module, name)
