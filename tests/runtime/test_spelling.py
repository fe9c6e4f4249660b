"""Files as spreadsheets and databases write them: the same table comes out, or a clear refusal."""

import gzip

import pytest

from streams.cli.guessing import guess
from streams.runtime.recordings.cells import TextColumn, spelled_number
from streams.runtime.recordings.dates import Ambiguous, Form, form_of
from streams.runtime.recordings.files import FileError, open_table
from streams.runtime.recordings.instants import InstantColumn, NoInstants
from streams.runtime.recordings.mapping import Columns
from streams.runtime.recordings.recording import Recording

TABLE = {"a": ["1234.5", "-0.25"], "größe": ['"x"', '"y, z"']}


def file_of(tmp_path, content, name="f.csv"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def cells_of(path):
    """The table in a file, as JSON literals by column."""
    table = open_table(path)
    (block,) = table.blocks()
    return {name: list(block.literals(name)) for name in table.columns}


@pytest.mark.parametrize(
    "content",
    [
        'a,größe\n1234.5,x\n-0.25,"y, z"\n'.encode(),
        'a;größe\n1.234,5;x\n-0,25;"y, z"\n'.encode(),
        'a;größe\n1.234,5;x\n-0,25;"y, z"\n'.encode("cp1252"),
        'a\tgröße\n"1,234.50"\tx\n(0.25\ty, z\n'.replace("(", "-").encode("utf-16"),
        'sep=;\na;größe\n1234,5 €;x\n-0,25 €;"y, z"\n'.encode(),
        'a , größe \n1234.5, x\n-0.25, "y, z"\n'.encode(),
        '"a","größe"\n"$1,234.5","x"\n"-$0.25","y, z"\n'.encode(),
    ],
    ids=["plain", "comma", "windows", "utf-16", "sep", "blanks", "dollars"],
)
def test_one_table_comes_out_of_all_spellings(tmp_path, content):
    """Delimiters, decimal signs, currencies, encodings and blanks are not the table."""
    wanted = {name: [cell.replace("1234.50", "1234.5") for cell in cells]
              for name, cells in cells_of(file_of(tmp_path, content)).items()}  # fmt: skip
    assert TABLE == wanted


def test_a_decimal_comma_is_a_thousand_where_cells_end_at_commas(tmp_path):
    """The same text, decided by the delimiter of its file; not if three digits do not follow."""
    assert ["1234"] == cells_of(file_of(tmp_path, b'a,b\n"1,234",x\n'))["a"]
    assert ["1.234"] == cells_of(file_of(tmp_path, b"a;b\n1,234;x\n"))["a"]
    assert ["1.25"] == cells_of(file_of(tmp_path, b'a,b\n"1,25",x\n'))["a"]


@pytest.mark.parametrize(
    ("text", "decimal", "expected"),
    [
        ("12.5%", ".", "12.5"), ("-€ 3", ".", "-3"), ("1,23,456", ".", None), ("€", ".", None),
        ("1.234.567,8", ",", "1234567.8"), ("12,", ",", None), ("1.5", ",", "1.5"),
        ("1\u202f234,5", ",", "1234.5"), ("--5", ",", None), ("31.01.2025", ",", None),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(text, decimal, expected):
    """A grouped number is one only if its groups are whole."""
    assert expected == spelled_number(text, decimal)


def test_a_plain_column_does_not_change_its_mind():
    """A cell with a comma in a column of plain numbers is a mistake of the producer."""
    column = TextColumn(",.")
    assert ["1", "2"] == list(column.literals(["1", "2"]))
    assert ['"1,5"'] == list(column.literals(["1,5"]))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, "is no text"),
        (b"0.5,1.25,3\n0.1,0.2,4\n", "the first line must name the columns"),
        (b"a,b\n", "has columns and no rows"),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 9999)[:60], "end-of-stream"),
    ],
    ids=["binary", "no header", "no rows", "cut off"],
)
def test_what_is_no_table_is_refused(tmp_path, content, says):
    """In a sentence that says what is wrong, whoever reads it first."""
    name = "f.csv.gz" if content.startswith(b"\x1f") else "f.csv"
    with pytest.raises(FileError, match=says):
        read(file_of(tmp_path, content, name))


