"""Commands that check and mend: their options, and nothing else.

Leaves to others: what a command does (the module of its name).
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from streams.cli.options import Bootstrap, ConfigMaybe, DataMaybe, Json

dead_letters = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
state = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Code = Annotated[str | None, typer.Option(help="Refused for this: malformed, schema, ...")]
From = Annotated[
    Literal["predictions", "labels", "metrics", "model-events"] | None,
    typer.Option("--topic", help="That came from this log."),
]
Partition = Annotated[int | None, typer.Option(min=0, help="Of the dead letters.")]
Offset = Annotated[int | None, typer.Option(min=0, help="This one only.")]


def add(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(doctor)
    app.add_typer(dead_letters, name="dead-letters", help="What was refused.")
    app.add_typer(state, name="state", help="Moving an installation.")


def doctor(
    config: ConfigMaybe = None,
    data: DataMaybe = None,
    bootstrap: Bootstrap = None,
    json: Json = False,
) -> None:
    """Check broker, topics, clocks, lag, Redis, references and a sample, and say what to do."""
    from streams.cli.doctor import run
    from streams.cli.places import Place

    place = Place(config=config, data=data, bootstrap=bootstrap)
    raise typer.Exit(run(place, as_json=json))


@dead_letters.command("show")
def dead_letters_show(  # noqa: PLR0917 - typer passes options by name
    code: Code = None,
    topic: From = None,
    partition: Partition = None,
    offset: Offset = None,
    last: Annotated[int | None, typer.Option(min=1, help="The newest so many.")] = None,
    config: ConfigMaybe = None,
    data: DataMaybe = None,
    bootstrap: Bootstrap = None,
    json: Json = False,
) -> None:
    """Print refused records with their reasons, the newest last."""
    from streams.cli.dead_letters import Choice, show
    from streams.cli.places import Place

    choice = Choice(code=code, topic=topic, partition=partition, offset=offset)
    show(Place(config=config, data=data, bootstrap=bootstrap), choice, last, as_json=json)


@dead_letters.command("replay")
def dead_letters_replay(  # noqa: PLR0917 - typer passes options by name
    code: Code = None,
    topic: From = None,
    partition: Partition = None,
    offset: Offset = None,
    dry_run: Annotated[bool, typer.Option(help="Say what would be done, and do nothing.")] = False,
    config: ConfigMaybe = None,
    data: DataMaybe = None,
    bootstrap: Bootstrap = None,
    json: Json = False,
) -> None:
    """Send refused records back to where they came from, after a fix; each once."""
    from streams.cli.dead_letters import Choice, replay
    from streams.cli.places import Place

    choice = Choice(code=code, topic=topic, partition=partition, offset=offset)
    place = Place(config=config, data=data, bootstrap=bootstrap)
    replay(place, choice, dry_run=dry_run, as_json=json)


@state.command("export")
def state_export(
    file: Annotated[Path, typer.Argument(help="To be written; must not be there.")],
    config: ConfigMaybe = None,
    data: DataMaybe = None,
    bootstrap: Bootstrap = None,
    json: Json = False,
) -> None:
    """Write snapshots with offsets and references (Kafka), or the whole log (embedded)."""
    from streams.cli.places import Place
    from streams.cli.state import export

    export(Place(config=config, data=data, bootstrap=bootstrap), file, as_json=json)


@state.command("import")
def state_import(
    file: Annotated[Path, typer.Argument(help="What `state export` wrote.")],
    config: ConfigMaybe = None,
    data: DataMaybe = None,
    bootstrap: Bootstrap = None,
    json: Json = False,
) -> None:
    """Put an export where nothing is yet, after checking that it fits."""
    from streams.cli.places import Place
    from streams.cli.state import import_

    import_(Place(config=config, data=data, bootstrap=bootstrap), file, as_json=json)
