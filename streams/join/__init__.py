"""Where predictions and labels meet: identity, duplicates, corrections, the pending store."""

from schemas.frames.ids import Ids
from streams.join.company import Company, company
from streams.join.join import Arrivals, Join
from streams.join.ledger import Ledger
from streams.join.opinions import Opinions
from streams.join.sampling import chosen
from streams.join.shelf import Given, SavedShelf, Shelf
from streams.join.stories import Form, Found, Leaving, Wanted, source_of

__all__ = [
    "Arrivals",
    "Company",
    "Form",
    "Found",
    "Given",
    "Ids",
    "Join",
    "Leaving",
    "Ledger",
    "Opinions",
    "SavedShelf",
    "Shelf",
    "Wanted",
    "chosen",
    "company",
    "source_of",
]
