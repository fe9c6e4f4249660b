"""Windage in a notebook: a recording replayed, shown as the report, and as pandas frames.

    from streams.notebook import replay
    result = replay("predictions.csv", label="employed")
    result                       # the report, in the cell
    result.to_pandas()           # one row an incident
    result.to_pandas("readings") # one row a reading

Promises: the same machines and guesses as `windage replay`; pandas is imported only when a frame
is asked for.
Leaves to others: the run (`cli.replay`), the page (`cli.report`).
"""

from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from schemas.log import Output
from schemas.outputs import Alert, DriftEvent, Reading, RetrainRequest
from streams.cli.casebook import Casebook
from streams.cli.replay import Asked, Plan, facts_of, plan_of, row_of, wanted
from streams.cli.report.chronicle import Chronicle
from streams.cli.report.page import page
from streams.runtime.assembly import open_replay
from streams.runtime.recordings.mapping import Columns

Table = Literal["incidents", "readings", "drift-events", "alerts", "retrain-requests"]

_KINDS: Final[dict[str, type[Reading | DriftEvent | Alert | RetrainRequest]]] = {
    "readings": Reading,
    "drift-events": DriftEvent,
    "alerts": Alert,
    "retrain-requests": RetrainRequest,
}


class Replayed:
    """What came of a replay. `incidents` are plain objects, as `windage demo --json` has them."""

    def __init__(self, plan: Plan, path: Path, outputs: list[Output]) -> None:
        self._plan = plan
        self._path = path
        self._outputs = outputs
        self._chronicle = Chronicle()
        every = plan.recording.columns.every
        self._book = Casebook(lambda instant: row_of(instant, every))
        for output in outputs:
            self._book.take(output.topic, output.value or b"")
            self._chronicle.take(output)

    @property
    def incidents(self) -> list[dict[str, Any]]:
        """Every incident, by its beginning."""
        return self._book.incidents()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was inferred and guessed, a sentence each."""
        return self._plan.notes

    def rows(self, table: Table = "incidents") -> list[dict[str, Any]]:
        """One of the tables as plain objects."""
        if table == "incidents":
            return self.incidents
        kind = _KINDS[table]
        return [
            msgspec.to_builtins(msgspec.json.decode(output.value, type=kind))
            for output in self._outputs
            if output.topic == table
        ]

    def to_pandas(self, table: Table = "incidents") -> Any:  # noqa: ANN401 - pandas is not required
        """One of the tables as a frame; nested fields become columns `effect.psi`.

        ImportError with what to install where pandas is not there.
        """
        try:
            import pandas as pd  # type: ignore[import-untyped]  # noqa: PLC0415 - not required
        except ImportError as error:
            raise ImportError("to_pandas needs pandas: pip install pandas") from error
        return pd.json_normalize(self.rows(table))

    def report(self, path: str | Path) -> Path:
        """Write the report as one HTML file; gives its path."""
        to = Path(path)
        to.write_text(page(self._facts(), self._book, self._chronicle), encoding="utf-8")
        return to

    def _facts(self) -> Any:  # noqa: ANN401 - the report's own
        return facts_of(self._plan, self._path)

    def _repr_html_(self) -> str:
        """The report inside a cell, in a frame of its own so that styles do not mix."""
        from html import escape  # noqa: PLC0415 - only for display

        content = escape(page(self._facts(), self._book, self._chronicle), quote=True)
        return (
            f'<iframe srcdoc="{content}" sandbox="" style="width:100%;height:640px;border:0" '
            'title="Windage report"></iframe>'
        )

    def __repr__(self) -> str:
        """The same in one line."""
        count = len(self.incidents)
        return f"Replayed({self._path.name}: {self._plan.recording.rows:,} rows, {count} incidents)"


def replay(  # noqa: PLR0913 - the options of a command
    predictions: str | Path,
    *,
    labels: str | Path | None = None,
    reference: str | Path | None = None,
    config: str | Path | None = None,
    model: str | None = None,
    every: str | None = None,
    pane: str | None = None,
    tolerance: float | None = None,
    false_alarms: str | None = None,
    **columns: str,
) -> Replayed:
    """A recording through the machines; options as of `windage replay`.

    `columns`: id, timestamp, prediction, score, label, version, where their names do not tell.
    """
    path = Path(predictions)
    plan = plan_of(
        Asked(
            predictions=path,
            labels=None if labels is None else Path(labels),
            reference=None if reference is None else Path(reference),
            config=None if config is None else Path(config),
            model=model,
            columns=Columns(**columns),  # type: ignore[arg-type]  # a wrong name is a TypeError
            every=every,
            pane=pane,
            tolerance=tolerance,
            false_alarms=false_alarms,
        )
    )
    machines = open_replay(plan.config, plan.baselines)
    return Replayed(plan, path, list(machines.run(wanted(plan), [plan.model])))
