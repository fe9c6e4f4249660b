"""Logs of other tools become events of the contract; what does not fit is told, never raised."""

import json
import random
from pathlib import Path

import msgspec
import pytest
import yaml
from typer.testing import CliRunner

from schemas.config_model import ModelConfig
from schemas.inputs import Label, Prediction, encode, is_name
from schemas.instants import parse
from streams.adapters.asked import Asked, MisfitError
from streams.adapters.evidently import read
from streams.adapters.pairs import Pairs
from streams.adapters.values import answer, csv_rows, features_of
from streams.cli.adapt import FORMATS
from streams.cli.app import app
from streams.cli.endings import OperatorError

SAMPLES = Path(__file__).parent / "samples"
AT = 1_780_000_000_000
NOW = AT + 999


def taken(name, asked=None, sample=None):
    """The events of a sample, and the adapter that has read it."""
    adapter = FORMATS[name](asked or Asked(now=NOW))
    path = SAMPLES / (sample or f"{name}.jsonl")
    content = path.read_bytes()
    records = [content] if path.suffix == ".json" else content.splitlines()
    return [event for record in records for event in adapter.take(record)], adapter


def prediction(model, name, **says):
    """A prediction of version 1 with these fields."""
    fields = {"version": "1", "timestamp": AT / 1000, **says}
    return Prediction(model=model, prediction_id=name, **fields)


def test_arize():
    """Labels with scores, typed values and embeddings; a label alone; training is left out."""
    found, _ = taken("arize")
    assert [
        prediction(
            "fraud", "p-1", version="3.2", timestamp=1_780_000_000, prediction="fraud", score=0.83,
            features={"state": "ca", "item_count": 10, "approved": 0, "amount": 20.11,
                      "text": [4.0, 5.0]},
            tags={"age": 30, "device_os": "iOS"},
        ),
        Label(model="fraud", prediction_id="p-1", label="not fraud", timestamp=1_780_003_600),
        prediction("price", "17", timestamp=1_780_000_001, prediction=12.5, features={"sqm": 70}),
        Label(model="price", prediction_id="17", label=13.0, timestamp=1_780_000_001),
    ] == found  # fmt: skip


def test_sagemaker():
    """Several rows of a request, CSV, JSON and base 64, probabilities, and ground truth."""
    names = ("length", "day", "mins", "calls", "state")
    found, _ = taken("sagemaker", Asked(model="churn", scores=True, now=NOW))
    first, second, by_id, shares, truth = found
    plain = dict(zip(["f0", "f1", "f2", "f3", "f4"], [132, 25, 113.2, None, "NY"], strict=True))
    assert ("e-1", plain, 0.0107, None) == (
        first.prediction_id, first.features, first.score, first.prediction,
    )  # fmt: skip
    assert ("e-1#1", 0.93) == (second.prediction_id, second.score)
    assert ("customer-7", {"day_mins": 265.1, "plan": "no"}, 0, 0.2) == (
        by_id.prediction_id, by_id.features, by_id.prediction, by_id.score,
    )  # fmt: skip
    assert ("e-3", 1, {"0": 0.1, "1": 0.9}) == (
        shares.prediction_id, shares.prediction, shares.probabilities,
    )  # fmt: skip
    assert Label(model="churn", prediction_id="customer-7", label=1, timestamp=NOW) == truth
    adapter = FORMATS["sagemaker"](Asked(model="churn", features=names))
    (named, _) = adapter.take((SAMPLES / "sagemaker.jsonl").read_bytes().splitlines()[0])
    assert names == tuple(named.features)


def test_kserve():
    """V1 and V2, an answer before its request, tensors of several inputs, half of a pair."""
    found, adapter = taken("kserve")
    v1, v1_second, v2, v2_second = found
    assert ("sklearn-iris", "689b15e7", 1) == (v1.model, v1.prediction_id, v1.prediction)
    assert {"f0": 6.8, "f1": 2.8, "f2": 4.8, "f3": 1.4} == v1.features
    assert ("689b15e7#1", 2) == (v1_second.prediction_id, v1_second.prediction)
    assert 4.244 == pytest.approx(v1.latency_ms, abs=0.002)
    assert AT + 501 == parse(v1.timestamp)
    assert ("income", "v7", {"age": 30, "job": "a"}) == (v2.model, v2.version, v2.features)
    assert (1, {"0": 0.3, "1": 0.7}) == (v2_second.prediction, v2_second.probabilities)
    assert 250 == v2.latency_ms
    assert 1 == adapter.waiting


def test_seldon():
    """Names of features and classes, arrays and tensors, paired by the request's id."""
    first, second = taken("seldon")[0]
    assert ("income-classifier", "r-1") == (first.model, first.prediction_id)
    assert {"Age": 53, "Hours_per_week": 40} == first.features
    assert (0, {"0": 0.86, "1": 0.14}) == (first.prediction, first.probabilities)
    assert ("r-1#1", 1) == (second.prediction_id, second.prediction)


