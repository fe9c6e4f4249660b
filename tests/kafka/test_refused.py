"""Twenty kinds of bad records in front of a thousand good ones, through a broker and workers."""

import asyncio

from tests.kafka.command import command  # noqa: F401 - a fixture
from tests.refused import ACCOUNTS, ROWS, expected, good, headers, kinds, now, told


async def test_bad_records_are_dead_letters_and_good_ones_count(command):  # noqa: F811
    """Bytes, headers and codes of all twenty, each once; no worker ever had to be started again."""
    command.start()
    at = now()
    bad = kinds(at)
    records = [(kind.encode(), value, headers(kind)) for kind, (value, _) in bad.items()]
    await command.write([*records, *((*good(number, at), ()) for number in range(ROWS))])
    await command.until(ACCOUNTS)
    letters = [(r.key, r.value, r.headers) for r in await command.read("dead-letters")]
    assert expected(bad) == told(letters)
    assert 0 == await asyncio.to_thread(command.stop)
    assert "starting it again" not in command.said()
    assert len(bad) == len(await command.read("dead-letters"))
