"""Commands that judge: their options, and nothing else.

Leaves to others: what a command does (the module of its name).
"""

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.options import Json

Column = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Which one it is.", show_default=False)
]


def add(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(backtest)


def backtest(  # noqa: PLR0917 - typer passes options by name
    predictions: Annotated[Path, typer.Argument(help="CSV(.gz), JSON Lines(.gz) or Parquet.")],
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
    labels: Annotated[Path | None, typer.Option(help="A file of labels by id.")] = None,
    reference: Annotated[Path | None, typer.Option(help="A file of what is normal.")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Else one is made that fits the file.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Which model of the config.")] = None,
    id: Column = None,
    timestamp: Column = None,
    prediction: Column = None,
    score: Column = None,
    label: Column = None,
    every: Annotated[str | None, typer.Option(metavar="30s", help="Time between rows.")] = None,
    pane: Annotated[str | None, typer.Option(metavar="5m", help="Default: 10 x every.")] = None,
    tolerance: Annotated[float | None, typer.Option(min=0, help="In reference sd.")] = None,
    false_alarms: Annotated[
        str | None, typer.Option(metavar='"1 per 30d"', help="Allowed, for the whole model.")
    ] = None,
    json: Json = False,
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
