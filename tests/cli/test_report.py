"""The report and the card: files that open from a disk, small, and true to the events."""

import json
import random
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from schemas.output_parts import Histograms
from streams.cli.bars import rows_of
from streams.cli.casebook import Casebook
from streams.cli.guessing import guess
from streams.cli.report.chronicle import Chronicle
from streams.cli.report.page import LIMIT, Facts, page
from streams.notebook import replay
from streams.runtime.recordings.mapping import Columns
from tests.cli.installation import build

ROWS = 900
VOID = {"meta", "br", "path", "rect", "polyline"}


class Well(HTMLParser):
    """Reads a page: every element is closed, and what it asks the network for."""

    def __init__(self, text):
        super().__init__()
        self.open, self.asks, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.asks += [value for name, value in attrs if name in ("src", "href", "action")]
        assert tag not in ("script", "link", "img", "iframe")

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, text):
        self.texts.append(text)


def well_formed(text):
    """Give what a page says, after proving that it is whole and asks for nothing."""
    read = Well(text)
    assert ([], []) == (read.open, read.asks)
    assert "url(" not in text
    assert "default-src 'none'" in text
    return " ".join(read.texts)


@pytest.fixture(scope="module")
def shifted(tmp_path_factory):
    """Return a file with an odd name of a column, a class, and a shift at row 600."""
    chance = random.Random(7)
    lines = ["when,row,<b>amount,kind,outcome,prediction"]
    for row in range(ROWS):
        day, minute = divmod(row, 60)
        amount = chance.gauss(10 + (6 if row >= 600 else 0), 2)
        truth = chance.randint(0, 1)
        lines.append(
            f"2026-01-{day + 1:02}T00:{minute:02}:00,{row},{amount:.3f},{chance.choice('abc')},"
            f"{truth},{truth if chance.random() < 0.8 else 1 - truth}"
        )
    path = tmp_path_factory.mktemp("shifted") / "shifted.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def result(shifted):
    """Return its replay."""
    return replay(shifted, label="outcome")


def test_columns_that_go_with_time_are_not_watched(shifted):
    """A date is the time, a counter the id; what a user named stays."""
    found = guess(shifted, Columns())
    assert ("when", "row") == (found.columns.timestamp, found.columns.id)
    assert ("<b>amount", "kind", "outcome") == found.columns.features
    assert any("outcome looks like a label" in note for note in found.notes)
    named = guess(shifted, Columns(label="outcome", every=1_000))
    assert (None, "row") == (named.columns.timestamp, named.columns.id)
    assert any("when holds dates" in note for note in named.notes)


def test_a_feature_of_the_config_is_kept_whatever_it_looks_like(shifted):
    """The operator knows better."""
    assert "row" in guess(shifted, Columns(), keep=["row"]).columns.features


def test_one_damaged_cell_does_not_hide_a_counter(tmp_path):
    """Recordings have such cells."""
    lines = ["n,x", *(f"{n},{n % 3}" for n in range(200)), "2\x0100,1"]
    path = tmp_path / "x.csv"
    path.write_text("\n".join(lines) + "\n")
    assert "n" == guess(path, Columns()).columns.id


def test_the_notebook_shows_what_the_events_say(result):
    """Tables have one row an event; the cell is one frame without anything from elsewhere."""
    (incident, *_) = result.incidents
    assert any("amount" in signal for signal in incident["signals"])
    assert {row["incident_id"] for row in result.rows("alerts")} == {
        one["incident_id"] for one in result.incidents
    }
    assert len(result.rows("readings")) > 100
    assert result._repr_html_().startswith("<iframe srcdoc=")
    assert "http://" not in result._repr_html_()


def test_a_frame_has_a_row_an_incident(result):
    """Nested fields are columns."""
    pytest.importorskip("pandas", reason="pandas is not installed")
    assert len(result.incidents) == len(result.to_pandas())
    assert "effect.psi" in result.to_pandas("readings").columns


def test_the_report_is_one_small_file_that_asks_for_nothing(result, tmp_path):
    """Names of columns are text, not markup; incidents, sizes and budget are those of the run."""
    path = result.report(tmp_path / "out.html")
    text = path.read_text()
    assert LIMIT >= len(text.encode())
    told = well_formed(text)
    assert f"{ROWS:,}" in told
    assert "1 per 30d" in told
    for incident in result.incidents:
        assert incident["incident_id"] in told
    assert "<b>" not in text
    assert "polyline" in text


