"""What was said: taken in once, also when several pages ask at the same time."""

import time
from concurrent.futures import ThreadPoolExecutor

import orjson

from schemas.log import Record
from streams.web.said import Said

DAY = 86_400_000


class Slow:
    """A log of one note that takes its time, so that two readers are in it together."""

    partitions = 1

    def read(self, _topic, _partition, offset, _limit, *, connection=""):
        time.sleep(0.05)
        assert "view" == connection
        body = {
            "model": "m",
            "type": "annotation",
            "timestamp": "1970-01-02T00:00:00Z",
            "note": "moved",
        }
        record = Record(offset=0, timestamp=DAY, key=b"m", value=orjson.dumps(body), headers=())
        return [record] if offset == 0 else []


def test_pages_that_ask_together_see_a_note_once():
    """Each page is answered in a thread of its own."""
    said = Said(Slow())
    with ThreadPoolExecutor(4) as pages:
        list(pages.map(lambda _: said.refresh(), range(4)))
    assert ["moved"] == [mark.note for mark in said.marks("m", 0, 2 * DAY)]
