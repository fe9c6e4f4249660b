"""What must be counted, straight from the logs: no machines, no batches, no state.

Pure definitions. A record's watermark is the largest time of its log so far less lateness; it
arrived in the later of its own pane and its watermark's; identity lives until the watermark has
passed time + horizon; a prediction takes the first label that fits, then higher revisions; two
answers to one request are a pair by the same rule, if one of them is a shadow's. At the revision of
the label that stands a label by somebody else, both being named, is an opinion: a pair, no outcome.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from schemas.shadow import is_shadow
from tests.laws.world import PANE, Item, World

X_EDGES = (0.0, 1.0, 2.0, 3.0, 4.0)
SCORE_EDGES = (0.0, 0.25, 0.5, 0.75, 1.0)
FAR = 1 << 62
_FIELDS = [
    "read",
    "counted",
    "duplicate",
    "conflict",
    "expired",
    "dead_lettered",
    "tombstone",
    "control",
    "late",
    "joined",
    "orphaned",
    "outcomes",
    "opinions",
]


class Truth(NamedTuple):
    """What one partition must have counted: rows by fate per log, and cells by profile key.

    A cell is (kind, version, segment, pane, arrived, block, cell) with its count; block `rows`
    cell 0 is the number of rows (of `refusals`: of records refused, and the blocks `read` and
    `refused` count by log). `refused` are the (log, index) of dead letters.
    """

    accounts: dict[str, dict[str, int]]
    cells: Counter
    refused: set[tuple[str, int]]


class Row(NamedTuple):
    """An admitted record with its watermark and arrival pane."""

    item: Item
    seen: int
    arrived: int
    beside: "Row | None" = None
    """The label that stands, of one that is an opinion."""


def numeric(edges: Sequence[float], value: float | None) -> int:
    """Cell of a number: below, between the edges, above, missing."""
    if value is None:
        return len(edges) + 1
    return len(edges) - 1 if value == edges[-1] else bisect_right(edges, value)


def categorical(names: Sequence[str], value: str | None) -> int:
    """Cell of a category: by name, unseen, missing."""
    if value is None:
        return len(names) + 1
    return names.index(value) if value in names else len(names)


def truth(
    world: World, predictions: Sequence[Item], labels: Sequence[Item], *, over: int = -FAR
) -> Truth:
    """What a partition must count of (a prefix of) its two logs.

    `over`: ticks have told that nothing before this instant is waited for any more.
    """
    accounts = {log: dict.fromkeys(_FIELDS, 0) for log in ("predictions", "labels")}
    refused: set[tuple[str, int]] = set()
    cells: Counter = Counter()
    asked, mark_p = _admit(world, "predictions", predictions, accounts, refused, cells)
    told, mark_l = _admit(world, "labels", labels, accounts, refused, cells)
    for row in asked:
        accounts["predictions"]["late"] += row.arrived > row.item.time // PANE
        _count(cells, "predictions", row.item, row.arrived, _prediction_blocks(row.item), 1)
    for i, row in enumerate(asked):
        for other in asked[:i]:
            _pair(cells, world, row, other)
    for row in told:
        if row.beside is not None:
            accounts["labels"]["opinions"] += 1
            _opine(cells, row, row.beside)
    told = [row for row in told if row.beside is None]
    used: set[int] = set()
    for row in asked:
        now: Row | None = None
        for i, label in enumerate(told):
            if label.item.number != row.item.number or not _fits(world, row, label):
                continue
            if now is not None and label.item.revision <= now.item.revision:
                continue
            arrived = max(row.arrived, label.arrived)
            kind = "outcomes" if now is None else "revisions"
            if now is None:
                accounts["labels"]["outcomes"] += 1
            else:
                _count(cells, kind, row.item, arrived, _outcome_blocks(row.item, now.item), -1)
            _count(cells, kind, row.item, arrived, _outcome_blocks(row.item, label.item), 1)
            now = label
            used.add(i)
    accounts["labels"]["joined"] = len(used)
    over = max(over, min(mark_p, mark_l))
    accounts["labels"]["orphaned"] = sum(
        i not in used and row.item.time + world.horizon < over for i, row in enumerate(told)
    )
    return Truth(accounts, Counter({k: v for k, v in cells.items() if v}), refused)


def _admit(
    world: World,
    log: str,
    items: Iterable[Item],
    accounts: dict[str, dict[str, int]],
    refused: set[tuple[str, int]],
    cells: Counter,
) -> tuple[list[Row], int]:
    """The admitted rows of one log, in order, and the watermark at its end."""
    tally, rows, largest = accounts[log], [], -FAR
    for index, item in enumerate(items):
        tally["read"] += 1
        if world.clock == "broker":
            largest = max(largest, item.broker)
        if item.kind == "end":
            tally["control"] += 1
            largest = FAR
        if item.kind == "tombstone":
            tally["tombstone"] += 1
        if item.kind == "bad":
            tally["dead_lettered"] += 1
            refused.add((log, index))
            _toll(cells, log, largest - world.lateness, read=1, refused=1)
        if item.kind not in ("prediction", "label"):
            continue
        if world.clock == "event":
            largest = max(largest, item.time)
        row = Row(item, largest - world.lateness, 0)
        row = row._replace(arrived=max(item.time, row.seen) // PANE)
        fate, beside = _fate(world, rows, row), None
        if item.kind == "label" and fate == "counted":
            fate, beside = _hear(world, rows, row)
        tally[fate] += 1
        if fate == "counted":
            rows.append(row._replace(beside=beside))
        elif fate != "duplicate":
            refused.add((log, index))
        if fate in ("counted", "conflict"):
            _toll(cells, log, row.seen, read=1, refused=int(fate == "conflict"))
    return rows, largest if largest == FAR else largest - world.lateness


def _fate(world: World, before: Sequence[Row], row: Row) -> str:
    """What becomes of a sound record, given the admitted ones before it."""
    item = row.item
    if row.seen > item.time + world.horizon:
        return "expired"
    for other in reversed(before):
        known = other.item
        if (known.number, known.version) != (item.number, item.version):
            continue
        if row.seen > known.time + world.horizon:
            continue
        if item.kind == "label":
            break
        return "duplicate" if _content(item) == _content(known) else "conflict"
    return "counted"


def _hear(world: World, before: Sequence[Row], row: Row) -> tuple[str, Row | None]:
    """What becomes of a label, and the one that it stands beside if it is an opinion."""
    item = row.item
    living = [
        other
        for other in before
        if other.item.number == item.number and row.seen <= other.item.time + world.horizon
    ]
    places = [i for i, other in enumerate(living) if other.beside is None]
    standing = living[places[-1]] if places else None
    own = [
        other
        for other in living[places[-1] + 1 if places else 0 :]
        if other.item.revision == item.revision
        and (other.item.annotator or None) == (item.annotator or None)
    ]
    if own:
        return ("duplicate" if own[-1].item.answer == item.answer else "conflict"), None
    if standing is None or item.revision > standing.item.revision:
        return "counted", None
    if item.revision < standing.item.revision:
        return "duplicate", None
    people = {item.annotator or None, standing.item.annotator or None}
    if len(people) == 2 and None not in people:
        return "counted", standing
    return ("duplicate" if standing.item.answer == item.answer else "conflict"), None


def _content(item: Item) -> tuple:
    return (item.time, item.x, categorical("abc", item.c), item.score, item.answer)


def _fits(world: World, row: Row, label: Row) -> bool:
    p, one = row.item.time, label.item.time
    near = abs(one - p) <= world.horizon
    return near and label.seen <= p + world.horizon and row.seen <= one + world.horizon


def _pair(cells: Counter, world: World, row: Row, other: Row) -> None:
    """A shadow's answer and one that was given to the same request, whichever came first."""
    if row.item.number != other.item.number or not _fits(world, row, other):
        return
    shadow, given = (row, other) if is_shadow(row.item.version) else (other, row)
    if is_shadow(shadow.item.version) and not is_shadow(given.item.version):
        cell = given.item.answer * 4 + shadow.item.answer
        arrived = max(row.arrived, other.arrived)
        _count(cells, "agreements", shadow.item, arrived, [("agreements", cell)], 1)


