"""The quality table: small versions of its rows by default, the rows themselves where slow."""

import numpy as np
import pytest

from detectors.distances import DISTANCES, Pair
from tests.quality import conformance, dial, table
from tests.quality import delays as delays_of_rows
from tests.quality.made import delays, false_alarms, numeric_bank, sparse_bank, true_shares
from tests.quality.row import SEEDS, AbsentError, Asked, Measured, Row
from tests.quality.windows import rejections


@pytest.fixture(scope="module")
def asked():
    """Return what a thorough run asks for, with the published streams if they are here."""
    return Asked(short=False, streams=table.streams_folder(None))


@pytest.mark.slow
@pytest.mark.parametrize("row", table.ROWS, ids=lambda row: row.id)
def test_the_row_reaches_its_target(row, asked):
    try:
        found = row.measure(asked)
    except AbsentError as error:
        pytest.skip(str(error))
    assert (row.id not in table.KNOWN) == found.passed, (found.reason, found.values)


def test_river_agrees(asked):
    assert {} == conformance.measure(asked).values["different"]


def test_delays_and_promise_on_a_small_scale():
    rng = np.random.default_rng(SEEDS[0])
    bank, grids = numeric_bank(40, 2000, 0.1, rng)
    quiet, moved = true_shares(grids), true_shares(grids, mean=1.0)
    assert delays(bank, quiet, moved, 50, 2e4, rng).mean() <= 100
    bank, grids = numeric_bank(40, 2000, 0.1, rng)
    assert false_alarms(bank, true_shares(grids), 50, 100, 300, rng).sum() <= 120


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize(("n", "m"), [(100, 100), (200, 500), (500, 200)])
def test_p_values_are_about_right_without_change(name, n, m):
    assert 0.05 == pytest.approx(rejections(name, n, m, 300), abs=0.04)


@pytest.mark.parametrize("name", DISTANCES)
def test_a_shift_of_a_fifth_of_a_standard_deviation_is_usually_found(name):
    assert rejections(name, 1000, 1000, 60, shift=0.2) >= 0.75


@pytest.mark.slow
@pytest.mark.parametrize("name", ["psi", "js", "chi2", "hellinger"])
@pytest.mark.parametrize(("n", "m"), [(100, 100), (100, 5000), (1000, 200), (5000, 5000)])
def test_p_values_of_categories_are_right_without_change(name, n, m):
    """A category with a long tail; a rate over 1,500 runs has a standard error of .0056."""
    rng = np.random.default_rng([SEEDS[0], n, m])
    shares = 1 / np.arange(1, 41)
    shares /= shares.sum()
    pairs = (
        Pair(*(rng.multinomial(k, shares) for k in (n, m)), "categorical") for _ in range(1500)
    )
    found = sum(DISTANCES[name](pair).p_value <= 0.05 for pair in pairs) / 1500
    assert 0.03 <= found <= 0.07


def test_every_row_of_the_table_is_there_once():
    wanted = [f"Q{i}" for i in range(1, 19)]
    wanted.insert(10, "Q10r")
    assert wanted == [row.id for row in table.ROWS]


def line(measure):
    return table.measured(Row(id="Q0", what="w", target="t", measure=measure), Asked())


def test_a_row_that_does_not_pass_stands_there_with_value_and_reason():
    found = line(lambda _: Measured(passed=False, values={"delay": 9}, reason="too slow"))
    assert (False, {"delay": 9}, "too slow") == (found["pass"], found["value"], found["reason"])


def test_a_row_without_its_file_is_not_measured_and_says_so():
    found = line(lambda asked: asked.stream("nothing.csv.gz"))
    assert (None, None) == (found["pass"], found["value"])
    assert "not measured: file absent: nothing.csv.gz" == found["reason"]


def test_a_row_that_comes_out_otherwise_than_known_is_a_surprise(monkeypatch):
    """Also one that passes and was known to fail: then the list is out of date."""
    monkeypatch.setattr(table, "KNOWN", {"Q2": "hard"})
    row = lambda name, passed: {"id": name, "pass": passed, "reason": "slow"}
    assert [] == table.unexpected([row("Q1", True), row("Q2", False), row("Q3", None)])
    surprises = table.unexpected([row("Q1", False), row("Q2", True)])
    assert ["Q1 does not pass: slow", "Q2 passes, and is known to fail: hard"] == surprises


def test_the_page_lists_every_row_and_fails_those_that_are_known_to(root):
    """docs/quality.md has one line a row, and says no exactly where the program expects it."""
    text = (root / "docs" / "quality.md").read_text("utf-8")
    lines = [line.split("|") for line in text.splitlines() if line.startswith("| Q")]
    assert [row.id for row in table.ROWS] == [cells[1].strip() for cells in lines]
    failing = {cells[1].strip() for cells in lines if cells[-3].strip() == "**no**"}
    assert set(table.KNOWN) == failing


def test_error_rates_are_found_in_time():
    """Q6 as in its short version."""
    found = delays_of_rows.measure_error_rates(Asked(short=True))
    assert found.passed, found.values


@pytest.mark.parametrize(("keep", "pane", "least"), [(0.5, 20, 0.5), (0.9, 10, 0.25)])
def test_rows_that_follow_one_another_keep_part_of_the_promise(keep, pane, least):
    """Half of it at .5; at .9, where panes are correlated too, more than without persistence."""
    found = dial.correlated(keep, pane, SEEDS[1], 30, 2000, 500)
    assert least <= found["realised_over_promised"]


@pytest.mark.parametrize("missing", [0.0, 0.9])
def test_the_promise_holds_where_most_values_are_missing(missing):
    """Forty references of 1,000 rows, four times the promised run length."""
    rng = np.random.default_rng([SEEDS[2], int(10 * missing)])
    bank, shares = sparse_bank(40, 1000, missing, rng)
    assert false_alarms(bank, shares, 10, 300, 1200, rng).sum() <= 160


def test_the_table_for_people_shows_both():
    rows = [
        line(lambda _: Measured(passed=False, values={"delay": 9.25}, reason="too slow")),
        line(lambda asked: asked.stream("nothing.csv.gz")),
    ]
    shown = table.markdown({"rows": rows})
    assert "delay 9.25; too slow | **no** |" in shown
    assert "not measured: file absent" in shown
