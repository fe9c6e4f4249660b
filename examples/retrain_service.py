"""A retrain service: trains the model that Windage asks for, and lets it in step by step.

Promises: one run a request. It trains on the window that was asked for, without what is excluded;
the candidate must keep the gates on a frozen, a recent and an edge-case set before it sees traffic;
then it has 5, 20, 50 and 100 % of it as Windage's verdicts allow, and is promoted, or goes back.
All of it is said in model events: `retraining_started`, `deployed`, `canary_started` with each
share, `promoted` or `rolled_back`, `retraining_finished` or `retraining_failed`.
Leaves to others: rows (`warehouse`), serving (`serving`), the way of events (`windage`).
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from closed import training
from closed.lookout import VERDICTS, Said
from closed.serving import ModelServer, settled
from closed.training import Model, Result
from closed.turns import Turns
from closed.warehouse import Sample, Warehouse
from closed.world import Mask, People

import windage
from windage.retraining import Answer, Request

SHARES: Final = (0.05, 0.2, 0.5, 1.0)
LABELLED: Final = 4_000
"""Rows below which no training begins: `min_labels` of the config."""

HELD_BACK: Final = 0.2
"""The newest share of the window judges the candidate, and trains nothing."""


class Step(NamedTuple):
    """A share of the traffic that a candidate had, and how it went."""

    version: str
    share: float
    begin: datetime
    end: datetime
    verdict: str
    why: str


class Run(NamedTuple):
    """One request: the rows it was answered from, and how the candidate did on each set."""

    request_id: str
    version: str
    rows: int
    results: list[Result]
    missed: list[str]


class Ground(Protocol):
    """How a candidate is changed on its way to traffic: the identity, unless for a drill."""

    def __call__(self, candidate: Model, sample: Sample) -> Model:
        """The model that is served."""


class RetrainService:
    """Listens for requests once `trainer` is started."""

    def __init__(
        self,
        url: str,
        model: str,
        *,
        warehouse: Warehouse,
        server: ModelServer,
        turns: Turns,
        cursor: Path,
        ship: Ground = lambda candidate, _: candidate,
    ) -> None:
        """`cursor`: a file that remembers what was run. `ship`: see `Ground`."""
        self.steps: list[Step] = []
        self.runs: list[Run] = []
        self.events: list[dict[str, Any]] = []
        self._model = model
        self._warehouse = warehouse
        self._server = server
        self._turns = turns
        self._ship = ship
        self._taken: set[str] = set()
        self._refused: dict[str, str] = {}
        self._verdicts: dict[str, dict[str, Any]] = {}
        self._publisher = windage.Publisher(url, model=model, close_timeout_s=1)
        self.trainer = windage.on_retrain(
            url,
            group="trainer",
            models=[model],
            begin=False,
            remember=str(cursor),
            clock=turns.present,
        )(self._run)

    def has_taken(self, asked: set[str]) -> bool:
        """Whether it has seen all these requests, and runs none now."""
        return asked <= self._taken and not self.trainer.busy

    def hear(self, said: Said) -> None:
        """An output of Windage: what it says of a version."""
        if said.topic == "rollback-requests":
            self._refused[said.event["version"]] = said.event["reason"]
        elif said.topic == VERDICTS:
            self._verdicts[said.event["version"]] = said.event["rollout"]

    def close(self) -> None:
        """Listen no more."""
        self.trainer.stop(10)
        self._publisher.close()

    def _run(self, request: Request) -> Answer:
        """Called by the SDK, which says in model events that this began, and how it ended."""
        self._taken.add(request["request_id"])
        self._note("retraining_started", request["version"])
        answer = self._answer(request)
        ended = "retraining_finished" if answer.ok else "retraining_failed"
        self._note(ended, answer.version or request["version"], note=answer.note)
        return answer

    def _answer(self, request: Request) -> Answer:
        """Train, judge, and let the candidate in."""
        while len((sample := self._warehouse.sample(request)).people.ids) < LABELLED:
            self._turns.rest()
        cut = int(len(sample.people.ids) * (1 - HELD_BACK))
        learned = Sample(sample.people.only(slice(cut)), sample.weights[:cut])
        candidate = training.Boosted(*learned)
        version = str(int(max(self._server.models, key=int)) + 1)
        results = self._judge(request, candidate, sample.people.only(slice(cut, None)))
        missed = missed_gates(request["gates"]["metrics"], results)
        self.runs.append(Run(request["request_id"], version, cut, results, missed))
        self._turns.rest()  # a training takes its time
        if missed:
            return request.failed("; ".join(missed))
        offline = {f"accuracy_{one.name}": one.candidate for one in results} | figures_of(results)
        self._say("deployed", version, deployment={"offline_metrics": offline})
        self._turns.rest()
        if not self._let_in(version, self._ship(candidate, learned)):
            return request.failed(f"version {version} was rolled back: {self.steps[-1].why}")
        return request.done(version, deployment={"offline_metrics": offline})

    def _judge(self, request: Request, candidate: Model, recent: People) -> list[Result]:
        """The candidate beside the champion; the segment is the one that the request is about."""
        segments = {one["segment"] for one in request["evidence"]} - {"*", None}
        frozen = self._warehouse.frozen
        trials = training.trials(frozen, recent, within(frozen, segments))
        return training.compare(self._server.models[self._server.champion], candidate, trials)

    def _let_in(self, version: str, model: Model) -> bool:
        """Step by step; whether it has been promoted in the end."""
        for share in SHARES:
            self._server.admit(version, model, share)
            begin = self._turns.present()
            self._say("canary_started", version, traffic_share=share)
            verdict, why = self._verdict(version, share)
            self.steps.append(Step(version, share, begin, self._turns.present(), verdict, why))
            if verdict == "rollback":
                self._server.withdraw()
                self._say("rolled_back", version, note=why)
                self._turns.rest()
                return False
        self._server.promote()
        self._say("promoted", version)
        self._turns.rest()
        return True

    def _verdict(self, version: str, share: float) -> tuple[str, str]:
        """Advance or rollback, and why, as Windage says; waits for it."""
        while True:
            self._turns.rest()
            if version in self._refused:
                return "rollback", self._refused[version]
            if share == 1:
                return "advance", "it has all the traffic, and nothing was said against it"
            said = self._verdicts.get(version)
            if said is not None and said["share"] == share and said["verdict"] != "hold":
                return said["verdict"], said["reason"]

    def _say(self, event: str, version: str, **fields: Any) -> None:  # noqa: ANN401 - as sent
        """Publish a model event, and wait until it is durable."""
        self._note(event, version, **fields)
        at = self._turns.present()
        self._publisher.event(event, version=version, timestamp=at, author="trainer", **fields)
        settled(self._publisher)

    def _note(self, event: str, version: str, **fields: Any) -> None:  # noqa: ANN401 - as sent
        """Keep what was said, for whoever tells the story."""
        at = self._turns.present()
        self.events.append({"type": event, "version": version, "timestamp": at, **fields})


def missed_gates(gates: Mapping[str, Mapping[str, Any]], results: list[Result]) -> list[str]:
    """The gates that a candidate does not keep, in words; a gate nobody measures is one of them."""
    figures = figures_of(results)
    missed = []
    for name, bound in sorted(gates.items()):
        least, most, figure = bound.get("min"), bound.get("max"), figures.get(name)
        if figure is None:
            missed.append(f"{name} is not measured here")
        elif (least is not None and figure < least) or (most is not None and figure > most):
            limit = f"at least {least}" if least is not None else f"at most {most}"
            missed.append(f"{name} is {figure:.3f}, {limit} is asked for")
    return missed


def figures_of(results: list[Result]) -> dict[str, float]:
    """What gates may ask for: points gained and lost on each set, as shares."""
    gains = {f"{one.name}_gain": one.gain for one in results}
    return gains | {f"{one.name}_loss": -one.gain for one in results}


def within(people: People, segments: set[str]) -> Mask:
    """Which rows are in any of these segments, such as `SEX=2`."""
    found: Mask = people.labels < 0  # none
    for segment in sorted(segments):
        name, _, value = segment.partition("=")
        found = found | (people.column(name) == float(value))
    return found
