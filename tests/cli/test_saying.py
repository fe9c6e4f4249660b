"""Commands that say something: it lands where it belongs, and has its effect."""

import json
import random
import time
from pathlib import Path

import pytest

from schemas.load import load_text
from streams.cli.labelling import Scored, choose
from streams.cli.serve import open_runtime
from streams.runtime.installation.reading import SqliteReader
from streams.runtime.sqlite_log import SqliteLog
from tests.cli.installation import CONFIG, START, build, prediction


@pytest.fixture(scope="module")
def pattern(tmp_path_factory):
    """Return an installation that is copied for each test, because tests write into it."""
    folder = tmp_path_factory.mktemp("pattern")
    build(folder)
    return folder / "windage-data" / "windage.sqlite"


@pytest.fixture
def installed(pattern, tmp_path):
    """Return the directory of a fresh copy, in the folder where commands run."""
    directory = tmp_path / "windage-data"
    directory.mkdir()
    (directory / "windage.sqlite").write_bytes(pattern.read_bytes())
    return directory


def stored(directory, topic):
    with SqliteReader(directory) as reader:
        return list(reader.read(topic))


def opened(directory):
    return open_runtime(load_text(CONFIG, {}, lambda name: Path(name).read_text()), {}, directory)


def go_on(directory, rows):
    """Feed further rows of the shifted kind, and judge them."""
    runtime = opened(directory)
    chance = random.Random(8)
    for row in rows:
        for log, event in zip(("predictions", "labels"), prediction(row, chance), strict=True):
            key, at = event["prediction_id"].encode(), event["timestamp"]
            runtime.append(log, key, json.dumps(event).encode(), (), at)
    runtime.run_until_idle(runtime.clock)
    runtime.stop()


def test_an_incident_is_closed_with_a_verdict(command, installed):
    """The list knows the verdict, its cause and how long it took, and the machines close it."""
    (before,) = map(json.loads, command("incidents", "--json").out.splitlines())
    ended = command(
        *("close", before["incident_id"][:6], "--verdict", "true_drift"),
        *("--root-cause", "new supplier", "--author", "ada", "--at", "2026-01-01T00:25:00Z"),
    )
    assert 0 == ended.code, ended.err
    go_on(installed, range(1_500, 1_530))
    (after,) = map(json.loads, command("incidents", "--json").out.splitlines())
    assert ("true_drift", "new supplier", "closed") == (
        after["verdict"],
        after["root_cause"],
        after["status"],
    )
    assert 0 < after["recover_seconds"]


def test_an_event_is_written_as_it_is_printed(command, installed):
    """Under the key of its model."""
    ended = command(
        *("event", "deployed", "--model", "shop", "--version", "2", "--note", "hello"),
        *("--author", "ci", "--json"),
    )
    assert 0 == ended.code, ended.err
    (record,) = stored(installed, "model-events")
    assert (b"shop", json.loads(ended.out)) == (record.key, json.loads(record.value))


def test_an_acknowledgement_has_its_time(command, installed):
    """Counted from the opening."""
    (one,) = map(json.loads, command("incidents", "--json").out.splitlines())
    command(
        *("event", "incident_acknowledged", "--model", "shop", "--author", "ada"),
        *("--incident", one["incident_id"], "--at", "2026-01-01T00:20:00Z"),
    )
    (one,) = map(json.loads, command("incidents", "--json").out.splitlines())
    assert ("ada", "2026-01-01T00:20:00Z") == (one["acknowledged_by"], one["acknowledged_at"])
    assert 210 == one["acknowledge_seconds"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("deploied",), 'did you mean "deployed"?'),
        (("silence", "--matcher", "sgnal=score"), 'did you mean "signal"?'),
        (("silence",), "silence needs --matcher"),
        (("silence", "--matcher", "score"), "must be field=text"),
        (("promoted",), "promoted needs --version"),
        (("incident_missed",), "incident_missed needs --from"),
        (("annotation", "--note", "x", "--at", "soon"), "--timestamp: "),
        (
            ("annotation", "--note", "x", "--from", "1767312000", "--until", "1767225600"),
            "--until: is not after --from",
        ),
    ],
)
def test_an_event_that_says_nothing_is_refused(command, installed, arguments, reason):
    """Nothing is written, and the line says what is allowed."""
    ended = command("event", *arguments, "--model", "shop")
    assert 2 == ended.code
    assert reason in ended.err
    assert [] == stored(installed, "model-events")


