"""Admission: rows that may not be counted because of what they are called, or of how many names.

Promises: a row is judged by itself and by the versions met before it in its log, never by its
batch; what is kept of names is bounded; the messages never quote the input.
Leaves to others: instants (`dating`), names of features and of metrics (`decode`, `machine`).
"""

from collections.abc import Callable, Collection
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from schemas.counting import Counting
from schemas.frames.events import Events
from schemas.frames.frame import Frame, number_of
from schemas.inputs import Metric, ModelEvent, is_name
from schemas.log import InputLog
from schemas.refused import Refused, alike
from schemas.rows import Ints, Refusal

LONGEST_ID: Final = 256
"""Of a `prediction_id`, in characters."""

UNSAID: Final = ""
"""The version of predictions that name none."""

_OF_VERSIONS: Final = "version must be 1 to 128 of A-Z a-z 0-9 _ . : -"
_OF_IDS: Final = f"prediction_id must have 1 to {LONGEST_ID} characters"

_OF_LABELS: Final = "label must be a number, as the model is a regression"


def of_names(refusal: Refusal) -> bool:
    """Whether names are the reason, or among the reasons, of a refusal."""
    return _OF_VERSIONS in refusal.message or _OF_IDS in refusal.message


def unfit(
    log: InputLog,
    counting: Counting,
    known: Collection[str],
    events: Events | Frame,
    times: Ints,
) -> list[Refused]:
    """Refusals by row of those that are not called as they should be; `times` as for `_unnamed`."""
    refused = _misnamed(events.ids.ends - events.ids.begins, events.ids.key, times)
    if log == "predictions":
        refused += _unnamed(known, counting.versions, events.versions, times)
    elif counting.task == "regression":
        refused += _unmeasured(events.labels, times)
    return refused


def _unnamed(
    known: Collection[str], most: int, versions: tuple[Ints, list[str]], times: Ints
) -> list[Refused]:
    """Refusals by row of versions; `times` (n,) is -1 where a row is refused, here too.

    `versions` are codes (n,) and what each stands for; `known` were met so far, of `most` allowed.
    """
    codes, values = versions
    refused: list[Refused] = []
    strange = {name for name in values if name != UNSAID and not is_name(name)}
    if strange:
        said = "schema", _OF_VERSIONS
        refused += _of(codes, values, strange, times, *said)
    new = {name for name in values if name not in known}
    if len(known) + len(new) > most:
        rows = np.flatnonzero(times >= 0)
        _, first = np.unique(codes[rows], return_index=True)
        order = [values[codes[rows[i]]] for i in np.sort(first)]
        fresh = [name for name in order if name in new]
        excess = set(fresh[max(0, most - len(known)) :])
        said = "cardinality", "more versions than limits.versions allows"
        refused += _of(codes, values, excess, times, *said)
    return refused


def _misnamed(lengths: Ints, key: Callable[[int], bytes], times: Ints) -> list[Refused]:
    """Refusals by row of identifiers that are empty or too long; `times` as for `_unnamed`.

    `lengths` (n,) are in bytes, `key` gives the bytes of a row.
    """
    doubtful = np.flatnonzero((times >= 0) & ((lengths < 1) | (lengths > LONGEST_ID)))
    wrong = [i for i in doubtful.tolist() if not 1 <= _characters(key(i)) <= LONGEST_ID]
    times[wrong] = -1
    return [alike(wrong, "schema", _OF_IDS)] if wrong else []


def well_named(event: Metric | ModelEvent) -> bool:
    """Whether what ends in names of signals and versions may be one."""
    if isinstance(event, Metric):
        return is_name(event.name) and all(map(is_name, event.tags))
    return event.version is None or is_name(event.version)


def _unmeasured(labels: tuple[Ints, list[Any]], times: Ints) -> list[Refused]:
    """Refusals by row of labels of a regression that are no numbers; `times` as for `_unnamed`."""
    codes, values = labels
    bad = np.array([number_of(value) is None for value in values], np.bool_)
    return _refused(bad[codes], times, "schema", _OF_LABELS)


def _characters(key: bytes) -> int:
    return len(key.decode("utf-8", "surrogatepass"))


def _of(
    codes: Ints, values: list[str], names: Collection[str], times: Ints, code: str, message: str
) -> list[Refused]:
    """Refusals of the rows that have one of these names."""
    if not names:
        return []
    bad = np.array([name in names for name in values], np.bool_)
    return _refused(bad[codes], times, code, message)


def _refused(bad: npt.NDArray[np.bool_], times: Ints, code: str, message: str) -> list[Refused]:
    """Refusals of the rows of a mask (n,) that are not refused yet."""
    rows = np.flatnonzero(bad & (times >= 0))
    times[rows] = -1
    return [alike(rows, code, message)] if len(rows) else []
