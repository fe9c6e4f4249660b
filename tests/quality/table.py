"""The quality table: every row measured, as one JSON document or a table in Markdown.

    python -m tests.quality.table --json [--short] [--only Q7,Q8] [--data DIR] [--markdown FILE]

A row that does not pass stands there with its value and the reason; one whose file is absent is
not measured, and says so. The program ends with 1 if a row fails that is not known to fail, or if
a row passes that is; with 2 where the options are wrong, with 3 where the folder is not there.
"""
# ruff: noqa: T201 - printing is what it does

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.quality import (
    conformance,
    cost,
    delays,
    dial,
    employment,
    fleet,
    lagged,
    published,
    seasonal,
    windows,
)
from tests.quality.row import AbsentError, Asked, Row

ROOT = Path(__file__).resolve().parents[2]

ROWS = [
    Row(
        id="Q1",
        what="conformance with river's alarm indices, and distances",
        target="all equal",
        measure=conformance.measure,
    ),
    Row(
        id="Q2",
        what="the dial: realised over promised run length",
        target=">= 1 at 95 % in every cell, <= 10 in the median cell",
        measure=dial.measure_promise,
    ),
    Row(
        id="Q3",
        what="equivariance: alarms under x -> a x + b",
        target="identical",
        measure=dial.measure_equivariance,
    ),
    Row(
        id="Q4",
        what="delay at ARL 1e6 rows, tolerance 0, pane 10: 1 / .5 / .25 sd, sd x 1.5",
        target="<= 40 / 120 / 450 / 90, none missed",
        measure=delays.measure_free,
    ),
    Row(
        id="Q5",
        what="delay at tolerance .1, pane 50; silence inside the tolerance",
        target="<= 70 / 260 / 2200 / 200; no more alarms than promised",
        measure=delays.measure_tolerant,
    ),
    Row(
        id="Q6",
        what="error rate .2 to .3 and .05 to .10",
        target="<= 450 and <= 650, none missed",
        measure=delays.measure_error_rates,
    ),
    Row(
        id="Q7",
        what="AbruptInsects: the features that change, whole product",
        target="recall >= .95, delay <= 95, 0 false; second change found",
        measure=published.measure_insects,
    ),
    Row(
        id="Q8",
        what="Insects shuffled: 49 features x 4,325 rows",
        target="0 alarms",
        measure=published.measure_shuffled,
    ),
    Row(
        id="Q9",
        what="ELEC2: constants that come alive",
        target="alarm within 100 rows",
        measure=published.measure_constants,
    ),
    Row(
        id="Q10",
        what="employment, the quiet year, whole product",
        target="0 alerts; estimated accuracy within .01 per 20,000 rows",
        measure=employment.measure_quiet,
    ),
    Row(
        id="Q10r",
        what="employment, the two real incidents, whole product",
        target="both found, cells named, no other alert",
        measure=employment.measure_real,
    ),
    Row(
        id="Q11",
        what="employment, five injected incidents, whole product",
        target="each in time, of its class and segment, its requests, nothing else",
        measure=employment.measure_injected,
    ),
    Row(
        id="Q12",
        what="errors of naive Bayes on Sine1 / Mixed / Circles",
        target="all found, <= .5 false, delay <= 37 / 46 / 95",
        measure=published.measure_errors,
    ),
    Row(
        id="Q13",
        what="windows: P(p <= .05) without change, power at .2 sd",
        target="in [.03, .07]; power >= .85",
        measure=windows.measure,
    ),
    Row(
        id="Q14",
        what="fleet of 200 monitors x 20,000 rows, one budget",
        target="<= 2 false alarms; FDR <= .1, >= 95 % found",
        measure=fleet.measure,
    ),
    Row(
        id="Q15",
        what="labels 0, 1,000, 10,000 rows late, 5 % never, whole product",
        target="same events, shifted; every label accounted for",
        measure=lagged.measure,
    ),
    Row(
        id="Q16",
        what="AR(1) rows at .5 and .9: realised run length",
        target=">= half of the promise at .5",
        measure=dial.measure_correlated,
    ),
    Row(
        id="Q17",
        what="bike sharing: alarms on season alone, whole product",
        target="<= 2 in two years, the level of year 2 found",
        measure=seasonal.measure,
    ),
    Row(
        id="Q18",
        what="cost of an update per signal and pane; distances of 50 signals",
        target="<= 5 us; <= 100 us",
        measure=cost.measure,
    ),
]


KNOWN: dict[str, str] = {}
"""Rows that do not pass today, and why; docs/quality.md has no other."""


