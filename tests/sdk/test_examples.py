"""The examples run, and the snippets of docstrings say what happens."""

import doctest
import importlib
import subprocess
import sys

import pytest


def test_publishing_sends_everything(root, intake):
    """A prediction and a label for each row."""
    done = subprocess.run(
        [sys.executable, root / "examples" / "publish.py", intake.url, "200"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "sent 400, dropped 0" == done.stdout.strip()
    assert 200 == sum("label" in event for event in intake.events())


@pytest.mark.parametrize("module", ["checking", "memory", "publisher", "retraining", "subscribing"])
def test_the_snippets_of_docstrings_are_true(module):
    """Those that need no server are run."""
    found = doctest.testmod(importlib.import_module(f"windage.{module}"))
    assert (0, True) == (
        found.failed,
        found.attempted > 0 or module in ("publisher", "subscribing"),
    )
