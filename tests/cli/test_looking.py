"""Commands that look at an installation: what they print is what its topics hold."""

import json
import re

import pytest

from streams.cli.sizes import sizes
from tests.cli.installation import ROWS, build


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return the folder of an installation with one incident and three dead letters."""
    folder = tmp_path_factory.mktemp("installed")
    build(folder, bad=3)
    return folder


@pytest.fixture
def look(command, installed):
    """Return a function that runs a command on the installation; gives what it printed."""

    def run(*arguments, code=0):
        ended = command(*arguments, "--data", installed / "windage-data")
        assert code == ended.code, ended.err
        return ended

    return run


def documents(ended):
    return [json.loads(line) for line in ended.out.splitlines()]


@pytest.fixture
def incident(look):
    """Return the only incident, as the list shows it."""
    (one,) = documents(look("incidents", "--json"))
    return one


def test_status_says_since_when_and_what_is_left(look, incident):
    """State, budget, lag and dead letters in one document."""
    (document,) = documents(look("status", "--json"))
    (model,) = document["models"]
    assert ("shop", "red", ["1"]) == (model["model"], model["state"], model["versions"])
    assert incident["opened_at"] <= model["since"] <= model["judged_until"]
    assert {"allowed": 1.0, "per": "30d", "spent": 1.0, "remaining": 0.0} == model["budget"]
    assert [incident["incident_id"]] == [one["incident_id"] for one in model["incidents"]]
    assert {"predictions": 0, "labels": 0, "metrics": 0, "model-events": 0} == document["lag"]
    assert {"malformed": 3} == document["dead_letters"]


def test_status_for_people_names_the_incident(look, incident):
    """The same words as the alert."""
    out = look("status").out
    assert incident["title"] in out
    assert "dead letters: 3 malformed" in out


def test_a_model_nobody_knows_is_told_with_the_nearest(look):
    """An empty table would look like health."""
    assert "did you mean shop?" in look("status", "--model", "shpo", code=2).err


def test_the_incident_has_its_times(incident):
    """The change was made at row 900, that is at 00:15:00."""
    assert "2026-01-01T00:15:00Z" <= incident["change_point"] <= "2026-01-01T00:16:30Z"
    assert incident["opened_at"] > incident["change_point"]
    assert 0 < incident["detect_seconds"] < 120
    assert (None, None, "open") == (
        incident["recover_seconds"],
        incident["verdict"],
        incident["status"],
    )


def test_incidents_are_filtered(look):
    """By status and model; nothing found is nothing on stdout."""
    assert 1 == len(documents(look("incidents", "--status", "open", "--json")))
    assert [] == documents(look("incidents", "--status", "closed", "--json"))
    assert [] == documents(look("incidents", "--model", "other", "--json"))


def test_an_incident_is_explained_by_a_prefix_of_its_id(look, incident):
    """Both histograms, and a command for the raw records that gives just these."""
    (document,) = documents(look("explain", incident["incident_id"][:5], "--json"))
    assert "incident" == document["kind"]
    event = document["events"][-1]
    bars = event["current"]["histograms"]
    assert len(bars["labels"]) == len(bars["reference"]) == len(bars["current"])
    assert 1 == pytest.approx(sum(bars["reference"]), abs=1e-6)
    (range_,) = document["evidence"]
    (command,) = range_["commands"]
    program, *arguments = command.split()
    assert "windage" == program
    at = arguments.index("--data")
    records = documents(look(*arguments[:at], *arguments[at + 2 :]))
    assert range_["from"] == records[0]["offset"]
    assert range_["to"] - range_["from"] + 1 == len(records)


def test_an_event_is_explained_and_names_its_incident(look, incident):
    """A drift event is found by its id."""
    event, *_ = documents(look("tail", "drift-events", "--no-follow", "--json"))
    (document,) = documents(look("explain", event["id"], "--json"))
    assert ("drift-event", event["id"]) == (document["kind"], document["id"])
    assert incident["incident_id"] == document["incident"]["incident_id"]


def test_people_see_both_histograms_side_by_side(look, incident):
    """With the runbook, or the word that there is none."""
    out = look("explain", incident["incident_id"]).out
    assert "300 rows of reference" in out
    assert "█" in out
    assert "runbook: none configured" in out
    assert "feature:amount in shop 1: shiryaev_roberts " in out
    assert 1 + out.count("retrain request") == out.count('"12.39 to 18.1504" rose'), "once each"
    assert "recommended: retrain incremental" in out


def test_sizes_have_words_and_units():
    """Those that nobody has words for are told as they are; what is not known is not."""
    effect = {"spread_ratio": 1.28, "mean_shift_sd": 0.547, "psi": 0.2517, "odd": 2.0, "ks": None}
    assert "PSI 0.252, mean moved +0.547 sd, spread 1.28 times, odd 2" == sizes(effect)


def test_an_id_nobody_has_is_code_2(look):
    """One line that says so."""
    assert "no incident, event or request has this id" in look("explain", "zzz", code=2).err


def test_tail_ends_where_it_is_told(look):
    """The newest come last."""
    lines = documents(look("tail", "readings", "--last", "2", "--no-follow", "--json"))
    assert ["windage.reading.v1"] * 2 == [one["type"] for one in lines]
    assert lines[0]["time"] <= lines[1]["time"]


def test_tail_shows_dead_letters_with_their_reasons(look):
    """The bytes as they came."""
    first, *_ = documents(look("tail", "dead-letters", "--no-follow", "--json"))
    assert "{no json 0" == first["value"]
    assert "malformed" == first["headers"]["windage.error.code"]


def test_label_sample_asks_for_nothing_that_is_labelled(look):
    """All predictions of the installation have labels."""
    ended = look("label-sample", "shop", "--json")
    assert [] == documents(ended)
    assert f"{ROWS:,} predictions" in ended.err


def test_a_model_of_which_nothing_is_there_is_named(look):
    """A typo looks like good news otherwise."""
    told = look("label-sample", "shp").err
    assert re.fullmatch(r"shp: none of the newest 1,\d{3} predictions is of this model\n", told)
    assert "no incidents of shp\n" == look("incidents", "--model", "shp").err


@pytest.mark.parametrize(
    "arguments",
    [("status",), ("incidents",), ("explain", "a"), ("tail",), ("label-sample", "m")],
)
def test_a_directory_without_a_log_is_code_3(command, tmp_path, arguments):
    """One line that names it."""
    ended = command(*arguments, "--data", tmp_path / "absent")
    assert 3 == ended.code
    assert "holds no log" in ended.err
    assert 1 == len(ended.err.splitlines())


def test_without_a_place_the_options_are_named(command):
    """Code 2: the user has not said where."""
    ended = command("status")
    assert 2 == ended.code
    assert "--data DIR, --config FILE or --bootstrap HOST:PORT" in ended.err
