"""Stretches: a decoded batch cut at the control records that stand in it.

Promises: positions are counted from where a stretch begins.
Leaves to others: what a control record means (`model`).
"""

from schemas.inputs import ModelEvent
from streams.decode import Decoded


def stretches(decoded: Decoded, n: int) -> list[tuple[int, int, ModelEvent | None]]:
    """The batch cut at control records: (begin, stop, the control record that stands at stop)."""
    cuts = [(position, event) for position, event in decoded.controls]
    begins = [0, *(position + 1 for position, _ in cuts)]
    stops: list[tuple[int, ModelEvent | None]] = [*cuts, (n, None)]
    return [(begin, stop, event) for begin, (stop, event) in zip(begins, stops, strict=True)]


def part_of(decoded: Decoded, begin: int, stop: int) -> Decoded:
    """The decoded records at positions begin .. stop - 1, counted from begin."""
    if not decoded.controls:
        return decoded
    positions = decoded.positions if decoded.positions is not None else range(stop)
    kept = [i for i, position in enumerate(positions) if begin <= position < stop]
    return Decoded(
        [decoded.events[i] for i in kept],
        [positions[i] - begin for i in kept],
        None if decoded.rows is None else [decoded.rows[i] for i in kept],
        decoded.refused.between(begin, stop),
        [],
        decoded.tombstones,
    )
