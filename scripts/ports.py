"""Ports that a broker finds free again when it comes back.

Promises: they lie below those that systems give to outgoing connections (32,768 on Linux), so no
client of anybody's takes one while the broker is away.
"""

import secrets
import socket
from contextlib import ExitStack
from typing import Final

PORTS: Final = range(20_000, 32_000)


def free_ports(count: int) -> list[int]:
    """As many ports in a row, all free now."""
    while True:
        first = PORTS.start + secrets.randbelow(len(PORTS) - count)
        ports = list(range(first, first + count))
        with ExitStack() as held:
            try:
                for port in ports:
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return ports
