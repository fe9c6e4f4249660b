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


def letters(mill):
    """(log, offset) of every dead letter, and how often it was written."""
    return {(log, offset): n for (log, _, offset), n in mill.letters.items()}


def books(mill, log="labels"):
    """The tallies of partition 0."""
    return mill.owners[0].machine.accounting()[log]


def test_another_model_is_not_ours():
    """With one configured model, records that name another are refused, not counted as its."""
    value = b'{"model":"else","version":"1","prediction_id":"p1","timestamp":%d,"prediction":1}'
    mill = Mill(world(asked(0, 0), bad("predictions", value % T0))).finish()
    assert {("predictions", mill.offsets["predictions", 0][1]): 1} == letters(mill)
    assert (1, 1) == (books(mill, "predictions").counted, books(mill, "predictions").dead_lettered)
    assert mill.truths()[0].cells == mill.cells()
