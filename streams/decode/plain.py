"""Plain records: one call of a typed decoder each, and what that says of those it does not take.

A log may be half poison. Where many records are refused the decoder grows wary: an object without
an end is not decoded at all, and a looser type takes what lacks a field or has one of a wrong type,
because an exception costs as much as a record.

Promises: what is refused here is what the second look would refuse, with the same words; that the
decoder is wary changes no answer. `tests/laws/test_glance.py` holds both against each other.
Leaves to others: records with headers, without a value or too large (`decoder`); what is told by
the words of an error (`glance`); everything else (`second_look`).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, compress
from operator import attrgetter, itemgetter
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from schemas.refused import NOBODY, Reason, Refused, alike, together
from schemas.rows import Ints
from streams.decode.glance import BROKEN, NOT_TEXT
from streams.decode.search import COLUMNS, ENVELOPE, INFINITY, NAN, Mask, holders, occurrences
from streams.decode.trees import NOT_JSON

Decode = Callable[[bytes], Any]

MANY: Final = 16
"""Refused records of a batch that make the decoder wary."""

FEW: Final = 50
"""With less than one in so many of a batch refused, it is wary no more."""

_BEGIN, _END = b"{}"
_SPACE: Final = b" \t\r\n"
_last: Final = itemgetter(-1)

Failures = list[tuple[int, str]]
"""Positions of what the typed decoder did not take, with its words ("": they say nothing)."""

_Field = tuple[str, frozenset[type]]
_REQUIRED: Final[tuple[_Field, ...]] = (
    ("model", frozenset({str})),
    ("prediction_id", frozenset({str})),
    ("timestamp", frozenset({int, float, str})),
)
"""What a loose type takes whatever it is, and what it must be."""

_VERSION: Final[_Field] = ("version", frozenset({str}))
"""Of predictions, which need not say it."""


class Found(NamedTuple):
    """What became of plain records: events, their positions (None: all), and what is none."""

    events: list[Any]
    places: Ints | None
    failed: Failures
    refused: Refused


class Plain:
    """Decodes plain records of one kind."""

    def __init__(self, depth: int) -> None:
        """`depth`: how deep objects and lists may stand in one another."""
        self._depth = depth
        self._strict: Decode = msgspec.json.decode
        self._loose: Decode | None = None
        self._fields: list[_Field] = []
        self._answer = ""
        self._wary = False

    def use(self, strict: Decode, loose: type[msgspec.Struct] | None) -> None:
        """Decode so from now on; `loose` leaves to us which fields are there, of which type.

        None: whatever `strict` does not take needs another look.
        """
        self._strict, self._loose = strict, None
        if loose is not None:
            self._loose = msgspec.json.Decoder(loose).decode
            predictions = "prediction" in loose.__struct_fields__
            self._answer = "prediction" if predictions else "label"
            self._fields = [*_REQUIRED, *([_VERSION] if predictions else [])]

    def decoded(self, values: Sequence[bytes], *, tables: bool) -> Found | None:
        """What became of the records; None if one may be a table, unless `tables` may be."""
        if self._wary:
            return self._warily(values, tables=tables)
        events, failed = _tried(self._strict, values, MANY)
        if not tables and any(COLUMNS.text in values[at] for at, _ in failed):
            return None
        done = len(events) + len(failed)
        if done == len(values):
            return Found(events, _without(_at(failed), done) if failed else None, failed, NOBODY)
        self._wary = True
        rest = self._warily(values[done:], tables=tables)
        if rest is None:
            return None
        assert rest.places is not None
        return Found(
            events + rest.events,
            np.concatenate([_without(_at(failed), done), rest.places + done]),
            failed + [(at + done, words) for at, words in rest.failed],
            rest.refused._replace(positions=rest.refused.positions + done),
        )

    def _warily(self, values: Sequence[bytes], *, tables: bool) -> Found | None:
        """As `decoded`, where many are refused: with as few exceptions as can be."""
        cut = _cut(values)
        here = np.flatnonzero(~cut)
        tried = list(compress(values, (~cut).tolist())) if len(here) < len(values) else values
        events, failed = _tried(self._loose or self._strict, tried)
        kept = _without(_at(failed), len(tried))
        broken, doubtful = _broken(tried, failed)
        if not tables and holders([tried[at] for at, _ in doubtful], COLUMNS).any():
            return None
        told = [alike(np.flatnonzero(cut), *NOT_JSON), alike(here[broken], *NOT_JSON)]
        if self._loose is not None:
            doubtful = [(at, "") for at, _ in doubtful]  # the words of another type
            unfilled = self._unfilled(events)
            for reason, rows in unfilled.items():
                where = kept[rows].tolist()
                if reason is None:
                    doubtful += [(at, "") for at in where]
                    continue
                sure = self._certain([tried[at] for at in where])
                doubtful += [
                    (at, "") for at, certain in zip(where, sure, strict=True) if not certain
                ]
                told.append(alike(here[list(compress(where, sure))], *reason))
            if unfilled:
                sound = _without([row for rows in unfilled.values() for row in rows], len(events))
                events, kept = [events[i] for i in sound.tolist()], kept[sound]
        self._wary = FEW * (len(values) - len(events)) >= len(values)
        refused = together(told)
        return Found(
            events,
            here[kept],
            sorted((int(here[at]), words) for at, words in doubtful),
            refused.only(np.argsort(refused.positions, kind="stable")),
        )

    def _unfilled(self, events: Sequence[Any]) -> dict[Reason | None, list[int]]:
        """Events that lack a field or have one of a wrong type, by reason; None: for several."""
        reasons: dict[Reason | None, list[int]] = {}
        for name, types in self._fields:
            kinds = list(map(type, map(attrgetter(name), events)))
            if set(kinds) <= types:
                continue
            wrong = [row for row, kind in enumerate(kinds) if kind not in types]
            lacking = [row for row in wrong if kinds[row] is msgspec.UnsetType]
            if lacking:
                reasons[_said(name, absent=True)] = lacking
            if len(lacking) < len(wrong):
                mistyped = [row for row in wrong if kinds[row] is not msgspec.UnsetType]
                reasons[_said(name, absent=False)] = mistyped
        answers = list(map(attrgetter(self._answer), events))
        if msgspec.UNSET in answers:
            rows = [row for row, answer in enumerate(answers) if answer is msgspec.UNSET]
            reasons[_said(self._answer, absent=True)] = rows
        return reasons if len(reasons) < 2 else _once(reasons)  # noqa: PLR2004 - reasons that may meet

    def _certain(self, values: Sequence[bytes]) -> list[bool]:
        """Which texts that a loose type took are JSON to the last byte, and not too deep.

        What the decoder skips it does not read closely: escapes, and bytes beyond ASCII.
        """
        shallow: list[bool] = (occurrences(values, b"{[") <= self._depth).tolist()
        whole = b"".join(values)
        if b"\\" not in whole and whole.isascii():
            return shallow
        closely = [b"\\" not in one and (one.isascii() or _is_text(one)) for one in values]
        return [one and other for one, other in zip(shallow, closely, strict=True)]


def _once(reasons: dict[Reason | None, list[int]]) -> dict[Reason | None, list[int]]:
    """The rows by reason, where those that stand under several have none."""
    times = Counter(chain.from_iterable(reasons.values()))
    several = {row for row, count in times.items() if count > 1}
    if not several:
        return reasons
    once = {why: [row for row in rows if row not in several] for why, rows in reasons.items()}
    return {None: sorted(several), **once}


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _tried(
    decode: Decode, values: Sequence[bytes], most: int | None = None
) -> tuple[list[Any], Failures]:
    """The events of records up to the one that is the `most`-th failure, and what is none."""
    events: list[Any] = []
    failed: Failures = []
    decoded = map(decode, values)
    while len(failed) != most:
        # What a list has taken of an iterator that raises, it keeps; the next one goes on.
        try:
            events.extend(decoded)
        except msgspec.MsgspecError as error:
            words = str(error)
        except UnicodeDecodeError:
            words = NOT_TEXT
        except (RecursionError, TypeError, ValueError):
            words = ""
        else:
            break
        failed.append((len(events) + len(failed), words))
    return events, failed


def _cut(values: Sequence[bytes]) -> Mask:
    """Which texts begin as an object and end as none: they are no JSON, and no envelope."""
    try:
        ends = bytes(map(_last, values))
    except IndexError:  # a text of no bytes
        ends = b"".join(value[-1:] or b" " for value in values)
    codes = np.frombuffer(ends, np.uint8)
    cut: Mask = codes != _END
    for space in _SPACE:
        cut &= codes != space
    open_ = np.flatnonzero(cut)
    texts = [values[i] for i in open_.tolist()]
    odd = holders(texts, ENVELOPE)
    odd |= np.fromiter((text[0] != _BEGIN for text in texts), np.bool_, len(texts))
    cut[open_[odd]] = False
    return cut


def _broken(tried: Sequence[bytes], failed: Failures) -> tuple[list[int], Failures]:
    """Of what a decoder did not take: what certainly is no JSON for anyone, and the rest."""
    broken = [at for at, words in failed if words is not NOT_TEXT and words.startswith(BROKEN)]
    # Python's JSON knows NaN and Infinity, and so do we; but of what is no text nothing is known.
    odd = holders([tried[at] for at in broken], NAN, INFINITY)
    broken = list(compress(broken, (~odd).tolist()))
    broken += [at for at, words in failed if words is NOT_TEXT]
    texts = [tried[at] for at in broken]
    odd = holders(texts, ENVELOPE)
    # Nothing at all, or a prefix before the JSON, is for who opens envelopes.
    odd |= np.fromiter((text[:1] <= b"\0" for text in texts), np.bool_, len(texts))
    certain = list(compress(broken, (~odd).tolist()))
    if len(certain) == len(failed):
        return certain, []
    known = set(certain)
    return certain, [one for one in failed if one[0] not in known]


def _said(name: str, *, absent: bool) -> Reason:
    """What the second look says of a field that is absent, or of none of its types."""
    message = f"required field {name} is missing" if absent else f"wrong type at $.{name}"
    return "schema", message


def _at(failed: Failures) -> list[int]:
    return [at for at, _ in failed]


def _without(places: Iterable[int], n: int) -> Ints:
    """The numbers below n that are not among `places`."""
    kept = np.ones(n, np.bool_)
    kept[list(places)] = False
    return np.flatnonzero(kept)
