"""The demo's broker where somebody's configuration says how to reach it."""

import pytest

from schemas.config_error import ConfigError
from streams.cli.demo.broker import Broker

CONFIG = """version: 1
kafka:
  bootstrap: kafka.example:9093
  group: risk
  security: {protocol: SASL_SSL, username: "${KAFKA_WORD}", password: "${KAFKA_WORD}"}
topics: {prefix: risk., replication: 3}
models: {m: {task: none}}
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Return the path of a configuration whose password is in the environment."""
    monkeypatch.setenv("KAFKA_WORD", "planted-word-7731")
    path = tmp_path / "windage.yaml"
    path.write_text(CONFIG)
    return path


def test_secrets_are_carried_on_by_name(config, tmp_path):
    """What the demo writes for its workers holds no secret."""
    reached = Broker(tmp_path, None, config).start()
    assert ("risk", "risk.", 3) == (reached.group, reached.prefix, reached.replication)
    assert "${KAFKA_WORD}" == reached.section["security"]["password"]
    assert "planted-word-7731" not in repr(reached)


def test_an_address_that_is_said_comes_before_the_one_that_is_written(config, tmp_path):
    """The security stays that of the file."""
    reached = Broker(tmp_path, "other.example:9093", config).start()
    assert "other.example:9093" == reached.section["bootstrap"]
    assert "SASL_SSL" == reached.section["security"]["protocol"]


def test_a_configuration_with_a_fault_reaches_nobody(config, tmp_path):
    """A secret that is written out is refused, as everywhere."""
    config.write_text(config.read_text().replace("${KAFKA_WORD}", "written-out"))
    with pytest.raises(ConfigError, match="is a secret"):
        Broker(tmp_path, None, config).start()


def test_without_a_configuration_the_names_are_our_own(tmp_path):
    """As before: an address alone, without security."""
    reached = Broker(tmp_path, "localhost:9092").start()
    assert {"bootstrap": "localhost:9092"} == reached.section
    assert ("windage", "") == (reached.group, reached.prefix)