def unexpected(rows: list[dict[str, object]]) -> list[str]:
    """Rows that came out otherwise than is known, a sentence each."""
    return [
        f"{row['id']} does not pass: {row['reason'] or 'see its value'}"
        if row["pass"] is False
        else f"{row['id']} passes, and is known to fail: {KNOWN[str(row['id'])]}"
        for row in rows
        if row["pass"] is not None and (row["pass"] is False) != (row["id"] in KNOWN)
    ]


def measured(row: Row, asked: Asked) -> dict[str, object]:
    """One row as it is printed."""
    print(f"{row.id} {row.what}", file=sys.stderr, flush=True)
    began = time.perf_counter()
    line: dict[str, object] = {"id": row.id, "what": row.what, "target": row.target}
    try:
        found = row.measure(asked)
    except AbsentError as error:
        line |= {"value": None, "pass": None, "reason": f"not measured: {error}", "seeds": []}
    else:
        line |= {
            "value": found.values,
            "pass": found.passed,
            "reason": found.reason,
            "seeds": list(found.seeds),
            "baselines": found.baselines,
        }
    line["seconds"] = round(time.perf_counter() - began, 1)
    return line


def revision() -> str:
    """The commit that was measured, with a plus if files of the product differ from it."""
    run = lambda *a: subprocess.run(["git", *a], cwd=ROOT, capture_output=True, text=True)  # noqa: PLW1510
    product = ("detectors", "schemas", "streams")
    dirty = run("status", "--porcelain", "--untracked-files=no", "--", *product).stdout.strip()
    return run("rev-parse", "--short", "HEAD").stdout.strip() + ("+" if dirty else "")


def streams_folder(given: Path | None) -> Path | None:
    """Where recorded streams are: as given, as the tests look, or nowhere."""
    usual = [Path(os.environ["WINDAGE_RECORDINGS"])] if "WINDAGE_RECORDINGS" in os.environ else []
    usual.append(ROOT.parent / "shared" / "data")
    return given or next((place for place in usual if place.is_dir()), None)


def markdown(document: dict[str, object]) -> str:
    """The table for people; values shortened, all of them are in the JSON."""
    rows = document["rows"]
    assert isinstance(rows, list)
    lines = ["| id | what | target | value | pass | seconds |", "|---|---|---|---|---|---|"]
    for row in rows:
        passed = {True: "yes", False: "**no**", None: "not measured"}[row["pass"]]
        shown = shortened(row["value"]) if row["value"] is not None else "-"
        reason = f"; {row['reason']}" if row["reason"] else ""
        cells = [row["id"], row["what"], row["target"], shown + reason, passed, row["seconds"]]
        lines.append("| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


HIDDEN = {"by_cell", "incidents", "all", "wishes", "accuracy", "from", "accepted_as_normal_at"}


def shortened(value: object, depth: int = 0) -> str:
    """A value in few words."""
    if isinstance(value, dict):
        parts = [
            f"{str(key).replace('_', ' ')} {shortened(one, depth + 1)}"
            for key, one in value.items()
            if key not in HIDDEN
        ]
        text = "; ".join(parts) if depth == 0 else ", ".join(parts)
        return text if depth == 0 else f"({text})"
    if isinstance(value, list):
        return ", ".join(shortened(one, depth + 1) for one in value) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--short", action="store_true", help="a few minutes, for CI")
    parser.add_argument("--only", default="", help="rows such as Q7,Q8")
    parser.add_argument("--data", type=Path, help="folder of the published streams")
    parser.add_argument("--markdown", type=Path, help="write the table into this file as well")
    given = parser.parse_args()
    wanted = {name.strip() for name in given.only.split(",") if name.strip()}
    unknown = wanted - {row.id for row in ROWS}
    if unknown:
        known = ", ".join(row.id for row in ROWS)
        print(f"no row {', '.join(sorted(unknown))}; there are {known}", file=sys.stderr)
        sys.exit(2)
    if given.data is not None and not given.data.is_dir():
        print(f"{given.data}: no such folder", file=sys.stderr)
        sys.exit(3)
    asked = Asked(short=given.short, streams=streams_folder(given.data))
    rows = [measured(row, asked) for row in ROWS if not wanted or row.id in wanted]
    document = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "revision": revision(),
        "short": given.short,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}",
        "passed": sum(row["pass"] is True for row in rows),
        "failed": [row["id"] for row in rows if row["pass"] is False],
        "not_measured": [row["id"] for row in rows if row["pass"] is None],
        "rows": rows,
    }
    table = markdown(document)
    if given.markdown is not None:
        given.markdown.write_text(table, "utf-8")
    print(json.dumps(document) if given.json else table)
    surprises = unexpected(rows)
    for one in surprises:
        print(one, file=sys.stderr)
    sys.exit(1 if surprises else 0)


if __name__ == "__main__":
    main()
