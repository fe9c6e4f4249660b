"""Commands that check and mend an embedded installation."""

import json
import socket
import sqlite3
import time

import pytest

from streams.runtime.installation import offsets
from streams.runtime.installation.dead_letters import original
from streams.runtime.installation.reading import Located, SqliteReader
from tests.cli.installation import build


@pytest.fixture(scope="module")
def pattern(tmp_path_factory):
    """Return an installation with three dead letters, to be copied."""
    folder = tmp_path_factory.mktemp("pattern")
    build(folder, bad=3)
    return folder


@pytest.fixture
def installed(pattern, tmp_path):
    """Return the directory of a fresh copy, with its config beside it."""
    directory = tmp_path / "windage-data"
    directory.mkdir()
    log = pattern / "windage-data" / "windage.sqlite"
    (directory / "windage.sqlite").write_bytes(log.read_bytes())
    (tmp_path / "windage.yaml").write_text((pattern / "windage.yaml").read_text())
    return directory


def stored(directory, topic):
    with SqliteReader(directory) as reader:
        return list(reader.read(topic))


def checks(ended):
    return {check["check"]: check for check in json.loads(ended.out)["checks"]}


def test_dead_letters_go_back_as_they_came_and_once(command, installed):
    """Bytes, key and headers are those of the originals; a second replay sends nothing."""
    before = stored(installed, "predictions")
    originals = before[:3]
    first = json.loads(command("dead-letters", "replay", "--json").out)
    assert (3, 0, {"predictions": 3}) == (
        first["replayed"],
        first["replayed_before"],
        first["topics"],
    )
    again = stored(installed, "predictions")[len(before) :]
    assert [(r.key, r.value, r.headers) for r in originals] == [
        (r.key, r.value, r.headers) for r in again
    ]
    second = json.loads(command("dead-letters", "replay", "--json").out)
    assert (0, 3) == (second["replayed"], second["replayed_before"])
    assert len(before) + 3 == len(stored(installed, "predictions"))


def test_one_letter_can_be_chosen_and_the_rest_follows_later(command, installed):
    """What was sent is remembered letter by letter."""
    assert (
        1
        == json.loads(command("dead-letters", "replay", "--offset", "1", "--json").out)["replayed"]
    )
    shown = [
        json.loads(line) for line in command("dead-letters", "show", "--json").out.splitlines()
    ]
    assert [False, True, False] == [one["replayed"] for one in shown]
    rest = json.loads(command("dead-letters", "replay", "--json").out)
    assert (2, 1) == (rest["replayed"], rest["replayed_before"])


def test_a_dry_run_does_nothing(command, installed):
    """It says what would be done."""
    before = len(stored(installed, "predictions"))
    told = json.loads(command("dead-letters", "replay", "--dry-run", "--json").out)
    assert (0, 3) == (told["replayed"], told["would_replay"])
    assert before == len(stored(installed, "predictions"))


def test_letters_are_chosen_by_code(command, installed):
    """A code that none has chooses none."""
    assert 3 == len(
        command("dead-letters", "show", "--code", "malformed", "--json").out.splitlines()
    )
    assert "" == command("dead-letters", "show", "--code", "schema", "--json").out


def test_only_the_reasons_that_were_added_are_taken_off():
    """A header of the same name that the producer had sent stays."""
    reasons = {
        "windage.error.code": b"schema",
        "__connect.errors.topic": b"labels",
        "__connect.errors.partition": b"3",
    }
    own = (("windage.error.code", b"mine"), ("x", b""))
    letter = Located(
        topic="dead-letters", partition=0, offset=0, timestamp=0, key=b"k", value=b"v",
        headers=(*own, *reasons.items()),
    )  # fmt: skip
    record = original(letter)
    assert ("labels", 3, own) == (record.topic, record.partition, record.headers)


def test_a_letter_without_origin_stays():
    """It does not say where it came from."""
    letter = Located(topic="dead-letters", partition=0, offset=0, timestamp=0, key=None, value=b"v")
    assert original(letter) is None


