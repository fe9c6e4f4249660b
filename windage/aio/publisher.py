"""The awaited publisher.

Promises: as `windage.Publisher`: its calls never raise (unless `strict`) and wait no longer than
`max_block_ms`. An event loop that ends without `close` loses what waits: so use `async with`.
Leaves to others: composing events, the task that sends (`outbox`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

from windage import composing_many, watching
from windage.addresses import Address, KafkaAddress, address
from windage.aio.outbox import Outbox, Transport
from windage.batches import Form
from windage.buffer import Item, Limits
from windage.composing import Composer, Message
from windage.counts import Counts
from windage.fields import EventFields, LabelFields, MetricFields, PredictionFields
from windage.identity import new_id
from windage.privacy import Privacy
from windage.publisher import REQUEST_S, identifier_of, note


class Publisher:
    """Publishes predictions, labels, metrics and events of one model, on one event loop.

    What the arguments and methods mean is said at `windage.Publisher`.
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
        """Check the arguments; ValueError says what is wrong. Nothing is connected yet."""
        target = address(
            url,
            prefix=topic_prefix,
            token=token,
            ca_file=ca_file,
            options=kafka,
            allow_insecure=allow_insecure,
        )
        privacy = Privacy(sample=sample, redact=redact, hash=hash, hash_key=hash_key)
        self.counts = Counts()
        self._composer = Composer(model, version, privacy, self.counts)
        self._strict = strict
        self._form: Form = batches
        self._close_s = close_timeout_s
        limits = Limits(max_buffer, max_buffer_bytes, max_block_ms / 1000)
        self._outbox = Outbox(lambda: transport(target), limits, self.counts)

    @property
    def dropped(self) -> int:
        """How many events were not sent, for whatever reason (`counts.reasons`)."""
        return self.counts.dropped

    async def prediction(
        self,
        features: object,
        prediction: object = None,
        score: object = None,
        *,
        id: object = None,
        **fields: Unpack[PredictionFields],
    ) -> str:
        """Publish one scored request; returns its id."""
        pid = new_id()
        try:
            pid = pid if id is None else identifier_of(id)
            if not self._composer.privacy.takes(pid):
                self.counts.skip(1)
                return pid
            await self._put(self._composer.prediction(features, prediction, score, pid, fields))
        except Exception as error:  # noqa: BLE001 - nothing may reach the caller
            self._failed(error, "prediction")
        return pid

    async def predictions(
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
        """Publish many scored requests at once; returns their ids in order."""
        try:
            given = {"prediction": prediction, "score": score, **fields}
            made = composing_many.predictions(
                self._composer, self._form, features, given, ids=ids, tags=tags, names=names
            )
            await self._put(*made.items)
        except Exception as error:  # noqa: BLE001 - nothing may reach the caller
            self._failed(error, "predictions")
            return []
        return made.ids

    async def label(self, id: object, label: object, **fields: Unpack[LabelFields]) -> None:
        """Publish the outcome of a prediction."""
        try:
            pid = identifier_of(id)
            if self._composer.privacy.takes(pid):
                await self._put(self._composer.label(pid, label, fields))
            else:
                self.counts.skip(1)
        except Exception as error:  # noqa: BLE001 - nothing may reach the caller
            self._failed(error, "label")

    async def labels(self, ids: object, labels: object = None, **fields: Any) -> None:  # noqa: ANN401
        """Publish many outcomes: two columns, or a mapping from id to label."""
        try:
            made = composing_many.labels(self._composer, self._form, ids, labels, fields)
            await self._put(*made.items)
        except Exception as error:  # noqa: BLE001 - nothing may reach the caller
            self._failed(error, "labels")

    async def metric(self, name: str, value: object, **fields: Unpack[MetricFields]) -> None:
        """Publish a figure."""
        try:
            await self._put(self._composer.metric(name, value, fields))
        except Exception as error:  # noqa: BLE001 - nothing may reach the caller
            self._failed(error, "metric")

    async def event(self, type: str, **fields: Unpack[EventFields]) -> None:
        """Publish what happened to the model."""
        try:
            await self._put(self._composer.event(type, fields))
        except Exception as error:  # noqa: BLE001 - nothing may reach the caller
            self._failed(error, "event")

    def watch(
        self, predict: Callable[..., Any] | None = None, *, read: watching.Read | None = None
    ) -> Any:  # noqa: ANN401 - the function as it was, or a decorator
        """Decorate a coroutine function that predicts; see `windage.Publisher.watch`."""
        return watching.watch(self.prediction, self._failed, predict, read)

    async def flush(self, timeout_s: float = 30.0) -> bool:
        """Wait until all that was published so far is acknowledged; False if it was not in time."""
        return await self._outbox.flush(timeout_s)

    async def close(self, timeout_s: float | None = None) -> bool:
        """Send what waits and stop; what is left then counts as undelivered. Never raises."""
        return await self._outbox.close(self._close_s if timeout_s is None else timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.close()

    async def _put(self, *items: Item) -> None:
        if self._strict:
            from windage.checking import assert_valid_event  # noqa: PLC0415

            for item in items:
                if isinstance(item, Message):
                    assert_valid_event(item.value, topic=item.topic)
        for item in items:
            await self._outbox.put(item)

    def _failed(self, error: Exception, where: str) -> None:
        note(self.counts, error, where)
        if self._strict:
            raise error


async def transport(target: Address) -> Transport:
    """Connect; called by the task that sends."""
    if isinstance(target, KafkaAddress):
        from windage.aio.over_kafka import OverKafka  # noqa: PLC0415 - only what is used

        return await OverKafka.connect(target)
    from windage.aio.over_http import OverHttp  # noqa: PLC0415

    return await OverHttp.connect(target, REQUEST_S)
