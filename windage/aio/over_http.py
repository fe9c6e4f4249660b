"""Sending to `windage serve` over HTTP with aiohttp, imported only when it is needed.

Promises: as `windage.over_http`.
Leaves to others: when to send again (`outbox`).
"""

import asyncio
import ssl
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from windage.addresses import HttpAddress
from windage.buffer import Item
from windage.counts import Reason
from windage.outbox import Delivery
from windage.over_http import ACCEPTED, LATER, TOO_LARGE, bodies, head, pause, said


class OverHttp:
    """A session with one server."""

    def __init__(self, address: HttpAddress, session: Any) -> None:  # noqa: ANN401 - of aiohttp
        self._address = address
        self._session = session

    @classmethod
    async def connect(cls, address: HttpAddress, timeout_s: float) -> "OverHttp":
        """Import the client off the event loop, and make a session."""
        aiohttp = await asyncio.to_thread(import_module, "aiohttp")
        context: ssl.SSLContext | bool = True
        if address.tls and address.ca_file:
            context = ssl.create_default_context(cafile=address.ca_file)
        session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            connector=aiohttp.TCPConnector(ssl=context),
        )
        return cls(address, session)

    async def deliver(self, items: Sequence[Item]) -> Delivery:
        """Post items, in as few requests as their forms allow."""
        again: dict[int, Item] = {}
        refused: dict[int, tuple[Item, Reason, str]] = {}
        wait_s: float | None = None
        waiting = bodies(items, refused)
        while waiting:
            kind, body, inside = waiting.pop(0)
            headers = head(self._address, kind, body, inside)
            url = self._address.url("/v1/events")
            async with self._session.post(url, data=body, headers=headers) as response:
                status, answer = response.status, await response.read()
                wait_s = pause({k.lower(): v for k, v in response.headers.items()})
            if status in ACCEPTED:
                continue
            if status == TOO_LARGE and len(inside) > 1:
                half = len(inside) // 2
                waiting[:0] = bodies(inside[:half], refused) + bodies(inside[half:], refused)
            elif status in LATER:
                rest = [(kind, body, inside), *waiting]
                again = {id(item): item for _, _, some in rest for item in some}
                break
            else:
                reason: Reason = "too_large" if status == TOO_LARGE else "rejected"
                refused.update({id(item): (item, reason, said(status, answer)) for item in inside})
        left = [item for key, item in again.items() if key not in refused]
        return Delivery(again=left, refused=list(refused.values()), wait_s=wait_s)

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()
