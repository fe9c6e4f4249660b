"""`windage topics plan|create`: the topics of the contract on a broker.

Promises: plan and create show the same rows; with `--json` one document.
Leaves to others: what each topic should be (`schemas.topics`), who may do what with it
(`schemas.access`), the broker (`runtime.topics`).
"""

from collections.abc import Sequence
from pathlib import Path

from schemas import access
from schemas.durations import show_duration
from streams.cli.configured import load_config
from streams.cli.console import emit_object, results, say
from streams.runtime import topics
from streams.runtime.topics import Step


def plan(path: Path, *, as_json: bool) -> None:
    """Print what is wanted beside what is there; a broker that does not answer ends it with 3."""
    steps = topics.look(load_config(path))
    _print(steps, as_json=as_json)
    missing = sum(not step.exists for step in steps)
    say(f"{missing} of {len(steps)} topics are missing" if missing else "all topics are there")


def create(path: Path, *, as_json: bool) -> None:
    """Create what is missing, and print what was done."""
    steps = topics.create(load_config(path))
    _print(steps, as_json=as_json)
    say(f"{sum(not step.exists for step in steps)} topics created")


def permissions(path: Path, *, as_json: bool) -> None:
    """Print what each role needs, as arguments of Kafka's own kafka-acls."""
    rows = access.access(load_config(path))
    if as_json:
        emit_object({"acls": rows})
        return
    for row in rows:
        words = ["--add", "--allow-principal", f"User:{row.role}", "--operation", row.operation]
        if row.resource == "Cluster":
            words.append("--cluster")
        else:
            words += [f"--{row.resource.lower()}", row.name]
        if row.prefixed:
            words += ["--resource-pattern-type", "prefixed"]
        results().print(" ".join(["kafka-acls", *words]), soft_wrap=True, highlight=False)
    say("one principal may have several roles; put its name in the place of the role's")


def _print(steps: Sequence[Step], *, as_json: bool) -> None:
    if as_json:
        emit_object({"topics": steps})
        return
    from rich.table import Table

    table = Table()
    for heading in ("topic", "partitions", "cleanup", "kept", "before", "differs"):
        table.add_column(heading)
    for step in steps:
        planned = step.planned
        table.add_row(
            planned.name,
            str(planned.partitions),
            planned.configs["cleanup.policy"],
            "for ever" if planned.retention < 0 else show_duration(planned.retention),
            "there" if step.exists else "missing",
            "; ".join(step.differences),
        )
    results().print(table)
