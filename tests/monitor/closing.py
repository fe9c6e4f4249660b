"""Closing panes by hand, for tests of single watches."""

from streams.monitor.watch import Closing

PANE = 60_000


def closing(pane, **rest):
    """A pane of a minute with nothing in it but `rest`."""
    lists = ["predictions", "outcomes", "cohorts", "revisions", "metrics", "events", "findings"]
    empty = {name: [] for name in lists} | {"building": frozenset(), "reference_id": "r"}
    return Closing(pane=pane, span=(pane * PANE, (pane + 1) * PANE), **(empty | rest))
