"""What is composed from arguments, and what becomes of wrong ones."""

import datetime as dt
import decimal
import enum
import json
import logging
import math
import sqlite3
from typing import Any, NamedTuple

import numpy as np
import pytest

import windage
from windage.publisher import Publisher


@pytest.fixture
def pub():
    """A publisher into memory that raises what is wrong."""
    with windage.InMemoryPublisher(model="m", version="1") as made:
        yield made


@pytest.fixture
def lenient():
    """One that counts what is wrong, as in production."""
    with windage.InMemoryPublisher(model="m", version="1", strict=False) as made:
        yield made


def last(pub, topic="predictions"):
    return pub.events[topic][-1]


def test_a_prediction_has_the_fields_of_the_contract(pub):
    """Model, version, id and instant are added."""
    pid = pub.prediction({"amount": 20.1}, 1, 0.83, tags={"region": "eu"}, latency_ms=3)
    event = last(pub)
    assert str(pid) == event["prediction_id"]
    assert dt.datetime.fromisoformat(event.pop("timestamp")).tzinfo is not None
    expected = {
        "model": "m",
        "version": "1",
        "prediction_id": pid,
        "features": {"amount": 20.1},
        "prediction": 1,
        "score": 0.83,
        "latency_ms": 3,
        "tags": {"region": "eu"},
    }
    assert expected == event


def test_an_id_given_is_kept(pub):
    """Also a number, as text."""
    assert "p-1" == pub.prediction({}, 1, id="p-1")
    assert "17" == pub.prediction({}, 1, id=np.int64(17)) == last(pub)["prediction_id"]


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.float32(1.5), 1.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([1.0, 2.0]), [1.0, 2.0]),
        (np.str_("x"), "x"),
        (float("nan"), None),
        (float("inf"), None),
        (np.float64("nan"), None),
        (decimal.Decimal("1.5"), 1.5),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (Colour.RED, "red"),
        (None, None),
        ("grüße", "grüße"),
        (True, True),
        ([1, float("nan")], [1, None]),
    ],
    ids=repr,
)
def test_values_of_many_kinds_are_said_in_json(pub, value, said):
    """What has no value in JSON is missing."""
    pub._strict = False  # a list with a hole is no embedding to the contract, but is sent
    pub.prediction({"x": value}, 1)
    assert {"x": said} == last(pub)["features"]
    assert 0 == pub.counts.repaired


class Row(NamedTuple):
    a: Any
    b: Any


class Series:
    """As pandas.Series: `to_dict`."""

    def to_dict(self):
        return {"a": np.int64(1), "b": "x"}


def sqlite_row():
    with sqlite3.connect(":memory:") as connection:
        connection.row_factory = sqlite3.Row
        found = connection.execute("select 1 as a, 'x' as b").fetchone()
    connection.close()
    return found


@pytest.mark.parametrize(
    "row", [{"a": 1, "b": "x"}, Row(1, "x"), Series(), sqlite_row()], ids=lambda r: type(r).__name__
)
def test_rows_of_many_kinds_are_features(pub, row):
    """Whatever has names."""
    pub.prediction(row, 1)
    assert {"a": 1, "b": "x"} == last(pub)["features"]


def test_a_feature_that_json_cannot_say_is_missing_and_counted(lenient):
    """The rest of the event stands."""
    lenient.prediction({"a": object(), "b": 2}, 1)
    assert {"a": None, "b": 2} == last(lenient)["features"]
    assert (1, 0) == (lenient.counts.repaired, lenient.dropped)


def test_answers_of_scikit_learn_are_taken(pub):
    """An array of one element is its element; a row of probabilities is by class."""
    pub.prediction({}, np.array([1]), np.float32(0.5), probabilities=np.array([0.5, 0.5]))
    event = last(pub)
    assert (1, 0.5, {"0": 0.5, "1": 0.5}) == (
        event["prediction"],
        event["score"],
        event["probabilities"],
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([0, 2.5, 1], [0, 2.5, 1]),
        ((1,), [1]),
        ([], []),
        (np.array([0.0, 2.0]), [0.0, 2.0]),
        (np.array([3]), 3),
        (["d7", "d2"], ["d7", "d2"]),
    ],
    ids=repr,
)
def test_lists_of_a_ranking_are_sent_as_lists(pub, given, said):
    """Also those of one item; an array of one is its element, which is what a model answers."""
    pub.prediction({}, given)
    assert said == last(pub)["prediction"]
    if "d7" not in given:
        pub.label("p", given)
        assert said == last(pub, "labels")["label"]


