"""`windage replay` judges files, and says it in JSON or in a table."""

import gzip
import json
import random
import re

import pytest

ROWS = 1_500
SHIFTED_AT = 900


@pytest.fixture
def shifted(tmp_path):
    """Return a file whose `amount` rises by two standard deviations at row 900."""
    chance = random.Random(7)
    lines = ["amount,kind,outcome"]
    for row in range(ROWS):
        amount = chance.gauss(10 + (4 if row >= SHIFTED_AT else 0), 2)
        lines.append(f"{amount:.4f},{chance.choice('abc')},{chance.randint(0, 1)}")
    path = tmp_path / "shifted.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def replay(windage, shifted):
    def run(*more):
        return windage("replay", shifted, "--label", "outcome", "--every", "1s", *more)

    return run


def test_every_line_is_a_structured_cloudevent(replay):
    ended = replay("--json")
    assert 0 == ended.code
    events = [json.loads(line) for line in ended.out.splitlines()]
    assert {"1.0"} == {event["specversion"] for event in events}
    assert {"windage.reading.v1", "windage.drift.v1", "windage.alert.v1"} <= {
        event["type"] for event in events
    }
    assert all(event["data"]["model"] == "model" for event in events)


def test_the_shift_is_found_and_nothing_before_it(replay):
    events = [json.loads(line) for line in replay("--json").out.splitlines()]
    alerts = [event for event in events if event["type"] == "windage.alert.v1"]
    opened = min(event["time"] for event in alerts)
    assert "2020-01-01T00:15:00Z" < opened < "2020-01-01T00:16:40Z"
    assert "feature:amount" == alerts[0]["data"]["signals"][0]["signal"]


def test_the_same_file_gives_the_same_lines(replay):
    assert replay("--json").out == replay("--json").out


def test_fail_on_makes_drift_the_exit_code(replay):
    assert 1 == replay("--fail-on", "yellow").code
    assert 0 == replay("--fail-on", "red", "--tolerance", "50").code


def test_people_get_a_table_with_row_numbers(replay):
    ended = replay()
    assert 0 == ended.code
    assert "first row" in ended.out
    assert "amount" in ended.out
    assert re.search(r"\b[0-9a-f]{16}\b", ended.out), "an id is never cut in two"
    assert "PSI" in ended.out


def test_what_was_inferred_is_said_on_stderr(replay):
    assert "task none (label outcome), 2 features, pane 10s" in replay("--json").err


def test_an_option_that_is_no_duration_is_code_2(replay):
    ended = replay("--pane", "soon")
    assert 2 == ended.code
    assert ended.err.splitlines()[-1].startswith("windage: --pane: ")


def test_a_column_that_is_not_there_is_named_with_the_nearest(windage, shifted):
    ended = windage("replay", shifted, "--label", "outcomes")
    assert 3 == ended.code
    assert "did you mean 'outcome'?" in ended.err


def test_a_reference_built_from_a_config_serves_a_replay(windage, shifted, tmp_path):
    (tmp_path / "windage.yaml").write_text(
        "models:\n"
        "  m:\n"
        "    task: none\n"
        "    labels: none\n"
        "    pane: 10s\n"
        "    lateness: 0s\n"
        "    clock: event\n"
        "    features: {amount: numeric, kind: categorical}\n"
        "    reference: {from: file, path: m.reference}\n"
    )
    early = tmp_path / "early.csv"
    early.write_text("".join(shifted.read_text().splitlines(keepends=True)[:801]))
    assert 0 == windage("reference", "build", early).code
    shown = json.loads(windage("reference", "show", "m.reference", "--json").out)
    assert 800 == shown["rows"]
    ended = windage(
        "replay", shifted, "--config", "windage.yaml", "--every", "1s", "--fail-on", "red"
    )
    assert 1 == ended.code


def test_init_writes_a_config_that_is_valid(windage, shifted, tmp_path):
    assert 0 == windage("init", shifted, "--label", "outcome", "--every", "1s").code
    assert 0 == windage("validate").code
    text = (tmp_path / "windage.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=windage.schema.json\n")
    assert "amount: numeric" in text
    assert 2 == windage("init", shifted).code


def test_init_as_json_leaves_one_document_on_stdout(windage, shifted):
    """What was written and what was guessed; the words are on stderr."""
    ended = windage("init", shifted, "--label", "outcome", "--json")
    document = json.loads(ended.out)
    assert ("windage.yaml", "outcome") == (document["config"], document["columns"]["label"])
    assert {"amount": "numeric", "kind": "categorical"} == document["settings"]["features"]
    assert "next: " in ended.err
    assert "no predictions, so errors are not seen: say --prediction COLUMN" in ended.err


def test_a_config_that_lies_here_and_is_not_used_is_told(windage, shifted):
    """Who edits it and replays would look for the change in vain."""
    arguments = ("replay", shifted, "--label", "outcome", "--every", "1s")
    assert "--config windage.yaml uses it" not in windage(*arguments).err
    assert 0 == windage("init", shifted, "--label", "outcome").code
    assert "--config windage.yaml uses it" in windage(*arguments).err


def test_a_recording_that_is_shorter_than_its_reference_says_so(windage, shifted, tmp_path):
    """A service learns of 5,000 rows; a recording without a config of what it has."""
    assert 0 == windage("init", shifted, "--label", "outcome", "--every", "1s").code
    ended = windage("replay", shifted, "--every", "1s", "--config", "windage.yaml")
    assert 0 == ended.code
    assert "the reference needs 5,000 rows" in ended.err
    assert "without --config" in ended.err


def test_a_file_that_breaks_off_is_no_drift(windage, tmp_path):
    """Its code is 3: 1 would say that drift was found."""
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 50_000)[:100])
    ended = windage("replay", path)
    assert (3, "") == (ended.code, ended.out)
    assert "end-of-stream" in ended.err


