"""What a model is for, in the words of whoever answers for it: for its monitoring card.

Leaves to others: writing the card (`cli.card`).
"""

from typing import Annotated

from pydantic import Field

from schemas.config_values import Part

Sentence = Annotated[str, Field(min_length=1, max_length=1_000)]


class Card(Part):
    """Intended use and limits, as declared; the card says what is not."""

    intended_use: Sentence | None = None
    out_of_scope: Sentence | None = None
    limits: Annotated[tuple[Sentence, ...], Field(max_length=20)] = ()
    contact: Sentence | None = None
