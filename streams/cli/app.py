"""The commands and their options, and nothing else: each imports its work when it runs.

Promises: every command listed works; options are those of the public contract, and a few more.
Leaves to others: what a command does (the module of its name).
"""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from streams.cli import app_judging, app_looking, app_mending, app_saying, options
from streams.cli.endings import tell


class Commands(typer.core.TyperGroup):
    """Commands whose reader may go: typer would end with 1, which says that drift was found."""

    def invoke(self, ctx: Any) -> object:  # noqa: ANN401 - typer's own copy of click has no name
        """Run the command, and write what it has said."""
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except BrokenPipeError as gone:
            raise typer.Exit(tell(gone)) from gone


app = typer.Typer(
    name="windage",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
reference = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
topics = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


def _version(asked: bool) -> None:
    if asked:
        import windage

        print(f"windage {windage.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Watches the predictions of models in production and says when their world has drifted."""


@app.command()
def demo(
    kafka: Annotated[bool, typer.Option(help="Through a real broker and the workers.")] = False,
    inject: Annotated[bool, typer.Option(help="The quiet rows with five made incidents.")] = False,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Of the web page (8080, or a free one).")
    ] = None,
    once: Annotated[bool, typer.Option(help="End after the last event.")] = False,
    json: options.Json = False,
    bootstrap: Annotated[str | None, typer.Option(help="A broker that runs already.")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Whose Kafka: its sections kafka, topics.")
    ] = None,
    rows: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Watch 208,892 real predictions and their late labels, and say what is wrong with them."""
    from streams.cli.demo import run

    run(
        kafka=kafka or bootstrap is not None or config is not None,
        inject=inject,
        port=port,
        once=once,
        as_json=json,
        bootstrap=bootstrap,
        config=config,
        rows=rows,
    )


@app.command()
def serve(
    config: options.ConfigFile = options.USUAL_CONFIG,
    data: Annotated[Path, typer.Option(help="Directory of the log.")] = Path("windage-data"),
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Instead of http.port.")
    ] = None,
    reset_from: Annotated[
        str | None,
        typer.Option(
            metavar="earliest|latest|TIME", help="Count every model anew, from this place on."
        ),
    ] = None,
) -> None:
    """One machine: HTTP intake, SQLite log, detection, web page. Until Ctrl-C."""
    from streams.cli.serve import run

    run(config, data, port, reset_from)


@app.command()
def dashboard(
    config: options.ConfigFile = options.USUAL_CONFIG,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Instead of http.port.")
    ] = None,
) -> None:
    """The web pages of workers on Kafka. Until Ctrl-C."""
    from streams.cli.dashboard import run

    run(config, port)


@app.command()
def worker(
    config: options.ConfigFile = options.USUAL_CONFIG,
    role: Annotated[
        Literal["profiler", "monitor"] | None,
        typer.Option(help="One process of one role; without it both are kept running."),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes of the role; without one, profilers.")
    ] = 1,
    reset_from: Annotated[
        str | None,
        typer.Option(
            metavar="earliest|latest|TIME",
            help="Give up the state first, and read from there. Stop all workers before.",
        ),
    ] = None,
    http: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=1,
            max=65_535,
            help="/healthz, /readyz, /metrics; several processes take the ports from it on.",
        ),
    ] = None,
    instance: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Instead of kafka.instance (static membership)."),
    ] = None,
    supervised: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Kafka workers. Until SIGTERM or Ctrl-C."""
    from streams.cli.worker import Asked, run

    asked = Asked(
        role=role,
        workers=workers,
        reset_from=reset_from,
        http=http,
        instance=instance,
        supervised=supervised,
    )
    raise typer.Exit(run(config, asked))


@app.command()
def sinks(
    config: options.ConfigFile = options.USUAL_CONFIG,
    http: Annotated[
        int | None,
        typer.Option(metavar="PORT", min=1, max=65_535, help="/healthz, /readyz, /metrics."),
    ] = None,
    supervised: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Carry alerts and requests from Kafka to the sinks of the configuration."""
    from streams.cli.sinks import run

    run(config, http, supervised=supervised)


@app.command()
def replay(  # noqa: PLR0917 - typer passes options by name
    predictions: options.Rows,
    labels: options.LabelFile = None,
    reference: options.ReferenceFile = None,
    config: options.ConfigElse = None,
    model: options.ModelOf = None,
    id: options.Column = None,
    timestamp: options.Column = None,
    prediction: options.Column = None,
    score: options.Column = None,
    label: options.Column = None,
    every: options.Every = None,
    pane: options.Pane = None,
    tolerance: options.Tolerance = None,
    false_alarms: options.Alarms = None,
    json: options.Json = False,
    fail_on: Annotated[Literal["yellow", "red"] | None, typer.Option(help="Exit with 1.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write one HTML file too.")] = None,
) -> None:
    """A recording through the same machines, as fast as they go."""
    from streams.cli.replay import Asked, run
    from streams.runtime.recordings.mapping import Columns

    columns = Columns(id=id, timestamp=timestamp, prediction=prediction, score=score, label=label)
    asked = Asked(
        predictions=predictions,
        labels=labels,
        reference=reference,
        config=config,
        model=model,
        columns=columns,
        every=every,
        pane=pane,
        tolerance=tolerance,
        false_alarms=false_alarms,
        fail_on=fail_on,
        report=report,
    )
    raise typer.Exit(run(asked, as_json=json))


@app.command()
def init(  # noqa: PLR0917 - typer passes options by name
    sample: Annotated[Path, typer.Argument(help="A file of predictions, as for replay.")],
    config: options.ConfigFile = options.USUAL_CONFIG,
    model: Annotated[
        str | None, typer.Option(help="Name of the model.", show_default="model")
    ] = None,
    id: options.Column = None,
    timestamp: options.Column = None,
    prediction: options.Column = None,
    score: options.Column = None,
    label: options.Column = None,
    every: options.Every = None,
    ask: Annotated[
        bool | None, typer.Option(help="Ask what each column is.", show_default="on a terminal")
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace a file that is there.")] = False,
    json: options.Json = False,
) -> None:
    """Write a configuration that fits a sample of predictions."""
    from streams.cli.init import run
    from streams.runtime.recordings.mapping import Columns

    columns = Columns(id=id, timestamp=timestamp, prediction=prediction, score=score, label=label)
    asks = sys.stdin.isatty() and sys.stderr.isatty() if ask is None else ask
    run(sample, config, model, columns, every=every, force=force, asks=asks, as_json=json)


@app.command()
def validate(
    file: Annotated[Path | None, typer.Argument(help="The configuration, as --config.")] = None,
    config: options.ConfigFile = options.USUAL_CONFIG,
    json: options.Json = False,
) -> None:
    """Check a configuration: every problem with path, line and what is allowed."""
    from streams.cli.validate import run

    raise typer.Exit(run(file or config, as_json=json))


@app.command()
def schema(
    name: Annotated[str, typer.Argument(help="config, or an event: prediction, alert, ...")],
) -> None:
    """Print the JSON Schema of the configuration or of an event."""
    from streams.cli.schema import run

    run(name)


@reference.command("build")
def reference_build(  # noqa: PLR0917 - typer passes options by name
    rows: Annotated[Path, typer.Argument(help="A file of rows known to be normal.")],
    config: options.ConfigFile = options.USUAL_CONFIG,
    model: options.ModelOf = None,
    to: Annotated[Path | None, typer.Option(help="Default: MODEL.reference by the config.")] = None,
    id: options.Column = None,
    timestamp: options.Column = None,
    prediction: options.Column = None,
    score: options.Column = None,
    label: options.Column = None,
    json: options.Json = False,
) -> None:
    """Make grid and reference of a file of rows."""
    from streams.cli.reference import build
    from streams.runtime.recordings.mapping import Columns

    columns = Columns(id=id, timestamp=timestamp, prediction=prediction, score=score, label=label)
    build(rows, config, model, to, columns, as_json=json)


@reference.command("show")
def reference_show(
    file: Annotated[Path, typer.Argument(help="What `reference build` wrote.")],
    json: options.Json = False,
) -> None:
    """Show what a reference describes as normal."""
    from streams.cli.reference import show

    show(file, as_json=json)


@topics.command("plan")
def topics_plan(
    config: options.ConfigFile = options.USUAL_CONFIG,
    acls: Annotated[
        bool, typer.Option("--acls", help="The permissions of each role instead; asks no broker.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Print the topics the configuration wants, and what the broker has."""
    from streams.cli.topics import permissions, plan

    if acls:
        permissions(config, as_json=json)
        return
    plan(config, as_json=json)


@topics.command("create")
def topics_create(
    config: options.ConfigFile = options.USUAL_CONFIG, json: options.Json = False
) -> None:
    """Create the topics that are missing; nothing that exists is changed."""
    from streams.cli.topics import create

    create(config, as_json=json)


app_judging.add(app)
app_looking.add(app)
app_saying.add(app)
app_mending.add(app)
app.add_typer(reference, name="reference", help="Descriptions of what is normal.")
app.add_typer(topics, name="topics", help="Topics on the broker.")