WRONG = [
    (lambda p: p.prediction([1, 2], 1), "features"),
    (lambda p: p.prediction({"sepal (cm)": 1}, 1), "features"),
    (lambda p: p.prediction(dict.fromkeys(map(str, range(501)), 1), 1), "features"),
    (lambda p: p.prediction({}, math.nan), "prediction"),
    (lambda p: p.prediction({}, [1, [2]]), "prediction"),
    (lambda p: p.label("p", [1, math.nan]), "label"),
    (lambda p: p.label("p", [1, -0.5]), "label"),
    (lambda p: p.label("p", ["d1"]), "label"),
    (lambda p: p.prediction({}, 1, "high"), "score"),
    (lambda p: p.prediction({}, 1, scores=0.1), "scores"),
    (lambda p: p.prediction({}, 1, id=""), "id"),
    (lambda p: p.prediction({}, 1, id="\ud800"), "id"),
    (lambda p: p.prediction({}, 1, role="champ"), "role"),
    (lambda p: p.prediction({}, 1, timestamp=dt.datetime(2026, 1, 1)), "timestamp"),  # noqa: DTZ001
    (lambda p: p.prediction({}, 1, latency_ms=-1), "latency_ms"),
    (lambda p: p.label("p", None), "label"),
    (lambda p: p.label("p", 1, revision=-1), "revision"),
    (lambda p: p.metric("click rate", 1), "name"),
    (lambda p: p.metric("ctr", math.inf), "value"),
    (lambda p: p.event("deploy"), "type"),
    (lambda p: p.labels(["a", "b"], [1]), "label"),
    (lambda p: p.predictions({"x": [1, 2], "y": [1]}, [1, 2]), "features"),
    (lambda p: p.predictions({"x": [1, 2]}, [1]), "prediction"),
    (lambda p: p.predictions({"x": [1]}, 1), "prediction"),
]


@pytest.mark.parametrize(("call", "where"), WRONG)
def test_a_wrong_argument_raises_in_tests_and_names_itself(pub, call, where):
    """`strict` is on in memory."""
    with pytest.raises(windage.ArgumentError) as caught:
        call(pub)
    assert where == caught.value.where


@pytest.mark.parametrize(("call", "where"), WRONG)
def test_a_wrong_argument_is_counted_and_logged_once_otherwise(lenient, call, where, caplog):
    """Nothing is raised and nothing sent; the log has one line that names the argument."""
    with caplog.at_level(logging.WARNING, "windage"):
        call(lenient)
        call(lenient)
    assert {"bad_argument": 2} == lenient.counts.reasons
    assert 2 == lenient.dropped
    assert 0 == lenient.counts.sent
    (line,) = caplog.messages
    assert where in line


def test_an_event_beyond_256_kib_is_too_large(lenient):
    """The product would refuse it."""
    lenient.prediction({"x": "y" * 256 * 1024}, 1)
    assert {"too_large": 1} == lenient.counts.reasons


def test_a_fault_of_ours_is_counted_too(lenient, monkeypatch):
    """Whatever happens, the caller has an id and no exception."""
    monkeypatch.setattr(lenient._composer, "prediction", lambda *_: 1 / 0)
    assert lenient.prediction({}, 1)
    assert {"failed": 1} == lenient.counts.reasons


