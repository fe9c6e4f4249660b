"""Which addresses a sink may be at: public ones, unless the config allows private ones.

Promises: the address that is judged is the one that is connected to, because it is judged when the
socket for it is made, after the last resolution of its name; so a name that answers differently the
second time gains nothing. An address that is wrapped into another one (IPv4 in IPv6, 6to4, Teredo,
NAT64) is judged as what it leads to.
Leaves to others: connecting (`caller`).
"""

import ipaddress
import socket
from collections.abc import Callable
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
AddressInfo = tuple[
    int | socket.AddressFamily,
    int | socket.SocketKind,
    int,
    str,
    tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes],
]
"""As `socket.getaddrinfo` gives it."""

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_LOCAL_NAT64: Final = ipaddress.ip_network("64:ff9b:1::/48")
_IPV4: Final = (1 << 32) - 1


class ForbiddenAddressError(OSError):
    """A sink's name leads to an address that may not be spoken to."""


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, and of one machine."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _wrapped(address)
        if inner:
            return all(is_public(one) for one in inner)
        if address in _LOCAL_NAT64 or address.is_site_local:
            return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )


def _wrapped(address: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address leads to."""
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64 or int(address) <= _IPV4:
        found.append(ipaddress.IPv4Address(int(address) & _IPV4))
    return [one for one in found if one is not None]


def guarded_socket(*, allow_private: bool) -> Callable[[AddressInfo], socket.socket]:
    """What makes the socket for an address, or raises ForbiddenAddressError."""

    def make(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, place = info
        if not allow_private and not _is_allowed(str(place[0])):
            raise ForbiddenAddressError("leads to a private address")
        return socket.socket(family, kind, protocol)

    return make


def _is_allowed(text: str) -> bool:
    """What is no address in its usual form (a number, a name) is not allowed either."""
    try:
        return is_public(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return False
