"""Exit codes and last lines are those of the contract."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

import windage as windage_package
from tests.cli.conftest import ROOT

CONFIG = """version: 1
kafka: {bootstrap: "127.0.0.1:PORT"}
models:
  fraud:
    task: binary
"""


@pytest.fixture
def closed_port():
    """Return a port that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def silent_port():
    """Return a port that takes connections and never answers."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield one.getsockname()[1]


def lines_of(text):
    return [line for line in text.splitlines() if line]


def test_a_typo_is_told_with_path_line_and_nearest_key(windage, tmp_path):
    (tmp_path / "windage.yaml").write_text(
        "models:\n  fraud:\n    task: binary\n    latenes: 30s\n"
    )
    ended = windage("validate")
    assert 2 == ended.code
    (line,) = lines_of(ended.err)
    assert line.startswith("windage.yaml:4: models.fraud.latenes: unknown key")
    assert 'did you mean "lateness"?' in line
    assert "" == ended.out


def test_a_config_may_be_named_without_its_option(windage, tmp_path):
    """It is what one types first."""
    (tmp_path / "other.yaml").write_text("models:\n  fraud:\n    task: binry\n")
    ended = windage("validate", "other.yaml")
    assert 2 == ended.code
    assert ended.err.startswith("other.yaml:3: models.fraud.task: unknown word")


def test_a_typo_as_json_leaves_one_document_on_stdout(windage, tmp_path):
    (tmp_path / "windage.yaml").write_text("models:\n  fraud:\n    task: binry\n")
    ended = windage("validate", "--json")
    assert 2 == ended.code
    document = json.loads(ended.out)
    assert document["valid"] is False
    assert ["models.fraud.task"] == [problem["path"] for problem in document["problems"]]
    assert "binary" == document["problems"][0]["nearest"]


def test_a_good_config_is_ok(windage, tmp_path):
    (tmp_path / "windage.yaml").write_text(CONFIG.replace("PORT", "9092"))
    ended = windage("validate", "--json")
    assert 0 == ended.code
    assert json.loads(ended.out)["valid"] is True


@pytest.mark.parametrize(
    "arguments",
    [
        ("validate", "--config", "absent.yaml"),
        ("serve", "--config", "absent.yaml"),
        ("worker", "--config", "absent.yaml"),
        ("topics", "plan", "--config", "absent.yaml"),
        ("replay", "absent.csv"),
        ("reference", "show", "absent.reference"),
        ("init", "absent.csv"),
    ],
)
def test_a_file_that_is_not_there_is_one_line_and_code_3(windage, arguments):
    ended = windage(*arguments)
    assert 3 == ended.code
    (line,) = lines_of(ended.err)
    assert line.startswith("windage: absent.")
    assert "no such file" in line
    assert "" == ended.out


@pytest.mark.parametrize("command", [("topics", "create"), ("topics", "plan"), ("worker",)])
def test_a_dead_broker_is_one_line_and_code_3(windage, tmp_path, closed_port, command):
    (tmp_path / "windage.yaml").write_text(CONFIG.replace("PORT", str(closed_port)))
    ended = windage(*command)
    assert 3 == ended.code
    (line,) = lines_of(ended.err)
    assert f"127.0.0.1:{closed_port}" in line
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("role", [(), ("--role", "monitor")])
def test_a_broker_that_never_answers_is_told_within_15_seconds(
    windage, tmp_path, silent_port, role
):
    (tmp_path / "windage.yaml").write_text(CONFIG.replace("PORT", str(silent_port)))
    began = time.monotonic()
    ended = windage("worker", *role)
    assert 3 == ended.code
    assert 15 > time.monotonic() - began
    assert f"127.0.0.1:{silent_port}" in lines_of(ended.err)[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("replay",),
        ("replay", "x.csv", "--no-such-option"),
        ("replay", "x.csv", "--fail-on", "green"),
        ("worker", "--role", "driver"),
        ("worker", "--reset-from", "yesterday"),
        ("worker", "--workers", "0"),
        ("serve", "--port", "99999"),
        ("schema", "predicton"),
    ],
)
def test_a_slip_of_the_hand_is_code_2(windage, arguments):
    ended = windage(*arguments)
    assert 2 == ended.code
    assert "" == ended.out
    assert "Traceback" not in ended.err


def test_a_reader_that_goes_is_no_drift(tmp_path):
    """`windage schema config | head -1`: 1 would say that drift was found."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", "schema", "config"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert (141, b"") == (done.returncode, done.stderr)


