"""`windage doctor`: whether everything is as it must be, a line each, with what to do.

Promises: every line says ok, warn or fail; nothing is changed; the exit code is 3 where something
does not answer, 2 where something is wrong, 0 otherwise.
Leaves to others: the checks (`health`).
"""

from streams.cli.console import emit_object, results
from streams.cli.endings import REFUSED, UNREACHABLE
from streams.cli.health.check import Check
from streams.cli.health.local import embedded
from streams.cli.places import Place

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def run(place: Place, *, as_json: bool) -> int:
    """Check the installation; gives the exit code."""
    directory = place.directory
    if directory is not None:
        checks = embedded(place, directory)
    else:
        from streams.cli.health.kafka import kafka

        checks = kafka(place.installation(), place)
    if as_json:
        emit_object({"ok": not any(c.state == "fail" for c in checks), "checks": checks})
    else:
        _print(checks)
    failed = [check for check in checks if check.state == "fail"]
    if any(check.unreachable for check in failed):
        return UNREACHABLE
    return REFUSED if failed else 0


def _print(checks: list[Check]) -> None:
    from rich.text import Text

    out = results()
    for one in checks:
        line = Text.assemble((f"{one.state:<5}", _COLOURS[one.state]), f"{one.check}: {one.found}")
        out.print(line, soft_wrap=True)
        if one.todo:
            out.print(f"     {one.todo}", markup=False, soft_wrap=True)
