"""Writes the quiet part of the employment stream with five incidents in it.

    python inject.py --into DIRECTORY

Promises: a function of the files beside it and of `SEED` alone; rows, columns and labels that no
incident names stay as they are.
Leaves to others: when labels come, and which never do (the demo).
"""

import argparse
import csv
import gzip
import io
import random
from collections.abc import Callable
from pathlib import Path

Row = dict[str, str]

SEED = 20_161_231
ROWS = 69_126
"""Rows before the stream's own first incident."""

HERE = Path(__file__).parent
PREDICTIONS = "nannyml_employment_ma_analysis.csv.gz"
LABELS = "nannyml_employment_ma_analysis_target.csv.gz"
VERSION = "model_version"

MISSING, UNKNOWN, FLIPPED = 0.4, 0.15, 0.3
"""Shares of the rows that an incident changes."""

OLD = 60
"""Years; who is older counts as old."""


def miss_schooling(rows: list[Row], chance: random.Random) -> None:
    """Data quality: SCHL is missing for 40 % of the rows."""
    for row in rows:
        if chance.random() < MISSING:
            row["SCHL"] = ""


def double_the_old(rows: list[Row], chance: random.Random) -> None:
    """Covariate drift: rows are drawn anew so that twice as many people are over 60.

    What the model said and what turned out to be true is drawn with the person; ids stay.
    """
    old = [dict(row) for row in rows if float(row["AGEP"]) > OLD]
    young = [dict(row) for row in rows if float(row["AGEP"]) <= OLD]
    share = 2 * len(old) / len(rows)
    for row in rows:
        drawn = chance.choice(old if chance.random() < share else young)
        row.update({**drawn, "id": row["id"]})


def invent_an_ancestry(rows: list[Row], chance: random.Random) -> None:
    """Novelty: 15 % of the rows have a code in ANC that nobody has seen before."""
    for row in rows:
        if chance.random() < UNKNOWN:
            row["ANC"] = "99"


def flip_labels_of_women(rows: list[Row], chance: random.Random) -> None:
    """Concept drift in one segment: labels flip with probability .3 where SEX is 2."""
    for row in rows:
        if row["SEX"] == "2" and chance.random() < FLIPPED:
            row["employed"] = "0" if row["employed"] == "1" else "1"


def squeeze_scores(rows: list[Row], _: random.Random) -> None:
    """Calibration drift of version 2: scores are squeezed towards .5, decisions stay."""
    for row in rows:
        row[VERSION] = "2"
        row["predicted_probability"] = repr(0.5 + 0.5 * (float(row["predicted_probability"]) - 0.5))


INCIDENTS: list[tuple[int, int, Callable[[list[Row], random.Random], None]]] = [
    (8_000, 11_000, miss_schooling),
    (18_000, 24_000, double_the_old),
    (30_000, 33_000, invent_an_ancestry),
    (40_000, 48_000, flip_labels_of_women),
    (56_000, 64_000, squeeze_scores),
]
"""First row, first row after it, and what happens to the rows."""


def injected(rows: list[Row]) -> list[Row]:
    """The rows (from the stream's first on, labels included) with the incidents in them."""
    out = [{**row, VERSION: "1"} for row in rows]
    for number, (begin, end, befall) in enumerate(INCIDENTS):
        # A generator each, so that a change in one incident leaves the others as they are.
        befall(out[begin:end], random.Random(SEED + number))  # noqa: S311 - no secret
    return out


def read_rows(folder: Path = HERE, count: int = ROWS) -> list[Row]:
    """The first `count` rows of the stream, each with its label."""
    with gzip.open(folder / LABELS, "rt", newline="") as lines:
        labels = {row["id"]: row["employed"] for row in csv.DictReader(lines)}
    rows = []
    with gzip.open(folder / PREDICTIONS, "rt", newline="") as lines:
        for row in csv.DictReader(lines):
            if len(rows) == count:
                break
            rows.append({**row, "employed": labels[row["id"]]})
    return rows


def write_rows(path: Path, columns: list[str], rows: list[Row]) -> None:
    """A CSV.gz of some columns, without the time of writing in it."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=1, mtime=0))


def main() -> None:
    """Write predictions and labels under their own names into a directory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--into", type=Path, required=True, help="a directory that exists")
    folder: Path = parser.parse_args().into
    rows = injected(read_rows())
    columns = [name for name in rows[0] if name != "employed"]
    write_rows(folder / PREDICTIONS, columns, rows)
    write_rows(folder / LABELS, ["id", "employed"], rows)


if __name__ == "__main__":
    main()
