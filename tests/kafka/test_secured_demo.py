"""The demo on somebody's broker with TLS, SCRAM and ACLs, by their configuration."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kafka.secured import PASSWORD
from tests.kafka.test_secured import Installation

ROOT = Path(__file__).resolve().parents[2]
ROWS = 3_000
SECONDS = 240


@pytest.fixture
def installation(secured, tmp_path):
    """Return an installation in which `ops` may do everything that begins with its prefix."""
    found = Installation(secured, tmp_path)
    for resource in ("Topic", "Group"):
        secured.allow("ops", "All", resource, found.prefix)
    return found


def demo(path, *, bootstrap=None, password=PASSWORD):
    """Run the demo as an operator would, from elsewhere, as `ops`."""
    options = ["--once", "--json", "--rows", str(ROWS), "--config", path]
    return subprocess.run(
        [
            *(sys.executable, "-m", "streams.cli", "demo", *options),
            *(("--bootstrap", bootstrap) if bootstrap else ()),
        ],
        cwd=path.parent,
        env=os.environ | {"NAME": "ops", "PASSWORD": password, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.slow
def test_the_demo_runs_on_a_secured_broker(installation):
    """Every record is counted, under names that begin with theirs, and no password is shown."""
    done = demo(installation.path())
    assert 0 == done.returncode, done.stderr
    document = json.loads(done.stdout)
    assert (ROWS, ROWS) == (document["rows"], document["accounting"]["predictions"]["counted"])
    assert document["accounting"]["labels"]["joined"] == document["labels"] > 0
    assert PASSWORD not in done.stdout + done.stderr


WRONG = {
    "password": ("secured", "does not accept User:ops with SCRAM-SHA-512"),
    "expired": ("expired", "certificate has expired"),
    "elsewhere": ("elsewhere", "is not valid for '127.0.0.1'"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", WRONG)
def test_a_demo_that_is_not_let_in_says_why(installation, what):
    """One line, exit code 2, nothing on stdout, and the password nowhere."""
    way, words = WRONG[what]
    password = "wr0ng-passw0rd" if what == "password" else PASSWORD
    done = demo(installation.path(way), password=password)
    told = [line for line in done.stderr.splitlines() if line.startswith("windage: ")]
    assert (2, "", 1) == (done.returncode, done.stdout, len(told)), done.stderr
    assert words in told[0]
    assert password not in done.stderr


@pytest.mark.slow
def test_a_demo_sends_no_password_in_the_clear_beyond_this_machine(installation):
    """Also where the address is said beside the configuration."""
    done = demo(installation.path("clear"), bootstrap="192.0.2.1:9")
    assert (2, "") == (done.returncode, done.stdout), done.stderr
    assert "allow_insecure" in done.stderr.splitlines()[-1]
