"""What the laws found once: the smallest case of each, kept."""

from tests.laws.mill import Mill
from tests.laws.world import PANE, T0, Item, World

SPAN = {"lateness": 3_000, "horizon": 15_000}


def asked(number, time, *, broker=None, **rest):
    """A prediction `time` ms after the begin."""
    at = T0 + time
    came = at if broker is None else T0 + broker
    rest = {"version": "1", "x": 1.0, "c": "a", "score": 0.3, **rest}
    return Item("predictions", "prediction", came, number, at, **rest)


def told(number, time, *, broker=None, **rest):
    """A label `time` ms after the begin."""
    at = T0 + time
    return Item("labels", "label", at if broker is None else T0 + broker, number, at, **rest)


def bad(log, value, time=0, headers=()):
    """A record that cannot be counted."""
    return Item(log, "bad", T0 + time, 0, value=value, headers=headers)


def world(*items, **rest):
    """These items under short spans."""
    return World(items, **{**SPAN, **rest})


def test_the_first_pane_is_the_earliest_of_all_partitions():
    """A partition heard of later may begin earlier; its first pane is judged all the same."""
    items = [asked(0, 5 * PANE), asked(1, 0)]
    alone = Mill(world(*items), 1).finish()
    spread = Mill(world(*items), 2).finish()
    assert alone.spoken("evidence") == spread.spoken("evidence")
