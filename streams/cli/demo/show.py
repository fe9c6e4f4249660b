"""Showing the demo: lines as incidents move, a table or one JSON document at the end.

Promises: with `--json` stdout holds one document and nothing else; seconds are those from the
first record appended to the last one judged.
Leaves to others: the records (`story`), the runtimes (`embedded`, `kafka`), words (`telling`).
"""

import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from streams.cli import console
from streams.cli.casebook import Casebook
from streams.cli.demo.embedded import EmbeddedStage, Take
from streams.cli.demo.foresight import Foresight
from streams.cli.demo.story import MODEL, Story, open_story, row_of
from streams.runtime.crank import Accounts
from streams.runtime.recordings.recording import Chunk

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.table import Table


class Stage(Protocol):
    """A runtime that the story is played on."""

    def play(self, take: Take, fed: Callable[[Chunk], None]) -> Accounts:
        """Append all there is, and hand on what comes of it, until all of it is judged."""

    def close(self) -> None:
        """Stop whatever was started."""


def run(
    *,
    kafka: bool,
    inject: bool,
    port: int | None,
    once: bool,
    as_json: bool,
    bootstrap: str | None = None,
    config: Path | None = None,
    rows: int | None = None,
) -> None:
    """Play the story and tell it; without `once` the web page stays until Ctrl-C."""
    # So that a broker and workers of ours end with us, however we are asked to.
    signal.signal(signal.SIGTERM, _stop)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="windage-demo-")))
        console.say("making the reference of 68,785 rows of 2014 and 2015")
        story = open_story(scratch, inject=inject, rows=rows)
        stage: Stage
        if kafka:
            from streams.cli.demo.kafka import KafkaStage

            stage = KafkaStage(story, scratch, bootstrap, config)
        else:
            stage = EmbeddedStage(story, scratch / "log")
        stack.callback(stage.close)
        if isinstance(stage, EmbeddedStage) and not once:
            from streams.cli.demo.page import Page

            page = stack.enter_context(Page(stage.runtime, story.config, port))
            console.say(f"{page.address}  shows it as it goes")
        told = _Told(story, as_json=as_json)
        with console.progress("rows", story.rows) as bar:
            told.bar = bar
            began = time.monotonic()
            accounts = stage.play(told.take, told.fed)
            told.seconds = time.monotonic() - began
        told.end(accounts)
        if not once and not kafka:
            console.say("Ctrl-C ends")
            _wait()


class _Told:
    """What has been told so far."""

    def __init__(self, story: Story, *, as_json: bool) -> None:
        self.story = story
        self.bar: Progress | None = None
        self.seconds = 0.0
        self._book = Casebook(row_of)
        self._foresight = Foresight(row_of)
        self._out = None if as_json else console.results()
        self._rows = self._labels = 0

    def take(self, topic: str, value: bytes) -> None:
        """An output of the product."""
        if topic == "readings":
            self._foresight.take(value)
            return
        event = self._book.take(topic, value)
        if event is not None and self._out is not None:
            from streams.cli.telling import line_of

            self._out.print(line_of(event, self._book), soft_wrap=True)

    def fed(self, chunk: Chunk) -> None:
        """Records that were appended."""
        count = {log: len(one.times) for log, one in chunk.entries.items()}
        self._rows += count.get("predictions", 0)
        self._labels += count.get("labels", 0)
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=self._rows)

    def end(self, accounts: Accounts) -> None:
        """The table, or the document."""
        if self._out is None:
            console.emit_object(self._document(accounts))
            return
        from streams.cli.telling import table_of

        if self._book.told():
            self._out.print(table_of(self._book))
            self._out.print(self._foreseen())
        rate = (self._rows + self._labels) / max(self.seconds, 1e-9)
        self._out.print(
            f"{self._rows:,} predictions and {self._labels:,} labels in {self.seconds:.1f} s "
            f"({rate:,.0f} a second): {len(self._book.told())} incidents, "
            f"{len(self._book.retrain_requests)} retrain requests"
        )

    def _foreseen(self) -> "Table":
        """Accuracy estimated before labels beside what they said, by incident and by rows."""
        from rich.table import Table

        table = Table(title="Accuracy, estimated before labels came and realised when they had")
        for heading in ("rows", "estimated", "realised", "before"):
            table.add_column(heading, justify="left" if heading == "rows" else "right")
        for one in self._book.incidents():
            fall = self._fall(one)
            if fall is not None:
                shares = [_share(fall[name]) for name in ("estimated", "realised", "baseline")]
                table.add_row(f"{one['class']}, lowest at {fall['row']:,}", *shares)
        for mean in self._foresight.averages():
            shares = [_share(mean.estimated), _share(mean.realised), ""]
            table.add_row(f"{mean.first:,} - {mean.last:,}", *shares)
        return table

    def _fall(self, incident: dict[str, Any]) -> dict[str, Any] | None:
        """The lowest estimate of an incident."""
        found = self._foresight.lowest(incident["opened_row"], incident["resolved_row"])
        return None if found is None else found._asdict()

    def _document(self, accounts: Accounts) -> dict[str, Any]:
        book = self._book
        return {
            "rows": self._rows,
            "labels": self._labels,
            "seconds": round(self.seconds, 3),
            "events_per_s": round((self._rows + self._labels) / max(self.seconds, 1e-9)),
            "incidents": [{**one, "performance": self._fall(one)} for one in book.incidents()],
            "performance": self._foresight.document(),
            "retrain_requests": [
                {**msgspec.to_builtins(one), "requested_row": book.row_at(one.requested_at)}
                for one in book.retrain_requests
            ],
            "rollback_requests": book.rollback_requests,
            "alerts": [
                {**msgspec.to_builtins(one), "row": book.row_at(one.updated_at)}
                for one in book.alerts
            ],
            "model": MODEL,
            "accounting": accounts,
        }


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _wait() -> None:
    """Until Ctrl-C or SIGTERM."""
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(3_600)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
