"""Faults of data and new values are told apart when a file is replayed, from the first word on."""

import json
import random

import pytest

ROWS, CHANGED_AT = 4_000, 2_600
SHARES = {"default everywhere": 1.0, "default in some": 0.6}
"""Of rows whose age becomes its default."""


def changed(fault, row, chance):
    """A row after the change."""
    row = dict(row)
    if fault == "times 100":
        row["amount"] *= 100
    elif fault in SHARES and chance.random() < SHARES[fault]:
        row["age"] = 0
    elif fault == "mean in some" and chance.random() < 0.6:
        row["amount"] = 20.0
    elif fault == "recoded":
        row["kind"] = {"a": "A", "b": "B", "c": "C"}[row["kind"]]
    elif fault == "new category" and chance.random() < 0.05:
        row["kind"] = "z"
    elif fault == "dearer":
        row["amount"] *= 1.6
    elif fault == "another mixture" and chance.random() < 0.5:
        row["kind"] = "a"
    return row


@pytest.fixture
def kinds(windage, tmp_path):
    """Return a function from a fault to the kinds of drift events said, in order."""

    def run(fault, seed):
        chance = random.Random(seed)
        lines = ["amount,age,kind,prediction,score"]
        for number in range(ROWS):
            age = chance.randint(18, 80) if chance.random() > 0.05 else 0
            row = {"amount": chance.lognormvariate(3, 0.6), "age": age}
            row["kind"] = chance.choice("abc")
            if number >= CHANGED_AT:
                row = changed(fault, row, chance)
            score = chance.random()
            lines.append(
                f"{row['amount']:.4f},{row['age']},{row['kind']},{int(score > 0.5)},{score:.4f}"
            )
        path = tmp_path / "rows.csv"
        path.write_text("\n".join(lines) + "\n")
        events = [
            json.loads(line)
            for line in windage("replay", path, "--every", "10s", "--json").out.splitlines()
        ]
        said = [event["data"] for event in events if event["type"] == "windage.drift.v1"]
        asked = sum(event["type"] == "windage.retrain-request.v1" for event in events)
        return {event["kind"] for event in said}, asked

    return run


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("times 100", "data_quality"),
        ("default everywhere", "data_quality"),
        ("new category", "novelty"),
        pytest.param("default in some", "data_quality", marks=pytest.mark.slow),
        pytest.param("mean in some", "data_quality", marks=pytest.mark.slow),
        pytest.param("recoded", "data_quality", marks=pytest.mark.slow),
        pytest.param("dearer", "covariate_drift", marks=pytest.mark.slow),
        pytest.param("another mixture", "covariate_drift", marks=pytest.mark.slow),
    ],
)
def test_a_fault_is_called_by_its_name(kinds, fault, expected):
    """It never counts as another kind first, and a fault of data asks for no retraining."""
    found, asked = kinds(fault, seed=11)
    assert {expected} == found
    if expected == "data_quality":
        assert 0 == asked


@pytest.mark.slow
def test_nothing_is_said_of_a_quiet_file(kinds):
    """Without a change there is no event."""
    assert (set(), 0) == kinds("none", seed=12)
