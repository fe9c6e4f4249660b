"""Options that several commands share.

Leaves to others: what they mean (`places`, the commands).
"""

from pathlib import Path
from typing import Annotated, Final

import typer

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout, and nothing else there.")]
ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration.")]
USUAL_CONFIG: Final = Path("windage.yaml")
Model = Annotated[str | None, typer.Option("--model", "-m", help="Of this model only.")]
ConfigMaybe = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Kafka, as this configuration says.", show_default=False),
]
DataMaybe = Annotated[
    Path | None,
    typer.Option(help="The directory of windage serve.", show_default="windage-data, if there"),
]
Bootstrap = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Kafka here, instead of the config's.")
]
Url = Annotated[
    str | None,
    typer.Option(metavar="URL", help="A running windage serve: http://localhost:8080."),
]
Token = Annotated[
    str | None,
    typer.Option(envvar="WINDAGE_TOKEN", help="For --url, where it asks for one.", hidden=True),
]
When = Annotated[str | None, typer.Option(metavar="TIME", help="RFC 3339, or epoch seconds.")]

# Of a file that is replayed.
Rows = Annotated[Path, typer.Argument(help="CSV(.gz), JSON Lines(.gz) or Parquet.")]
LabelFile = Annotated[Path | None, typer.Option(help="A file of labels by id.")]
ReferenceFile = Annotated[Path | None, typer.Option(help="A file of what is normal.")]
ConfigElse = Annotated[
    Path | None, typer.Option("--config", "-c", help="Else one is made that fits the file.")
]
ModelOf = Annotated[str | None, typer.Option(help="Which model of the config.")]
Column = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Which one it is.", show_default=False)
]
Every = Annotated[
    str | None,
    typer.Option(metavar="30s", help="Time between rows, where they have no timestamps."),
]
Pane = Annotated[str | None, typer.Option(metavar="5m", help="Default: 10 x every.")]
Tolerance = Annotated[float | None, typer.Option(min=0, help="In reference sd.")]
Alarms = Annotated[
    str | None, typer.Option(metavar='"1 per 30d"', help="Allowed, for the whole model.")
]