def test_the_report_fits_whatever_came(result):
    """A thousand signals over ten thousand panes, each moving."""
    from tests.web.test_lamps import WINDOW, reading

    chronicle = Chronicle()
    chance = random.Random(1)
    for number in range(1_000):
        chronicle._take(reading(f"feature:{'x' * 60}{number}", current=reading().current))
        series = chronicle.series[f"feature:{'x' * 60}{number}", "all"]
        for pane in range(300):
            series.add(series.ends[0] + 60_000 * (pane + 1), chance.randrange(6), 1.0)
    assert WINDOW is not None
    facts = Facts(title="t", model="m", rows=1, words=(), budget="b")
    text = page(facts, Casebook(lambda _: None), chronicle)
    assert LIMIT >= len(text.encode())
    well_formed(text)


def test_the_command_writes_the_report_beside_its_json(command, shifted):
    """JSON stays alone on stdout."""
    ended = command("replay", shifted, "--label", "outcome", "--json", "--report", "out.html")
    assert 0 == ended.code, ended.err
    assert all(json.loads(line) for line in ended.out.splitlines())
    well_formed(Path("out.html").read_text())


def test_a_report_that_cannot_be_written_is_code_3(command, shifted):
    """Before the replay, in one line."""
    ended = command("replay", shifted, "--report", "absent/out.html")
    assert 3 == ended.code
    assert "absent/out.html" in ended.err.splitlines()[-1]


def test_a_replay_that_never_had_a_reference_says_so(command, shifted):
    """No incidents is not the same as nothing judged."""
    Path("windage.yaml").write_text(
        "models: {m: {task: none, labels: none, pane: 1m, clock: event,"
        " reference: {from: first, rows: 5000, min_duration: 14d}}}\n"
    )
    ended = command("replay", shifted, "--config", "windage.yaml")
    assert "nothing was judged: the reference needs 5,000 rows" in ended.err


def test_init_then_replay_needs_nothing_else(command, shifted):
    """The two lines of the tutorial."""
    assert 0 == command("init", shifted).code
    assert 0 == command("validate").code
    assert 0 == command("replay", shifted, "--report", "out.html").code
    assert Path("out.html").stat().st_size > 5_000


def test_the_card_is_markdown_or_one_html_file(command, tmp_path):
    """Both say the thresholds in words and list the incident."""
    directory = build(tmp_path)
    text = command("card", "shop", "--data", directory).out
    for words in ("# Monitoring card of shop", "1 per 30d", "red from 0.25", "covariate drift"):
        assert words in text
    assert 0 == command("card", "shop", "-o", "card.html").code
    told = well_formed(Path("card.html").read_text())
    assert "covariate drift" in told
    document = json.loads(command("card", "shop", "--json").out)
    assert 1 == len(document["incidents"])
    assert 2 == command("card", "nobody").code


def test_the_card_says_what_is_declared_of_its_use_and_what_is_not(command, tmp_path):
    """Intended use and limits are those of the config, word for word."""
    directory = build(tmp_path)
    assert "Intended use: not declared." in command("card", "shop", "--data", directory).out
    config = tmp_path / "windage.yaml"
    card = 'card: {intended_use: "Ranking offers.", limits: ["No returns.", "Few of them."]}'
    config.write_text(config.read_text().replace("    task:", f"    {card}\n    task:", 1))
    text = command("card", "shop", "--data", directory, "--config", config).out
    for words in ("Intended use: Ranking offers.", "No returns. Few of them.", "Not for: not"):
        assert words in text


@pytest.mark.parametrize(
    "name",
    [
        "elec2_full.csv.gz",
        "bike_sharing_hour_regression.csv.gz",
        "noaa_weather_raw.csv.gz",
        "iks_abruptinsects.csv.gz",
    ],
)
@pytest.mark.slow
def test_published_streams_need_no_preparation(command, recording, name):
    """A stranger's file: init, replay, and a report that opens."""
    path = recording(name)
    assert 0 == command("init", path).code
    assert 0 == command("replay", path, "--report", "out.html").code
    told = well_formed(Path("out.html").read_text())
    assert re.search(r"\d+ incidents|[1-9]\d* \(", told) is not None


def test_bars_of_many_cells_are_merged_and_lose_nothing():
    """Numbers with their neighbours; of categories those that moved most."""
    count = 40
    numeric = Histograms(
        labels=("below 0", *(f"{n} to {n + 1}" for n in range(count - 2)), "missing"),
        reference=(1 / count,) * count,
        current=(1 / count,) * count,
    )
    rows = rows_of(numeric)
    assert 16 >= len(rows)
    assert 1 == pytest.approx(sum(then for _, then, _ in rows))
    assert "below" in rows[0][0]
    assert "missing" == rows[-1][0]
    names = Histograms(
        labels=tuple(f"c{n}" for n in range(count)),
        reference=(1 / count,) * count,
        current=(*(1 / count,) * (count - 2), 0.0, 2 / count),
    )
    rows = rows_of(names)
    assert {"c38", "c39"} == {row[0] for row in rows[:2]}
    assert "25 others" == rows[-1][0]
