"""`windage backtest`: a replay judged against changes that are known, and what it would have sent.

    from streams.cli.backtest import backtest        # in a notebook
    backtest("predictions.csv", truth=[1775, 3550]).judged.f1

Promises: the replay is that of `windage replay`; an alarm counts at the row by which it was sent,
never at the row it names as its beginning; baselines stand beside every figure.
Leaves to others: the judgement (`runtime.backtest`), the replay (`replay`).
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.table import Table

from schemas.log import Millis, Output
from schemas.outputs import Alert, RetrainRequest
from streams.cli import console
from streams.cli.calibration import Calibration, calibrate, quiet_of
from streams.cli.endings import REFUSED, OperatorError
from streams.cli.replay import Asked, Plan, judges, plan_of, unjudged, wanted
from streams.runtime.backtest import Alarm, Judged, baselines, judge
from streams.runtime.recordings.mapping import Columns
from streams.runtime.recordings.recording import Chunk
from streams.runtime.replay import Replay
from streams.runtime.roles import MonitorRole, ProfilerRole

_alert: Final = msgspec.json.Decoder(Alert).decode
_request: Final = msgspec.json.Decoder(RetrainRequest).decode

_SHOWN: Final = 40
"""Messages in the table; JSON has all."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person or a service would have got, and at which row."""

    row: int
    what: str
    incident: str
    kind: str
    severity: str
    signals: list[str]
    summary: str
    counts: bool
    """Whether it is an alarm: it opens, escalates, or adds a signal."""


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """A judged replay. `messages` in the order of their sending."""

    model: str
    rows: int
    truth: list[int]
    max_delay: int | None
    judged: Judged
    baselines: dict[str, Judged]
    messages: list[Message]
    calibration: Calibration | None = None
    """Where a quiet stretch was named."""


def backtest(
    predictions: Path | str,
    truth: Sequence[int],
    *,
    max_delay: int | None = None,
    labels: Path | str | None = None,
    reference: Path | str | None = None,
    config: Path | str | None = None,
    model: str | None = None,
    columns: Columns | None = None,
    every: str | None = None,
    pane: str | None = None,
    tolerance: float | None = None,
    false_alarms: str | None = None,
    quiet: tuple[int, int] | None = None,
) -> Backtest:
    """Replay a file and judge it; `truth` are rows (0-based), the first of each new state.

    With `quiet`, the first and last row of a stretch without a change, tolerances are tried on it.
    """
    asked = Asked(
        predictions=Path(predictions),
        labels=_path(labels),
        reference=_path(reference),
        config=_path(config),
        model=model,
        columns=columns or Columns(),
        every=every,
        pane=pane,
        tolerance=tolerance,
        false_alarms=false_alarms,
    )
    return judged_run(asked, truth, max_delay, quiet)


def _path(of: Path | str | None) -> Path | None:
    return None if of is None else Path(of)


def judged_run(
    asked: Asked,
    truth: Sequence[int],
    max_delay: int | None,
    quiet: tuple[int, int] | None = None,
) -> Backtest:
    """What a command line asks for."""
    found, _ = _run(asked, truth, max_delay)
    if quiet is None:
        return found
    if quiet[1] >= found.rows:
        raise OperatorError(f"--quiet: must lie in rows 0 to {found.rows - 1:,}", REFUSED)

    def run(tolerance: float) -> tuple[list[Alarm], Judged]:
        other, alarms = _run(msgspec.structs.replace(asked, tolerance=tolerance), truth, max_delay)
        return alarms, other.judged

    return msgspec.structs.replace(found, calibration=calibrate(run, quiet))


def _run(asked: Asked, truth: Sequence[int], max_delay: int | None) -> tuple[Backtest, list[Alarm]]:
    """One replay, judged, and its alarms."""
    plan = plan_of(asked)
    clock = _Rows()
    replay = Replay(
        ProfilerRole(plan.config, plan.baselines), MonitorRole(plan.config, plan.baselines)
    )
    said, judged = _Said(clock), False
    with console.progress("rows", plan.recording.rows) as bar:
        for output in replay.run(clock.counted(wanted(plan)), [plan.model]):
            said.take(output)
            judged = judged or judges(output)
            bar.update(bar.task_ids[0], completed=clock.rows)
    if not judged:
        console.say(unjudged(plan))
    return _judged(plan, clock, said, list(truth), max_delay), said.alarms


def _judged(
    plan: Plan, clock: "_Rows", said: "_Said", truth: list[int], max_delay: int | None
) -> Backtest:
    if not clock.rows:
        raise OperatorError("nothing to judge: the recording has no rows", REFUSED)
    try:
        found = judge(said.alarms, truth, clock.rows, max_delay)
    except ValueError as error:
        raise OperatorError(f"--truth, --max-delay: {error}", REFUSED) from None
    span = clock.times[-1] - clock.times[0]
    pane = plan.config.models[plan.model].pane
    rows_of_pane = max(1, round(pane * clock.rows / span)) if span > 0 else clock.rows
    return Backtest(
        model=plan.model,
        rows=clock.rows,
        truth=truth,
        max_delay=max_delay,
        judged=found,
        baselines=baselines(truth, clock.rows, rows_of_pane, max_delay),
        messages=said.messages,
    )