def read(path):
    """Read a file as a replay does: how long it is, then its rows."""
    recording = Recording(path, model="m")
    return recording.rows, list(recording.chunks())


def test_a_column_without_a_name_gets_one(tmp_path):
    """Data frames write their index so."""
    assert ("column_1", "a") == tuple(open_table(file_of(tmp_path, b",a\n0,5\n")).columns)


def test_integers_may_name_columns(tmp_path):
    """A matrix with numbered columns has a header; one of fractions has none."""
    assert ("0", "1") == tuple(open_table(file_of(tmp_path, b"0,1\n.5,.25\n")).columns)


NOON = 1_738_324_800_000  # 2025-01-31T12:00:00Z


@pytest.mark.parametrize(
    "cells",
    [
        ["31.01.2025 12:00", "1.2.2025 12:00:00"],
        ["1/31/2025 12:00 PM", "2/1/2025 12:00 p.m."],
        ["31/01/2025 12:00", "01/02/2025 12:00"],
        ["2025/01/31 12:00", "2025/02/01 12:00"],
        ["2025-01-31T12:00:00Z", "2025-02-01 12:00"],
    ],
)
def test_dates_of_spreadsheets_are_instants(cells):
    """The column decides the form, each cell is read by it."""
    assert [NOON, NOON + 86_400_000] == InstantColumn().read(cells)


def test_a_date_that_could_be_either_is_refused():
    """A guess would be wrong by months."""
    with pytest.raises(Ambiguous):
        form_of(["1/2/2025", "3/4/2025"])
    with pytest.raises(NoInstants, match="write dates as 2025-01-31"):
        InstantColumn().read(["1/2/2025", "3/4/2025"])


def test_what_has_no_form_is_no_date():
    """Words, numbers, impossible days."""
    assert form_of(["north", "south"]) is None
    assert form_of([]) is None
    assert form_of(["31/31/2025"] * 5) is None
    assert Form(day_first=True).read("31.02.2025") is None


def test_a_rising_column_of_such_dates_is_the_time(tmp_path):
    """And an ambiguous one is told, and not watched: its values are always new."""
    lines = "day;either;amount\n" + "".join(
        f"{day:02}.01.2025;{day % 12 + 1:02}/{day % 11 + 1:02}/2025;{day % 7},5\n"
        for day in range(1, 32)
        for _ in range(3)
    )
    found = guess(file_of(tmp_path, lines.encode()), Columns())
    assert "day" == found.columns.timestamp
    assert ("amount",) == found.columns.features
    assert any("either" in note and "write dates as" in note for note in found.notes)


def test_unique_amounts_with_a_decimal_comma_are_no_ids(tmp_path):
    """They are numbers, whatever the sign."""
    lines = "amount;x\n" + "".join(f"{n * 37 % 211},{n:03};1\n" for n in range(100))
    found = guess(file_of(tmp_path, lines.encode()), Columns())
    assert (None, ("amount", "x")) == (found.columns.id, found.columns.features)


def test_free_text_is_no_id(tmp_path):
    """It is different in every row and names nothing."""
    lines = "said,x\n" + "".join(f"words and number {n},1\n" for n in range(60))
    found = guess(file_of(tmp_path, lines.encode()), Columns())
    assert (None, ("x",)) == (found.columns.id, found.columns.features)


def test_ids_that_repeat_and_time_that_runs_backwards_are_told(tmp_path):
    """Most rows of such a file would count as repeated, or late, and nobody would know why."""
    lines = "id,timestamp,x\n" + "".join(
        f"{n % 10},2025-01-{31 - n // 3:02}T00:00:00Z,{n % 7}\n" for n in range(90)
    )
    notes = guess(file_of(tmp_path, lines.encode()), Columns()).notes
    assert any("column id repeats (10 values in 90 rows)" in note for note in notes)
    assert any("column timestamp runs backwards" in note for note in notes)
