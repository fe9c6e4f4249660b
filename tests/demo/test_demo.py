"""The demo: one story through every runtime, one document at the end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from schemas.log import INPUT_LOGS
from streams.cli.demo import story as stories
from streams.cli.demo.story import EVERY, LABELS_LATER, instant_of, never_labelled, row_of

ROOT = Path(__file__).parents[2]
ROWS = 6_000


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    return stories.open_story(tmp_path_factory.mktemp("scratch"), rows=ROWS)


@pytest.fixture(scope="module")
def records(story):
    """Return (time, key, value) of every record, by log."""
    found = {log: [] for log in INPUT_LOGS}
    for chunk in story.chunks():
        for log, one in chunk.entries.items():
            found[log] += zip(one.times, one.keys, one.values, strict=True)
    return found


def test_a_row_comes_every_450_seconds(records):
    times = [time for time, _, _ in records["predictions"]]
    assert [instant_of(row) for row in range(ROWS)] == times
    assert list(range(ROWS)) == [row_of(time) for time in times]


def test_labels_come_2000_rows_after_their_predictions(records):
    asked = {key: time for time, key, _ in records["predictions"]}
    delays = {time - asked[key] for time, key, _ in records["labels"]}
    assert {LABELS_LATER * EVERY} == delays


def test_one_label_in_ten_never_comes_and_which_is_a_function_of_the_id(records):
    never = {key for _, key, _ in records["predictions"] if never_labelled(key)}
    assert pytest.approx(ROWS / 10, rel=0.15) == len(never)
    labelled = {key for _, key, _ in records["labels"]}
    assert {key for _, key, _ in records["predictions"]} - never == labelled


def test_no_label_is_in_the_predictions(records):
    assert all("employed" not in orjson.loads(v)["features"] for _, _, v in records["predictions"])


def test_what_the_operator_says_comes_at_row_100000():
    said = stories.said_by_the_operator()
    assert [100_000] == [row_of(time) for time in said.times]
    assert "reference_reset" == orjson.loads(said.values[0])["type"]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Return the demo's process over the first rows."""
    return subprocess.run(
        [sys.executable, "-m", "streams.cli", "demo", "--once", "--json", "--rows", str(ROWS)],
        cwd=tmp_path_factory.mktemp("elsewhere"),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_stdout_holds_one_document_and_nothing_else(ended):
    assert 0 == ended.returncode, ended.stderr
    document = json.loads(ended.stdout)
    assert {
        *("rows", "labels", "seconds", "events_per_s", "incidents"),
        *("retrain_requests", "alerts", "accounting"),
    } <= set(document)


def test_every_record_is_accounted_for(ended, records):
    document = json.loads(ended.stdout)
    assert (ROWS, len(records["labels"])) == (document["rows"], document["labels"])
    accounts = document["accounting"]
    assert ROWS == accounts["predictions"]["counted"]
    assert len(records["labels"]) == accounts["labels"]["joined"]


def test_the_first_rows_are_quiet(ended):
    document = json.loads(ended.stdout)
    assert [] == document["incidents"]
    assert [] == document["alerts"]
