"""A lookout: what Windage has said up to an instant, all of it and nothing twice.

Promises: `until` comes back when the pane that ends at an instant is judged, with every event
that was written by then, in the order of their topics.
Leaves to others: what follows from them (`retrain_service`, `story`).

`windage.subscribe` gives the events of one topic whenever they come; a loop whose outcome is to be
the same every time must know, besides, that none is still on its way.
"""

import http.client
import json
import time
from contextlib import closing
from datetime import datetime
from typing import Any, Final, NamedTuple

TOPICS: Final = ("retrain-requests", "rollback-requests", "alerts", "drift-events")
VERDICTS: Final = "readings"
"""What Windage says of canaries is a reading each pane."""

MODEL: Final = "employment"
PATIENCE_S: Final = 120.0
_LOOK_S: Final = 0.05


class Said(NamedTuple):
    """An output of Windage."""

    topic: str
    event: dict[str, Any]


class Lookout:
    """Reads `windage serve` over HTTP."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._cursor = ""

    def until(self, end: datetime) -> list[Said]:
        """What is new; RuntimeError if the pane is not judged in time."""
        limit = time.monotonic() + PATIENCE_S
        while (judged := self._judged()) is None or judged < end:
            if time.monotonic() > limit:
                raise RuntimeError(f"nothing was judged beyond {judged}")
            time.sleep(_LOOK_S)
        return [*self._news(), *self._rollouts()]

    def ready(self) -> bool:
        """Whether the server answers."""
        try:
            with closing(self._get("/readyz")) as response:
                return response.status == http.client.OK
        except OSError:
            return False

    def _judged(self) -> datetime | None:
        """The end of the latest pane that was judged."""
        with closing(self._get("/v1/models")) as response:
            models = json.loads(response.read())["models"]
        said = next((one["judged_until"] for one in models if one["model"] == MODEL), None)
        return None if said is None else datetime.fromisoformat(said)

    def _news(self) -> list[Said]:
        """Events behind the cursor, up to the first reading: topics come in the order asked for.

        A stream has no end. But one opened now sends all that stands in the other topics before
        the first reading, of which there always is one.
        """
        path = f"/v1/stream?topics={','.join(TOPICS)},readings"
        headers = {"Last-Event-ID": self._cursor} if self._cursor else {}
        found: list[Said] = []
        fields: dict[str, str] = {}
        with closing(self._get(path if headers else f"{path}&from=start", headers)) as response:
            for raw in response:
                name, _, value = raw.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                    continue
                if fields.get("event") == "readings":
                    break
                if "event" in fields:
                    self._cursor = fields["id"]
                    found.append(Said(fields["event"], json.loads(fields["data"])))
                fields = {}
        return found

    def _rollouts(self) -> list[Said]:
        """The latest verdict on each canary."""
        with closing(self._get("/v1/readings?monitor=canary/rollout")) as response:
            return [Said(VERDICTS, one) for one in json.loads(response.read())["readings"]]

    def _get(self, path: str, headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
        """An answer that ends its connection when it is closed."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        connection.request("GET", path, headers={"Connection": "close", **(headers or {})})
        response = connection.getresponse()
        connection.close()  # the response keeps the socket until it is closed itself
        return response
