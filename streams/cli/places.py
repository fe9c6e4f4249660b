"""Which installation a command is about: a directory, Kafka, or a running server.

Promises: what is said wins; unsaid, `windage-data` in the working folder, else Kafka by
`windage.yaml`, else an error that names the options.
Leaves to others: reading and writing (`streams.runtime.installation.reading`, `writing`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from schemas.config import Config
from schemas.config_links import Kafka
from schemas.config_model import ModelConfig
from schemas.log import Millis
from schemas.vocabulary import TopicName
from streams.cli.configured import load_config
from streams.cli.console import say
from streams.cli.endings import REFUSED, OperatorError
from streams.cli.options import USUAL_CONFIG
from streams.runtime.installation.reading import FILE, Reader
from streams.runtime.installation.writing import Writer

USUAL_DATA: Final = Path("windage-data")
_WHERE: Final = "which installation? Say --data DIR, --config FILE or --bootstrap HOST:PORT"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What was said about where."""

    config: Path | None = None
    data: Path | None = None
    bootstrap: str | None = None
    url: str | None = None
    token: str | None = None

    @property
    def directory(self) -> Path | None:
        """The directory of an embedded installation; None: it is Kafka."""
        if self.data is not None and self.bootstrap is not None:
            raise OperatorError("--data and --bootstrap are two installations; say one", REFUSED)
        if self.data is not None:
            return self.data
        if self.config is None and self.bootstrap is None and (USUAL_DATA / FILE).is_file():
            return USUAL_DATA
        return None

    def installation(self) -> Config:
        """The config of a Kafka installation."""
        known = self.config or (USUAL_CONFIG if USUAL_CONFIG.is_file() else None)
        if self.bootstrap is None:
            if known is None:
                raise OperatorError(_WHERE, REFUSED)
            config = load_config(known)
            if self.config is None and "kafka" not in config.model_fields_set:
                say(f"no {USUAL_DATA} here: asking Kafka at {config.kafka.bootstrap}")
            return config
        if known is None:
            kafka = _kafka_at(self.bootstrap)
            some = Config(kafka=kafka, models={"m": ModelConfig.model_validate({"task": "none"})})
            return some.model_copy(update={"models": {}})  # nobody has said which there are
        config = load_config(known)
        kafka = config.kafka.model_copy(update={"bootstrap": _kafka_at(self.bootstrap).bootstrap})
        return config.model_copy(update={"kafka": kafka})

    def told(self) -> Config | None:
        """The config that was said or lies here, whatever the installation; None: there is none."""
        known = self.config or (USUAL_CONFIG if USUAL_CONFIG.is_file() else None)
        return None if known is None else load_config(known)

    def raw(self, topic: str, partition: int, first: int, last: int) -> list[str]:
        """Shell commands that print the records `first` to `last` of a topic, one way a line."""
        offsets = f"--partition {partition} --from {first} --to {last} --json"
        if self.directory is not None:
            return [f"windage tail {topic} --data {self.directory} {offsets}"]
        config = self.installation()
        name = config.topics.name(_topic(topic))
        host, count = config.kafka.bootstrap, last - first + 1
        where = f" --config {self.config}" if self.config is not None else f" --bootstrap {host}"
        return [
            f"windage tail {topic}{where} {offsets}",
            f"kcat -C -b {host} -t {name} -p {partition} -o {first} -c {count} -e",
            (
                f"kafka-console-consumer.sh --bootstrap-server {host} --topic {name}"
                f" --partition {partition} --offset {first} --max-messages {count}"
            ),
        ]


@contextmanager
def reading(place: Place) -> Iterator[Reader]:
    """A reader of the installation, closed afterwards."""
    reader = _reader(place)
    try:
        yield reader
    finally:
        reader.close()


def _reader(place: Place) -> Reader:
    directory = place.directory
    if directory is not None:
        from streams.runtime.installation.reading import SqliteReader

        return SqliteReader(directory)
    config = place.installation()
    from streams.runtime.kafka.reading import KafkaReader

    return KafkaReader(config)


def writer_of(place: Place) -> Writer:
    """What takes records for the installation: HTTP if an address was said."""
    from streams.runtime.installation.writing import DirectoryWriter, HttpWriter, KafkaWriter

    if place.url is not None:
        return HttpWriter(place.url, place.token)
    directory = place.directory
    if directory is not None:
        return DirectoryWriter(directory)
    return KafkaWriter(place.installation())


def _kafka_at(bootstrap: str) -> Kafka:
    from pydantic import ValidationError

    try:
        return Kafka(bootstrap=bootstrap)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise OperatorError(f"--bootstrap: {reason}", REFUSED) from None


def _topic(name: str) -> TopicName:
    from typing import cast

    return cast("TopicName", name)


def instant_of(option: str, text: str | None) -> Millis | None:
    """The instant said with an option, in epoch ms; OperatorError if it is none."""
    from schemas.instants import parse

    if text is None:
        return None
    try:
        return parse(text)
    except ValueError as error:
        raise OperatorError(f"{option}: {error}", REFUSED) from None


def known_incidents(place: Place) -> dict[str, str]:
    """The model of each incident by its id: asked of the server if an address was said."""
    if place.url is not None:
        from streams.runtime.installation.writing import HttpWriter

        told = HttpWriter(place.url, place.token).ask("/v1/incidents?limit=5000")
        return {one["incident_id"]: one["model"] for one in told["incidents"]}
    from streams.cli.history import alert_of, read_history

    with reading(place) as reader:
        return {case.id: alert_of(case).model for case in read_history(reader).cases()}