def test_bentoml():
    """The schema says which column is what; a time without a zone is UTC."""
    first, second, label = taken("bentoml")[0]
    request = "10451300077214147731"
    assert (
        prediction(
            "iris_classifier", request, timestamp="2026-05-28T20:26:40.826795Z",
            prediction="virginica", features={"sepal_length": 6.3, "petal_vector": [2.5, 5.0]},
        )
        == first
    )  # fmt: skip
    assert f"{request}#1" == second.prediction_id == label.prediction_id
    assert "setosa" == label.label
    with pytest.raises(MisfitError, match="comes before the schema"):
        list(FORMATS["bentoml"](Asked()).take(b'{"x": 1, "request_id": "1", "timestamp": "2026"}'))


def test_great_expectations():
    """A share of expectations met, and which were not, by name and column and without values."""
    metric, note = taken("great-expectations", Asked(model="m"), "great-expectations.json")[0]
    assert ("great_expectations:daily_loans", pytest.approx(1 / 3), "operational") == (
        metric.name, metric.value, metric.kind,
    )  # fmt: skip
    assert AT == parse(metric.timestamp) // 1000 * 1000
    assert "annotation" == note.type
    assert (
        "2 of 3 expectations of daily loans failed: expect_column_values_to_not_be_null(age), "
        "expect_table_row_count_to_be_between"
    ) == note.note


def test_great_expectations_of_a_checkpoint():
    """Each validation of a run; a whole one is a metric and no note."""
    sample = "great-expectations-checkpoint.json"
    (metric,) = taken("great-expectations", Asked(model="m"), sample)[0]
    assert ("great_expectations:loans", 1.0) == (metric.name, metric.value)
    assert AT + 630 == parse(metric.timestamp)


def test_evidently():
    """Types and roles of a data definition; what has a role is no feature."""
    found = read(json.loads((SAMPLES / "evidently.json").read_text()))
    features = {"Age": "numeric", "Salary_per_month": "numeric", "Department": "categorical"}
    assert ("binary", features, 1) == (found.task, found.features, found.positive)
    assert ("Id", "Date", "prediction", "probability", "target") == (
        found.id, found.timestamp, found.prediction, found.score, found.label,
    )  # fmt: skip


def test_evidently_of_former_years():
    """A column mapping says the same in other words."""
    found = read(yaml.safe_load((SAMPLES / "evidently-mapping.yaml").read_text()))
    assert ("regression", ["temp", "hum", "season"]) == (found.task, list(found.features))
    assert ("instant", "dteday", "predicted", None, "cnt") == (
        found.id, found.timestamp, found.prediction, found.score, found.label,
    )  # fmt: skip


CASES = [(name, path.name) for name in FORMATS for path in sorted(SAMPLES.glob(f"{name}*"))]


@pytest.mark.parametrize(("name", "sample"), CASES)
def test_every_event_is_one_of_the_contract(name, sample):
    """Encoded, it is read back as the same; its names and instants are allowed."""
    found, _ = taken(name, Asked(model="m", now=NOW), sample)
    assert found
    for event in found:
        again = msgspec.json.decode(encode(event), type=type(event))
        assert encode(event) == encode(again)
        assert parse(event.timestamp) > 0
        names = [event.model, *getattr(event, "features", {}), *getattr(event, "tags", {})]
        assert all(map(is_name, names))


@pytest.mark.parametrize(("name", "sample"), CASES)
def test_damaged_records_are_misfits(name, sample):
    """Whatever is cut out, put in or changed: events or a misfit, and no other exception."""
    content = (SAMPLES / sample).read_bytes()
    records = [content] if sample.endswith(".json") else content.splitlines()
    chance, misfits = random.Random(7), []
    alphabet = [b"", b"null", b"[]", b"{}", b'"', b"-1", b"1e999", b"\xff", b"[[[[", b'"x"', b","]
    for _ in range(300):
        adapter = FORMATS[name](Asked(model="m", now=NOW))
        for record in records:
            at = chance.randrange(len(record))
            end = at + chance.choice([0, 1, 3, 40])
            damaged = record[:at] + chance.choice(alphabet) + record[end:]
            try:
                for event in adapter.take(damaged):
                    encode(event)
            except MisfitError as error:
                misfits.append(str(error))
    assert len(misfits) > 100
    assert max(map(len, misfits)) < 400


def test_a_misfit_quotes_no_value():
    """What was in the record is nobody's business."""
    record = (
        b'{"prediction_id": "p", "model_id": "m", "features": "a secret", "prediction_label":1}'
    )
    with pytest.raises(MisfitError) as caught:
        list(FORMATS["arize"](Asked()).take(record))
    assert "features" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([0.2, 0.8], (1, None, {"0": 0.2, "1": 0.8})),
        ([0.5], (0.5, None, None)),
        ({"prediction": "a", "score": 0.3}, ("a", 0.3, None)),
        ({"no": 0.9, "yes": 0.1}, ("no", None, {"no": 0.9, "yes": 0.1})),
        ({"predict": [1], "predict_proba": [0.3, 0.7]}, (1, None, {"0": 0.3, "1": 0.7})),
        (True, (True, None, None)),
    ],
)
def test_answers(row, expected):
    """A class, probabilities, or an object with usual names."""
    found = answer(row, Asked())
    assert expected == (found.prediction, found.score, found.probabilities)


