"""A mirror: the topics of an installation that runs elsewhere, as the pages want a runtime.

Promises: nothing is changed there but for what a person says, which is written to its
`model-events`; only the newest `NEWEST` records of each topic are copied, into a log of our own;
an installation that cannot be read any more shows as failing.
Leaves to others: reading and writing there (`Reader`, `Writer`), the counts of its workers (their
own pages), the pages (`server`).
"""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread
from typing import Final

from schemas.lamp import Lamp
from schemas.log import Millis, Output, OutputTopic, Record
from streams.runtime.crank import Accounts
from streams.runtime.installation.reading import Located, Reader
from streams.runtime.installation.writing import Letter, Writer
from streams.runtime.sqlite_log import Entry, Group, Receipt, SqliteLog

logger = logging.getLogger(__name__)

NEWEST: Final = 100_000
BATCH: Final = 1_000
LAG_SECONDS: Final = 5.0

_OUTPUTS: Final[tuple[OutputTopic, ...]] = (
    "alerts",
    "drift-events",
    "retrain-requests",
    "rollback-requests",
    "dead-letters",
    "readings",
)
_SAID: Final = "model-events"


class Saying:
    """Takes what is said and has it written there."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="windage-saying")

    def submit(self, group: Group) -> Future[Receipt]:
        """The receipt, once it is written; events other than what is said are refused."""
        return self._threads.submit(self._write, group)

    def stop(self) -> None:
        """Write what waits, then end."""
        self._threads.shutdown()

    def _write(self, group: Group) -> Receipt:
        if any(entry.log != _SAID for entry in group.entries):
            raise ValueError("a mirror takes model events only")
        self._writer.write(
            [
                Letter(topic=one.log, key=one.key, value=one.value, headers=one.headers)
                for one in group.entries
            ]
        )
        return Receipt(offsets=list(range(len(group.entries))), digest=group.digest)


class Mirror:
    """A copy that follows; `start` and `stop` it. The reader belongs to it from then on."""

    def __init__(self, reader: Callable[[], Reader], writer: Writer, directory: Path) -> None:
        """`reader` opens a way to read, in the thread that reads; `directory` is for scratch."""
        self.log = SqliteLog(directory)
        self.failure: BaseException | None = None
        self.progressed = time.monotonic()
        self.observers: list[Callable[[], None]] = []
        self.intake = Saying(writer)
        self._reader = reader
        self._lag: dict[str, int] = {}
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="windage-mirror", daemon=True)

    def start(self) -> None:
        """Begin to copy."""
        self._thread.start()

    def stop(self) -> None:
        """End copying, and let go of everything."""
        self._stopping.set()
        self._thread.join()
        self.intake.stop()
        self.log.close()

    def outputs(self, topic: str, after: int = -1, limit: int = 1000) -> list[Record]:
        """At most `limit` copied outputs of `topic` behind offset `after`."""
        return self.log.read(topic, 0, after + 1, limit, connection="view")

    def backlog(self) -> dict[str, int]:
        """Records not read yet, by input log, as far as the installation tells."""
        return dict(self._lag)

    def accounting(self) -> Accounts:
        """Nothing: the workers count, and tell of it on pages of their own."""
        return {}

    def store(self) -> str | None:
        """Not ours to know."""
        return None

    def lamps(self) -> Sequence[Lamp]:
        """None: the monitors know, and tell of it on pages of their own."""
        return ()

    @property
    def clock(self) -> Millis:
        """The present instant."""
        return self.log.fence()

    def _run(self) -> None:
        try:
            reader = self._reader()
            try:
                self._copy(reader)
            finally:
                reader.close()
        except Exception as error:
            self.failure = error
            logger.exception("the installation cannot be read any more")

    def _copy(self, reader: Reader) -> None:
        waiting: list[Located] = []
        asked = 0.0
        for record in reader.follow((*_OUTPUTS, _SAID), NEWEST):
            if record is not None:
                waiting.append(record)
            if waiting and (record is None or len(waiting) >= BATCH):
                self._store(waiting)
                waiting = []
            self.progressed = time.monotonic()
            if self._stopping.is_set():
                return
            if record is None and self.progressed - asked > LAG_SECONDS:
                asked = self.progressed
                self._ask_for_lag(reader)

    def _ask_for_lag(self, reader: Reader) -> None:
        """Also how one learns that a broker is away: following it just hears nothing."""
        try:
            self._lag = reader.lag() or {}
            self.failure = None
        except Exception as error:  # noqa: BLE001  # whatever it is, the page says that it is
            self.failure = error

    def _store(self, records: Sequence[Located]) -> None:
        said = [
            Entry(
                log=one.topic,
                key=one.key,
                value=one.value,
                headers=tuple(one.headers),
                timestamp=one.timestamp,
            )
            for one in records
            if one.topic == _SAID
        ]
        if said:
            self.log.append([Group(entries=said)])
        names = {str(topic): topic for topic in _OUTPUTS}
        outputs = [
            Output(
                topic=names[one.topic],
                key=one.key,
                value=one.value or b"",
                headers=tuple(one.headers),
                timestamp=one.timestamp,
            )
            for one in records
            if one.topic in names
        ]
        self.log.commit([(output, 0) for output in outputs], {})
        for observer in self.observers:
            observer()
