"""Publisher: what a program that makes predictions calls.

Promises: `prediction` and its siblings never raise (unless `strict`) and never wait longer than
`max_block_ms`; what cannot be sent is counted, with its reason, and logged once.
Leaves to others: composing events (`composing`), the thread that sends (`outbox`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

from windage import composing_many, watching
from windage.addresses import Address, KafkaAddress, address
from windage.batches import Form
from windage.buffer import Item, Limits
from windage.composing import Composer, Message, TooLargeError
from windage.counts import Counts
from windage.fields import (
    ArgumentError,
    EventFields,
    LabelFields,
    MetricFields,
    PredictionFields,
    identifier,
)
from windage.identity import new_id
from windage.outbox import Outbox, Transport
from windage.privacy import Privacy

REQUEST_S = 10.0
"""How long an HTTP request may take."""


class Publisher:
    """Publishes predictions, labels, metrics and events of one model.

    >>> pub = Publisher("kafka://localhost:9092", model="fraud", version="3.2")  # doctest: +SKIP
    >>> pid = pub.prediction({"amount": 20.1}, prediction=1, score=0.83)  # doctest: +SKIP
    >>> pub.label(pid, 0)  # doctest: +SKIP

    One publisher serves a whole process and all its threads. It connects in a thread of its own
    when the first event comes, so making one costs nothing and a dead broker is no error here.
    `close` (or leaving a `with` block, or the end of the process) sends what still waits.
    """

    def __init__(  # noqa: PLR0913 - options of keyword only
        self,
        url: str,
        *,
        model: str,
        version: str | None = None,
        sample: float = 1.0,
        redact: Iterable[str] = (),
        hash: Iterable[str] = (),  # noqa: A002 - the name is the public contract's
        hash_key: bytes | str | None = None,
        max_block_ms: float = 10,
        max_buffer: int = 50_000,
        max_buffer_bytes: int = 64 * 1024 * 1024,
        close_timeout_s: float = 5.0,
        batches: Form = "auto",
        topic_prefix: str = "",
        token: str | None = None,
        ca_file: str | None = None,
        kafka: Mapping[str, Any] | None = None,
        allow_insecure: bool = False,
        strict: bool = False,
    ) -> None:
        """Check the arguments; ValueError says what is wrong. Nothing is connected yet.

        `sample`: the share of predictions sent, chosen by id, so that labels match. `redact`: names
        of features and tags never sent. `hash`: names whose values, or `prediction_id`, are sent
        as keyed hashes (`hash_key`, 16 bytes or more). `max_block_ms`: how long a call may wait for
        room in the buffer of `max_buffer` events and `max_buffer_bytes`. `close_timeout_s`: how
        long closing and the end of the process wait. `batches`: the form of `predictions`.
        `kafka`: options for the Kafka client, such as `security_protocol`. `token`: of the HTTP
        server. `strict`: raise what is wrong with arguments, for tests.
        """
        target = address(
            url,
            prefix=topic_prefix,
            token=token,
            ca_file=ca_file,
            options=kafka,
            allow_insecure=allow_insecure,
        )
        privacy = Privacy(sample=sample, redact=redact, hash=hash, hash_key=hash_key)
        limits = Limits(max_buffer, max_buffer_bytes, max_block_ms / 1000)
        self.counts = Counts()
        self._composer = Composer(model, version, privacy, self.counts)
        self._strict = strict
        self._form: Form = batches
        self._close_s = close_timeout_s
        self._outbox = self._open(lambda: transport(target), limits)

    def _open(self, connect: Callable[[], Transport], limits: Limits) -> Outbox:
        return Outbox(connect, limits, self.counts, self._close_s)

    @property
    def dropped(self) -> int:
        """How many events were not sent, for whatever reason (`counts.reasons`)."""
        return self.counts.dropped

    def prediction(
        self,
        features: object,
        prediction: object = None,
        score: object = None,
        *,
        id: object = None,
        **fields: Unpack[PredictionFields],
    ) -> str:
        """Publish one scored request; returns its id, under which its label is sent later.

        `features`: a dict, a pandas Series, or any row with names. `prediction`: the class or the
        value; `score`: the model's confidence. Without `id` a new one is made.
        """
        pid = new_id()
        try:
            pid = pid if id is None else identifier_of(id)
            if not self._composer.privacy.takes(pid):
                self.counts.skip(1)
                return pid
            self._put(self._composer.prediction(features, prediction, score, pid, fields))
        except Exception as error:  # noqa: BLE001 - nothing may reach the caller
            self._failed(error, "prediction")
        return pid

    def predictions(
        self,
        features: object,
        prediction: object = None,
        score: object = None,
        *,
        ids: object = None,
        tags: object = None,
        names: Sequence[str] | None = None,
        **fields: Any,  # noqa: ANN401 - the fields of a prediction, or columns of them
    ) -> list[str]:
        """Publish many scored requests at once; returns their ids in order.

        `features`: a frame (pandas, polars), a pyarrow table, a mapping of columns, a list of rows,
        or a two-dimensional array with `names`. All others are columns, or the name of a column in
        the frame, which then is no feature. A row that cannot be sent is left out and counted.
        """
        try:
            given = {"prediction": prediction, "score": score, **fields}
            made = composing_many.predictions(
                self._composer, self._form, features, given, ids=ids, tags=tags, names=names
            )
            self._put(*made.items)
        except Exception as error:  # noqa: BLE001 - nothing may reach the caller
            self._failed(error, "predictions")
            return []
        return made.ids

    def label(self, id: object, label: object, **fields: Unpack[LabelFields]) -> None:
        """Publish the outcome of a prediction, by the id that `prediction` returned."""
        try:
            pid = identifier_of(id)
            if self._composer.privacy.takes(pid):
                self._put(self._composer.label(pid, label, fields))
            else:
                self.counts.skip(1)
        except Exception as error:  # noqa: BLE001 - nothing may reach the caller
            self._failed(error, "label")

    def labels(self, ids: object, labels: object = None, **fields: Any) -> None:  # noqa: ANN401
        """Publish many outcomes: two columns, or a mapping from id to label."""
        try:
            made = composing_many.labels(self._composer, self._form, ids, labels, fields)
            self._put(*made.items)
        except Exception as error:  # noqa: BLE001 - nothing may reach the caller
            self._failed(error, "labels")

    def metric(self, name: str, value: object, **fields: Unpack[MetricFields]) -> None:
        """Publish a figure: a KPI, or with `kind="operational"` one of operations."""
        try:
            self._put(self._composer.metric(name, value, fields))
        except Exception as error:  # noqa: BLE001 - nothing may reach the caller
            self._failed(error, "metric")

    def event(self, type: str, **fields: Unpack[EventFields]) -> None:
        """Publish what happened to the model: `deployed`, `external`, `annotation`, ..."""
        try:
            self._put(self._composer.event(type, fields))
        except Exception as error:  # noqa: BLE001 - nothing may reach the caller
            self._failed(error, "event")

    def watch(
        self,
        predict: Callable[..., Any] | None = None,
        *,
        read: watching.Read | None = None,
    ) -> Any:  # noqa: ANN401 - the function as it was, or a decorator
        """Decorate a predict function: each call is published, with its latency and errors.

        >>> @pub.watch  # doctest: +SKIP
        ... def predict(features): ...

        `read(arguments, answer)` says what to publish (keywords of `prediction`), or None for
        nothing; by default the first argument is the features, and the answer is the prediction or
        a mapping with prediction and score.
        """
        return watching.watch(self.prediction, self._failed, predict, read)

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Wait until all that was published so far is acknowledged; False if it was not in time."""
        return self._outbox.flush(timeout_s)

    def close(self, timeout_s: float | None = None) -> bool:
        """Send what waits and stop; what is left then counts as undelivered. Never raises."""
        return self._outbox.close(self._close_s if timeout_s is None else timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()

    def _put(self, *items: Item) -> None:
        if self._strict:
            from windage.checking import assert_valid_event  # noqa: PLC0415

            for item in items:
                if isinstance(item, Message):
                    assert_valid_event(item.value, topic=item.topic)
        for item in items:
            self._outbox.put(item)

    def _failed(self, error: Exception, where: str) -> None:
        note(self.counts, error, where)
        if self._strict:
            raise error


def note(counts: Counts, error: Exception, where: str) -> None:
    """Count an event that was not published because of `error`."""
    if isinstance(error, TooLargeError):
        counts.drop("too_large", 1, f"{where}: {error}")
    elif isinstance(error, ArgumentError):
        counts.drop("bad_argument", 1, f"{where}: {error}")
    else:  # its text might quote what must stay secret
        counts.drop("failed", 1, f"{where}: {type(error).__name__}")


def identifier_of(pid: object) -> str:
    """An id that was given; ArgumentError if it is none."""
    try:
        return identifier(pid)
    except (ValueError, TypeError) as error:
        raise ArgumentError("id", str(error)) from None


def transport(target: Address) -> Transport:
    """Connect; called in the thread that sends."""
    if isinstance(target, KafkaAddress):
        from windage.over_kafka import OverKafka  # noqa: PLC0415 - only what is used

        return OverKafka(target)
    from windage.over_http import OverHttp  # noqa: PLC0415

    return OverHttp(target, REQUEST_S)