def test_rows():
    """CSV cells are numbers where they look so; lists need as many names as values."""
    assert [[1, 2.5, None, "a,b"], [None, -3, 1e3, "nine"]] == csv_rows(
        '1,2.5,,"a,b"\ninf,-3,1e3,nine'
    )
    assert {"a": 1, "b": None} == features_of([1, {"x": 1}], Asked(features=("a", "b")))
    with pytest.raises(MisfitError, match="2 features in a row, 1 names are known"):
        features_of([1, 2], Asked(features=("a",)))


def test_halves_that_wait_are_bounded():
    """The one that came first is given up, and still counted as alone."""
    pairs = Pairs(waiting=2)
    for name in "abc":
        assert pairs.take(name, name, answers=False) is None
    assert pairs.take("a", "A", answers=True) is None
    assert ("c", "C") == pairs.take("c", "C", answers=True)
    assert 3 == pairs.waiting


def ran(*arguments, text=None):
    """How the command ends: code, stdout, stderr."""
    done = CliRunner().invoke(app, ["adapt", *map(str, arguments)], input=text)
    if isinstance(done.exception, OperatorError):
        return done.exception.code, done.stdout, str(done.exception)
    return done.exit_code, done.stdout, done.stderr


def test_the_command_writes_lines():
    """Events on stdout, what was left out on stderr."""
    code, out, err = ran("kserve", SAMPLES / "kserve.jsonl")
    assert (0, 4) == (code, len(out.splitlines()))
    assert "sklearn-iris" == json.loads(out.splitlines()[0])["model"]
    assert "1 records had no other half" in err
    assert "4 events of 6 records" in err


def test_the_command_reads_a_pipe():
    """`-` is stdin, and a record that does not fit stops nobody."""
    text = "nonsense\n" + (SAMPLES / "arize.jsonl").read_text()
    code, out, err = ran("arize", "-", text=text)
    assert (0, 4) == (code, len(out.splitlines()))
    assert "1 of 5 records left out: the first, 1, is no record of Arize" in err


def test_the_command_refuses_what_is_another_format(tmp_path):
    """Nothing fits: one line and exit code 2; no file: 3."""
    code, out, err = ran("sagemaker", SAMPLES / "arize.jsonl", "--model", "m")
    assert (2, "") == (code, out)
    assert "no record of it is of the format sagemaker" in err
    assert 3 == ran("arize", tmp_path / "none")[0]


def test_the_command_defines_a_model():
    """What it prints is a model that the configuration takes."""
    code, out, err = ran("evidently", SAMPLES / "evidently.json", "--model", "loans")
    assert 0 == code
    model = ModelConfig(**yaml.safe_load(out)["models"]["loans"])
    assert "numeric" == model.features["Age"].type
    assert "--id Id --timestamp Date --prediction prediction --score probability" in err
    piped = ran("evidently", "-", "--model", "loans", text=(SAMPLES / "evidently.json").read_text())
    assert (0, out) == piped[:2]


@pytest.mark.parametrize(
    "text", ["", "[1, 2]", "a: [", "numerical_columns: 7", "id: x", "[" * 5000]
)
def test_the_command_refuses_what_defines_nothing(text):
    """One line and exit code 2."""
    code, out, err = ran("evidently", "-", text=text)
    assert (2, "") == (code, out)
    assert err


def test_adapted_logs_can_be_replayed(tmp_path):
    """From captured requests and ground truth to judged rows, with no other preparation."""
    chance = random.Random(3)
    lines = []
    for number in range(1_200):
        age = chance.gauss(40 if number < 900 else 70, 5)
        when = f"2026-05-28T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z"
        body = lambda data: {"data": data, "encoding": "CSV"}
        about = {"eventId": f"e-{number}", "inferenceTime": when}
        lines.append({
            "captureData": {"endpointInput": body(f"{age:.2f},{number % 3}"),
                            "endpointOutput": body(str(int(age > 45)))},
            "eventMetadata": about,
        })  # fmt: skip
        truth = body(str(int(chance.random() < 0.5)))
        lines.append({"groundTruthData": truth, "eventMetadata": about})
    log = tmp_path / "capture.jsonl"
    log.write_text("\n".join(map(json.dumps, lines)))
    code, _, err = ran("sagemaker", log, "--model", "m", "--features", "age,k", "--to", tmp_path)
    assert (0, True) == (code, "2,400 events of 2,400 records" in err)
    files = [str(tmp_path / "predictions.jsonl"), "--labels", str(tmp_path / "labels.jsonl")]
    done = CliRunner().invoke(app, ["replay", *files, "--model", "m", "--json"])
    assert 0 == done.exit_code, done.stderr
    drifts = [json.loads(line) for line in done.stdout.splitlines()]
    opened = [one["data"]["signal"] for one in drifts if one["type"] == "windage.drift.v1"]
    assert "feature:age" in opened
