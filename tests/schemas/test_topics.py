"""Topics and permissions: the plan follows the contract, and roles get no more than they need."""

import re

import pytest

from schemas.access import ROLES, access
from schemas.config import Config
from schemas.topics import FOREVER, HEADROOM, TOPIC, TOPICS, event_type, plan
from schemas.vocabulary import TopicName, words

DAY = 86_400_000


def config(**fields):
    return Config.model_validate({"models": {"fraud": {"task": "binary"}}, **fields})


def planned(**fields):
    return {row.topic: row for row in plan(config(**fields))}


def test_every_topic_has_one_row():
    assert words(TopicName) == tuple(row.topic for row in TOPICS)


@pytest.mark.parametrize(
    ("topic", "flow", "key", "cleanup"),
    [
        ("predictions", "in", "prediction_id", "delete"),
        ("labels", "in", "prediction_id", "delete"),
        ("metrics", "in", "model", "delete"),
        ("model-events", "in", "model", "delete"),
        ("journal", "internal", "model", "delete"),
        ("profiler-state", "internal", "partition", "compact"),
        ("monitor-state", "internal", "partition", "compact"),
        ("references", "internal", "model/version", "compact"),
        ("readings", "out", "model", "delete"),
        ("drift-events", "out", "model", "delete"),
        ("alerts", "out", "incident_id", "compact,delete"),
        ("retrain-requests", "out", "model", "delete"),
        ("rollback-requests", "out", "model", "delete"),
        ("dead-letters", "out", "original", "delete"),
    ],
)
def test_rows_are_those_of_the_contract(topic, flow, key, cleanup):
    row = planned()[topic]
    assert (flow, key, cleanup) == (row.flow, row.key, row.configs["cleanup.policy"])


def test_inputs_and_states_alone_take_the_time_of_the_broker():
    """Inputs are dated by it, and the stamps of states tell workers what it is."""
    stamped = {t for t, row in planned().items()
               if row.configs["message.timestamp.type"] == "LogAppendTime"}  # fmt: skip
    inputs = {"predictions", "labels", "metrics", "model-events"}
    assert inputs | {"profiler-state", "monitor-state"} == stamped


def test_outputs_are_stored_so_that_every_client_can_read_them():
    """The one compression that needs no further library anywhere."""
    rows = planned()
    ours = {t for t, row in rows.items() if row.configs.get("compression.type") == "gzip"}
    assert {t for t, row in rows.items() if row.flow != "in"} == ours


def test_partners_share_their_partitions():
    assert "predictions" == TOPIC["labels"].like == TOPIC["profiler-state"].like
    rows = planned(topics={"partitions": 12})
    assert {12} == {row.partitions for row in rows.values()}


def test_dead_letters_and_outputs_hold_the_largest_input():
    rows = planned(limits={"batch": "1MiB"})
    largest = int(rows["predictions"].configs["max.message.bytes"])
    assert 2**20 <= largest
    for topic in ("dead-letters", "journal", "profiler-state", "readings"):
        assert largest + HEADROOM <= int(rows[topic].configs["max.message.bytes"])


def test_predictions_are_kept_as_long_as_labels_are_waited_for():
    assert 7 * DAY == planned()["labels"].retention == planned()["dead-letters"].retention
    longer = planned(models={"a": {"task": "binary", "labels": {"horizon": "30d"}}})
    assert 31 * DAY <= longer["predictions"].retention == longer["labels"].retention
    unlabelled = planned(models={"a": {"task": "none", "labels": {"horizon": "30d"}}})
    assert 7 * DAY == unlabelled["predictions"].retention
    assert FOREVER == planned()["model-events"].retention
    assert (
        "3600000"
        == planned(topics={"retention": {"readings": "1h"}})["readings"].configs["retention.ms"]
    )


def test_a_prefix_names_all_but_those_that_are_named():
    rows = planned(topics={"prefix": "ml.", "names": {"alerts": "ops-alerts"}})
    assert ("ml.journal", "ops-alerts") == (rows["journal"].name, rows["alerts"].name)


def test_public_topics_have_an_event_type():
    assert "windage.drift.v1" == event_type("drift-events")
    assert event_type("journal") is None
    assert {"predictions", "labels", "metrics", "model-events", "readings", "drift-events",
            "alerts", "retrain-requests", "rollback-requests"} == {
        row.topic for row in TOPICS if event_type(row.topic)}  # fmt: skip


def allowed(role, operation, **fields):
    return {row.name for row in access(config(**fields)) if (role, operation, "Topic") == (
        row.role, row.operation, row.resource)}  # fmt: skip


def test_no_role_of_people_reads_raw_values():
    for role in ("producer", "ops", "retrain-service"):
        assert not {"predictions", "labels", "journal", "dead-letters"} & allowed(role, "Read")


def test_each_role_writes_only_its_own():
    epochs = "references"  # where a profiler says that its model begins anew
    assert {"journal", "profiler-state", "dead-letters", epochs} == allowed("profiler", "Write")
    assert {"predictions", "labels", "metrics"} == allowed("producer", "Write")
    assert {"model-events"} == allowed("retrain-service", "Write") == allowed("ops", "Write")
    assert {"readings", "drift-events", "alerts", "retrain-requests", "rollback-requests",
            "references", "monitor-state"} == allowed("monitor", "Write")  # fmt: skip


def test_permissions_use_configured_names():
    assert {"x.journal", "x.monitor-state", "x.references"} == allowed(
        "monitor", "Read", topics={"prefix": "x."}
    )
    groups = {row.role: row.name for row in access(config(kafka={"group": "w"}))
              if row.resource == "Group"}  # fmt: skip
    assert {role: f"w-{role}" for role in ROLES if role != "producer"} == groups


def test_names_are_legal_on_a_broker():
    for row in planned(topics={"prefix": "a.b-c_"}).values():
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,249}", row.name)
