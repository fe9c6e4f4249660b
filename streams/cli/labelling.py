"""`windage label` and `windage label-sample`: one label said, and which to ask people for.

Promises: a sample is a function of the log (no dice: the digest of an id decides); half of it are
the least confident predictions, half are drawn from every stratum in proportion, each with the
weight it stands for; what has a label is not asked for again.
Leaves to others: joining labels (the profiler).
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec

from schemas.inputs import Label, encode
from schemas.instants import rfc3339
from streams.cli.console import emit, emit_object, results, say
from streams.cli.endings import REFUSED, OperatorError
from streams.cli.places import Place, reading, writer_of
from streams.cli.rows import rows_of
from streams.cli.saying import instant_text
from streams.runtime.installation.reading import Located, Span
from streams.runtime.installation.writing import Letter

NEWEST: Final = 20_000
_BANDS: Final = 5


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction that may be labelled. `doubt` is 1 where the model was least confident."""

    prediction_id: str
    version: str
    timestamp: Any
    prediction: Any
    score: float | None
    doubt: float | None
    features: dict[str, Any]

    @property
    def stratum(self) -> str:
        """Version, prediction and band of the score."""
        said = f"version={self.version}"
        if not isinstance(self.prediction, list):  # each list is another one
            said += f", prediction={self.prediction}"
        if self.score is None:
            return said
        band = min(_BANDS - 1, max(0, int(self.score * _BANDS)))
        low, high = band / _BANDS, (band + 1) / _BANDS
        return f"{said}, score {low:.1f} to {high:.1f}"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One prediction to label, and why; `weight`: how many rows of its stratum it stands for."""

    model: str
    prediction_id: str
    why: str
    weight: float | None
    version: str
    timestamp: Any
    prediction: Any
    score: float | None
    features: dict[str, Any]


def label(place: Place, fields: dict[str, Any], *, as_json: bool) -> None:
    """Write one label; `fields` by their names on the wire."""
    told = {name: value for name, value in fields.items() if value is not None}
    told["label"] = _read(told["label"])
    now = rfc3339(time.time_ns() // 1_000_000)
    told["timestamp"] = instant_text("at", told["timestamp"]) if "timestamp" in told else now
    try:
        content = encode(msgspec.convert(told, Label))
    except msgspec.ValidationError as error:
        raise OperatorError(str(error), REFUSED) from None
    key = str(told["prediction_id"]).encode()
    writer_of(place).write([Letter(topic="labels", key=key, value=content)])
    if as_json:
        emit(content)
    else:
        say(f"labelled: {told['model']} {told['prediction_id']} {told['label']!r}")


def _read(text: str) -> Any:  # noqa: ANN401 - a class by number, name or truth, or a list
    """`0`, `1.5`, `true` and `[0, 2, 1]` as JSON reads them, anything else as text."""
    try:
        return msgspec.json.decode(text, type=float | int | bool | list[float])
    except msgspec.MsgspecError:
        return text


def sample(place: Place, model: str, size: int, newest: int, *, as_json: bool) -> None:
    """Print which predictions are worth a label."""
    with reading(place) as reader:
        records = list(reader.read("predictions", Span(newest=newest)))
        rows = list(_scored(records, model))
        # Labels older than every one of these predictions belong to others.
        first = min((record.timestamp for record in records), default=0)
        labelled = _labelled(reader.read("labels", Span(since=first)), model)
    waiting = list({row.prediction_id: row for row in rows}.values())
    waiting = [row for row in waiting if row.prediction_id not in labelled]
    if not rows:
        say(f"{model}: none of the newest {len(records):,} predictions is of this model")
    elif not waiting:
        say(f"{model}: none of its newest {len(rows):,} predictions waits for a label")
    chosen = choose(model, waiting, size)
    if as_json:
        for one in chosen:
            emit_object(one)
        return
    _print(chosen)


def choose(model: str, rows: Sequence[Scored], size: int) -> list[Wanted]:
    """At most `size` of `rows`: the least confident first, then of every stratum its share."""
    doubted = sorted((r for r in rows if r.doubt is not None), key=lambda r: -(r.doubt or 0.0))
    unsure = doubted[: size // 2]
    taken = {row.prediction_id for row in unsure}
    rest = [row for row in rows if row.prediction_id not in taken]
    chosen = [_wanted(model, row, "least confident", None) for row in unsure]
    room = size - len(chosen)
    strata: dict[str, list[Scored]] = {}
    for row in sorted(rest, key=lambda row: _lot(row.prediction_id)):
        strata.setdefault(row.stratum, []).append(row)
    for name, count in _shares({name: len(own) for name, own in strata.items()}, room).items():
        own = strata[name]
        drawn = own[:count]
        chosen += [_wanted(model, row, name, len(own) / count) for row in drawn]
    return chosen


def _shares(sizes: dict[str, int], room: int) -> dict[str, int]:
    """`room` divided in proportion to sizes; the largest remainders get what is left."""
    total = sum(sizes.values())
    if not total:
        return {}
    room = min(room, total)
    exact = {name: room * count / total for name, count in sizes.items()}
    out = {name: int(share) for name, share in exact.items()}
    left = sorted(exact, key=lambda name: (out[name] - exact[name], name))
    for name in left[: room - sum(out.values())]:
        out[name] += 1
    return {name: count for name, count in sorted(out.items()) if count}


def _lot(name: str) -> bytes:
    """Where an id stands in the draw: its digest, so that it is nobody's choice."""
    return blake2b(name.encode(), digest_size=8).digest()


def _wanted(model: str, row: Scored, why: str, weight: float | None) -> Wanted:
    return Wanted(
        model=model,
        prediction_id=row.prediction_id,
        why=why,
        weight=weight,
        version=row.version,
        timestamp=row.timestamp,
        prediction=row.prediction,
        score=row.score,
        features=row.features,
    )


def _scored(records: Iterable[Located], model: str) -> Iterator[Scored]:
    for row in rows_of(records, model):
        if not isinstance(row.get("prediction_id"), str):
            continue
        score = row.get("score")
        number = float(score) if isinstance(score, int | float) else None
        yield Scored(
            prediction_id=row["prediction_id"],
            version=str(row.get("version", "")),
            timestamp=row.get("timestamp"),
            prediction=row.get("prediction"),
            score=number,
            doubt=_doubt(number, row.get("probabilities")),
            features=row.get("features") or {},
        )


def _doubt(score: float | None, probabilities: object) -> float | None:
    """How unsure: 1 less the lead of the likeliest class over the next; None without numbers."""
    if isinstance(probabilities, dict) and len(probabilities) > 1:
        best, second = sorted(map(float, probabilities.values()), reverse=True)[:2]
        return 1.0 - (best - second)
    if score is None or not 0.0 <= score <= 1.0:
        return None
    return 1.0 - abs(2.0 * score - 1.0)


def _labelled(records: Iterable[Located], model: str) -> set[str]:
    return {str(row.get("prediction_id")) for row in rows_of(records, model)}


def _print(chosen: Sequence[Wanted]) -> None:
    from rich.table import Table

    table = Table(title="Worth a label", title_justify="left")
    for heading in ("prediction", "why", "predicted", "score", "stands for"):
        table.add_column(heading, overflow="fold")
    for one in chosen:
        table.add_row(
            one.prediction_id,
            one.why,
            str(one.prediction),
            "" if one.score is None else f"{one.score:.3f}",
            "" if one.weight is None else f"{one.weight:.1f} rows",
        )
    results().print(table)
    if chosen:
        say(f"then: windage label {chosen[0].model} ID VALUE")
