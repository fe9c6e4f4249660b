"""`windage replay`: a recording judged, as fast as the machines go.

Promises: without a config one is inferred, and said on stderr; with `--json` every output event
is one structured CloudEvent per line; the same file and options give the same lines.
Leaves to others: the run itself (`runtime.replay`), what a file means (`inference`).
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from schemas.baseline import Baseline
from schemas.config import Config
from schemas.config_model import ModelConfig
from schemas.log import Millis, Output
from streams.cli import console
from streams.cli.baselines import baseline_of_rows
from streams.cli.casebook import Casebook
from streams.cli.configured import choose_model, load_baseline, load_baselines, load_config
from streams.cli.endings import DRIFT, UNREACHABLE, OperatorError
from streams.cli.guessing import guess
from streams.cli.inference import (
    NAME,
    Sample,
    every_of,
    in_words,
    infer_model,
    limits_for,
    validated,
    without_roles,
)
from streams.cli.options import USUAL_CONFIG
from streams.cli.report.chronicle import Chronicle
from streams.cli.structured import structured
from streams.runtime.assembly import open_replay
from streams.runtime.recordings.files import FileError, open_table
from streams.runtime.recordings.mapping import Columns
from streams.runtime.recordings.recording import Chunk, Recording
from streams.runtime.recordings.rows import FIRST_INSTANT, Entries

if TYPE_CHECKING:
    from streams.cli.report.page import Facts

_JUDGED: Final = b'"state":"judged"'
_CODE: Final = "windage.error.code"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was said on the command line."""

    predictions: Path
    labels: Path | None = None
    reference: Path | None = None
    config: Path | None = None
    model: str | None = None
    columns: Columns = Columns()
    every: str | None = None
    pane: str | None = None
    tolerance: float | None = None
    false_alarms: str | None = None
    fail_on: str | None = None
    report: Path | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is run."""

    model: str
    config: Config
    baselines: dict[str, Baseline]
    recording: Recording
    notes: tuple[str, ...] = ()
    """What was inferred and guessed, a sentence each."""


def run(asked: Asked, *, as_json: bool) -> int:
    """Replay, and print; gives the exit code."""
    if asked.report is not None and not asked.report.parent.is_dir():
        raise OperatorError(f"--report: {asked.report}: no such directory", UNREACHABLE)
    plan = plan_of(asked)
    every = plan.recording.columns.every
    book = Casebook(lambda instant: row_of(instant, every))
    chronicle = Chronicle()
    judged = False
    refused: Counter[str] = Counter()
    machines = open_replay(plan.config, plan.baselines)
    with console.progress("rows", plan.recording.rows) as bar:
        chunks = _counted(wanted(plan), bar)
        for output in machines.run(chunks, [plan.model]):
            book.take(output.topic, output.value or b"")
            if output.topic == "dead-letters":
                refused[dict(output.headers).get(_CODE, b"unknown").decode()] += 1
            judged = judged or judges(output)
            if asked.report is not None:
                chronicle.take(output)
            if as_json:
                line = structured(output)
                if line is not None:
                    console.emit(line)
    if refused:
        codes = ", ".join(f"{count:,} {code}" for code, count in sorted(refused.items()))
        console.say(f"refused records: {codes}")
    if plan.recording.uneven:
        console.say(f"rows with too few or too many cells: {plan.recording.uneven:,}")
    if not judged:
        console.say(unjudged(plan))
    if not as_json:
        _print(book)
    if asked.report is not None:
        write_report(asked.report, plan, asked.predictions, book, chronicle)
    worst = book.worst
    found = worst == "red" or (worst == "yellow" and asked.fail_on == "yellow")
    return DRIFT if asked.fail_on is not None and found else 0


def plan_of(asked: Asked) -> Plan:
    """Files and options as something to run; errors are the operator's."""
    every = every_of(asked.every)
    columns = without_roles(asked.columns, every)
    guessed = columns
    notes: tuple[str, ...] = ()
    if asked.config is not None:
        config = load_config(asked.config)
        name, model = choose_model(config, asked.model)
        if asked.tolerance is not None:
            model = model.model_copy(update={"tolerance": asked.tolerance})
    else:
        guessed, notes = _guessed(asked, columns)
        said = {
            "pane": asked.pane,
            "tolerance": asked.tolerance,
            "false_alarms": asked.false_alarms,
        }
        given = {key: value for key, value in said.items() if value is not None}
        name = asked.model or open_table(asked.predictions).model or NAME
        sample = Sample(_recording(asked, name, guessed))
        # Nobody has said that rows must keep coming: files have gaps that were no outages.
        written = infer_model(sample, {"silent_after": "off", **given})
        model = validated(written, asked.predictions)
        notes = (_inferred(written, sample, asked.reference), *notes)
        for note in notes:
            console.say(note)
        if USUAL_CONFIG.is_file():
            console.say(f"{USUAL_CONFIG} is not used (--config {USUAL_CONFIG} uses it)")
        config = Config.model_validate({**limits_for(sample.columns), "models": {name: model}})
    config = config.model_copy(update={"models": {name: model}})
    recording = _recording(asked, name, guessed)
    for lack in _lacks(recording, model):
        console.say(f"{asked.predictions}: {lack}")
    if asked.reference is not None and asked.reference.suffix != ".reference":
        own = _columns_there(asked.reference, columns, guessed)
        if guessed.features and not own.features:
            raise FileError(f"{asked.reference}: has no feature of {asked.predictions}")
        baselines = {name: baseline_of_rows(asked.reference, name, model, config, own)}
    elif asked.reference is not None:
        baselines = {name: load_baseline(asked.reference, name, model, config)}
    else:
        folder = asked.config.parent if asked.config is not None else Path()
        baselines = load_baselines(config, folder)
    return Plan(model=name, config=config, baselines=baselines, recording=recording, notes=notes)


