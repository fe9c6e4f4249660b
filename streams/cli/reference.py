"""`windage reference build|show`: descriptions of normal, made offline.

Promises: what is shown is what detectors compare with.
Leaves to others: the file itself (`baselines`).
"""

from pathlib import Path
from typing import Any

from schemas.baseline import Baseline
from schemas.config_model import FromFile
from streams.cli.baselines import SUFFIX, baseline_of_rows, read_baseline, write_baseline
from streams.cli.configured import choose_model, load_config
from streams.cli.console import emit_object, results, say
from streams.runtime.recordings.mapping import Columns


def build(
    rows: Path,
    config_path: Path,
    model_name: str | None,
    to: Path | None,
    columns: Columns,
    *,
    as_json: bool = False,
) -> None:
    """Write the reference of a model, made of a file of rows."""
    config = load_config(config_path)
    name, model = choose_model(config, model_name)
    if to is None:
        to = config_path.parent / f"{name}{SUFFIX}"
        if isinstance(model.reference, FromFile) and model.reference.path.endswith(SUFFIX):
            to = config_path.parent / model.reference.path
    baseline = baseline_of_rows(rows, name, model, config, columns)
    write_baseline(to, baseline)
    if as_json:
        emit_object({"file": str(to), "id": baseline.id, "rows": _rows(baseline)})
    say(f"{to}: {_rows(baseline):,} rows of {rows}, reference {baseline.id}")


def show(path: Path, *, as_json: bool) -> None:
    """Print what a reference file describes."""
    baseline = read_baseline(path)
    content = _content(baseline)
    if as_json:
        emit_object(content)
        return
    from rich.table import Table

    table = Table(title=f"{baseline.model}: reference {baseline.id} of {baseline.source}")
    for heading in ("segment", "signal", "kind", "rows", "dispersion"):
        table.add_column(heading, justify="right" if heading in ("rows", "dispersion") else "left")
    for one in content["signals"]:
        table.add_row(
            one["segment"], one["signal"], one["kind"], f"{one['rows']:,}", f"{one['dispersion']}"
        )
    results().print(table)


def _rows(baseline: Baseline) -> int:
    """Rows the reference rests on: those of its longest signal."""
    return max(
        (n.rows for signals in baseline.normals.values() for n in signals.values()), default=0
    )


def _content(baseline: Baseline) -> dict[str, Any]:
    return {
        "model": baseline.model,
        "id": baseline.id,
        "source": baseline.source,
        "grid": baseline.grid.id,
        "task": baseline.grid.task,
        "rows": _rows(baseline),
        "provisional": baseline.provisional,
        "signals": [
            {
                "segment": segment,
                "signal": signal,
                "kind": normal.kind,
                "rows": normal.rows,
                "cells": len(normal.counts),
                "dispersion": round(max(normal.dispersion, default=1.0), 3),
            }
            for segment, signals in sorted(baseline.normals.items())
            for signal, normal in sorted(signals.items())
        ],
    }
