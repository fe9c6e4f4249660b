"""Commands beside a running `windage serve`: looking reads the file, saying goes over HTTP."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from tests.cli.conftest import ROOT
from tests.cli.installation import build

READY = re.compile(r"(http://\S+?)/ ")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Return the folder of a served installation, and its address."""
    folder = tmp_path_factory.mktemp("served")
    build(folder)
    process = subprocess.Popen(
        [sys.executable, "-m", "streams.cli", "serve", "--port", "0"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stderr.readline()
        found = READY.search(line)
        assert found, line
        yield folder, found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        process.stderr.close()


def patiently(look, wanted):
    """Ask until it is as wanted, for at most 20 seconds."""
    deadline = time.monotonic() + 20
    while not wanted(found := look()):
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found


def test_an_incident_is_closed_over_http(command, served):
    """Its id may be a prefix; the file says the verdict while the server holds it."""
    folder, url = served
    directory = folder / "windage-data"

    def incidents():
        told = command("incidents", "--data", directory, "--json").out
        return [one for one in map(json.loads, told.splitlines()) if not one["drill"]]

    (before,) = incidents()
    refused = command(
        "close", before["incident_id"], "--verdict", "data_issue", "--data", directory
    )
    assert (3, True) == (refused.code, "--url" in refused.err)
    ended = command("close", before["incident_id"][:5], "--verdict", "data_issue", "--url", url)
    assert 0 == ended.code, ended.err
    (after,) = patiently(incidents, lambda told: told[0]["verdict"] == "data_issue")
    assert before["incident_id"] == after["incident_id"]


def test_a_drill_goes_through_a_running_server(command, served):
    """Opened and resolved, as the list of incidents says while the server holds the log."""
    folder, url = served
    ended = command("drill", "shop", "--url", url, "--rollback", "--json")
    assert 0 == ended.code, ended.err
    told = json.loads(ended.out)
    assert ["drift-events", "rollback-requests", "alerts", "alerts"] == told["topics"]
    listed = command("incidents", "--data", folder / "windage-data", "--json").out
    drilled = [one for one in map(json.loads, listed.splitlines()) if one["drill"]]
    assert [(told["incident_id"], "closed")] == [
        (one["incident_id"], one["status"]) for one in drilled
    ]
    asked = f"{url}/v1/incidents?limit=100"
    with urllib.request.urlopen(asked) as answer:  # noqa: S310 - our own server
        assert told["incident_id"] in answer.read().decode()


def test_what_the_server_refuses_is_told(command, served):
    """Its reason, and code 2."""
    _, url = served
    ended = command("label", "shop", "p3", "1", "--url", f"{url}/elsewhere")
    assert (2, True) == (ended.code, "/elsewhere: Not Found" in ended.err)


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{", "malformed"), (b'{"model": "a b"}', "name"), (b'{"model": "m", "x": 1}', "malformed")],
)
def test_a_drill_that_means_nothing_is_refused(served, body, code):
    """400 with a code, and nothing is written."""
    _, url = served
    asked = urllib.request.Request(f"{url}/v1/drill", body)  # noqa: S310 - our own server
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked)  # noqa: S310 - as above
    with refused.value as answer:
        assert (400, code) == (answer.code, json.loads(answer.read())["error"]["code"])


def test_a_label_is_counted(command, served):
    """Over HTTP into the log; the lag goes back to nothing."""
    folder, url = served
    assert 0 == command("label", "shop", "p3", "1", "--url", url, "--json").code

    def lag():
        told = command("status", "--data", folder / "windage-data", "--json").out
        return json.loads(told)["lag"]

    assert 0 == patiently(lag, lambda told: told is not None and not sum(told.values()))["labels"]
    assert (folder / "windage-data" / "windage.sqlite").is_file()
