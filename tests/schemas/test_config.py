"""The config model: two lines suffice, the contract's example loads, contradictions are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.config import Config, dump_redacted
from schemas.config_model import ModelConfig, config_hash
from schemas.durations import Length, Rate, Threshold

DAY = 86_400_000
EVERYWHERE = "0.0.0.0"  # noqa: S104 - to see it refused


def model(**fields):
    return ModelConfig.model_validate({"task": "binary", **fields})


def config(**fields):
    return Config.model_validate({"models": {"fraud": {"task": "binary"}}, **fields})


def reasons(fields, build=config):
    """The field and reason of each contradiction, or the message of each other error."""
    with pytest.raises(ValidationError) as refusal:
        build(**fields)
    said = refusal.value.errors()
    return [(e["ctx"]["field"], e["ctx"]["reason"]) if e["type"] == "contradiction"
            else e["msg"] for e in said]  # fmt: skip


def test_a_model_with_a_task_is_enough():
    fraud = config().models["fraud"]
    assert (60_000, 30_000, DAY) == (fraud.pane, fraud.lateness, fraud.labels.horizon)
    assert Rate(count=1, per=30 * DAY) == fraud.false_alarms
    assert (3, 3, 3_600_000) == (
        fraud.policy.sustained,
        fraud.policy.resolve_after,
        fraud.policy.cool_down,
    )
    assert ("broker", "auto", "auto", 0.1, "joint") == (
        fraud.clock,
        fraud.features,
        fraud.monitors,
        fraud.tolerance,
        fraud.null,
    )
    assert Threshold(value=0.25) == fraud.policy.effect.red


def test_limits_are_those_of_the_promise():
    limits = config().limits
    assert (256 * 1024, 8 * 1024 * 1024, 500, 300_000, 20, 512 * 1024 * 1024, 10_000) == (
        limits.event,
        limits.batch,
        limits.features,
        limits.future,
        limits.category_rows,
        limits.memory,
        limits.rebuild,
    )


def test_a_ranking_has_labels_and_no_classes():
    """Its labels are lists of relevances; classes, or a positive one, would mean nothing."""
    assert config(models={"feed": {"task": "ranking"}}).model("feed").labelled
    for field, value in (("classes", [0, 1]), ("positive", 1)):
        with pytest.raises(ValidationError, match="task ranking has no"):
            config(models={"feed": {"task": "ranking", field: value}})


def test_a_star_stands_for_every_model_that_is_not_named():
    """What is named has its own; without a star there is no config for others."""
    assert "binary" == config().model("fraud").task
    assert config().model("churn") is None
    star = config(models={"fraud": {"task": "binary"}, "*": {"task": "none"}})
    assert ("binary", "none") == (star.model("fraud").task, star.model("churn").task)


def test_models_that_are_not_named_have_no_file_in_common():
    """A file describes one model; who is not named learns."""
    with pytest.raises(ValidationError, match="must be first or topic"):
        config(models={"*": {"task": "none", "reference": {"from": "file", "path": "a.parquet"}}})


def test_written_values_become_values():
    made = model(
        features={"amount": {"type": "numeric", "important": True}, "country": "categorical"},
        segments=["region", {"feature": "amount", "edges": [30, 50]}],
        monitors=[{"watch": "feature:*", "detector": "river:KSWIN", "window": "20 panes",
                   "yellow": "2%", "red": "5 %".replace(" ", "")}],
        calendar=[{"name": "black_friday", "from": "2026-11-27", "to": "2026-11-30"}],
        labels="none",
    )  # fmt: skip
    assert "categorical" == made.features["country"].type
    assert ["region", "amount"] == [segment.name for segment in made.segments]
    assert Length(panes=20) == made.monitors[0].window
    assert Threshold(value=0.02, scale="relative") == made.monitors[0].yellow
    assert 4 * DAY == made.calendar[0].to - made.calendar[0].from_  # the last day included
    assert not made.labelled


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"pane": "1d"}, "pane", "shorter than labels.horizon"),
        ({"pane": "1ms"}, "pane", "at least 1s"),
        ({"task": "regression", "classes": [0, 1]}, "classes", "no classes"),
        ({"task": "none", "positive": 1}, "positive", "no positive class"),
        ({"classes": [0, 1, 2]}, "classes", "two classes"),
        ({"classes": [0]}, "classes", "at least two"),
        ({"classes": [0, 1], "positive": 2}, "positive", "one of classes"),
        ({"segments": ["a", "a"]}, "segments", "twice"),
        ({"segments": [{"tag": "a", "feature": "b"}]}, "tag", "either"),
        ({"segments": [{"feature": "b", "edges": [2, 1]}]}, "edges", "grow"),
        ({"features": {"a": {}}, "segments": [{"feature": "b"}]}, "segments.0.feature", "declared"),
        ({"features": {"a": {}}, "monitors": [{"watch": "feature:b", "detector": "psi"}]},
         "monitors.0.watch", "declared"),
        ({"labels": "none", "monitors": [{"watch": "error", "detector": "adwin"}]},
         "monitors.0.watch", "needs labels"),
        ({"monitors": [{"watch": "score", "detector": "psi", "yellow": 0.3, "red": 0.1}]},
         "red", "below yellow"),
        ({"labels": {"sample": 0}}, "labels.sample", "more than 0"),
        ({"retrain": {"mode": "schedule"}}, "schedule", "cron"),
        ({"policy": {"effect": {"yellow": 0.3, "red": 0.1}}}, "red", "below yellow"),
        ({"calendar": [{"name": "x", "from": "2026-11-27", "to": "2026-11-26"}]}, "to", "after"),
        ({"reference": {"from": "topic", "start": "2026-01-02", "end": "2026-01-01"}},
         "end", "after start"),
        ({"retrain": {"gates": {"metrics": {"f1": {"min": 0.9, "max": 0.8}}}}}, "max", "below min"),
    ],
)  # fmt: skip
def test_contradictions_of_a_model_are_named(fields, field, reason):
    ((where, why),) = reasons(fields, model)
    assert field == where
    assert reason in why


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kafka": {"bootstrap": "kafka:9092"}}, "security.protocol"),
        ({"kafka": {"bootstrap": ["localhost:9092", "10.0.0.1:9092"]}}, "security.protocol"),
        ({"kafka": {"bootstrap": "127.0.0.1.evil.com:9092"}}, "security.protocol"),
        ({"kafka": {"security": {"protocol": "SASL_SSL"}}}, "password"),
        ({"kafka": {"security": {"password": "x"}}}, "protocol"),
        ({"kafka": {"security": {"ca": "ca.pem"}}}, "protocol"),
        ({"kafka": {"security": {"protocol": "SSL", "key": "k"}}}, "key"),
        ({"kafka": {"security": {"protocol": "SASL_SSL", "mechanism": "OAUTHBEARER"}}}, "token"),
        ({"redis": {"url": "redis://cache:6379"}}, "url"),
        ({"http": {"host": EVERYWHERE}}, "write_token"),
        ({"http": {"host": EVERYWHERE, "write_token": "t"}}, "tls"),
        ({"http": {"host": EVERYWHERE, "read_token": "t"}}, "write_token"),
        ({"http": {"ingest_token": "t", "operate_token": "t"}}, "operate_token"),
        ({"http": {"read_token": "t", "write_token": "t"}}, "write_token"),
        ({"limits": {"batch": "1KiB"}}, "batch"),
        ({"topics": {"names": {"alerts": "x", "labels": "x"}}}, "names"),
        ({"topics": {"retention": {"labels": "1h"}}}, "models.fraud.labels.horizon"),
        ({"sinks": {"pager": {"url": "https://h"}}, "models": {"a": {"task": "none", "policy": {
            "routes": [{"sink": "pgaer"}]}}}}, "models.a.policy.routes.0.sink"),
    ],
)  # fmt: skip
def test_contradictions_of_an_installation_are_named(fields, field):
    ((where, why),) = reasons(fields)
    assert field == where
    assert why


@pytest.mark.parametrize(
    "fields",
    [
        {"kafka": {"bootstrap": "kafka:9092", "allow_insecure": True}},
        {"kafka": {"bootstrap": "kafka:9093", "security": {"protocol": "SSL"}}},
        {"kafka": {"bootstrap": "127.0.0.2:9092,[::1]:9092"}},
        {"redis": {"url": "rediss://cache:6379", "password": "x"}},
        {"http": {"host": EVERYWHERE, "write_token": "t", "tls": {"certificate": "c", "key": "k"}}},
        {"http": {"host": EVERYWHERE, "write_token": "t", "allow_insecure": True}},
        {"http": {"host": EVERYWHERE, "ingest_token": "t", "allow_insecure": True}},
        {"topics": {"retention": {"labels": "1h"}}, "redis": {}},
    ],
)
def test_what_is_safe_or_declared_insecure_is_accepted(fields):
    assert "fraud" in config(**fields).models


@pytest.mark.parametrize(
    "fields",
    [
        {"kafka": {"bootstrap": "user:pw@kafka:9092"}},
        {"kafka": {"bootstrap": "kafka"}},
        {"kafka": {"bootstrap": "kafka:99999"}},
        {"redis": {"url": "redis://:pw@localhost"}},
        {"redis": {"url": "http://localhost"}},
        {"sinks": {"a": {"url": "https://u:p@h"}}},
        {"sinks": {"a": {"url": "file:///etc/passwd"}}},
        {"models": {}},
        {"models": {"a b": {"task": "none"}}},
        {"version": 2},
    ],
)
def test_addresses_and_names_are_checked(fields):
    assert reasons(fields)


@pytest.mark.parametrize("line", ["0 2 1 * *", "*/15 8-18 * * 1-5", "0,30 0 1,15 */2 7"])
def test_cron_lines(line):
    assert line == model(retrain={"schedule": line}).retrain.schedule


@pytest.mark.parametrize(
    "line",
    ["0 2 1 *", "60 * * * *", "* 24 * * *", "* * 0 * *", "5-1 * * * *", "*/0 * * * *", "a * * * *"],
)
def test_wrong_cron_lines_are_refused(line):
    assert "cron" in reasons({"retrain": {"schedule": line}}, model)[0]


def test_a_time_zone_must_exist():
    assert "Europe/Berlin" == model(retrain={"timezone": "Europe/Berlin"}).retrain.timezone
    for wrong in ("Mars/Olympus", "../../etc/passwd", ""):
        assert "time zone" in reasons({"retrain": {"timezone": wrong}}, model)[0]


def test_secrets_are_not_shown():
    made = config(
        redis={"password": "geheim"},
        sinks={"chat": {"url": "https://hooks.example/services/geheim"}},
    )
    assert "geheim" not in str(dump_redacted(made)) + repr(made.redis)
    assert "https://hooks.example/***" == dump_redacted(made)["sinks"]["chat"]["url"]


def test_a_dumped_config_is_the_same_config():
    made = config(
        models={
            "fraud": {
                "task": "binary",
                "features": {"amount": "numeric"},
                "segments": ["region", {"feature": "amount", "edges": [30, 50]}],
                "reference": {"from": "topic", "start": "2026-01-01", "end": "2026-01-31"},
                "monitors": [{"watch": "score", "detector": "psi", "window": "1h", "red": "5%"}],
                "policy": {"silences": [{"until": "2026-02-01", "reason": "move"}]},
                "rollback": {"below_baseline": None},
                "calendar": [{"name": "x", "from": "2026-11-27", "to": "2026-11-30"}],
            }
        }
    )
    assert made == Config.model_validate(dump_redacted(made))


@pytest.mark.parametrize(
    "change",
    [
        {"task": "regression"},
        {"pane": "2m"},
        {"lateness": "31s"},
        {"clock": "event"},
        {"timestamps": "s"},
        {"positive": 1},
        {"classes": [0, 1]},
        {"labels": {"horizon": "2d"}},
        {"labels": {"sample": 0.5}},
        {"labels": "none"},
        {"features": {"age": "numeric"}},
        {"segments": ["region"]},
    ],
)
def test_what_changes_the_counts_changes_the_hash(change):
    assert config_hash(model()) != config_hash(model(**change))


@pytest.mark.parametrize(
    "change",
    [
        {"pane": "60s"},
        {"tolerance": 0.2},
        {"false_alarms": "2 per 30d"},
        {"labels": {"min_coverage": 0.5}},
        {"policy": {"sustained": 1}},
        {"retrain": {"mode": "off"}},
        {"impact": {"level": "high"}},
        {"compare": ["training", "rolling 30d", "seasonal hour_of_week"]},
    ],
)
def test_what_only_changes_the_judgement_keeps_the_hash(change):
    assert config_hash(model()) == config_hash(model(**change))


def test_importance_and_order_do_not_change_the_hash():
    one = model(features={"a": {"important": True}, "b": {}}, segments=["x", "y"])
    other = model(features={"b": {}, "a": {}}, segments=["y", "x"])
    assert config_hash(one) == config_hash(other)


@given(st.dictionaries(st.sampled_from([*ModelConfig.model_fields, "null", "x"]),
       st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
       | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2), max_size=3))  # fmt: skip
def test_any_values_are_a_model_or_a_validation_error(fields):
    try:
        outcome = ModelConfig.model_validate({"task": "binary", **fields})
    except ValidationError as refusal:
        outcome = refusal
    assert isinstance(outcome, ModelConfig | ValidationError)
