"""Commands that look: their options, and nothing else.

Leaves to others: what a command does (the module of its name).
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from streams.cli.options import Bootstrap, ConfigMaybe, DataMaybe, Json, Model, When

Topic = Literal[
    "alerts",
    "drift-events",
    "readings",
    "retrain-requests",
    "rollback-requests",
    "dead-letters",
    "predictions",
    "labels",
    "metrics",
    "model-events",
]


def add(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (status, tail, explain, incidents, card, annotators):
        app.command()(command)


def status(
    model: Model = None,
    config: ConfigMaybe = None,
    data: DataMaybe = None,
    bootstrap: Bootstrap = None,
    json: Json = False,
) -> None:
    """Every model at a glance: state and since when, incidents, coverage, budget, lag."""
    from streams.cli.places import Place
    from streams.cli.status import run

    run(Place(config=config, data=data, bootstrap=bootstrap), model, as_json=json)


def tail(  # noqa: PLR0917 - typer passes options by name
    topic: Annotated[Topic, typer.Argument(help="What to listen to.")] = "alerts",
    last: Annotated[int | None, typer.Option(min=0, help="How many to begin with.")] = None,
    follow: Annotated[bool, typer.Option(help="Go on as records come.")] = True,
    model: Model = None,
    since: When = None,
    partition: Annotated[int | None, typer.Option(min=0, help="Of this partition only.")] = None,
    first: Annotated[
        int | None, typer.Option("--from", min=0, help="The first offset; ends at --to.")
    ] = None,
    to: Annotated[int | None, typer.Option("--to", min=0, help="The last offset.")] = None,
    config: ConfigMaybe = None,
    data: DataMaybe = None,
    bootstrap: Bootstrap = None,
    json: Json = False,
) -> None:
    """Print what is written to a topic, as it comes. Until Ctrl-C."""
    from streams.cli.places import Place, instant_of
    from streams.cli.tail import USUAL_NEWEST, run
    from streams.runtime.installation.reading import Span

    bounded = first is not None or to is not None
    since_ms = instant_of("--since", since)
    usual = None if bounded or since_ms is not None else USUAL_NEWEST
    span = Span(
        since=since_ms,
        partition=partition,
        first=first,
        last=to,
        newest=usual if last is None else last,
    )
    place = Place(config=config, data=data, bootstrap=bootstrap)
    run(place, topic, span, model, follow=follow and not bounded, as_json=json)


def explain(
    id: Annotated[str, typer.Argument(help="Of an incident, event or request; a prefix does.")],
    config: ConfigMaybe = None,
    data: DataMaybe = None,
    bootstrap: Bootstrap = None,
    json: Json = False,
) -> None:
    """Why something was said: histograms, change point, the raw records, the runbook."""
    from streams.cli.explain import run
    from streams.cli.places import Place

    run(Place(config=config, data=data, bootstrap=bootstrap), id, as_json=json)


def incidents(
    status: Annotated[Literal["open", "closed"] | None, typer.Option(help="Only these.")] = None,
    model: Model = None,
    config: ConfigMaybe = None,
    data: DataMaybe = None,
    bootstrap: Bootstrap = None,
    json: Json = False,
) -> None:
    """List incidents: times to detect, acknowledge and recover, and verdicts."""
    from streams.cli.incidents import run
    from streams.cli.places import Place

    run(Place(config=config, data=data, bootstrap=bootstrap), model, status, as_json=json)


def card(
    model: Annotated[str, typer.Argument(help="Which model.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .md or .html file; else stdout.")
    ] = None,
    config: ConfigMaybe = None,
    data: DataMaybe = None,
    bootstrap: Bootstrap = None,
    json: Json = False,
) -> None:
    """Write the monitoring card of a model: what is watched and why, and what came of it."""
    from streams.cli.card import run
    from streams.cli.places import Place

    run(Place(config=config, data=data, bootstrap=bootstrap), model, output, as_json=json)


def annotators(
    model: Annotated[str, typer.Argument(help="Which model.")],
    newest: Annotated[
        int, typer.Option(min=1, help="Of so many records of labels a partition.")
    ] = 200_000,
    config: ConfigMaybe = None,
    data: DataMaybe = None,
    bootstrap: Bootstrap = None,
    json: Json = False,
) -> None:
    """Who of those who label the same predictions differs from the others."""
    from streams.cli.annotators import run
    from streams.cli.places import Place

    run(Place(config=config, data=data, bootstrap=bootstrap), model, newest, as_json=json)
