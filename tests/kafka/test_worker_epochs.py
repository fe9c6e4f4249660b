"""Another config while workers of the former one run, on a real broker: one epoch, nobody mixed."""

import asyncio

import pytest

from schemas import epoch as epochs
from tests.kafka.command import command  # noqa: F401 - a fixture
from tests.refused import good, now

REFERENCE = "x,city,prediction\n" + "".join(
    f"{number % 7 / 2},{('rome', 'oslo')[number % 2]},{number % 2}\n" for number in range(600)
)


def rows(*numbers):
    at = now()
    return [(*good(number, at), ()) for number in range(*numbers)]


def known_grid(command, folder):  # noqa: F811
    """Let the command's config name a file of rows as the reference; gives its text."""
    (folder / "rows.csv").write_text(REFERENCE)
    text = command.text().replace(
        "reference: {from: first, rows: 500, min_duration: 0s}",
        "reference: {from: file, path: rows.csv}",
    )
    command.configure("windage.yaml", text)
    return text


@pytest.mark.slow
async def test_a_rolling_restart_with_another_pane(command, tmp_path):  # noqa: F811
    """New workers announce the epoch and go on where the states were; the old ones stop, told."""
    text = known_grid(command, tmp_path)
    command.start()
    await command.write(rows(20))
    await command.until({"read": 20, "counted": 20})

    old = command.process
    command.configure("new.yaml", text.replace("pane: 1m", "pane: 10s"))
    command.start()
    assert 2 == await asyncio.to_thread(old.wait, 90), command.said()
    assert "took the place of this one" in command.said()

    await command.write(rows(20, 27))
    await command.until({"read": 7, "counted": 7})
    told = [epochs.decode(r.value) for r in await command.read("references")]
    assert [1] == [one.number for one in told]
    assert 20 == sum(told[0].starts["predictions"])

    command.configure("windage.yaml", text)  # back to the former config: by a reset only
    assert 0 == await asyncio.to_thread(command.stop)
    command.start()
    assert 2 == await asyncio.to_thread(command.process.wait, 90), command.said()
    command.start("--reset-from", "earliest")
    await command.until({"read": 27, "counted": 27})
    assert 0 == await asyncio.to_thread(command.stop)
    assert 2 == max(epochs.decode(r.value).number for r in await command.read("references"))
    assert "Traceback" not in command.said()
