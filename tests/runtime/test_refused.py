"""Twenty kinds of bad records in front of a thousand good ones, through the embedded runtime."""

import time
from pathlib import Path

import pytest

from schemas.load import load_text
from streams.runtime.assembly import open_embedded
from streams.runtime.recordings.mapping import Columns
from streams.runtime.recordings.reference import build_reference
from streams.runtime.roles import counting
from tests.refused import (
    ACCOUNTS,
    CONFIG,
    ROWS,
    TOO_LARGE,
    expected,
    good,
    headers,
    kinds,
    now,
    outcomes,
    told,
)

SECONDS = 20
OTHER = "  other: {task: binary, reference: {from: first, rows: 500}}\n"


def test_the_kinds_are_twenty_and_differ():
    bad = kinds(now())
    assert 20 == len(bad) == len({value for value, _ in bad.values()})
    sizes = {kind: len(value) for kind, (value, _) in bad.items()}
    assert TOO_LARGE == sizes.pop("oversize")
    assert all(size < TOO_LARGE for size in sizes.values())


def configured(more=""):
    text = CONFIG.format(bootstrap="127.0.0.1:1", prefix="t-", partitions=1)
    return load_text(text + more, {}, lambda name: Path(name).read_text())


def learned(config, folder):
    """The baseline of a file of good rows, by model."""
    rows = [f"{n},{n % 7 / 2},{('rome', 'oslo')[n % 2]},{n % 2},0.7" for n in range(ROWS)]
    path = folder / "reference.csv"
    path.write_text("\n".join(["id,x,city,prediction,score", *rows]) + "\n")
    model = config.models["m"]
    columns = Columns(id="id", prediction="prediction", score="score", every=60_000)
    return {"m": build_reference("m", model, counting("m", model, config), path, columns)}


@pytest.mark.parametrize(
    ("more", "knows"),
    [("", False), ("", True), (OTHER, False)],
    ids=["learning", "with a grid", "beside another model"],
)
def test_bad_records_are_dead_letters_and_good_ones_count(tmp_path, more, knows):
    """Bytes, headers and codes of all twenty; the machines never stop; a restart repeats none."""
    config = configured(more)
    known = learned(config, tmp_path) if knows else {}
    at = now()
    bad = kinds(at)
    runtime = open_embedded(config, known, tmp_path / "log")
    try:
        entries = [
            runtime.entry("predictions", kind.encode(), value, headers(kind))
            for kind, (value, _) in bad.items()
        ]
        sound = [runtime.entry("predictions", *good(number, at)) for number in range(ROWS)]
        runtime.append_many([*entries, *sound])
        runtime.start()
        wait_until(runtime, lambda: ACCOUNTS == outcomes(runtime.accounting()))
        assert expected(bad) == told(letters(runtime))
    finally:
        runtime.stop()
    again = open_embedded(config, known, tmp_path / "log")
    try:
        again.run_until_idle()
        assert expected(bad) == told(letters(again))
        assert ACCOUNTS == outcomes(again.accounting())
    finally:
        again.stop()


def wait_until(runtime, reached):
    deadline = time.monotonic() + SECONDS
    while not reached():
        assert runtime.failure is None
        assert time.monotonic() < deadline, runtime.accounting()
        time.sleep(0.05)


def letters(runtime):
    return [(one.key, one.value, one.headers) for one in runtime.outputs("dead-letters")]
