"""Q17: two years of hourly bike rentals, through the product: alarms on season alone."""

from streams.cli.backtest import backtest
from streams.runtime.mapping import Columns
from tests.quality.row import Asked, Measured

FILE = "bike_sharing_hour_regression.csv.gz"
YEAR_TWO = 8645


def measure(asked: Asked) -> Measured:
    """Alarms before year two, and whether its level is found; the reference is the first month.

    There is no seasonal reference in the product yet, so the season itself is judged as drift.
    """
    path = asked.stream(FILE)
    found = backtest(
        path,
        [YEAR_TWO],
        columns=Columns(label="cnt"),
        every="1h",
        pane="1d",
        false_alarms="1 per 365d",
    )
    opened = [one for one in found.messages if one.what == "opens"]
    season = sum(one.row < YEAR_TWO for one in opened)
    return Measured(
        passed=False,
        values={
            "opened_before_year_two": season,
            "opened": len(opened),
            "alarms": found.judged.alarms,
            "target_alarms": 2,
        },
        baselines={
            name: {"alarms": one.alarms, "episode_recall": one.episode_recall}
            for name, one in found.baselines.items()
        },
        reason="compare: seasonal is not built yet, so the season itself is judged as drift",
    )
