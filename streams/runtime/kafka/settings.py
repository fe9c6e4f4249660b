"""What a worker process is told; plain values, so that tests can tell it anything.

Promises: nothing here is read from the environment, a file or the broker.
Leaves to others: where the values come from (`process`).
"""

from collections.abc import Mapping

import msgspec

from schemas.log import Millis
from streams import snapshot as snapshots
from streams.runtime.kafka.connection import Connection
from streams.runtime.kafka.watchdog import Limits


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker needs to know besides its machines.

    `names`: logical names of topics > names on the broker; `partitions` of every input;
    `topics`: identities of the inputs, so that a recreated one is recognised; `tick_ms`: the
    shortest pane, None if no model uses the broker's clock; `allowance_ms`: how far the clocks of
    brokers may be apart; `lateness_ms`: the longest of any model; `cycle_s`: how often outputs are
    sent; `store_s`: how often the state is stored.
    """

    connection: Connection
    group: str
    names: Mapping[str, str]
    state_topic: str
    partitions: int
    topics: Mapping[str, str] = {}
    references_partitions: int = 0
    cycle_s: float = 0.25
    store_s: float = 10.0
    tick_ms: Millis | None = None
    allowance_ms: Millis = 2_000
    lateness_ms: Millis = 0
    session_timeout_s: float = 12.0
    limits: Limits = Limits(stall_s=60.0, unsettled_s=72.0, memory=512 << 20, red=460 << 20)
    instance: str | None = None
    record_bytes: int = 9 << 20
    chunk_bytes: int = snapshots.CHUNK_BYTES
    secret: bytes = b""
    config: str = ""