class _Rows:
    """When each prediction came, so that an instant can be said as a row."""

    def __init__(self) -> None:
        self.times: list[Millis] = []

    @property
    def rows(self) -> int:
        """Predictions so far."""
        return len(self.times)

    def counted(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """The chunks themselves, noted."""
        for chunk in chunks:
            if "predictions" in chunk.entries:
                self.times += chunk.entries["predictions"].times
            yield chunk
        self.times.sort()

    def row_at(self, instant: Millis) -> int:
        """How many predictions had come before an instant."""
        return bisect_left(self.times, instant)


class _Said:
    """Outputs as messages; an alert that brings nothing new is one, but no alarm."""

    def __init__(self, clock: _Rows) -> None:
        self._clock = clock
        self._known: dict[str, tuple[str, set[str]]] = {}
        self._waiting: list[tuple[Millis, Message]] = []

    def take(self, output: Output) -> None:
        """Note an output, if anyone would have got it."""
        if output.topic not in ("alerts", "retrain-requests") or output.value is None:
            return
        assert output.timestamp is not None
        if output.topic == "alerts":
            message = self._alert(_alert(output.value))
        else:
            request = _request(output.value)
            message = Message(
                row=0,
                what="retrain request",
                incident=next(iter(request.incident_ids), ""),
                kind=request.trigger,
                severity=request.urgency,
                signals=[],
                summary=request.reason,
                counts=False,
            )
        self._waiting.append((output.timestamp, message))

    def _alert(self, alert: Alert) -> Message:
        signals = {one.signal for one in alert.signals}
        before = self._known.get(alert.incident_id)
        if alert.status == "resolved":
            what, counts = "resolved", False
        elif before is None:
            what, counts = "opens", True
        elif before[0] == "yellow" and alert.severity == "red":
            what, counts = "escalates", True
        elif signals - before[1]:
            what, counts = "grows", True
        else:
            what, counts = "goes on", False
        known = before[1] if before is not None else set()
        self._known[alert.incident_id] = (alert.severity, known | signals)
        return Message(
            row=0,
            what=what,
            incident=alert.incident_id,
            kind=alert.triage.class_,
            severity=alert.severity,
            signals=[one.signal for one in alert.signals],
            summary=alert.summary,
            counts=counts,
        )

    @property
    def messages(self) -> list[Message]:
        """All of them, by row; to be asked when the replay has ended."""
        return [
            msgspec.structs.replace(message, row=self._clock.row_at(instant))
            for instant, message in self._waiting
        ]

    @property
    def alarms(self) -> list[Alarm]:
        """Those that count."""
        return [Alarm(one.row, one.incident) for one in self.messages if one.counts]


def truth_of(text: str) -> list[int]:
    """The rows of `1775,3550`; OperatorError if it cannot be read."""
    try:
        return [int(part) for part in text.replace("_", "").split(",") if part.strip()]
    except ValueError:
        raise OperatorError("--truth: must be rows such as 1775,3550", REFUSED) from None


def run(
    asked: Asked, truth: str, max_delay: int | None, quiet: str | None = None, *, as_json: bool
) -> int:
    """Judge, and print; gives the exit code."""
    stretch = None if quiet is None else quiet_of(quiet)
    found = judged_run(asked, truth_of(truth), max_delay, stretch)
    if as_json:
        console.emit_object(found)
        return 0
    out = console.results()
    out.print(_sent(found))
    out.print(_figures(found))
    if found.calibration is not None:
        out.print(_tried(found.calibration))
    return 0


def _sent(found: Backtest) -> Table:
    table = Table(title="What this config would have sent", title_justify="left", show_lines=False)
    for heading in ("row", "message", "severity", "class", "signals", "incident"):
        table.add_column(heading, overflow="fold")
    for one in found.messages[:_SHOWN]:
        names = [name.removeprefix("feature:") for name in one.signals]
        signals = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")  # noqa: PLR2004
        kind = one.kind.replace("_", " ")
        table.add_row(f"{one.row:,}", one.what, one.severity, kind, signals, one.incident)
    if len(found.messages) > _SHOWN:
        table.caption = f"and {len(found.messages) - _SHOWN:,} more (--json has all)"
    return table


def _figures(found: Backtest) -> Table:
    table = Table(title=f"{found.rows:,} rows, {len(found.truth)} changes", title_justify="left")
    table.add_column("")
    columns = {"this config": found.judged, **found.baselines}
    for name in columns:
        table.add_column(name.replace("_", "-"), justify="right")
    for field in Judged.__struct_fields__:
        values = [getattr(one, field) for one in columns.values()]
        table.add_row(field.replace("_", " "), *map(_number, values))
    return table


def _tried(found: Calibration) -> Table:
    """Every tolerance, and which one to write into the config."""
    table = Table(
        title=f"Quiet rows {found.quiet[0]:,} to {found.quiet[1]:,}", title_justify="left"
    )
    for heading in ("tolerance", "alarms in them", "changes found", "mean delay"):
        table.add_column(heading, justify="right")
    for one in found.tried:
        values = (one.quiet_alarms, one.episode_recall, one.mean_detection_delay)
        table.add_row(f"{one.tolerance:g}", *map(_number, values))
    wanted = found.proposed
    table.caption = (
        "none of these is silent there: is the stretch really quiet?"
        if wanted is None
        else f"the smallest that is silent there: tolerance: {wanted:g}"
    )
    return table


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
