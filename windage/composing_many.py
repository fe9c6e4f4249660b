"""Columns of a call to tables of events, under a publisher's privacy rules.

Promises: a row whose id, answer or label cannot be sent is left out and counted, the others stand;
what holds for one event (`composing`) holds for every row here.
Leaves to others: the records (`batches`), reading frames (`columns`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from windage import fields as rules
from windage.batches import ARROW, JSON, ROWS, Batch, Form, Table, arrow_library, can_be_arrow
from windage.columns import Column, cleaned, columns_of, listed
from windage.composing import FEATURES, Composer, Message
from windage.fields import ArgumentError, name_matches, refuse_unknown
from windage.identity import new_id
from windage.values import PLAIN, UnreadableError, encode, instant

_MANY: Final[dict[str, rules.Rule]] = {
    **{k: v for k, v in rules.PREDICTION.items() if k not in ("version", "probabilities")},
    "prediction": rules.target,
    "score": rules.number,
}
"""Fields that a column of predictions may have."""

_LABELS: Final[dict[str, rules.Rule]] = {**rules.LABEL, "label": rules.outcome}


class Made(NamedTuple):
    """What a call has come to: the ids of all rows, and what is to be sent."""

    ids: list[str]
    items: list[Message | Batch]


def predictions(
    composer: Composer,
    form: Form,
    features: object,
    given: Mapping[str, Any],
    *,
    ids: object,
    tags: object,
    names: Sequence[str] | None,
) -> Made:
    """Predictions of a frame; `given`: columns, names of columns in the frame, or one value."""
    frame = _columns("features", features, names)
    rows = len(next(iter(frame.values()), []))
    said = dict(given)
    version = said.pop("version", None) or composer.version
    if version is None:
        raise ArgumentError("version", "it is needed, here or of the publisher")
    refuse_unknown(said, _MANY)
    own = _ids(_taken("ids", ids, frame, rows), rows)
    columns = {
        name: _taken(name, value, frame, rows)
        for name, value in {"timestamp": None, **said}.items()
        if value is not None or name == "timestamp"
    }
    columns.setdefault("prediction", None)
    bad: set[int] = {i for i, pid in enumerate(own) if pid is None}
    fields = _ruled(composer, columns, _MANY, rows, bad)
    tagged = _tags(composer, tags, frame, rows)  # before features: it takes columns out
    table = Table(
        topic="predictions",
        model=composer.model,
        version=rules.checked({"version": version}, rules.PREDICTION)["version"],
        ids=[pid or "" for pid in own],
        fields=fields,
        features=_cells(composer, "features", frame),
        tags=tagged,
    )
    return _made(composer, form, table, bad, own)


def labels(
    composer: Composer, form: Form, ids: object, given: object, fields: Mapping[str, Any]
) -> Made:
    """Labels of many predictions; `ids` may be a mapping from id to label."""
    if given is None and isinstance(ids, Mapping):
        given, ids = list(ids.values()), list(ids)
    own_column = _listed("ids", ids)
    rows = len(own_column)
    refuse_unknown(fields, rules.LABEL)
    own = _ids(own_column, rows)
    bad: set[int] = {i for i, pid in enumerate(own) if pid is None}
    columns = {"timestamp": None, "label": given, **fields}
    taken = {name: _taken(name, value, {}, rows) for name, value in columns.items()}
    ruled = _ruled(composer, taken, _LABELS, rows, bad)
    bad |= {i for i, label in enumerate(ruled["label"]) if label is None}
    table = Table(
        topic="labels",
        model=composer.model,
        version=None,
        ids=[pid or "" for pid in own],
        fields=ruled,
        features={},
        tags={},
    )
    return _made(composer, form, table, bad, own)


def _made(
    composer: Composer, form: Form, table: Table, bad: set[int], own: Sequence[str | None]
) -> Made:
    """Leave out bad rows and those not sampled, hide ids, and cut into items."""
    privacy = composer.privacy
    if bad:
        what = f"{table.topic}: rows without a usable id, answer or label"
        composer.counts.drop("bad_argument", len(bad), what)
    good = [i for i in range(len(own)) if i not in bad]
    kept = [i for i in good if privacy.takes(table.ids[i])]
    composer.counts.skip(len(good) - len(kept))
    if len(kept) < len(own):
        table = table.only(kept)
    sent = [privacy.identity(pid) for pid in table.ids]
    fields: dict[str, Column] = {"prediction_id": sent, **table.fields}
    if privacy.sample < 1 and table.topic == "predictions":
        fields["sampled_rate"] = [privacy.sample] * len(sent)
    table = table._replace(ids=sent, fields=fields)
    items: list[Message | Batch] = []
    for at in range(0, len(sent), ROWS):
        items += _items(table.only(range(at, min(at + ROWS, len(sent)))), form)
    return Made([pid or "" for pid in own], items)


def _items(table: Table, form: Form) -> list[Message | Batch]:
    if form == "rows":
        return [
            Message(table.topic, pid.encode(), encode(event))
            for pid, event in zip(table.ids, table.events(), strict=True)
        ]
    wanted = form == "arrow" or (form == "auto" and arrow_library() is not None)
    return [Batch(table, ARROW if wanted and can_be_arrow(table) else JSON)]


def _columns(where: str, frame: object, names: Sequence[str] | None = None) -> dict[str, Column]:
    try:
        return columns_of(frame, names)
    except UnreadableError as error:
        raise ArgumentError(where, str(error)) from None


def _listed(where: str, column: object) -> Column:
    try:
        return listed(column)
    except UnreadableError as error:
        raise ArgumentError(where, str(error)) from None


def _taken(where: str, value: object, frame: dict[str, Column], rows: int) -> Column | None:
    """A column: given, named (and taken out of the frame), or one value for all rows."""
    if isinstance(value, str) and value in frame:
        return frame.pop(value)
    if value is None:
        return None
    if type(value) in PLAIN or isinstance(value, float) or not hasattr(value, "__len__"):
        if where in ("ids", "label", "prediction", "score"):
            raise ArgumentError(where, "a column is needed, or the name of one in the frame")
        return [value] * rows
    found = _listed(where, value)
    if len(found) != rows:
        raise ArgumentError(where, f"it has {len(found)} rows and there are {rows}")
    return found


def _ids(column: Column | None, rows: int) -> list[str | None]:
    """Ids as texts, new ones where none are given; None where one cannot be an id."""
    if column is None:
        return [new_id() for _ in range(rows)]
    return [_or_none(rules.identifier, value) for value in column]


def _or_none(rule: Callable[[Any], Any], value: object) -> Any:  # noqa: ANN401
    try:
        return rule(value)
    except (ValueError, TypeError):
        return None


def _ruled(
    composer: Composer,
    columns: Mapping[str, Column | None],
    table: Mapping[str, rules.Rule],
    rows: int,
    bad: set[int],
) -> dict[str, Column]:
    """Columns of fields, each cell by its rule; rows that break one are added to `bad`."""
    out: dict[str, Column] = {}
    for name, column in columns.items():
        if column is None:
            out[name] = [instant()] * rows if name == "timestamp" else [None] * rows
            continue
        rule, cells = table[name], []
        for i, value in enumerate(column):
            try:
                cells.append(None if value is None else rule(value))
            except (ValueError, TypeError) as error:
                cells.append(None)
                bad.add(i)
                composer.counts.tell(f"{name}: {type(error).__name__} in a batch")
        out[name] = cells
        if name == "timestamp":
            bad |= {i for i, cell in enumerate(cells) if cell is None}
    return out


def _cells(composer: Composer, where: str, frame: Mapping[str, Column]) -> dict[str, Column]:
    """Columns of features as they are sent."""
    privacy, out = composer.privacy, {}
    if len(frame) > FEATURES:
        raise ArgumentError(where, f"at most {FEATURES} are taken")
    for name, column in frame.items():
        if not name_matches(name):
            what = "a name must be 1 to 128 of A-Z a-z 0-9 _ . : -, so rename the column"
            raise ArgumentError(where, what)
        if not privacy.keeps(name):
            continue

        def spoilt(values: int, name: str = name) -> None:
            composer.counts.repair(values, f"{where}.{name}")

        cells = cleaned(column, spoilt)
        out[name] = [privacy.cell(name, cell) for cell in cells] if privacy.touches else cells
    return out


def _tags(
    composer: Composer, tags: object, frame: dict[str, Column], rows: int
) -> dict[str, Column]:
    """Columns of tags as texts; `tags` is a frame, or a mapping to columns or single values."""
    if tags is None:
        return {}
    if isinstance(tags, Mapping):
        given = {str(name): _taken("tags", value, frame, rows) for name, value in tags.items()}
        columns = {name: column for name, column in given.items() if column is not None}
    else:
        columns = _columns("tags", tags)
    if any(len(column) != rows for column in columns.values()):
        raise ArgumentError("tags", f"there are {rows} rows")
    return {
        name: [_or_none(rules.tag, cell) for cell in column]
        for name, column in _cells(composer, "tags", columns).items()
    }
