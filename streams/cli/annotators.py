"""`windage annotators`: who of those who label the same predictions differs from the others.

Every two annotators who labelled a prediction at one revision are a pair; of several labels by one
of them the first counts, as in the stream. Classes agree where they are the same (`1`, `1.0` and
"1" are); of numbers (all labels are, and some have a fraction) a pair has a distance, of lists (a
ranking) the distance of what both say of its NDCG.

Promises: a function of the labels that are still in the topic; nothing is written, names of
annotators are shown to whoever asks and kept nowhere.
Leaves to others: how far all of them agree (the reading `label:agreement`), whose label counts.
"""

from collections.abc import Iterable, Mapping
from itertools import combinations
from statistics import median
from typing import Annotated, Any

import msgspec

from detectors.metrics.interval import wilson
from detectors.rankings import ndcg
from schemas.grid import category_text
from streams.cli.console import emit_object, results, say
from streams.cli.places import Place, reading
from streams.cli.rows import rows_of
from streams.runtime.installation.reading import Span

_Relevance = Annotated[float, msgspec.Meta(ge=0)]

Said = Mapping[str, float | str]
"""Labels of one prediction, by who gave them."""


class Annotator(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One annotator beside the others.

    `agreement` is the share of his pairs that agree, between `low` and `high` with 95 %
    confidence, `among_others` that of the pairs without him. Of numbers `difference` is the median
    distance of his pairs, `among_others` that of the pairs without him.
    """

    annotator: str
    pairs: int
    agreement: float | None = None
    low: float | None = None
    high: float | None = None
    difference: float | None = None
    among_others: float | None = None


def run(place: Place, model: str, newest: int, *, as_json: bool) -> None:
    """Print a line an annotator, who differs most first."""
    with reading(place) as reader:
        said = labels(rows_of(reader.read("labels", Span(newest=newest)), model))
    found = compare(said)
    if not found:
        say(f"{model}: none of the newest {newest:,} labels has a second annotator")
    if as_json:
        for one in found:
            emit_object({"model": model} | msgspec.to_builtins(one))
    elif found:
        _print(found)


def labels(rows: Iterable[dict[str, Any]]) -> list[Said]:
    """What was said of each prediction and revision that has two annotators with a name."""
    said: dict[tuple[str, int], dict[str, float | str]] = {}
    for row in rows:
        who, what = row.get("annotator"), _worth(row.get("label"))
        if isinstance(who, str) and who and isinstance(what, bool | int | float | str):
            number = isinstance(what, int | float) and not isinstance(what, bool)
            place = str(row.get("prediction_id")), int(row.get("revision") or 1)
            own = said.setdefault(place, {})
            own.setdefault(who, float(what) if number else category_text(what) or "")
    return [one for one in said.values() if len(one) > 1]


def _worth(label: Any) -> Any:  # noqa: ANN401 - whatever a producer sent
    """A label; of a list of relevances what it says of the order (NDCG), None where it is none."""
    if not isinstance(label, list):
        return label
    try:
        return ndcg(msgspec.convert(label, list[_Relevance]))
    except msgspec.ValidationError:
        return None


def compare(said: Iterable[Said]) -> list[Annotator]:
    """Each annotator beside the others, who differs most first."""
    told = list(said)
    every = [label for one in told for label in one.values()]
    figures = [one for one in every if isinstance(one, float)]
    numbers = len(figures) == len(every) and not all(map(float.is_integer, figures))
    pairs = [
        (first, second, _apart(one[first], one[second], numbers=numbers))
        for one in told
        for first, second in combinations(sorted(one), 2)
    ]
    names = sorted({name for one in told for name in one})
    found = [_of(name, pairs, numbers=numbers) for name in names]
    return sorted(found, key=lambda one: (one.agreement or 0.0, -(one.difference or 0.0)))


def _apart(one: float | str, other: float | str, *, numbers: bool) -> float:
    """How far two labels are apart; classes: 0 or 1."""
    if numbers:
        return abs(float(one) - float(other))
    return float(category_text(one) != category_text(other))


def _of(name: str, pairs: list[tuple[str, str, float]], *, numbers: bool) -> Annotator:
    own = [apart for *both, apart in pairs if name in both]
    rest = [apart for *both, apart in pairs if name not in both]
    if numbers:
        return Annotator(
            annotator=name,
            pairs=len(own),
            difference=median(own),
            among_others=median(rest) if rest else None,
        )
    share = wilson(own.count(0.0), len(own))
    assert share is not None, "who is named here has a pair"
    return Annotator(
        annotator=name,
        pairs=len(own),
        agreement=share.value,
        low=share.low,
        high=share.high,
        among_others=rest.count(0.0) / len(rest) if rest else None,
    )


def _print(found: list[Annotator]) -> None:
    from rich.table import Table

    table = Table(title="Annotators, who differs most first", title_justify="left")
    for heading in ("annotator", "pairs", "agrees with others", "95 % limits", "others among them"):
        table.add_column(heading, overflow="fold")
    for one in found:
        if one.agreement is None:
            own, limits = f"half within {one.difference:.4g}", ""
            rest = "" if one.among_others is None else f"half within {one.among_others:.4g}"
        else:
            own, limits = f"{one.agreement:.1%}", f"{one.low:.1%} to {one.high:.1%}"
            rest = "" if one.among_others is None else f"{one.among_others:.1%}"
        table.add_row(one.annotator, f"{one.pairs:,}", own, limits, rest)
    results().print(table)
