"""The injected incidents: rows as published, everything else untouched, the same every time."""

import importlib.util
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "employment"


@pytest.fixture(scope="module")
def script():
    """Return the script as a module."""
    spec = importlib.util.spec_from_file_location("inject", FOLDER / "inject.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows(script):
    return script.read_rows()


@pytest.fixture(scope="module")
def injected(script, rows):
    return script.injected(rows)


def changed(rows, injected, *columns):
    """Return the positions of rows that differ in one of the columns."""
    return [
        number
        for number, (row, new) in enumerate(zip(rows, injected, strict=True))
        if any(row[column] != new[column] for column in columns)
    ]


def share(rows, test):
    return sum(map(test, rows)) / len(rows)


def test_the_quiet_rows_are_all_there_in_their_order(rows, injected):
    assert 69_126 == len(injected)
    assert [row["id"] for row in rows] == [row["id"] for row in injected]


def test_no_row_outside_an_incident_is_touched(script, rows, injected):
    inside = {n for begin, end, _ in script.INCIDENTS for n in range(begin, end)}
    assert set(changed(rows, injected, *rows[0])) <= inside


def test_two_runs_make_the_same_rows(script, rows, injected):
    assert injected == script.injected(rows)


def test_another_seed_makes_other_rows(script, rows, injected, monkeypatch):
    monkeypatch.setattr(script, "SEED", script.SEED + 100)
    assert injected != script.injected(rows)


def test_schooling_is_missing_for_two_fifths_of_rows_8000_to_10999(rows, injected):
    touched = changed(rows[:18_000], injected[:18_000], *rows[0])
    assert 8_000 <= min(touched)
    assert max(touched) < 11_000
    assert pytest.approx(0.4, abs=0.03) == share(injected[8_000:11_000], lambda r: not r["SCHL"])


def test_people_over_60_double_in_rows_18000_to_23999(rows, injected):
    before, after = rows[18_000:24_000], injected[18_000:24_000]
    old = share(before, lambda row: float(row["AGEP"]) > 60)
    assert pytest.approx(2 * old, abs=0.03) == share(after, lambda row: float(row["AGEP"]) > 60)
    known = {tuple(v for k, v in row.items() if k != "id") for row in before}
    drawn = {tuple(v for k, v in row.items() if k not in ("id", "model_version")) for row in after}
    assert drawn <= known


def test_an_unknown_ancestry_comes_in_rows_30000_to_32999(rows, injected):
    assert "99" not in {row["ANC"] for row in rows}
    assert pytest.approx(0.15, abs=0.02) == share(
        injected[30_000:33_000], lambda row: row["ANC"] == "99"
    )


def test_labels_flip_in_one_segment_only_in_rows_40000_to_47999(rows, injected):
    touched = changed(rows[33_000:56_000], injected[33_000:56_000], *rows[0])
    flipped = [number + 33_000 for number in touched]
    assert 40_000 <= min(flipped)
    assert max(flipped) < 48_000
    assert {"2"} == {rows[number]["SEX"] for number in flipped}
    women = sum(row["SEX"] == "2" for row in rows[40_000:48_000])
    assert pytest.approx(0.3, abs=0.02) == len(flipped) / women
    assert flipped == [n for n in flipped if rows[n]["employed"] != injected[n]["employed"]]


def test_version_2_squeezes_scores_and_keeps_decisions_in_rows_56000_to_63999(rows, injected):
    second = [number for number, row in enumerate(injected) if row["model_version"] == "2"]
    assert list(range(56_000, 64_000)) == second
    for number in second:
        before = float(rows[number]["predicted_probability"])
        after = float(injected[number]["predicted_probability"])
        assert pytest.approx(before - 0.5) == 2 * (after - 0.5)
        assert rows[number]["prediction"] == injected[number]["prediction"]
