"""Opening what events are read from: a topic of Kafka, or the stream of `windage serve`.

Promises: only what is used is imported.
Leaves to others: what a source does (`sources`), which events are wanted (`subscribing`,
`retraining`).
"""

from windage.addresses import Address, KafkaAddress
from windage.sources import Source


def source(
    address: Address,
    topic: str,
    *,
    group: str,
    start: str,
    cursor: str | None = None,
    longest_s: float = 300.0,
) -> Source:
    """Open a source. ConnectionError if nobody answers.

    `start`: `latest` or `earliest`, where the group has no place yet. `longest_s`: how long a
    reader may take over what it has read before the group gives it to others.
    """
    if isinstance(address, KafkaAddress):
        from windage.from_kafka import FromKafka  # noqa: PLC0415 - only what is used

        return FromKafka(address, topic, group=group, start=start, longest_s=longest_s)
    from windage.from_http import FromHttp  # noqa: PLC0415

    return FromHttp(address, topic, start=start, cursor=cursor)