def test_a_place_that_cannot_be_written_is_named_first(command, tmp_path):
    (tmp_path / "rows.csv").write_text("a\n" + "1\n" * 40)
    ended = command("init", "rows.csv", "--config", "nowhere/windage.yaml")
    assert 3 == ended.code
    assert ended.err.endswith("windage: nowhere/windage.yaml: no such file or directory\n")
    ended = command("replay", "rows.csv", "--report", "nowhere/report.html")
    assert 3 == ended.code
    assert "windage: --report: nowhere/report.html: no such directory\n" == ended.err


def test_what_a_file_is_not_is_said_of_it(command, tmp_path):
    (tmp_path / "windage.yaml").write_text("models: {m: {task: none}}\n")
    for arguments, code, told in (
        (("serve", "--data", "windage.yaml"), 3, "windage.yaml: is no directory"),
        (
            ("state", "import", "windage.yaml", "--data", "new"),
            2,
            "windage.yaml: is no embedded log",
        ),
        (("card", "m", "--output", "card.pdf"), 2, "--output: must end with .md or .html or .htm"),
    ):
        ended = command(*arguments)
        assert code == ended.code
        assert ended.err.startswith(f"windage: {told}")


def test_a_detector_that_river_has_not_is_told_before_anything_runs(command, tmp_path):
    (tmp_path / "windage.yaml").write_text(
        "models: {m: {task: none, features: {a: numeric},"
        " monitors: [{watch: 'feature:a', detector: 'river:Adwinn'}]}}\n"
    )
    for started in ("validate", "serve"):
        ended = command(started)
        assert 2 == ended.code
        assert "models.m.monitors[0].detector: river has no drift detector 'Adwinn'" in ended.err


def test_the_nearest_schema_is_named(windage):
    assert 'did you mean "prediction"?' in windage("schema", "predicton").err


@pytest.mark.parametrize("name", ["config", "prediction", "alert"])
def test_a_schema_is_printed_as_json(windage, name):
    ended = windage("schema", name)
    assert 0 == ended.code
    assert "https://json-schema.org/draft/2020-12/schema" == json.loads(ended.out)["$schema"]


def test_every_command_listed_says_what_it_does(windage, command):
    listed = windage("--help")
    assert 0 == listed.code
    commands = [
        line.split()[0]
        for line in listed.out.partition("Commands:")[2].splitlines()
        if line.startswith("  ") and line.strip()
    ]
    assert {"demo", "serve", "worker", "replay", "validate"} <= set(commands)
    for name in commands:
        assert 0 == command(name, "--help").code


def test_the_version_is_that_of_the_package(command):
    """For reports of bugs."""
    assert f"windage {windage_package.__version__}" == command("--version").out.strip()


def test_every_option_says_what_it_is(root):
    """Nobody is left with a name alone; the page of commands is made of the same words."""
    page = (root / "docs" / "reference" / "commands.md").read_text("utf-8")
    options = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(options) > 100
    assert [] == [line for line in options if line.endswith("|  |")]


def test_looking_where_nothing_is_says_what_was_looked_for(command, tmp_path, closed_port):
    """Whoever has not started `serve` yet did not mean Kafka."""
    (tmp_path / "windage.yaml").write_text("models: {fraud: {task: binary}}\n")
    told = command("status", "--json").err.splitlines()
    assert "no windage-data here: asking Kafka at localhost:9092" == told[0]
    (tmp_path / "windage.yaml").write_text(CONFIG.replace("PORT", str(closed_port)))
    assert "no windage-data here" not in command("status", "--json").err
