"""`windage schema`: the published JSON Schemas, as this version means them.

Leaves to others: making them (`schemas.generate`).
"""

import sys

from schemas.generate import EVENTS, config_schema, event_schema, show
from streams.cli.endings import REFUSED, OperatorError


def run(name: str) -> None:
    """Print the schema `config` or that of an event."""
    from difflib import get_close_matches

    known = ("config", *EVENTS)
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        message = f'no schema "{name}"{hint} allowed: {", ".join(known)}'
        raise OperatorError(message, REFUSED)
    sys.stdout.write(show(config_schema() if name == "config" else event_schema(name)))
