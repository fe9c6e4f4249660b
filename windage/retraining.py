"""Retrain services: a function that is called for each retrain request, and answers it.

Promises: one request is run once, however often it is delivered. Before the function is called,
`retraining_started` is published with the request's id, and read back: only whose event is the
first about that request in the log of model events (`remembering`) runs it. Committed offsets alone
would not do: the product may write a request twice, and groups may be many. A trainer that dies in
the middle has started and never ends: it is not run again by us, because half a training may have
had effects; the product sees that no end came.
A request is not started before `not_before` nor after `expires_at`.
Leaves to others: reading (`sources`), publishing (`publisher`).
"""

import functools
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol

from windage.addresses import KafkaAddress, address
from windage.counts import Counts
from windage.identity import new_id
from windage.opening import source
from windage.publisher import Publisher
from windage.remembering import InFile, InModelEvents, Memory
from windage.sources import Arrived, Event, Source
from windage.subscribing import AGAIN_S, POLL_S, opened

TOPIC: Final = "retrain-requests"
LONGEST_RUN_S: Final = 24 * 3600.0
"""A trainer that takes longer than a day over one request loses its place in the group."""

PUBLISH_S: Final = 30.0
_NOTE: Final = 500
"""Characters of an error that are published."""

_counts: Final = Counts()


class Answer(NamedTuple):
    """How a training ended: the version it made, or why it failed."""

    ok: bool
    version: str | None = None
    note: str | None = None
    deployment: Mapping[str, Any] | None = None


class Request(dict[str, Any]):
    """A retrain request: its fields (`data_window`, `suggestion`, `gates`, ...), and its answers.

    >>> request = Request({"request_id": "r-1", "model": "fraud"})
    >>> request.done(version="3.3").version
    '3.3'
    """

    answer: Answer | None = None

    def done(
        self,
        version: str | None = None,
        *,
        note: str | None = None,
        deployment: Mapping[str, Any] | None = None,
    ) -> Answer:
        """The training went well; `version`: the model it made. Return it, or go on after it.

        `deployment` may say `git_commit`, `training_window`, `features`, `offline_metrics` and
        `registry`.
        """
        self.answer = Answer(ok=True, version=version, note=note, deployment=deployment)
        return self.answer

    def failed(self, reason: str) -> Answer:
        """The training did not work; the product asks again, as often as its config allows."""
        self.answer = Answer(ok=False, note=reason)
        return self.answer


Train = Callable[[Request], Answer | None]
Clock = Callable[[], datetime]


class Say(Protocol):
    """Publishes one model event; gives whether it arrived."""

    def __call__(self, type: str, request: Request, fields: Mapping[str, Any]) -> bool:
        """`fields` are those of the event, beside the request's id."""
        ...