@pytest.mark.parametrize(
    ("found", "text"), [(set(), ""), ({3}, "3"), ({1, 2, 3, 7}, "1-3,7"), ({0, 2}, "0,2")]
)
def test_offsets_as_text(found, text):
    """Stretches, and back."""
    assert text == offsets.write(found)
    assert found == offsets.read(text)


def test_the_doctor_finds_a_sound_installation_sound(command, installed):
    """Every check is ok, and the code is 0."""
    ended = command("doctor", "--json")
    assert 0 == ended.code
    assert {"ok"} == {check["state"] for check in checks(ended).values()}
    assert {"log", "disk", "clock", "lag", "redis", "reference of shop", "predictions"} == set(
        checks(ended)
    )


def test_the_doctor_sees_predictions_that_are_refused(command, installed, tmp_path):
    """All of the newest are malformed: that is a failure, with what to do."""
    runtime = sqlite3.connect(installed / "windage.sqlite")
    runtime.execute("UPDATE predictions SET value = x'7b'")
    runtime.commit()
    runtime.close()
    ended = command("doctor", "--json")
    check = checks(ended)["predictions"]
    assert (2, "fail") == (ended.code, check["state"])
    assert "100 malformed" in check["found"]
    assert "dead-letters" in check["todo"]


def test_the_doctor_sees_a_clock_that_is_ahead(command, installed):
    """An hour ahead is a failure."""
    ahead = str(int(time.time() * 1000) + 3_600_000)
    runtime = sqlite3.connect(installed / "windage.sqlite")
    runtime.execute("UPDATE state SET value = ? WHERE name = 'clock'", (ahead.encode(),))
    runtime.commit()
    runtime.close()
    ended = command("doctor", "--json")
    assert (2, "fail") == (ended.code, checks(ended)["clock"]["state"])


def test_the_doctor_sees_a_redis_that_is_not_there(command, installed, tmp_path):
    """Code 3: something does not answer."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    config = tmp_path / "windage.yaml"
    config.write_text(config.read_text() + f'redis: {{url: "redis://127.0.0.1:{port}"}}\n')
    ended = command("doctor", "--json", "--data", installed, "--config", config)
    assert (3, "fail") == (ended.code, checks(ended)["redis"]["state"])


def test_the_doctor_says_what_it_cannot_check(command, installed, tmp_path):
    """Without a config, references are a warning, not a pass."""
    (tmp_path / "windage.yaml").unlink()
    ended = command("doctor", "--json")
    assert (0, "warn") == (ended.code, checks(ended)["config"]["state"])


def test_a_dead_broker_is_one_failed_line_and_code_3(command):
    """Nothing else is asked then."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    ended = command("doctor", "--bootstrap", f"127.0.0.1:{port}", "--json")
    assert (3, ["broker"]) == (ended.code, list(checks(ended)))


def test_an_exported_log_goes_on_elsewhere(command, installed, tmp_path):
    """The copy says what the original says; nothing that is there is replaced."""
    told = json.loads(command("state", "export", "moved.state", "--json").out)
    assert ("embedded", 0) == (told["kind"], told["waiting"])
    assert 2 == command("state", "export", "moved.state").code
    assert 0 == command("state", "import", "moved.state", "--data", "elsewhere").code
    assert (
        command("incidents", "--json").out
        == command(*("incidents", "--json", "--data", "elsewhere")).out
    )
    assert 2 == command("state", "import", "moved.state", "--data", "elsewhere").code


def test_a_damaged_export_is_refused(command, installed, tmp_path):
    """And nothing is left behind."""
    command("state", "export", "moved.state")
    file = tmp_path / "moved.state"
    content = bytearray(file.read_bytes())
    content[4096 : 3 * 4096] = bytes(2 * 4096)
    file.write_bytes(content)
    ended = command("state", "import", "moved.state", "--data", "elsewhere")
    assert ended.code in (2, 3)
    assert not (tmp_path / "elsewhere").exists()
