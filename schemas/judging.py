"""How closed panes are judged: the part of the config that a monitor needs besides the policy."""

from typing import Literal

import msgspec

from schemas.log import Millis


class Judging(msgspec.Struct, frozen=True, kw_only=True):
    """`allowed` false alarms of the whole model in each period of `per` milliseconds.

    `learn_rows`, `learn_span`: how many first rows, over which time, make a reference.
    `refused`: the share of records that may be. `segments`, `category_rows`: what a grid may have.
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
