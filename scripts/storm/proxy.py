"""A TCP proxy between workers and broker whose line can be made bad while it runs.

Run as `python -m scripts.storm.proxy LISTEN TARGET`; each line on stdin names the mode from then
on: pass, latency, throttle, reset, black_hole, half_open. The end of stdin ends it.

Promises: bytes that arrive are in order and unchanged; `half_open` cuts the broker's side of
every connection and never tells the worker, also not afterwards.
"""

import asyncio
import sys
from typing import Final

LATENCY_S: Final = 0.1
BYTES_PER_S: Final = 3_000_000 / 8
RESET_S: Final = 2.0
CHUNK_BYTES: Final = 1 << 20


class Line:
    """All connections, and how they are at the moment."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._mode = "pass"
        self._open = asyncio.Event()
        self._open.set()
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._silent: set[asyncio.StreamWriter] = set()
        self._free_s = {True: 0.0, False: 0.0}  # when each direction of the line is free again

    def turn(self, mode: str) -> None:
        """Be in this mode from now on."""
        self._mode = mode
        self._free_s = {True: 0.0, False: 0.0}
        if mode == "black_hole":
            self._open.clear()
        else:
            self._open.set()
        if mode == "half_open":
            for client, broker in self._pairs:
                self._silent.add(client)
                broker.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it."""
        try:
            await self._open.wait()
            there, broker = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, broker)
        self._pairs.add(pair)
        pumps = [
            asyncio.create_task(self._pump(reader, broker, up=True)),
            asyncio.create_task(self._pump(there, writer, up=False)),
        ]
        try:
            await asyncio.gather(*pumps)
        except OSError:
            pass
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._pairs.discard(pair)
            broker.transport.abort()
            if writer in self._silent:
                await self._stay_silent(reader)
                self._silent.discard(writer)
            writer.transport.abort()

    async def _stay_silent(self, reader: asyncio.StreamReader) -> None:
        """Take what the worker says, and answer nothing, until it hangs up."""
        try:
            while await reader.read(CHUNK_BYTES):
                pass
        except OSError:
            pass

    async def _queue(self, size: int, *, up: bool) -> None:
        """Wait for the bytes before ours: all connections share the line."""
        clock = asyncio.get_running_loop().time
        due = self._free_s[up] = max(clock(), self._free_s[up]) + size / BYTES_PER_S
        while self._mode == "throttle" and clock() < due:  # noqa: ASYNC110 - time is waited for
            await asyncio.sleep(min(LATENCY_S, due - clock()))

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool
    ) -> None:
        while taken := await reader.read(CHUNK_BYTES):
            if self._mode == "latency":
                await asyncio.sleep(LATENCY_S)
            elif self._mode == "throttle":
                await self._queue(len(taken), up=up)
            await self._open.wait()
            writer.write(taken)
            await writer.drain()
        raise ConnectionResetError

    async def reset_now_and_then(self) -> None:
        """In mode `reset`, cut everything again and again."""
        while True:
            await asyncio.sleep(RESET_S)
            if self._mode == "reset":
                for client, broker in list(self._pairs):
                    client.transport.abort()
                    broker.transport.abort()


async def main(listen: int, target: int) -> None:
    """Serve until stdin ends."""
    line = Line(target)
    server = await asyncio.start_server(line.serve, "127.0.0.1", listen, limit=CHUNK_BYTES)
    resetting = asyncio.create_task(line.reset_now_and_then())
    orders = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    print("ready", flush=True)
    while order := await orders.readline():
        line.turn(order.decode().strip())
    resetting.cancel()
    server.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