def _guessed(asked: Asked, columns: Columns) -> tuple[Columns, tuple[str, ...]]:
    """The columns of the predictions, with what was guessed; a label may be in another file."""
    here = columns if asked.labels is None else msgspec.structs.replace(columns, label=None)
    found = guess(asked.predictions, here)
    return msgspec.structs.replace(found.columns, label=columns.label), found.notes


def _columns_there(path: Path, said: Columns, guessed: Columns) -> Columns:
    """The columns of a reference file: as said, and of the features guessed those that it has."""
    there = set(open_table(path).columns)
    features = tuple(name for name in guessed.features if name in there)
    return msgspec.structs.replace(said, features=features)


def _recording(asked: Asked, name: str, columns: Columns) -> Recording:
    return Recording(asked.predictions, model=name, columns=columns, labels=asked.labels)


def _lacks(recording: Recording, model: ModelConfig) -> Iterator[str]:
    """What a config speaks of and the file has not, a sentence each."""
    if lacking := recording.lacking(model.features):
        yield f"no column is the feature {' or '.join(lacking)}"
    columns = recording.columns
    if model.task != "none" and columns.features and not (columns.prediction or columns.score):
        yield "no column is the prediction (--prediction COLUMN)"


def wanted(plan: Plan) -> Iterator[Chunk]:
    """The recording; labels are left out where the model has none."""
    if plan.config.models[plan.model].labelled:
        yield from plan.recording.chunks()
        return
    for chunk in plan.recording.chunks():
        entries = {**chunk.entries, "labels": Entries()}
        last = max((t for one in entries.values() for t in one.times[-1:]), default=chunk.last)
        yield Chunk(entries=entries, last=last)


def _counted(chunks: Iterator[Chunk], bar: Any) -> Iterator[Chunk]:  # noqa: ANN401 - rich, lazily
    for chunk in chunks:
        yield chunk
        predictions = chunk.entries.get("predictions")
        bar.advance(0, len(predictions.times) if predictions is not None else 0)


def row_of(instant: Millis, every: Millis | None) -> int | None:
    """The row that comes at an instant, where rows count time."""
    return None if every is None else (instant - FIRST_INSTANT) // every


def _inferred(model: dict[str, Any], sample: Sample, reference: Path | None) -> str:
    """What is run, in a sentence."""
    first = f"first {model['reference']['rows']:,} rows" if reference is None else "a file"
    blind = ""
    if model["task"] == "none":
        blind = "; no predictions, so errors are not seen (--prediction COLUMN)"
    what = in_words(model["task"], sample.columns, sample.features)
    return f"{what}, pane {model['pane']}, reference: {first}{blind}"


def judges(output: Output) -> bool:
    """Whether an output says that something was judged."""
    return output.topic == "readings" and _JUDGED in (output.value or b"")


def unjudged(plan: Plan) -> str:
    """Why nothing was said, where the reference was never complete."""
    from schemas.durations import show_duration

    reference = plan.config.models[plan.model].reference
    if reference.from_ != "first":
        return "nothing was judged: no pane was closed"
    span = f" over {show_duration(reference.min_duration)}" if reference.min_duration else ""
    need = f"{reference.rows:,} rows{span} and 30 panes"
    hint = "" if plan.notes else " (without --config one is made that fits)"
    return f"nothing was judged: the reference needs {need}, and the recording is shorter{hint}"


def write_report(
    path: Path, plan: Plan, predictions: Path, book: Casebook, chronicle: Chronicle
) -> None:
    """Write the HTML report of a replay; OSError where it cannot be."""
    from streams.cli.report.page import page

    facts = facts_of(plan, predictions)
    path.write_text(page(facts, book, chronicle), encoding="utf-8")
    console.say(f"{path}: {path.stat().st_size // 1000:,} kB, opens in any browser")


def facts_of(plan: Plan, predictions: Path) -> "Facts":
    """What the report says of the run itself."""
    from schemas.durations import show_duration
    from streams.cli.report.page import Facts

    alarms = plan.config.models[plan.model].false_alarms
    return Facts(
        title=f"Windage replay of {predictions.name}",
        model=plan.model,
        rows=plan.recording.rows,
        words=plan.notes,
        budget=f"{alarms.count:g} per {show_duration(alarms.per)} for the whole model",
    )


def _print(book: Casebook) -> None:
    from streams.cli.telling import table_of

    out = console.results()
    if book.told():
        out.print(table_of(book))
    else:
        out.print("no incidents")
