"""An epoch: from where on a model is counted in the present way, agreed on by everybody.

Promises: a record of the `references` topic that names a place in every log, so that all owners of
a partition, now and later, begin at the same one; whoever reads the topic comes to the same epoch.
Leaves to others: when one begins (runtimes), what it means for a machine (profiler, monitor).
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from schemas.log import Millis


class Epoch(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="epoch"):
    """Epoch `number` of a model, counted as the hash `counted` says; the one before was `before`.

    `starts`: the first offset that belongs to it, by log and partition. `since` is when it was
    announced, `name` tells two announcements apart that were made at once.
    """

    model: str
    number: int
    counted: str
    before: str
    since: Millis
    starts: Mapping[str, tuple[int, ...]]
    name: str

    @property
    def key(self) -> bytes:
        """The record's key; no other has it, so that compaction keeps the first one."""
        return f"{self.model}/epoch-{self.number}/{self.name}".encode()


class _Stamp(msgspec.Struct, frozen=True):
    """What tells the records of the topic apart."""

    record: Literal["epoch", "baseline"] = "baseline"


_encoder: Final = msgspec.msgpack.Encoder(order="deterministic")
_stamp: Final = msgspec.msgpack.Decoder(_Stamp)
_decoder: Final = msgspec.msgpack.Decoder(Epoch)

Epochs = Mapping[str, tuple[Epoch, ...]]
"""Of each model, its epochs in their order; epoch 0 has no record."""


def encode(epoch: Epoch) -> bytes:
    """The bytes of an epoch."""
    return _encoder.encode(epoch)


def is_epoch(value: bytes) -> bool:
    """Whether a record of `references` is an epoch; msgspec.DecodeError if it is none of ours."""
    return _stamp.decode(value).record == "epoch"


def decode(value: bytes) -> Epoch:
    """The epoch of bytes; msgspec.DecodeError if they are none."""
    return _decoder.decode(value)


def epochs_of(references: Iterable[bytes]) -> Epochs:
    """The epochs among records of `references`, oldest record first.

    Of two that were announced with one number the first stands: who announced the other reads the
    topic again before anything is counted by it.
    """
    found: dict[str, dict[int, Epoch]] = {}
    for value in references:
        if is_epoch(value):
            epoch = decode(value)
            found.setdefault(epoch.model, {}).setdefault(epoch.number, epoch)
    return {
        model: tuple(numbered[number] for number in sorted(numbered))
        for model, numbered in found.items()
    }


def standing(references: Iterable[bytes]) -> list[bytes]:
    """Records of `references` without the epochs that do not stand."""
    told = list(references)
    stand = {epoch.name for line in epochs_of(told).values() for epoch in line}
    return [value for value in told if not is_epoch(value) or decode(value).name in stand]


def present(epochs: Epochs) -> dict[str, Epoch]:
    """The last epoch of each model that has any."""
    return {model: line[-1] for model, line in epochs.items()}
