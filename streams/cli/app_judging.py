"""Commands that judge: their options, and nothing else.

Leaves to others: what a command does (the module of its name).
"""

from typing import Annotated

import typer

from streams.cli import options


def add(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(backtest)


def backtest(  # noqa: PLR0917 - typer passes options by name
    predictions: options.Rows,
    truth: Annotated[
        str,
        typer.Option(metavar="1775,3550", help="Rows at which something changed; empty for none."),
    ],
    max_delay: Annotated[
        int | None,
        typer.Option(min=1, help="Rows after a change in which it counts as found."),
    ] = None,
    quiet: Annotated[
        str | None,
        typer.Option(
            metavar="0-69125", help="Rows without a change: says which tolerance is silent there."
        ),
    ] = None,
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
) -> None:
    """A recording judged against known changes, and what would have been sent."""
    from streams.cli.backtest import run
    from streams.cli.replay import Asked
    from streams.runtime.recordings.mapping import Columns

    asked = Asked(
        predictions=predictions,
        labels=labels,
        reference=reference,
        config=config,
        model=model,
        columns=Columns(
            id=id, timestamp=timestamp, prediction=prediction, score=score, label=label
        ),
        every=every,
        pane=pane,
        tolerance=tolerance,
        false_alarms=false_alarms,
    )
    raise typer.Exit(run(asked, truth, max_delay, quiet, as_json=json))
