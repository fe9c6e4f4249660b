"""Epochs as a runtime begins and knows them: one rule, whoever carries the machines.

Promises: whether a model must be counted anew follows from its epochs and from how its config
counts, and from nothing else; what was learned in an earlier epoch is not known in a later one.
Leaves to others: announcing (`embedded`, `kafka/agreement`), beginning (the machines).
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final
from uuid import uuid4

import msgspec

from schemas import baseline as baselines
from schemas import epoch as epochs
from schemas.baseline import Baseline
from schemas.epoch import Epoch
from schemas.log import Millis, Output
from schemas.vocabulary import UNNAMED
from streams.runtime.counted import changed

PARTITION: Final = 0
"""Of `references`, where epochs are announced."""

Starts = Mapping[str, tuple[int, ...]]
"""An offset of each log and partition."""

Places = Mapping[int, Mapping[str, Mapping[str, int]]]
"""How far a state has come: an offset by partition, model and log."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the `references` topic and the config's files say together."""

    epochs: Mapping[str, Epoch]
    baselines: Mapping[str, Baseline]


def known(
    references: Iterable[bytes], files: Mapping[str, Baseline], named: Collection[str]
) -> Known:
    """The present epoch of each model that has one, and what is normal of it.

    A reference from a file is of every epoch, a learned one of that in which it was learned. Models
    that are not `named` in the config are in the epoch of `UNNAMED`.
    """
    told = list(references)
    present = epochs.present(epochs.epochs_of(told))
    found: dict[str, Baseline] = {}
    for value in told:
        if not epochs.is_epoch(value):
            baseline = baselines.decode(value)
            name = baseline.model if baseline.model in named else UNNAMED
            if baseline.grid.epoch == number(present.get(name)):
                found[baseline.model] = baseline
    for name, baseline in files.items():
        grid = msgspec.structs.replace(baseline.grid, epoch=number(present.get(name)))
        found[name] = msgspec.structs.replace(baseline, grid=grid)
    return Known(epochs=present, baselines=found)


def number(epoch: Epoch | None) -> int:
    """The number of an epoch; 0 has no record."""
    return 0 if epoch is None else epoch.number


def following(
    epoch: Epoch | None, model: str, counted: str, before: str, since: Millis, starts: Starts
) -> Epoch:
    """The epoch after `epoch` (None: after 0), to be announced."""
    return Epoch(
        model=model,
        number=number(epoch) + 1,
        counted=counted,
        before=before,
        since=since,
        starts=starts,
        name=uuid4().hex,
    )


def starts_of(
    model: str, states: Places, begins: Mapping[int, Mapping[str, int]], present: Epoch | None
) -> Starts:
    """Where a new epoch of `model` begins: where its states have come to, partition by partition.

    `begins`: the offset of each log of all partitions, for those without a state. What a model has
    only learned from was counted by nobody, so it begins where its present epoch did.
    """
    logs = next(iter(begins.values()))
    found: dict[str, tuple[int, ...]] = {}
    for log in logs:
        offsets = []
        for partition in sorted(begins):
            first = begins[partition][log]
            if present is not None:
                first = max(first, present.starts[log][partition])
            offsets.append(max(first, states.get(partition, {}).get(model, {}).get(log, first)))
        found[log] = tuple(offsets)
    return found


def renewals(
    was: Mapping[str, str],
    now: Mapping[str, str],
    told: Iterable[bytes],
    since: Millis,
    starts: Callable[[str, Epoch | None], Starts],
) -> list[Epoch]:
    """The epochs that begin because models are counted otherwise now than their states were.

    `was`, `now`: hashes by model; `told`: what `references` says; `starts` of a model whose present
    epoch is given.
    """
    present = epochs.present(epochs.epochs_of(told))
    return [
        following(at, name, now[name], was[name], since, starts(name, at))
        for name in changed(was, now)
        for at in [present.get(name)]
    ]


def announcement(epoch: Epoch) -> Output:
    """The record of `references` that begins an epoch; all in one partition, so in one order."""
    return Output(
        topic="references", key=epoch.key, value=epochs.encode(epoch), partition=PARTITION
    )


def sentence(epoch: Epoch) -> str:
    """What an operator is told of it."""
    return (
        f"model {epoch.model} is counted anew, in epoch {epoch.number}: what is counted has changed"
        " (pane, lateness, clock, features, segments, labels.horizon, ...)"
    )
