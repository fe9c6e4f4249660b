"""What `windage worker` starts, and where a reset lets it begin."""

import sys

import pytest
from typer.testing import CliRunner

from streams.cli.app import app
from streams.cli.endings import OperatorError
from streams.cli.worker import place
from streams.runtime.kafka import process, supervisor


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Return `asked(*options)`: what the command asks the Kafka runtime to do, instead of doing."""
    path = tmp_path / "windage.yaml"
    path.write_text("models:\n  fraud:\n    task: binary\n")
    calls = []

    def note(name, *kept):
        def noted(_config, *arguments, **named):
            calls.append((name, *arguments, *(named[key] for key in kept)))
            return 7

        return noted

    def supervised(commands):
        calls.append(("supervise", [c.arguments[-2:] for c in commands]))
        return 7

    def run_all(_config, command, *, workers, reset_from, more):
        assert [] == more, "there are no sinks"
        arguments = {
            name: command(name, number) for number, name in enumerate(("profiler", "monitor"))
        }
        assert not any("--reset-from" in each for each in arguments.values()), "reset only once"
        assert all(str(path) in each for each in arguments.values())
        calls.append(("all", [each[-1] for each in arguments.values()], workers, reset_from))
        return 7

    monkeypatch.setattr(process, "run_all", run_all)
    monkeypatch.setattr(process, "run", note("one", "reset_from"))
    monkeypatch.setattr(process, "reset", note("reset"))
    monkeypatch.setattr(supervisor, "supervise", supervised)
    monkeypatch.setattr(process, "check", note("check"))

    def ask(*options):
        calls.clear()
        ended = CliRunner().invoke(app, ["worker", "--config", str(path), *options])
        assert 7 == ended.exit_code, ended.output
        return list(calls)

    return ask


def test_without_a_role_profilers_and_one_monitor_are_kept_running(asked):
    roles = ["profiler", "monitor"]
    assert [("all", roles, 1, None)] == asked()
    assert [("all", roles, 3, None)] == asked("--workers", "3")
    assert [("all", roles, 1, "earliest")] == asked("--reset-from", "earliest")


def test_with_sinks_the_process_that_carries_for_them_runs_too(monkeypatch, tmp_path):
    """It has a page of its own, and what it cannot do does not end the machines."""
    path = tmp_path / "windage.yaml"
    path.write_text(
        "sinks: {s: {url: https://hooks.example/}}\nmodels:\n  fraud:\n    task: binary\n"
    )
    told = []
    monkeypatch.setattr(process, "supervise", lambda commands: told.extend(commands) or 7)
    monkeypatch.setattr(process, "check", lambda *_: None)
    asked = ["worker", "--config", str(path), "--workers", "2", "--http", "9100"]
    assert 7 == CliRunner().invoke(app, asked).exit_code
    assert ["profiler 0", "profiler 1", "monitor", "sinks"] == [one.name for one in told]
    assert [True, True, True, False] == [one.needed for one in told]
    ports = [dict(zip(c.arguments, c.arguments[1:], strict=False))["--http"] for c in told]
    assert ["9100", "9101", "9102", "9103"] == ports
    assert {"sinks", "--supervised"} <= set(told[-1].arguments)


def test_a_process_that_is_not_needed_ends_nobody(monkeypatch, tmp_path):
    """It ends with 2, as whoever lacks a permission does, and is started again."""
    there = tmp_path / "times"
    refused = f"open({str(there)!r}, 'a').write('x'); raise SystemExit(2)"
    there.touch()
    size = f"os.path.getsize({str(there)!r})"
    until = f"import os, time\nwhile {size} < 2: time.sleep(.05)\nraise SystemExit(2)"
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_S", 0.05)
    commands = [
        supervisor.Command(name="sinks", arguments=(sys.executable, "-c", refused), needed=False),
        supervisor.Command(name="machine", arguments=(sys.executable, "-c", until)),
    ]
    assert 2 == supervisor.supervise(commands)
    assert len(there.read_text()) >= 2


def test_one_worker_of_a_role_is_this_process(asked):
    assert [("one", "monitor", None)] == asked("--role", "monitor")
    assert [("one", "monitor", "latest")] == asked("--role", "monitor", "--reset-from", "latest")


def test_several_of_a_role_are_reset_once_before_they_start(asked):
    """Each of them resetting again would throw away what the others have counted."""
    told = asked("--role", "profiler", "--workers", "2", "--reset-from", "1763712000000")
    assert [
        ("check", "profiler"),
        ("reset", "profiler", 1_763_712_000_000),
        ("supervise", [("--role", "profiler")] * 2),
    ] == told


def test_each_process_has_a_port_and_a_name_of_its_own(asked, monkeypatch):
    """Two processes cannot listen at one port, nor be one member of the group."""
    told = []
    monkeypatch.setattr(supervisor, "supervise", lambda commands: told.extend(commands) or 7)
    asked("--role", "monitor", "--workers", "2", "--http", "9100", "--instance", "rack")
    given = [dict(zip(c.arguments, c.arguments[1:], strict=False)) for c in told]
    assert ["9100", "9101"] == [each["--http"] for each in given]
    assert ["rack-0", "rack-1"] == [each["--instance"] for each in given]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("earliest", "earliest"),
        ("latest", "latest"),
        ("2026-11-21T07:55:00Z", 1_795_247_700_000),
        ("2026-11-21T08:55:00.5+01:00", 1_795_247_700_500),
        ("1795247700", 1_795_247_700_000),
        ("1795247700000", 1_795_247_700_000),
    ],
)
def test_a_place_is_an_end_of_the_log_or_an_instant(text, where):
    assert where == place(text)


@pytest.mark.parametrize(
    "text", ["", "Earliest", "yesterday", "2026-11-21", "2026-11-21T07:55:00", "-1", "1e400"]
)
def test_anything_else_is_refused_before_anything_is_reset(text):
    with pytest.raises(OperatorError, match="--reset-from: ") as refused:
        place(text)
    assert 2 == refused.value.code