class Trainer:
    """A function, and the thread that calls it. Calling the trainer calls the function."""

    def __init__(
        self,
        train: Train,
        connect: Callable[[], Source],
        memory: Callable[[], Memory],
        say: Say,
        models: frozenset[str] | None,
        clock: Clock,
    ) -> None:
        """`models`: None for all."""
        functools.update_wrapper(self, train)
        self._train = train
        self._connect = connect
        self._open_memory = memory
        self._say = say
        self._models = models
        self._clock = clock
        self._busy = threading.Event()
        self._name = new_id()
        self._ran: set[str] = set()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __call__(self, request: Request) -> Answer | None:
        """Call the function, as a test would."""
        return self._train(request)

    @property
    def busy(self) -> bool:
        """Whether a request is being run; until how it ended is published."""
        return self._busy.is_set()

    def start(self) -> None:
        """Listen in a thread, which keeps the process alive."""
        self._thread = threading.Thread(target=self.run, name="windage-trainer")
        self._thread.start()

    def stop(self, timeout_s: float | None = None) -> None:
        """Listen no more; waits for a training that runs."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def run(self) -> None:
        """Listen until `stop` is called. Waits where nobody answers."""
        while not self._stop.is_set():
            reader = opened(self._connect, None, self._stop)
            if reader is None:
                return
            try:
                self._listen(reader)
            except PermissionError:
                raise
            except Exception as error:  # noqa: BLE001 - a broken line is no reason to end
                _counts.tell(f"the trainer connects again after {type(error).__name__}: {error}")
                self._stop.wait(AGAIN_S)
            finally:
                try:
                    reader.close()
                except Exception as error:  # noqa: BLE001 - it is of no use any more
                    _counts.tell(f"closing failed: {type(error).__name__}")

    def _listen(self, reader: Source) -> None:
        memory = self._open_memory()
        waiting: list[Arrived] = []
        try:
            while not self._stop.is_set():
                waiting += reader.read(POLL_S)
                later = []
                for arrived in waiting:
                    if not reader.owns(arrived):
                        continue
                    if self._stop.is_set() or self._is_early(arrived):
                        later.append(arrived)
                    else:
                        self._handle(arrived, reader, memory)
                waiting = later
                reader.save()
        finally:
            memory.close()

    def _is_early(self, arrived: Arrived) -> bool:
        return instant_of(arrived.event, "not_before") > self._clock()

    def _handle(self, arrived: Arrived, reader: Source, memory: Memory) -> None:
        """Run a request, unless there is a reason not to."""
        request = Request(arrived.event)
        about = request.get("request_id")
        wanted = self._models is None or request.get("model") in self._models
        if not wanted or not isinstance(about, str) or not isinstance(request.get("model"), str):
            reader.done(arrived)
            return
        end = instant_of(arrived.event, "expires_at", datetime.max.replace(tzinfo=UTC))
        if self._clock() >= end:
            _counts.tell(f"retrain request {about} has expired")
            reader.done(arrived)
            return
        self._busy.set()
        try:
            if about not in self._ran and self._claims(about, request, memory):
                self._ran.add(about)
                reader.done(arrived)
                reader.save()  # before a run that may take hours
                self._run(request)
        finally:
            self._busy.clear()
        reader.done(arrived)

    def _claims(self, about: str, request: Request, memory: Memory) -> bool:
        """Whether this request is ours to run. ConnectionError if that cannot be known now."""
        claim = f"{about}/{self._name}"
        owner = memory.owner(about)
        if owner is None:
            if not self._say("retraining_started", request, {"id": claim}):
                raise ConnectionError("a start could not be published")
            memory.add(about, claim)
            owner = memory.owner(about)
        return owner == claim

    def _run(self, request: Request) -> None:
        try:
            answer = self._train(request) or request.answer
        except Exception as error:  # noqa: BLE001 - whatever it is, the training has failed
            answer = request.failed(f"{type(error).__name__}: {error}"[:_NOTE])
        if answer is None:
            answer = request.failed("the trainer returned without done() or failed()")
        fields = {
            "version": answer.version,
            "note": answer.note,
            "deployment": answer.deployment,
        }
        type_ = "retraining_finished" if answer.ok else "retraining_failed"
        while not self._say(type_, request, fields) and not self._stop.wait(AGAIN_S):
            pass


def on_retrain(  # noqa: PLR0913 - options of keyword only
    url: str,
    *,
    group: str,
    models: Iterable[str] | None = None,
    begin: bool = True,
    start_from: str = "earliest",
    remember: str | None = None,
    author: str | None = None,
    clock: Clock | None = None,
    topic_prefix: str = "",
    token: str | None = None,
    ca_file: str | None = None,
    kafka: Mapping[str, Any] | None = None,
    allow_insecure: bool = False,
) -> Callable[[Train], Trainer]:
    """Decorate the function that retrains; it is called for each request, one after the other.

    >>> @on_retrain("kafka://localhost:9092", group="trainer", models=["fraud"])  # doctest: +SKIP
    ... def train(request):
    ...     model = fit(request["data_window"])
    ...     return request.done(version="3.3")

    It listens in a thread at once; with `begin=False` only when `train.run()` or `train.start()` is
    called. `models`: only theirs. `start_from`: where a new group begins, `earliest` or `latest`.
    What the function raises is published as `retraining_failed`.
    Over HTTP the server keeps no groups: `remember` names a file for the place and the requests
    that were run; without it a new process begins with what is asked from then on.
    `clock` gives the present where the stream's time is not this machine's (a recording played
    again): requests are held against it, and answers carry it.
    """
    if isinstance(models, str):
        raise ValueError("models is a list of names, not one text")  # noqa: TRY004
    if start_from not in ("latest", "earliest"):
        raise ValueError(f"start_from is {start_from!r}; latest or earliest are allowed")
    options: dict[str, Any] = {
        "token": token,
        "ca_file": ca_file,
        "allow_insecure": allow_insecure,
    }
    target = address(url, prefix=topic_prefix, options=kafka, **options)
    over_kafka = isinstance(target, KafkaAddress)
    start = start_from if over_kafka or remember is not None else "latest"
    say = Saying(
        url, author or group, {"topic_prefix": topic_prefix, "kafka": kafka, **options}, clock
    )

    def connect() -> Source:
        return source(
            target, TOPIC, group=group, start=start, cursor=remember, longest_s=LONGEST_RUN_S
        )

    def memory() -> Memory:
        if isinstance(target, KafkaAddress):
            return InModelEvents(target)
        return InFile(None if remember is None else f"{remember}.requests")

    def decorate(train: Train) -> Trainer:
        wanted = None if models is None else frozenset(models)
        trainer = Trainer(train, connect, memory, say, wanted, clock or now)
        if begin:
            trainer.start()
        return trainer

    return decorate


class Saying:
    """Publishes model events, with one publisher a model."""

    def __init__(
        self, url: str, author: str, options: Mapping[str, Any], clock: Clock | None = None
    ) -> None:
        """`clock` None: each event carries the instant at which it is composed."""
        self._url = url
        self._author = author
        self._options = options
        self._clock = clock

    def __call__(self, type: str, request: Request, fields: Mapping[str, Any]) -> bool:
        """Publish and wait; False if it did not arrive."""
        said = {key: value for key, value in fields.items() if value is not None}
        said.setdefault("version", request.get("version"))
        if self._clock is not None:
            said.setdefault("timestamp", self._clock())
        about = str(request["request_id"])
        with Publisher(self._url, model=str(request["model"]), **self._options) as pub:
            pub.event(type, request_id=about, author=self._author, **said)
            pub.flush(PUBLISH_S)
            if pub.counts.sent != 1:
                _counts.tell(f"{type} was not published: {pub.counts.reasons or 'no answer'}")
            return pub.counts.sent == 1


def instant_of(event: Event, field: str, otherwise: datetime | None = None) -> datetime:
    """An instant of a request; `otherwise` (or the beginning of time) where it has none."""
    try:
        return datetime.fromisoformat(str(event[field]))
    except (KeyError, ValueError):
        return otherwise or datetime.min.replace(tzinfo=UTC)


def now() -> datetime:
    """The present."""
    return datetime.now(UTC)
