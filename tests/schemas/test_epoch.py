"""Epochs: whoever reads the topic of references comes to the same one."""

import msgspec
import pytest

from schemas import baseline as baselines
from schemas.epoch import Epoch, decode, encode, epochs_of, is_epoch, present, standing
from tests.laws.world import BASELINE, MODEL


def epoch(number, name, counted="new"):
    """One announcement."""
    return Epoch(
        model=MODEL,
        number=number,
        counted=counted,
        before="old",
        since=1_700_000_000_000,
        starts={"predictions": (3, 5)},
        name=name,
    )


def test_an_epoch_is_read_as_it_was_written():
    """With its place in every log."""
    assert epoch(1, "a") == decode(encode(epoch(1, "a")))


def test_epochs_and_references_are_told_apart():
    """Records of the topic that were there before epochs carry no mark."""
    assert is_epoch(encode(epoch(1, "a")))
    assert not is_epoch(baselines.encode(BASELINE))
    with pytest.raises(msgspec.DecodeError):
        is_epoch(b"neither")


def test_of_two_announcements_with_one_number_the_first_stands():
    """Others may follow it; a later number wins."""
    told = [encode(one) for one in (epoch(1, "z"), epoch(1, "a", "other"), epoch(2, "b"))]
    assert {MODEL: (epoch(1, "z"), epoch(2, "b"))} == epochs_of(told)
    assert {MODEL: epoch(2, "b")} == present(epochs_of(told))
    assert [told[0], told[2]] == standing(told)


def test_no_two_announcements_have_one_key():
    """Else compaction would keep the last one, which does not stand."""
    assert epoch(1, "a").key != epoch(1, "b").key


def test_references_of_two_epochs_have_keys_of_their_own():
    """A stale monitor's reference must not take the place of the present one."""
    grid = msgspec.structs.replace(BASELINE.grid, epoch=2)
    later = msgspec.structs.replace(BASELINE, grid=grid)
    assert (b"m", b"m/epoch-2") == (baselines.key(BASELINE), baselines.key(later))