def test_a_silence_with_a_typo_in_the_log_is_a_dead_letter(installed):
    """It silences nothing, whoever wrote it."""
    runtime = opened(installed)
    silence = {"model": "shop", "type": "silence", "timestamp": START, "matchers": {"sgnal": "x"}}
    runtime.append("model-events", b"shop", json.dumps(silence).encode(), (), START)
    runtime.run_until_idle(runtime.clock)
    runtime.stop()
    (letter,) = stored(installed, "dead-letters")
    assert b"schema" == dict(letter.headers)["windage.error.code"]


def test_while_another_process_has_the_log_it_says_to_use_http(command, installed):
    """One writer at a time; the line names the other way."""
    log = SqliteLog(installed)
    try:
        ended = command("event", "annotation", "--note", "x", "--model", "shop")
    finally:
        log.close()
    assert 3 == ended.code
    assert "--url http://localhost:8080" in ended.err


def test_a_server_that_is_not_there_is_code_3(command):
    """One line that names it."""
    ended = command("event", "annotation", "-m", "m", "--note", "x", "--url", "http://127.0.0.1:9")
    assert 3 == ended.code
    assert "http://127.0.0.1:9 does not answer" in ended.err


def test_an_incident_nobody_knows_is_named_with_the_nearest(command, installed):
    """Nothing is written."""
    (one,) = map(json.loads, command("incidents", "--json").out.splitlines())
    ended = command("close", one["incident_id"][:-1] + "!", "--verdict", "false_alarm")
    assert 2 == ended.code
    assert f"did you mean {one['incident_id']}?" in ended.err


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("0.5", 0.5), ("true", True), ("cat", "cat"), ("[0, 2, 1]", [0, 2, 1])],
)
def test_a_label_has_the_type_it_looks_like(command, installed, text, value):
    """Under the key of its prediction."""
    before = len(stored(installed, "labels"))
    assert 0 == command("label", "shop", "p7", text).code
    record = stored(installed, "labels")[before]
    assert (b"p7", value) == (record.key, json.loads(record.value)["label"])


def test_a_drill_says_so_everywhere(command, installed):
    """Opened and resolved; no retraining is asked for."""
    requests = len(stored(installed, "retrain-requests"))
    ended = command("drill", "shop", "--rollback", "--json")
    assert 0 == ended.code, ended.err
    assert "DRILL" in ended.err
    document = json.loads(ended.out)
    assert ["drift-events", "rollback-requests", "alerts", "alerts"] == document["topics"]
    listed = [json.loads(line) for line in command("incidents", "--json").out.splitlines()]
    (drilled,) = [one for one in listed if one["drill"]]
    assert (document["incident_id"], "closed") == (drilled["incident_id"], drilled["status"])
    assert all("DRILL" in one for one in (drilled["title"], drilled["summary"]))
    assert requests == len(stored(installed, "retrain-requests"))


def rows(count):
    chance = random.Random(3)
    for number in range(count):
        score = chance.random()
        yield Scored(
            prediction_id=f"p{number}", version="1", timestamp=0, prediction=int(score > 0.5),
            score=score, doubt=1 - abs(2 * score - 1), features={},
        )  # fmt: skip


def test_a_sample_is_half_the_unsure_and_half_of_every_kind():
    """The weights of the drawn add up to the rows they stand for."""
    told = list(rows(1_000))
    chosen = choose("m", told, 100)
    assert 100 == len({one.prediction_id for one in chosen})
    unsure = [one for one in chosen if one.weight is None]
    assert 50 == len(unsure)
    assert max(abs(one.score - 0.5) for one in unsure) < 0.05
    assert 950 == pytest.approx(sum(one.weight for one in chosen if one.weight is not None))
    assert 6 == len({one.why for one in chosen} - {"least confident"})


def test_a_sample_does_not_depend_on_the_order_of_rows():
    """So asking twice asks for the same."""
    told = list(rows(200))
    assert {one.prediction_id for one in choose("m", told, 20)} == {
        one.prediction_id for one in choose("m", told[::-1], 20)
    }


def test_an_installation_that_has_learned_starts_again(installed):
    """The grid in its log is known before the snapshot that was counted on it is restored."""
    runtime = opened(installed)
    runtime.stop()
    assert runtime.failure is None


def test_nothing_is_later_than_now(command, installed):
    """What is said without a time is said now."""
    before = time.time()
    ended = command("event", "annotation", "-m", "shop", "--note", "x", "--json")
    assert json.loads(ended.out)["timestamp"] >= time.strftime(
        "%Y-%m-%dT%H:%M", time.gmtime(before)
    )
