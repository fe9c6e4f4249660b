"""How closed panes are judged: the part of the config that a monitor needs besides the policy."""

from typing import Literal

import msgspec

from schemas.log import Millis


class Judging(msgspec.Struct, frozen=True, kw_only=True):
    """`allowed` false alarms of the whole model in each period of `per` milliseconds.

    `learn_rows`, `learn_span`: how many first rows, over which time, make a reference.
    `refused`: the share of records that may be. `segments`, `category_rows`: what a grid may have.
    `learn_from`, `learn_until`: rows before the one are no reference, and it lasts to the other.
    `epoch` numbers the way of counting that is judged, announced at the instant `since`, with
    the offsets `starts` by log and partition.
    """

    model: str
    pane: Millis
    labelled: bool
    tolerance: float
    null: Literal["joint", "one_sided"]
    allowed: float
    per: Millis
    learn_rows: int
    learn_span: Millis
    positive: str | None = None
    refused: float = 0.2
    segments: int = 200
    category_rows: int = 20
    learn_from: Millis = 0
    learn_until: Millis = 0
    epoch: int = 0
    since: Millis = 0
    starts: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @property
    def stretch(self) -> tuple[int, int]:
        """The first pane that a reference may be made of, and of how many; 0 if nobody says."""
        first = -(-self.learn_from // self.pane)
        return first, max(0, self.learn_until // self.pane - first)
