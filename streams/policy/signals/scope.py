"""In which segment a movement is: everywhere, or in one value of one dimension.

Promises: a pure function of one pane's observations. A value is named only if it stands out:
its siblings were judged and hold still, and its effect is larger than theirs and the whole's.
Leaves to others: which observations belong together (`incidents.grouping`).
"""

from collections.abc import Iterable, Mapping
from typing import Final

from schemas.finding import Finding
from streams.policy.severity import fall_of
from streams.policy.signals.observation import Observation

WHOLE: Final = "*"
STANDS_OUT: Final = 0.6
"""A still sibling must show less than this share of the effect."""

Sizes = Mapping[str, float | None]
"""segment -> size of the effect there, None if unknown."""


def sizes_of(finding: Finding) -> tuple[float | None, ...]:
    """The sizes of an effect by measure: fall, tolerances, PSI, KS; None where not measured."""
    effect = finding.effect
    fall = fall_of(finding)
    known = (effect.size, effect.psi, effect.ks)
    return (
        None if fall is None else max(fall, 0.0),
        *(None if size is None else abs(size) for size in known),
    )


def size_of(finding: Finding) -> float | None:
    """The size of an effect by the first measure it has."""
    return next((size for size in sizes_of(finding) if size is not None), None)


def siblings(one: str, other: str) -> bool:
    """Whether two segments are different values of one dimension."""
    return one != other and "=" in one and one.partition("=")[0] == other.partition("=")[0]


def scope_of(observations: Iterable[Observation], firing: frozenset[str] = frozenset()) -> str:
    """The segment of a movement: one value, or `*`.

    `observations` are all of this pane, moving and still, of the signals that take part;
    `firing` are further segments known to move. Alarms decide; what only joins counts where
    the same signal alarms somewhere, or where nothing alarms at all.
    """
    observed = list(observations)
    loud = {o.key.signal for o in observed if o.alarm}
    movers = [o for o in observed if o.moves and (not loud or o.key.signal in loud)]
    moving = {o.key.segment for o in movers} | firing
    still = {o.key.segment for o in observed if o.still} - moving
    values = sorted(moving - {WHOLE})
    standing = [value for value in values if _stands_out(value, moving, still, observed)]
    if not standing:
        return WHOLE
    return max(standing, key=lambda value: (_largest(value, movers), value))


def _stands_out(value: str, moving: set[str], still: set[str], seen: list[Observation]) -> bool:
    """Whether `value` alone moves in its dimension, and by more than its siblings could hide."""
    if any(siblings(value, other) for other in moving):
        return False
    if not any(siblings(value, other) for other in still):
        # Nobody to compare with: believed only if nothing else moves at all.
        return moving == {value}
    moved = {o.key.signal for o in seen if o.key.segment == value and o.judged and not o.still}
    for signal in sorted(moved):
        measured = {o.key.segment: sizes_of(o.finding) for o in seen if o.key.signal == signal}
        own = measured[value]
        first = next((i for i, size in enumerate(own) if size is not None), 0)
        # Only one measure compares: a fall here says nothing against a distance there.
        if not _exceeds(value, {segment: sizes[first] for segment, sizes in measured.items()}):
            return False
    return True


def _exceeds(value: str, sizes: Sizes) -> bool:
    """Whether the effect in `value` is larger than the whole's and well above its siblings'."""
    own = sizes.get(value)
    if own is None:
        return True
    for segment, size in sizes.items():
        if size is None:
            continue
        if segment == WHOLE and size > own:
            return False
        if siblings(value, segment) and size > STANDS_OUT * own:
            return False
    return True


def _largest(value: str, movers: list[Observation]) -> float:
    """The largest known effect in `value`."""
    sizes = (size_of(o.finding) for o in movers if o.key.segment == value)
    return max((size for size in sizes if size is not None), default=0.0)
