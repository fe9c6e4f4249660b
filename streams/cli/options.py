"""Options that several commands share.

Leaves to others: what they mean (`places`, the commands).
"""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout, and nothing else there.")]
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
