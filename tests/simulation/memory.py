"""A memory for functions of constants and of counts that would take most of the time here.

What follows from a grid or a reference alone is worked out once in the life of a real worker, and
a pane is judged once. A simulation makes the same few machines thousands of times, and the ten
schedules of one world judge the same panes.

Promises: only functions without state whose answers nobody changes; the machines themselves are
made anew each time, and other counts are another question. Of what was answered about counts one
in `CHECKED` is worked out again and compared, so that a function which comes to have a state, or
whose answer is changed by somebody, is seen.
Leaves to others: when it is in force (`simulation`).
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

import streams.monitor.lane
import streams.monitor.model
import streams.monitor.outcomes.labels
import streams.monitor.outcomes.normal
import streams.monitor.panel
import streams.monitor.stack
import streams.monitor.watches.performance
import streams.profiler.model
import tests.laws.mill
import tests.simulation.process
from detectors import shiryaev_roberts
from detectors.effect import EffectBank
from detectors.metrics.quantiles import quantile
from detectors.shiryaev_roberts import Bank
from detectors.stability import CategoryStability
from schemas.config import Config
from schemas.grid import Layout
from streams.columns import Columns
from streams.monitor.effects import measure
from streams.monitor.outcomes.blocks import Blocks
from streams.monitor.outcomes.estimate import Estimator
from streams.monitor.yardstick import Yardstick
from streams.runtime.kafka.process import settings_of
from streams.signals import Signal, read_outcomes

CHECKED = 50
"""Of so many remembered answers about counts one is worked out again."""

_MOST = 5_000
"""Answers kept of each function."""

Function = Callable[..., Any]


class Pure(NamedTuple):
    """A function, and the modules or classes in which it is called by its name.

    `told` makes of its arguments what can be looked up. Objects are told by their ids: whoever
    asked is kept with the answer, so no other object can come to have that id.
    """

    function: Function
    told: Callable[..., Any]
    where: tuple[Any, ...]
    compared: bool = False


def remembered(one: Pure) -> Function:
    """Return the function, which answers the same question only once."""
    known: dict[Any, tuple[Any, tuple[Any, ...]]] = {}
    function, told, answered = one.function, one.told, 0

    def answer(*args: Any, **more: Any) -> Any:
        nonlocal answered
        question = told(*args, **more)
        found = known.get(question)
        if found is None:
            if len(known) > _MOST:
                known.clear()
            found = known[question] = function(*args, **more), args
        elif one.compared:
            answered += 1
            if not answered % CHECKED:
                again = function(*args, **more)
                assert same(found[0], again), f"{function.__name__} answers otherwise"
        return found[0]

    return answer


def same(one: Any, other: Any) -> bool:
    """Whether two answers say the same, to the last bit; what is no number is like itself."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[name], other[name]) for name in one)
    return bool(one == other) or repr(one) == repr(other) == "nan"


def _fields(one: Any, *more: Any, **named: Any) -> tuple[Any, ...]:
    """The fields of a dataclass, and what else was said."""
    values = (getattr(one, field.name) for field in dataclasses.fields(one))
    plain = (value.tobytes() if isinstance(value, np.ndarray) else value for value in values)
    return (*plain, *more, *sorted(named.items()))


def _ids(ones: Sequence[Any]) -> tuple[int, ...]:
    return tuple(map(id, ones))


def _signal(one: Signal) -> tuple[Any, ...]:
    """A signal by its fields; a value that is no number would be like nothing, itself included."""
    return one._replace(values=None), None if one.values is None else np.array(one.values).tobytes()


def _of_measure(
    signal: Any,
    standard: Any,
    window: Any,
    found: Any,
    tolerance: float,
    depth: str,
    recent: Any = None,
) -> tuple[Any, ...]:
    since = None if recent is None else recent.tobytes()
    return signal.name, id(standard.gauge), window.tobytes(), found, tolerance, depth, since


_BARE = Bank._layout


def _laid_out(widths: Sequence[int], found: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """What `Bank._layout` notes in a bank."""
    bank = Bank.__new__(Bank)
    _BARE(bank, widths, found)
    return vars(bank)


_PURE = (
    # Of grids and references.
    Pure(shiryaev_roberts.alternatives, _fields, (shiryaev_roberts,)),
    Pure(
        Layout,
        lambda grid: grid,
        (streams.monitor.model, streams.profiler.model, tests.laws.mill),
    ),
    Pure(Columns, id, (streams.profiler.model,)),
    Pure(Config.hashes, id, (Config,)),
    Pure(settings_of, lambda config, name: (id(config), name), (tests.simulation.process,)),
    Pure(
        Yardstick,
        lambda signals, normals, judging: (*map(_signal, signals), *normals, judging),
        (streams.monitor.lane,),
    ),
    Pure(EffectBank, _ids, (streams.monitor.stack,)),
    Pure(
        CategoryStability,
        lambda references, dispersion: (_ids(references), tuple(dispersion)),
        (streams.monitor.stack,),
    ),
    Pure(Blocks, id, (streams.monitor.watches.performance,)),
    Pure(
        Estimator,
        lambda blocks, reference, dispersion: (id(blocks), reference.tobytes(), dispersion),
        (streams.monitor.outcomes.normal,),
    ),
    # Of counts.
    Pure(measure, _of_measure, (streams.monitor.panel,), compared=True),
    Pure(
        EffectBank.look,
        lambda bank, row: (id(bank), row.tobytes()),
        (EffectBank,),
        compared=True,
    ),
    Pure(
        EffectBank.of,
        lambda bank, signal, look: (id(bank), signal, id(look)),
        (EffectBank,),
        compared=True,
    ),
    Pure(
        CategoryStability.psi,
        lambda bank, windows: (id(bank), *(one.tobytes() for one in windows)),
        (CategoryStability,),
        compared=True,
    ),
    Pure(
        read_outcomes,
        lambda layout, vector: (id(layout), vector.tobytes()),
        (streams.monitor.lane,),
        compared=True,
    ),
    Pure(
        Blocks.metrics,
        lambda blocks, compact, dispersion=1.0: (id(blocks), compact.tobytes(), dispersion),
        (Blocks,),
        compared=True,
    ),
    Pure(
        Estimator.metrics,
        lambda estimator, asked: (id(estimator), asked.tobytes()),
        (Estimator,),
        compared=True,
    ),
    Pure(
        quantile,
        lambda counts, values, share: (counts.tobytes(), values.tobytes(), share),
        (streams.monitor.outcomes.labels,),
        compared=True,
    ),
)

_LAID_OUT = remembered(
    Pure(_laid_out, lambda widths, found: (*widths, *(id(a) for own in found for a in own)), ())
)


def _lay_out(bank: Bank, widths: Sequence[int], found: Sequence[Sequence[Any]]) -> None:
    """`Bank._layout` from memory."""
    vars(bank).update(_LAID_OUT(widths, found))


Place = tuple[Any, str, Function, Function]


def _places() -> Iterator[Place]:
    for one in _PURE:
        answer = remembered(one)
        for room in one.where:
            yield room, one.function.__name__, one.function, answer
    yield Bank, "_layout", _BARE, _lay_out


_PLACES = list(_places())
"""Where each is called, under which name, as it is and as it remembers."""


@contextmanager
def remembering() -> Iterator[None]:
    """Let the functions remember."""
    for room, name, _, answer in _PLACES:
        setattr(room, name, answer)
    try:
        yield
    finally:
        for room, name, function, _ in _PLACES:
            setattr(room, name, function)
