"""The oracles O1 to O5: what the logs of a run say, beside what they must say.

Promises: every comparison is exact; each violation is a sentence; nothing is compared with itself
(the expected side is counted from the input logs, or from what the producer meant).
Leaves to others: reading the logs (`topics`), counting again (`recount`), time and memory (`run`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import orjson

from schemas.baseline import Baseline
from schemas.config import Config
from schemas.log import INPUT_LOGS, Output
from scripts.storm import recount
from scripts.storm.recount import Cells, Saying, Undisturbed, letter_of, saying
from scripts.storm.topics import LETTERS, STATES, Read, RunTopics
from scripts.storm.world import EVENT_TIMED, Cell, Truth

SAID: Final = (
    "readings",
    "drift-events",
    "alerts",
    "retrain-requests",
    "rollback-requests",
    "references",
)
SHOWN: Final = 3
"""Examples in a violation."""


class Verdict(msgspec.Struct, kw_only=True):
    """What was found; the counts are those of the public contract."""

    lost: int = 0
    double_counted: int = 0
    outputs: int = 0
    outputs_missing: int = 0
    outputs_unexpected: int = 0
    raw_duplicates: int = 0
    busiest: int = 0
    """Most outputs within one interval between snapshots."""
    conflicting_ids: int = 0
    dead_letters: int = 0
    drift_events: int = 0
    violations: list[str] = []

    def claim(self, held: object, sentence: str) -> None:
        """Note a violation unless it held."""
        if not held:
            self.violations.append(sentence)


async def judge(
    config: Config,
    known: Mapping[str, Baseline],
    topics: RunTopics,
    truth: Truth,
    interval_s: float,
    folder: Path,
) -> Verdict:
    """Read the whole run and compare. `interval_s`: between snapshots, with the time they take.

    Where something is violated, the logs stay in `folder` for whoever looks for the reason.
    """
    verdict = Verdict()
    inputs = {topic: await topics.read(topic) for topic in INPUT_LOGS}
    journal = await topics.read("journal")
    stored = {topic: await topics.read(topic) for topic in (STATES, "monitor-state")}
    said = {topic: await topics.read(topic) for topic in SAID}
    letters = await topics.letters()
    wanted = recount.undisturbed(config, known, inputs)
    references = [one.value for one in said["references"] if one.value is not None]
    found = recount.states(config, known, stored, references)
    _accounts(verdict, wanted, found, inputs)
    cells = recount.cells_of(one.value for one in _in_order(journal))
    _cells(verdict, wanted.cells, cells)
    _meant(verdict, cells, truth, inputs)
    again = recount.judged_again(config, known, journal, found.positions)
    unread = recount.unread_profiles(journal, found.positions)
    verdict.claim(not unread, f"O1: monitors have not read {unread} records of the journal")
    _outputs(verdict, said, again)
    _end_to_end(verdict, said, wanted.outputs)
    _letters(verdict, letters, wanted, truth)
    _repeats(verdict, [*journal, *(one for some in said.values() for one in some)], interval_s)
    verdict.drift_events = len({dict(one.headers)["ce_id"] for one in said["drift-events"]})
    if verdict.violations:
        logs = {**inputs, "journal": journal, **stored, **said, LETTERS: letters}
        (folder / "logs.msgpack").write_bytes(msgspec.msgpack.encode(logs))
    return verdict


def _in_order(records: Sequence[Read]) -> list[Read]:
    return sorted(records, key=lambda one: (one.partition, one.offset))


def _accounts(
    verdict: Verdict,
    wanted: Undisturbed,
    found: recount.States,
    inputs: Mapping[str, Sequence[Read]],
) -> None:
    """O1: every record is in one account, positions are the ends of the logs."""
    ends = Counter((topic, one.partition) for topic, some in inputs.items() for one in some)
    for place, end in ends.items():
        at = found.positions.get(place, 0)
        verdict.claim(at == end, f"O1: {place} is counted up to {at}, and ends at {end}")
    for log, outcomes in wanted.accounts.items():
        own = found.accounts.get(log, {})
        for outcome, count in outcomes.items():
            got = own.get(outcome, 0)
            if log == "labels" and outcome == "orphaned":
                continue  # a label counts as such when time passes its horizon, also by ticks
            verdict.claim(got == count, f"O1: {log}: {got} {outcome}, expected {count}")


def _cells(verdict: Verdict, wanted: Cells, found: Cells) -> None:
    """O2: counts of every cell of every pane."""
    shown = 0
    for place in wanted.keys() | found.keys():
        expected, got = wanted.get(place, Counter()), found.get(place, Counter())
        if expected == got:
            continue
        if place[1] != "revisions":
            verdict.lost += max(0, expected[-1] - got[-1])
            verdict.double_counted += max(0, got[-1] - expected[-1])
        shown += 1
        if shown <= SHOWN:
            verdict.violations.append(
                f"O2: {place} has {got[-1]} rows, expected {expected[-1]}; "
                f"{sum(expected[c] != got[c] for c in expected | got)} cells differ"
            )
    verdict.claim(found, "O2: nothing was counted at all")


def _meant(
    verdict: Verdict, cells: Cells, truth: Truth, inputs: Mapping[str, Sequence[Read]]
) -> None:
    """O2 again, against what the producer meant."""
    for topic, some in inputs.items():
        written = sum(not one.key or one.key != b"end" for one in some)
        verdict.claim(
            written == truth.sent[topic],
            f"harness: {topic} holds {written} records, {truth.sent[topic]} were sent",
        )
    rows: Counter[Cell] = Counter()
    outcomes: Counter[str] = Counter()
    for (model, kind, version, segment, pane), counts in cells.items():
        if segment != _whole(cells, str(model)):
            continue
        if kind == "predictions":
            rows[Cell(str(model), str(version), int(str(pane)))] += counts[-1]
        elif kind == "outcomes":
            outcomes[str(model)] += counts[-1]
    lost = truth.rows - rows
    double = rows - truth.rows
    verdict.lost = max(verdict.lost, lost.total())
    verdict.double_counted = max(verdict.double_counted, double.total())
    for name, some_rows in (("lost", lost), ("counted twice", double)):
        examples = some_rows.most_common(SHOWN)
        verdict.claim(not some_rows, f"O2: {some_rows.total()} rows {name}, such as {examples}")
    verdict.claim(
        outcomes == truth.labelled, f"O2: outcomes {outcomes}, labels written {truth.labelled}"
    )


def _whole(cells: Cells, model: str) -> str:
    """The name of the segment that is everything: the one with the most rows."""
    sizes: Counter[str] = Counter()
    for place, counts in cells.items():
        if place[0] == model and place[1] == "predictions":
            sizes[str(place[3])] += counts[-1]
    return sizes.most_common(1)[0][0]


def _outputs(verdict: Verdict, said: Mapping[str, Sequence[Read]], again: Sequence[Output]) -> None:
    """O3: what was said is what the journal makes one say, to the byte; ids are stable."""
    got = [
        saying(topic, one.key, one.headers, one.value)
        for topic, some in said.items()
        for one in some
    ]
    expected = {saying(one.topic, one.key, one.headers, one.value) for one in again}
    unique = set(got)
    verdict.outputs = len(unique)
    verdict.raw_duplicates = len(got) - len(unique)
    missing, unexpected = expected - unique, unique - expected
    verdict.outputs_missing += len(missing)
    verdict.outputs_unexpected += len(unexpected)
    _say_some(verdict, "O3: missing", missing)
    _say_some(verdict, "O3: unexpected", unexpected)
    payloads = Counter((topic, name) for topic, name, _ in unique if topic != "references")
    twice = [place for place, count in payloads.items() if count > 1]
    verdict.conflicting_ids += len(twice)
    verdict.claim(not twice, f"O3: {len(twice)} ids with two payloads, such as {twice[:SHOWN]}")


def _end_to_end(
    verdict: Verdict, said: Mapping[str, Sequence[Read]], outputs: Sequence[Output]
) -> None:
    """O3 from end to end: under event time the outputs are a function of the input logs."""
    topics = [topic for topic in SAID if topic != "references"]
    got = {
        saying(topic, one.key, one.headers, one.value, bare=True)
        for topic in topics
        for one in said[topic]
        if _model(one.value) in EVENT_TIMED
    }
    expected = {
        saying(one.topic, one.key, one.headers, one.value, bare=True)
        for one in outputs
        if one.topic in topics and _model(one.value) in EVENT_TIMED
    }
    missing, unexpected = expected - got, got - expected
    verdict.outputs_missing += len(missing)
    verdict.outputs_unexpected += len(unexpected)
    _say_some(verdict, "O3: missing from end to end", missing)
    _say_some(verdict, "O3: unexpected from end to end", unexpected)
    verdict.claim(expected, "O3: nothing was expected from end to end: the run is too short")


def _model(value: bytes | None) -> str:
    return "" if value is None else str(orjson.loads(value).get("model"))


def _say_some(verdict: Verdict, what: str, some: set[Saying]) -> None:
    by_topic = dict(Counter(topic for topic, _, _ in some))
    examples = sorted(some)[:SHOWN]
    verdict.claim(not some, f"{what}: {len(some)} {by_topic}, such as {examples}")


def _letters(verdict: Verdict, letters: Sequence[Read], wanted: Undisturbed, truth: Truth) -> None:
    """O5: one dead letter a bad record, with its bytes; repeated ones are of the same record."""
    got = {(letter_of(one.headers, one.value), one.key) for one in letters}
    verdict.dead_letters = len(got)
    verdict.raw_duplicates += len(letters) - len(got)
    expected = set(wanted.letters)
    verdict.outputs_missing += len(expected - {letter for letter, _ in got})
    verdict.outputs_unexpected += len({letter for letter, _ in got} - expected)
    same = {letter for letter, _ in got} == expected
    verdict.claim(same, f"O5: {len(got)} dead letters, expected {len(expected)}")
    meant = Counter((key or b"", letter[3]) for letter, key in got)
    verdict.claim(
        meant == truth.refused,
        f"O5: dead letters are not the bad records: {(meant - truth.refused).total()} too many, "
        f"{(truth.refused - meant).total()} too few",
    )


def _repeats(verdict: Verdict, records: Sequence[Read], interval_s: float) -> None:
    """O4's measure: the most records that appeared within one interval."""
    times = sorted(one.timestamp for one in records)
    first = 0
    for last, at in enumerate(times):
        while at - times[first] > interval_s * 1000:
            first += 1
        verdict.busiest = max(verdict.busiest, last - first + 1)
