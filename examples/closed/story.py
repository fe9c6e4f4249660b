"""The loop: one turn after the other, until a retrained version has cured the incident.

Promises: everything of a turn is durable and judged before the next begins, so that the outcome
is a function of the files and the options; only seconds differ.
Leaves to others: each part (`world`, `serving`, `retrain_service`), what is printed (`document`).
"""

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from retrain_service import RetrainService

import windage
from closed import reference, training
from closed.lookout import MODEL, VERDICTS, Lookout, Said
from closed.serving import ModelServer, settled
from closed.turns import Turns
from closed.warehouse import Sample, Warehouse
from closed.world import LABELS_LATER, PANE, World, instant_of

MOST_ROWS: Final = 64_000
AFTERWARDS: Final = 6_000
"""Rows that are still played once a candidate has been promoted, or given up."""

ATTEMPTS: Final = 3
"""How often Windage asks for one cause: `attempts` of the config."""

TRAINED, REFERENCE = 40_000, 60_000
"""Of the labelled rows of 2014 and 2015: those before the first train the first version, those up
to the second are what its predictions are held against, the others are the frozen set."""

START_S: Final = 60
CONFIG: Final = Path(__file__).with_name("windage.yaml")
COMMAND: Final = (sys.executable, "-m", "streams.cli")

Tell = Callable[[Said, int], None]
"""Takes an output, and the row after the last one that had come."""


class Loop:
    """All parts, started; `with` it they end."""

    def __init__(
        self,
        scratch: Path,
        *,
        sabotage: bool = False,
        coin: bool = False,
        port: int | None = None,
    ) -> None:
        """`scratch`: an empty folder. `sabotage`: see `Saboteur`; `coin`: see `World`."""
        self.said: list[Said] = []
        self.rows = 0
        self._verdicts: dict[str, tuple[str, float]] = {}
        self._stack = ExitStack()
        past = reference.past()
        first = training.Boosted(past.only(slice(TRAINED)))
        config = reference.prepare(
            scratch, CONFIG, past.only(slice(TRAINED, REFERENCE)), first, COMMAND
        )
        self.world = World(MOST_ROWS, coin=coin)
        self._lookout = self._serve(config, scratch, port or _free_port())
        self._publisher = self._stack.enter_context(
            windage.Publisher(self.url, model=MODEL, max_block_ms=10_000)
        )
        self.server = ModelServer(self._publisher, "1", first)
        self._turns = Turns(instant_of(0))
        self.service = RetrainService(
            self.url,
            MODEL,
            warehouse=Warehouse(self.world, self._turns, past.only(slice(REFERENCE, None))),
            server=self.server,
            turns=self._turns,
            cursor=scratch / "trainer",
            ship=Saboteur() if sabotage else lambda candidate, _: candidate,
        )
        self._stack.callback(self.service.close)
        self._stack.callback(self._turns.end)
        self.service.trainer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def is_over(self) -> bool:
        """Whether a candidate has been promoted, or no attempt is left."""
        promoted = any(event["type"] == "promoted" for event in self.service.events)
        refused = sum(bool(run.missed) for run in self.service.runs)
        return promoted or refused >= ATTEMPTS

    def play(self, tell: Tell) -> None:
        """Turn by turn; ends some rows after it is over, or with the rows."""
        last = MOST_ROWS
        for first in range(0, MOST_ROWS, PANE):
            if first >= last:
                return
            self._turn(first, first + PANE, tell)
            if self.is_over:
                last = min(last, first + PANE + AFTERWARDS)

    def _turn(self, first: int, end: int, tell: Tell) -> None:
        """The rows [first, end) come, and the labels that are due; then everybody acts on it."""
        self.server.serve(first, self.world.coming(first, end))
        due = self.world.answers(first, end)
        if len(due):
            self._publisher.labels(
                [self.world.people.ids[row] for row in due],
                [int(self.world.people.labels[row]) for row in due],
                timestamp=[instant_of(int(row) + LABELS_LATER) for row in due],
            )
        settled(self._publisher)
        self.rows = end
        self._turns.advance(instant_of(end))
        if first <= LABELS_LATER:
            return  # nothing is judged before labels come
        for said in self._lookout.until(instant_of(first)):
            self.service.hear(said)
            if said.topic == VERDICTS and not self._is_news(said):
                continue
            self.said.append(said)
            tell(said, end)
        asked = {one.event["request_id"] for one in self.said if one.topic == "retrain-requests"}
        self._turns.settle(lambda: self.service.has_taken(asked))

    def _is_news(self, said: Said) -> bool:
        """Whether a verdict is another than the last one of that version."""
        before = self._verdicts.get(said.event["version"])
        told = said.event["rollout"]
        now = (told["verdict"], told["share"])
        self._verdicts[said.event["version"]] = now
        return now != before

    def _serve(self, config: Path, scratch: Path, port: int) -> Lookout:
        """Start `windage serve`, and wait until it answers."""
        self.url = f"http://127.0.0.1:{port}"
        log = self._stack.enter_context((scratch / "serve.log").open("wb"))
        options = ["--config", str(config), "--data", str(scratch / "log"), "--port", str(port)]
        process = subprocess.Popen([*COMMAND, "serve", *options], stderr=log, stdout=log)  # noqa: S603 - our own program
        self._stack.callback(_end, process)
        lookout = Lookout(port)
        limit = time.monotonic() + START_S
        while not lookout.ready():
            if process.poll() is not None or time.monotonic() > limit:
                raise RuntimeError((scratch / "serve.log").read_text("utf-8", "replace"))
            time.sleep(0.1)
        return lookout


class Saboteur:
    """The first candidate that is served was trained on shuffled labels, though another was judged.

    So it passes every gate, and only what it does in traffic can tell.
    """

    def __init__(self) -> None:
        self._done = False

    def __call__(self, candidate: training.Model, sample: Sample) -> training.Model:
        """What is served in place of the candidate."""
        if self._done:
            return candidate
        self._done = True
        return training.Boosted(training.shuffled(sample.people), sample.weights)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
