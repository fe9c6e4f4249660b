"""An assignment: which partition numbers a worker has, the same of every log it reads.

Promises: what does not fit the state is refused, in words.
Leaves to others: whose assignment it is (`worker`), what is restored for it (`recovery`).
"""

from collections.abc import Iterable

from faust.types import TP

from streams.runtime.kafka.exits import RefusedError


def numbers(assigned: Iterable[TP], topics: Iterable[str], partitions: int) -> set[int]:
    """Return the partition numbers; each of `topics` has `partitions` by the state. RefusedError.

    Another number of one log than of another would part predictions from their labels.
    """
    by_topic: dict[str, set[int]] = {topic: set() for topic in topics}
    for tp in assigned:
        by_topic.setdefault(tp.topic, set()).add(tp.partition)
    first, *others = by_topic.values()
    if any(other != first for other in others):
        raise RefusedError(f"the inputs are not given out by partition number: {by_topic}")
    if first and max(first) >= partitions:
        raise RefusedError(
            f"partitions were added to the inputs, which had {partitions}: keys go elsewhere now, "
            "so the state does not fit any more"
        )
    return first
