"""What a sink remembers is bounded, and what is open is forgotten last."""

from streams.sinks import memory as memories
from streams.sinks.memory import Memory
from tests.sinks.world import alert, message


def test_incidents_that_are_over_are_forgotten_before_open_ones(monkeypatch):
    monkeypatch.setattr(memories, "INCIDENTS", 3)
    memory = Memory("s", frozenset())
    memory.took(message(alert("open"), "a-1"), said=True)
    for n in range(5):
        memory.took(message(alert(f"i-{n}", status="resolved"), f"b-{n}"), said=True)
    assert ["open"] == [one.incident for one in memory.open_ones()]
    assert 3 == len(memory._incidents)


def test_of_open_incidents_the_longest_unchanged_is_forgotten(monkeypatch):
    monkeypatch.setattr(memories, "INCIDENTS", 2)
    memory = Memory("s", frozenset())
    for n in (1, 2):
        memory.took(message(alert(f"i-{n}"), f"a-{n}"), said=True)
    memory.took(message(alert("i-1", sequence=2), "a-3"), said=True)
    memory.took(message(alert("i-3"), "a-4"), said=True)
    assert ["i-1", "i-3"] == [one.incident for one in memory.open_ones()]


def test_ids_are_remembered_up_to_a_number(monkeypatch):
    """An older one that comes again is told again: at least once."""
    monkeypatch.setattr(memories, "IDS", 2)
    memory = Memory("s", frozenset())
    for n in range(3):
        memory.took(message(alert(f"i-{n}"), f"a-{n}"), said=True)
    fates = [memory.fate(message(alert(f"i-{n}"), f"a-{n}")) for n in range(3)]
    assert ["say", "repeated", "repeated"] == fates