def test_gaps_of_a_file_are_no_silence_unless_a_config_says_so(windage, tmp_path):
    """Nobody has said that rows must keep coming; `silent_after` in a config does."""
    chance, lines, at = random.Random(3), ["at,amount"], 1_700_000_000
    for row in range(ROWS):
        at += 100_000 if row == SHIFTED_AT else 10
        lines.append(f"{at},{chance.gauss(10, 2):.4f}")
    path, config = tmp_path / "gap.csv", tmp_path / "windage.yaml"
    path.write_text("\n".join(lines) + "\n")
    config.write_text(
        "models:\n  m: {task: none, pane: 100s, lateness: 0s, clock: event, labels: none,"
        " reference: {from: first, rows: 300, min_duration: 0s}}\n"
    )
    options = ("--timestamp", "at", "--json")
    for more, expected in (((), 0), (("--config", config), 1)):
        ended = windage("replay", path, *options, *more)
        alerts = [
            one
            for one in map(json.loads, ended.out.splitlines())
            if one["type"] == "windage.alert.v1" and one["data"]["status"] == "firing"
        ]
        assert expected == len(alerts), ended.err
        assert all("no prediction" in one["data"]["summary"] for one in alerts)


def test_columns_without_a_value_are_no_crash(windage, tmp_path):
    """A model with nothing to watch says nothing."""
    path = tmp_path / "empty.csv"
    path.write_text("a,b\n" + ",\n" * 600)
    ended = windage("replay", path)
    assert (0, "no incidents\n") == (ended.code, ended.out), ended.err


def test_a_file_of_many_columns_is_not_refused(windage, tmp_path):
    """Nor by the configuration that `init` writes."""
    wide = tmp_path / "wide table.csv"
    header = ",".join(f"f{n}" for n in range(510))
    wide.write_text(f"{header}\n" + f"{','.join('1' for _ in range(510))}\n" * 40)
    ended = windage("replay", wide)
    assert "refused" not in ended.err
    ended = windage("init", wide)
    assert "windage replay " in ended.err
    assert f"'{wide}'" in ended.err
    assert "features: 510" in (tmp_path / "windage.yaml").read_text()


def test_records_say_of_which_model_they_are(command, tmp_path):
    """Under another name each would be refused."""
    lines = [
        f'{{"model":"fraud","version":"1","prediction_id":"{row}","features":{{"a":1}},"prediction":1,'
        f'"timestamp":"2026-01-01T00:00:{row:02}Z"}}'
        for row in range(40)
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(lines) + "\n")
    told = command("replay", "log.jsonl").err
    assert "1 feature, " in told
    assert "refused" not in told
    assert 0 == command("init", "log.jsonl").code
    assert "\n  fraud:\n" in (tmp_path / "windage.yaml").read_text()


def test_cells_that_are_no_words_are_no_crash(windage, tmp_path):
    """Lists and objects of a log of JSON have no hash."""
    path = tmp_path / "log.jsonl"
    path.write_text("".join(f'{{"a": [{n}], "b": {{"c": {n % 3}}}}}\n' for n in range(60)))
    ended = windage("init", path)
    assert 0 == ended.code, ended.err


def test_rows_in_no_order_and_of_no_width_are_told(windage, tmp_path):
    """Late rows are not judged, so a shuffled file would look healthy."""
    lines = [f"{1_700_000_000 + 10 * row},{row % 7}" for row in range(300)]
    random.Random(1).shuffle(lines)
    lines[7] += ",9"
    path = tmp_path / "shuffled.csv"
    path.write_text("timestamp,a\n" + "\n".join(lines) + "\n")
    told = windage("replay", path).err
    assert re.search(r"column timestamp runs backwards \(2\d\d of 300 rows are late\)", told)
    assert "rows with too few or too many cells: 1\n" in told


def test_a_first_line_of_values_is_told(windage, tmp_path):
    """Its values would become names of features."""
    (tmp_path / "bare.csv").write_text("0.25,a\n" + "0.5,b\n0.75,a\n" * 30)
    told = windage("init", "bare.csv").err
    assert "the first line must name the columns, and has a value: 0.25\n" in told
    (tmp_path / "numbered.csv").write_text("0,1\n" + "0.5,b\n0.75,a\n" * 30)
    assert "first line" not in windage("init", "numbered.csv", "--force").err


def test_what_a_config_speaks_of_and_a_file_has_not_is_told(windage, shifted, tmp_path):
    """In a replay it is missing from every row; of a reference it cannot be."""
    features = "{amount: numeric, age: numeric}"
    (tmp_path / "windage.yaml").write_text(
        f"models: {{m: {{task: binary, features: {features}, labels: none}}}}\n"
    )
    told = windage("replay", shifted, "--config", "windage.yaml").err
    assert "shifted.csv: no column is the feature age\n" in told
    assert "shifted.csv: no column is the prediction (--prediction COLUMN)\n" in told
    ended = windage("reference", "build", shifted)
    assert 3 == ended.code
    assert "shifted.csv: no column is the feature age of m\n" in ended.err
    (tmp_path / "other.csv").write_text("x\n" + "1\n" * 60)
    ended = windage("replay", shifted, "--reference", "other.csv")
    assert 3 == ended.code
    assert ended.err.endswith(f"windage: other.csv: has no feature of {shifted}\n")


def test_what_was_refused_is_told_with_its_codes(windage, tmp_path):
    """So that nobody takes silence for health."""
    path = tmp_path / "p.jsonl"
    path.write_text('{"a": 1}\n' * 50 + "no json\n" * 3)
    assert "refused records: 3 malformed" in windage("replay", path).err
