"""What every adapter is told, and how it refuses.

Promises: a misfit says what was expected, and never quotes a value of the record.
Leaves to others: each format (the module of its name), reading files (`streams/cli`).
"""

from collections.abc import Iterable
from typing import Final, Protocol, TypeVar

import msgspec

from schemas.inputs import Event
from schemas.log import Millis

DEFAULT_VERSION: Final = "1"

Shape = TypeVar("Shape")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a log does not say of itself.

    `model`, `version`: instead of those in the record, or where it names none. `features`: names
    of the values in a nameless row, in order. `scores`: a lone number that comes out of the model
    is the probability of the positive class. `now`: the instant of a record that has none.
    """

    model: str | None = None
    version: str | None = None
    features: tuple[str, ...] = ()
    scores: bool = False
    now: Millis = 0


class MisfitError(Exception):
    """A record that is not of the format: says what was looked for."""


class Adapter(Protocol):
    """Reads one format, record by record."""

    def take(self, record: bytes) -> Iterable[Event]:
        """The events that a record completes, perhaps none; MisfitError if it is no such record."""

    @property
    def waiting(self) -> int:
        """Records whose other half has not come."""


def decoded(decoder: "msgspec.json.Decoder[Shape]", record: bytes, what: str) -> Shape:
    """A record by its type; MisfitError names `what` it should have been, and the field."""
    try:
        return decoder.decode(record)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        # A decoder names fields and types; values of the record are not in its message.
        raise MisfitError(f"is no {what} ({str(error)[:200]})") from None


def model_of(asked: Asked, said: str | None, where: str) -> str:
    """Which model a record is of; MisfitError if nobody says."""
    model = asked.model or said
    if not model:
        raise MisfitError(f"names no model in {where}; say --model")
    return model
