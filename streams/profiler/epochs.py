"""Epochs of the models of one profiler: which states go on, and when others have gone ahead.

Promises: a state of an earlier epoch is left behind, because its model begins at the places of the
present one; one of a later epoch, and word of one, stop whoever would count on in the former way.
Leaves to others: when an epoch begins (runtimes), where (`schemas.counting`).
"""

from collections.abc import Collection, Sequence

from schemas.counting import Counting
from schemas.epoch import decode, is_epoch
from schemas.vocabulary import UNNAMED
from streams.profiler.saved import SavedModel
from streams.profiler.unnamed import SavedUnnamed
from streams.snapshot import SupersededError, anew, ranked


def heard(reference: bytes, counting: Collection[Counting]) -> bool:
    """Whether a record of `references` is an epoch; SupersededError if it is beyond ours."""
    if not is_epoch(reference):
        return False
    epoch = decode(reference)
    for one in counting:
        if one.model == epoch.model and epoch.number > one.epoch:
            raise SupersededError(anew(one.model, epoch.number, one.epoch))
    return True


def going_on(
    saved: Sequence[SavedModel], unnamed: SavedUnnamed | None, counting: Collection[Counting]
) -> tuple[list[SavedModel], SavedUnnamed | None]:
    """What of a state is of the present epochs; SupersededError if some is of a later one.

    Models that are not named are of the epoch of whom nobody has met, and begin anew with it.
    """
    present = {one.model: one.epoch for one in counting}
    let_in: Collection[str] = () if unnamed is None else unnamed.begun
    kept = []
    for one in saved:
        here = present.get(UNNAMED if one.model in let_in else one.model, one.epoch)
        if one.epoch > here:
            raise SupersededError(anew(one.model, one.epoch, here))
        if one.epoch == here:
            kept.append(one)
    if unnamed is not None and UNNAMED in present and UNNAMED not in {one.model for one in kept}:
        unnamed = SavedUnnamed(met={log: [] for log in unnamed.met}, begun={})
    return kept, unnamed


def rank(known: int, counting: Collection[Counting]) -> int:
    """The first part of a state's rank: its epochs, and how many models have their grid."""
    return ranked(sum(one.epoch for one in counting), known)
