"""Sizes: an effect in words and units, for people.

Promises: every size that is known, once, in a fixed order; a name nobody has words for stays.
Leaves to others: what the sizes are (`detectors`), which of them a table has room for.
"""

from collections.abc import Mapping
from typing import Final

WORDS: Final = {
    "size": "shift {:.3g}",
    "psi": "PSI {:.3g}",
    "ks": "KS {:.3g}",
    "js": "JS {:.3g}",
    "hellinger": "Hellinger {:.3g}",
    "chi2": "chi2 {:.3g}",
    "wasserstein_sd": "Wasserstein {:.3g} sd",
    "mean_shift_sd": "mean moved {:+.3g} sd",
    "spread_ratio": "spread {:.3g} times",
    "current": "now {:.4g}",
    "low": "at least {:.4g}",
    "high": "at most {:.4g}",
    "baseline": "before {:.4g}",
    "fall": "worse by {:.3g}",
    "fall_ratio": "worse by {:.1%} of it",
}
"""A shift is in the unit of the tolerance: standard deviations, of shares angles."""


def sizes(effect: Mapping[str, float | None]) -> str:
    """The sizes of an effect, one after the other."""
    known = {name: value for name, value in effect.items() if value is not None}
    order = [*(name for name in WORDS if name in known), *sorted(known.keys() - WORDS.keys())]
    return ", ".join(WORDS.get(name, name + " {:.3g}").format(known[name]) for name in order)
