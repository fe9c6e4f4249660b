"""A worker whose restart would take too long is refused where the operator has set the limit."""

import time

import pytest

from schemas.load import load_text
from streams.cli.health_kafka import _restart
from streams.runtime import rereading, topics
from streams.runtime.kafka.exits import RefusedError
from streams.runtime.kafka.process import check_restart
from streams.runtime.kafka.reading import KafkaReader
from streams.runtime.writing import KafkaWriter, Letter
from tests.refused import CONFIG

ROWS = 40


@pytest.fixture(scope="module")
def written(broker):
    """The text of a config whose topics hold predictions of now."""
    text = CONFIG.format(bootstrap=broker.bootstrap, prefix="reread-", partitions=2)
    config = load_text(text, {}, str)
    topics.create(config)
    rows = range(ROWS)
    KafkaWriter(config).write(
        [Letter(topic="predictions", key=b"%d" % n, value=b"{}", headers=()) for n in rows]
    )
    return text


def test_records_are_counted_by_when_they_were_appended(written):
    """Those of the last minutes, and none of the last millisecond."""
    with KafkaReader(load_text(written, {}, str)) as reader:
        time.sleep(0.1)
        assert ROWS == reader.within("predictions", 600_000)
        assert 0 == reader.within("predictions", 1)
        assert 0 == reader.within("labels", 600_000)


def test_a_limit_that_is_set_is_kept_and_the_default_is_a_word_of_the_doctor(written, monkeypatch):
    """Slow as one record a second; Redis needs no re-reading."""
    monkeypatch.setattr(rereading, "A_SECOND", 1)
    default = load_text(written, {}, str)
    check_restart(default)
    with KafkaReader(default) as reader:
        (said,) = _restart(default, reader)
    assert "warn" == said.state
    with pytest.raises(RefusedError, match="reads about 40 records again, 40s for one worker"):
        check_restart(load_text(written + "limits: {rebuild: 10s}\n", {}, str))
    check_restart(load_text(written + "limits: {rebuild: 50s}\n", {}, str))
    check_restart(load_text(written + "limits: {rebuild: 10s}\nredis: {}\n", {}, str))
