"""A sink that could never be told anything is refused when the config is loaded, with its place."""

import base64

import pytest
from pydantic import ValidationError

from schemas.config import Config, dump_redacted
from schemas.config_error import ConfigError
from schemas.config_sinks import Sink, signing_key
from schemas.load import load_text

KEY = "whsec_" + base64.b64encode(bytes(range(24))).decode()


def places(sink):
    """Where the refusals of a config with this sink point."""
    with pytest.raises(ValidationError) as caught:
        Config.model_validate({"sinks": {"s": sink}, "models": {"m": {"task": "none"}}})
    return [
        ".".join(map(str, (*error["loc"], *filter(None, [error.get("ctx", {}).get("field")]))))
        for error in caught.value.errors()
    ]


@pytest.mark.parametrize(
    ("sink", "place"),
    [
        ({"url": "http://10.0.0.7/hook", "allow_insecure": True}, "sinks.s.url"),
        ({"url": "https://localhost/hook"}, "sinks.s.url"),
        ({"url": "https://[::1]/hook"}, "sinks.s.url"),
        ({"url": "https://169.254.169.254/latest"}, "sinks.s.url"),
        ({"url": "http://hooks.example/x"}, "sinks.s.url"),
        ({"url": "https://h.example", "secret": "geheim"}, "sinks.s.secret"),
        ({"url": "https://h.example", "secret": [KEY, "whsec_c2hvcnQ="]}, "sinks.s.secret.1"),
        ({"url": "https://h.example", "username": "u"}, "sinks.s.token"),
        ({"url": "https://h.example", "fields": {"project": "P"}}, "sinks.s.fields"),
        ({"url": "https://h.example", "template": "jira", "token": "t"}, "sinks.s.fields"),
        (
            {"url": "https://h.example", "template": "slack", "fields": {"chanel": "c"}},
            "sinks.s.fields.chanel",
        ),
        ({"url": "https://h.example", "template": "pagerduty"}, "sinks.s.token"),
        (
            {"url": "https://h.example", "template": "airflow", "token": "t", "topics": ["alerts"]},
            "sinks.s.topics",
        ),
        ({"url": "https://h.example", "type": "alertmanager", "secret": KEY}, "sinks.s.secret"),
        (
            {"url": "https://h.example", "type": "alertmanager", "template": "slack"},
            "sinks.s.template",
        ),
        (
            {"url": "https://h.example", "type": "alertmanager", "topics": ["retrain-requests"]},
            "sinks.s.topics",
        ),
    ],
)
def test_a_sink_that_cannot_work_is_refused(sink, place):
    """The refusal names the key that is wrong."""
    assert [place] == places(sink)


def test_a_private_address_is_taken_where_it_is_meant():
    assert Sink(url="http://127.0.0.1:9093", allow_private=True).allow_private


def test_one_key_and_a_list_of_keys_are_both_keys():
    """While a key is being replaced there are two."""
    assert 1 == len(Sink(url="https://h.example", secret=KEY).secret)
    both = Sink(url="https://h.example", secret=[KEY, KEY]).secret
    assert [bytes(range(24))] * 2 == [signing_key(one) for one in both]


def test_what_a_sink_is_told_follows_its_template():
    """Services that run jobs are told of requests, people of alerts."""
    assert ("alerts",) == Sink(url="https://h.example").told
    assert ("retrain-requests",) == Sink(url="https://h.example", template="prefect").told


def test_keys_and_tokens_are_not_shown():
    made = Config.model_validate(
        {
            "sinks": {"s": {"url": "https://h.example/p", "secret": [KEY], "token": "geheim"}},
            "http": {"mlflow": {"secret": "geheim-geheim-geheim"}},
            "models": {"m": {"task": "none"}},
        }
    )
    shown = str(dump_redacted(made)) + repr(made)
    assert not [one for one in ("geheim", KEY.removeprefix("whsec_")) if one in shown]


def test_a_short_secret_of_mlflow_is_refused():
    with pytest.raises(ValidationError, match="16 characters"):
        Config.model_validate(
            {"http": {"mlflow": {"secret": "short"}}, "models": {"m": {"task": "none"}}}
        )


def test_an_escalation_names_a_sink_that_is_there():
    policy = {"escalation": {"sink": "phoen"}}
    with pytest.raises(ValidationError, match="must be one of: s"):
        Config.model_validate(
            {
                "sinks": {"s": {"url": "https://h.example"}},
                "models": {"m": {"task": "none", "policy": policy}},
            }
        )


LISTED = """\
sinks: {s: {url: https://h.example, secret: [%s, "${OLD}"]}}
models: {m: {task: none}}
"""


def loaded(first):
    return load_text(LISTED % first, {"NEW": KEY, "OLD": KEY}, lambda _: "")


def test_each_key_of_a_list_comes_from_the_environment():
    """A list of references to the environment is taken, a key written out is refused."""
    assert 2 == len(loaded('"${NEW}"').sinks["s"].secret)
    with pytest.raises(ConfigError) as refused:
        loaded(KEY)
    (problem,) = refused.value.problems
    assert "sinks.s.secret[0]" == problem.path
