"""Runs `windage`: as a process, as a shell would, and within the test's own, which is quicker."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli.app import app
from streams.cli.endings import tell

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def windage(tmp_path):
    """Return a function that runs the command in an empty folder."""

    def run(*arguments, timeout=60):
        done = subprocess.run(
            [sys.executable, "-m", "streams.cli", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def command(tmp_path, monkeypatch, capfdbinary):
    """Return a function that runs the command in an empty folder, in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments):
        ended = CliRunner().invoke(app, [str(one) for one in arguments])
        code, err = ended.exit_code, ended.stderr
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            capfdbinary.readouterr()
            code = tell(ended.exception)
            err += capfdbinary.readouterr().err.decode()
        return Ended(code, ended.stdout, err)

    return run
