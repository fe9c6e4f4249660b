"""What came out of a simulation, and how two of them are compared.

Oracles: the books of each partition, the winning profiles, the dead letters with their bytes, the
outputs by id (one id never has two payloads), and for one model the counts by definition.
"""

from bisect import bisect_left
from collections import Counter
from operator import attrgetter
from typing import Any

import msgspec
import orjson

from schemas.log import Record
from tests.laws.mill import counts, finite, winners, without
from tests.laws.world import GRID
from tests.simulation.setting import Setting

SAID = ("readings", "drift-events", "alerts", "retrain-requests", "rollback-requests")


class Result:
    """Hears every record that is appended; `problems` lists what must never happen."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.problems: list[tuple[Any, ...]] = []
        self.journal: list[Record] = []
        self.outputs: dict[str, tuple[Any, ...]] = {}
        self.letters: Counter[tuple[str, int, int]] = Counter()
        self.accounts: dict[int, Any] = {}
        self.heard = 0
        """Records appended, states apart."""
        self.repeated = self.early = 0
        """Outputs appended again, and outputs said while there were faults."""

    def hear(self, place: tuple[str, int], record: Record) -> None:
        """Note a record that was appended."""
        topic, _ = place
        if topic.endswith("-state"):
            return
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
            finite(orjson.loads(record.value or b"null"))
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

    def spoken(self) -> dict[str, tuple[Any, ...]]:
        """Outputs by id: topic, key and content; `sequence` is an offset of the journal."""
        return {
            name: (topic, key, without(orjson.loads(value), {"sequence"}))
            for name, (topic, key, value, _) in self.outputs.items()
            if topic in SAID
        }

    def references(self) -> set[bytes]:
        """References that were announced."""
        return {said[2] for said in self.outputs.values() if said[0] == "references"}

    def books(self) -> dict[int, dict[str, dict[str, int]]]:
        """What became of every record, by partition and log."""
        return {
            p: {log: msgspec.structs.asdict(tally) for log, tally in logs.items()}
            for p, logs in self.accounts.items()
        }

    def differs(self, plain: "Result", *, counted_only: bool = False) -> list[tuple[Any, ...]]:
        """Return what must not happen, and what is not as in the run without faults."""
        found = list(self.problems)
        if not counted_only and self.spoken() != plain.spoken():
            found.append(("other outputs", *_difference(plain.spoken(), self.spoken())))
        profiles = winners(self.journal)
        if profiles != winners(plain.journal):
            found.append(("other counts",))
        if self.references() != plain.references():
            found.append(("other references",))
        if set(self.letters) != set(plain.letters):
            found.append(("other dead letters", set(self.letters) ^ set(plain.letters)))
        if self.books() != plain.books():
            found.append(("other books", plain.books(), self.books()))
        if self.setting.counted_by_definition:
            for p, one in self.setting.truths.items():
                if one.cells != counts(profiles, p, GRID):
                    found.append(("other counts than by definition", p))
            if set(self.letters) != self.setting.refused():
                found.append(("other dead letters than by definition",))
        return found


def _difference(expected: dict[str, Any], found: dict[str, Any]) -> tuple[int, int, list[str]]:
    """How many are missing, how many too many, and the ids of the first that differ."""
    differing = [name for name in expected if name in found and found[name] != expected[name]]
    missing, extra = expected.keys() - found.keys(), found.keys() - expected.keys()
    return len(missing), len(extra), differing[:3]