def test_what_cannot_be_meant_raises_when_a_publisher_is_made():
    """At the start of a process, where it helps."""
    for wrong in (
        {"url": "localhost:9092"},
        {"url": "kafka://localhost"},
        {"url": "kafka://me:secret@localhost:9092"},
        {"url": "http://me:secret@localhost"},
        {"url": "http://example.org", "token": "t"},
        {"model": "my model"},
        {"sample": 0},
        {"sample": 1.5},
        {"hash": ["user"]},
        {"hash": ["user"], "hash_key": "short"},
        {"hash": ["a"], "redact": ["a"], "hash_key": "k" * 16},
        {"redact": "user"},
    ):
        with pytest.raises(ValueError):
            Publisher(**{"url": "kafka://localhost:9092", "model": "m", **wrong})


def test_sampling_keeps_the_labels_of_what_it_keeps():
    """By id: a third of the predictions, and exactly their labels."""
    with windage.InMemoryPublisher(model="m", version="1", sample=0.3) as pub:
        pids = [pub.prediction({}, 1, id=f"p{n}") for n in range(1000)]
        for pid in pids:
            pub.label(pid, 0)
    kept = [event["prediction_id"] for event in pub.events["predictions"]]
    assert kept == [event["prediction_id"] for event in pub.events["labels"]]
    assert 250 < len(kept) < 350
    assert {0.3} == {event["sampled_rate"] for event in pub.events["predictions"]}
    assert 2 * (1000 - len(kept)) == pub.counts.sampled_out
    assert 0 == pub.dropped


def test_batches_are_sampled_as_single_events_are():
    """One choice per id, whichever call it comes by."""
    ids = [f"p{n}" for n in range(200)]
    with windage.InMemoryPublisher(model="m", version="1", sample=0.5) as pub:
        for pid in ids:
            pub.prediction({}, 1, id=pid)
        one_by_one = [event["prediction_id"] for event in pub.events["predictions"]]
        pub.events["predictions"].clear()
        assert ids == pub.predictions({"x": [1] * 200}, [1] * 200, ids=ids)
        pub.labels(ids, [1] * 200)
    for topic in ("predictions", "labels"):
        assert one_by_one == [event["prediction_id"] for event in pub.events[topic]]


def test_redacted_and_hashed_values_never_leave():
    """In features and tags, one by one and in batches; hashes need the key to be made."""
    secret = {"redact": ["ssn"], "hash": ["user", "prediction_id"], "hash_key": b"0123456789abcdef"}
    with windage.InMemoryPublisher(model="m", version="1", **secret) as pub:
        row = {"ssn": "123-45", "user": "ann", "x": 1}
        assert "ann-7" == pub.prediction(row, 1, id="ann-7", tags={"user": "ann"})
        pub.predictions({name: [value] for name, value in row.items()}, [1], ids=["ann-7"])
        pub.label("ann-7", 1)
        pub.labels({"ann-7": 1})
        pub.prediction({"user": object()}, 1)
    sent = json.dumps(pub.events)
    assert not any(text in sent for text in ("123-45", "ann", "ssn"))
    first, second, unreadable = pub.events["predictions"]
    assert first["features"] == second["features"]
    assert first["features"]["user"] == first["tags"]["user"]
    assert 32 == len(first["features"]["user"])
    ids = {event["prediction_id"] for event in (first, second, *pub.events["labels"])}
    assert 1 == len(ids)
    assert {"user": None} == unreadable["features"]
    with windage.InMemoryPublisher(
        model="m", version="1", hash=["user"], hash_key=b"another key of 16"
    ) as other:
        other.prediction(row, 1)
    assert first["features"]["user"] != last(other)["features"]["user"]


def test_metrics_and_events_are_checked_against_the_contract(pub):
    """`from_` is `from`, which Python keeps for itself."""
    pub.metric("chargeback_rate", 0.021, kind="kpi", direction="lower_is_better")
    pub.event("silence", from_="2026-11-21T00:00:00Z", until="2026-11-22T00:00:00Z", note="sale")
    assert (0.021, "kpi") == tuple(last(pub, "metrics")[k] for k in ("value", "kind"))
    assert "2026-11-21T00:00:00Z" == last(pub, "model-events")["from"]


def test_after_close_events_are_dropped_as_closed(lenient):
    """And the caller is not bothered."""
    lenient.close()
    assert lenient.prediction({}, 1)
    assert {"closed": 1} == lenient.counts.reasons