def _opine(cells: Counter, row: Row, standing: Row) -> None:
    """An opinion and the label that stands, in the pane of the opinion."""
    arrived = max(row.arrived, standing.arrived)
    place = ("opinions", "", "*", row.item.time // PANE, arrived)
    cells[*place, "rows", 0] += 1
    cells[*place, "opinions", standing.item.answer * 4 + row.item.answer] += 1


def _prediction_blocks(item: Item) -> list[tuple[str, int]]:
    score = numeric(SCORE_EDGES, item.score)
    return [
        ("feature:x", numeric(X_EDGES, item.x)),
        ("feature:c", categorical("abc", item.c)),
        ("score", score),
        ("prediction", item.answer),
        ("decision", score * 4 + item.answer),
    ]


def _outcome_blocks(item: Item, label: Item) -> list[tuple[str, int]]:
    wrong = int(item.answer != label.answer)
    score = numeric(SCORE_EDGES, item.score)
    return [
        ("confusion", item.answer * 4 + label.answer),
        ("slice:x", numeric(X_EDGES, item.x) * 2 + wrong),
        ("slice:c", categorical("abc", item.c) * 2 + wrong),
        ("calibration", score * 4 + label.answer),
        ("wrong", score * 2 + wrong),
    ]


def _toll(cells: Counter, log: str, seen: int, *, read: int, refused: int) -> None:
    """A record counts as read, and maybe as refused, in the pane its log had come to, if any."""
    if abs(seen) > FAR // 2:
        return
    place = ("refusals", "", "*", seen // PANE, seen // PANE)
    cells[*place, "read", log] += read
    cells[*place, "refused", log] += refused
    cells[*place, "rows", 0] += refused


def _count(
    cells: Counter, kind: str, item: Item, arrived: int, blocks: list[tuple[str, int]], sign: int
) -> None:
    region = item.region if item.region in ("eu", "us") else "other"
    for segment in ("*", f"region={region}"):
        place = (kind, item.version, segment, item.time // PANE, arrived)
        for block, cell in (("rows", 0), *blocks):
            cells[*place, block, cell] += sign
