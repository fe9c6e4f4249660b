"""Joint: the sentence of several features together: the statistic, its size, and what moved most.

Promises: at most two features (means) or pairs of them (correlations) are named, the largest first,
and none that moved far less than the first.
Leaves to others: the rest of the sentence (`explain`).
"""

from typing import Final

from schemas.finding import Cell, Finding

SHIFTED: Final = "T2"
"""What the leading statistic is called where means moved."""

_NAMED: Final = 2
_BESIDE: Final = 3
"""What moved less than such a part of what moved most is not named beside it."""

_MAX_NAME: Final = 60
"""Characters of the names of a pair."""


def movement(finding: Finding) -> str:
    """What moved: means, or correlations with the reconstruction error beside them."""
    cells, effect = _leading(finding.cells), finding.effect
    if finding.direction == SHIFTED:
        named = [f"{_printable(one.name)} by {one.current:+.2f}" for one in cells]
        away = effect.mean_shift_sd or 0.0
        return f"T2 sees its mean {away:.2f} standard deviations away, {' and '.join(named)}"
    pairs = [
        f"{_printable(one.name)} {'rose' if one.current > one.reference else 'fell'}"
        f" from {one.reference:.2f} to {one.current:.2f}"
        for one in cells
    ]
    error = f"reconstruction error {effect.spread_ratio or 0.0:.2f} times usual"
    moved = f"correlation of {' and '.join(pairs)}"
    if finding.direction == "correlation":
        return f"{moved}, {error}"
    said = error if finding.direction == "reconstruction error" else f"{finding.direction}, {error}"
    return f"{said}, {moved}"


def _leading(cells: tuple[Cell, ...]) -> list[Cell]:
    """What moved most, largest first."""
    sizes = {one.name: abs(one.current - one.reference) for one in cells}
    least = max(sizes.values(), default=0.0) / _BESIDE
    moved = [one for one in cells if sizes[one.name] >= least]
    return sorted(moved, key=lambda one: (-sizes[one.name], one.name))[:_NAMED]


def _printable(name: str) -> str:
    """Without control characters, and not too long."""
    text = "".join(c for c in name if c.isprintable())
    return text if len(text) <= _MAX_NAME else text[: _MAX_NAME - 1] + "…"
