"""Q17: two years of hourly bike rentals, through the product: alarms on season alone.

The season that two years show is the month of the year, so that is the reference that alerts. In
year one no month has a reference yet, and nothing is judged; in year two each month is judged
against the same month before, whose weather was not quite the same.
"""

import csv
import gzip
import tempfile
from pathlib import Path

from streams.cli.backtest import Backtest, backtest
from tests.quality.row import Asked, Measured

FILE = "bike_sharing_hour_regression.csv.gz"
YEAR_TWO = 8645
MOST = 2
WATCHED = ("cnt", "temp", "hum", "windspeed", "weathersit")
"""Rentals and weather. Columns that only tell the date are left out: `yr` alone would do."""

CONFIG = """\
version: 1
models:
  rentals:
    task: none
    clock: event
    pane: 1d
    features:
      cnt: numeric
      temp: numeric
      hum: numeric
      windspeed: numeric
      weathersit: categorical
    reference: {from: first, rows: 720, min_duration: 30d}
    compare: [COMPARE]
    false_alarms: 1 per 365d
"""


def replayed(path: Path, compare: str) -> Backtest:
    """The rentals at the hours they were counted in, judged against the references `compare`."""
    with tempfile.TemporaryDirectory() as folder:
        config, rows = Path(folder) / "windage.yaml", Path(folder) / "rows.csv"
        config.write_text(CONFIG.replace("COMPARE", compare))
        with gzip.open(path, "rt", newline="") as old, rows.open("w", newline="") as new:
            reader = csv.DictReader(old)
            writer = csv.writer(new)
            writer.writerow(["id", "timestamp", *WATCHED])
            for row in reader:
                at = f"{row['dteday']}T{int(row['hr']):02}:00:00Z"
                writer.writerow([row["instant"], at, *(row[name] for name in WATCHED)])
        return backtest(rows, [YEAR_TWO], config=config)


def measure(asked: Asked) -> Measured:
    """Incidents opened on season alone, and whether the level of year two is found.

    On season alone: before year two, or never naming the rentals themselves.
    """
    path = asked.stream(FILE)
    found = replayed(path, "seasonal month_of_year, training")
    plain = replayed(path, "training")
    opened = [one for one in found.messages if one.what == "opens"]
    level = [one for one in found.messages if one.row >= YEAR_TWO and "feature:cnt" in one.signals]
    named = {one.incident for one in level}
    alone = sum(one.row < YEAR_TWO or one.incident not in named for one in opened)
    return Measured(
        passed=alone <= MOST and bool(level),
        values={
            "opened_on_season_alone": alone,
            "opened": len(opened),
            "level_found_after_rows": level[0].row - YEAR_TWO if level else None,
            "opened_without_season": sum(one.what == "opens" for one in plain.messages),
            "target_alarms": MOST,
        },
        baselines={
            name: {"alarms": one.alarms, "episode_recall": one.episode_recall}
            for name, one in found.baselines.items()
        },
        reason="" if level else "the level of year two was not found",
    )
