"""What came out of a simulation, and how two of them are compared.

Oracles: the books of each partition, the winning profiles, the dead letters with their bytes, the
outputs by id (one id never has two payloads), and for one model the counts by definition.
"""

from bisect import bisect_left
from collections import Counter
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Any

import msgspec
import orjson

from schemas.log import Record
from tests.laws.mill import counts, finite, winners, without
from tests.laws.world import GRID
from tests.simulation.setting import Setting

SAID = ("readings", "drift-events", "alerts", "retrain-requests", "rollback-requests")

Said = tuple[str, bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]
"""An output: topic, key, value and headers."""


class Result:
    """Hears every record that is appended; `problems` lists what must never happen.

    What is derived of it is worked out once, so it is asked for when the simulation is over.
    """

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.problems: list[tuple[Any, ...]] = []
        self.journal: list[Record] = []
        self.outputs: dict[str, Said] = {}
        self.letters: Counter[tuple[str, int, int]] = Counter()
        self.accounts: dict[int, Any] = {}
        self.heard = 0
        """Records appended, states apart."""
        self.repeated = self.early = 0
        """Outputs appended again, and outputs said while there were faults."""

    def hear(self, place: tuple[str, int], record: Record) -> None:
        """Note a record that was appended, of any topic but those of states."""
        topic, _ = place
        self.heard += 1
        if topic == "journal":
            self.journal.append(record)
        elif topic == "dead-letters":
            self._letter(record)
        else:
            self._said(topic, record)

    def _said(self, topic: str, record: Record) -> None:
        headers = dict(record.headers)
        name = headers["ce_id"].decode() if topic in SAID else f"reference {record.key!r}"
        said = topic, record.key, record.value, tuple(record.headers)
        if name in self.outputs:
            self.repeated += 1
        elif topic in SAID:
            _check_finite(record.value or b"null")
        if self.outputs.setdefault(name, said) != said:
            self.problems.append(("two payloads of one id", self.outputs[name], said))

    def _letter(self, record: Record) -> None:
        headers = dict(record.headers)
        log = headers["__connect.errors.topic"].decode()
        partition = int(headers["__connect.errors.partition"])
        offset = int(headers["__connect.errors.offset"])
        source = self.setting.records[log, partition]
        refused = source[bisect_left(source, offset, key=attrgetter("offset"))]
        if (refused.value or b"", refused.key) != (record.value, record.key):
            self.problems.append(("a dead letter changed", refused, record))
        self.letters[log, partition, offset] += 1

    def spoken(self) -> dict[str, Said]:
        """Outputs by id, references apart."""
        return {name: said for name, said in self.outputs.items() if said[0] in SAID}

    def references(self) -> set[bytes]:
        """References that were announced."""
        return {said[2] for said in self.outputs.values() if said[0] == "references"}

    def books(self) -> dict[int, dict[str, dict[str, int]]]:
        """What became of every record, by partition and log."""
        return {
            p: {log: msgspec.structs.asdict(tally) for log, tally in logs.items()}
            for p, logs in self.accounts.items()
        }

    @cached_property
    def profiles(self) -> dict[Any, Any]:
        """The winning profiles of the journal."""
        return winners(self.journal)

    def differs(self, plain: "Result", *, counted_only: bool = False) -> list[tuple[Any, ...]]:
        """Return what must not happen, and what is not as in the run without faults."""
        found = list(self.problems)
        if not counted_only:
            missing, extra, differing = _difference(plain.spoken(), self.spoken())
            if missing or extra or differing:
                found.append(("other outputs", missing, extra, differing[:3]))
        if self.profiles != plain.profiles:
            found.append(("other counts",))
        if self.references() != plain.references():
            found.append(("other references",))
        if set(self.letters) != set(plain.letters):
            found.append(("other dead letters", set(self.letters) ^ set(plain.letters)))
        if self.books() != plain.books():
            found.append(("other books", plain.books(), self.books()))
        if self.setting.counted_by_definition:
            for p, one in self.setting.truths.items():
                if one.cells != counts(self.profiles, p, GRID):
                    found.append(("other counts than by definition", p))
            if set(self.letters) != self.setting.refused():
                found.append(("other dead letters than by definition",))
        return found


def _difference(expected: dict[str, Said], found: dict[str, Said]) -> tuple[int, int, list[str]]:
    """How many are missing, how many too many, and the ids of those that differ."""
    both = [name for name in expected if name in found]
    differing = [name for name in both if not _alike(expected[name], found[name])]
    return len(expected) - len(both), len(found) - len(both), differing


def _alike(one: Said, other: Said) -> bool:
    """Whether topic, key and content are the same; `sequence` is an offset of the journal."""
    if one[:2] != other[:2]:
        return False
    return one[2] == other[2] or _content(one[2] or b"null") == _content(other[2] or b"null")


def _content(value: bytes) -> Any:
    return without(orjson.loads(value), {"sequence"})


@lru_cache(maxsize=20_000)
def _check_finite(value: bytes) -> None:
    """No number that is none leaves; the schedules of one world say the same again and again."""
    finite(orjson.loads(value))
