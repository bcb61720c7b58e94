"""Where a request comes from: the peer, or the address that a trusted proxy names."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

_FORWARDING = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_FORWARDED",
    "HTTP_X_REAL_IP",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_VIA",
)
_FOR = re.compile(r'(?:^|[;,])\s*for=("[^"]*"|[^;,\s]*)', re.IGNORECASE)
_PORT = re.compile(r"\A(?:\[([^\]]+)\]|([^:\[\]]+))(?::\d+)?\Z")
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Addresses:
    """Knows the trusted proxies (networks as text); the first other peer that forwards is reported once."""

    def __init__(self, trusted: Iterable[str], report: Callable[[str], None] = lambda peer: None) -> None:
        self._trusted = tuple(ipaddress.ip_network(network) for network in trusted)
        self._report: Callable[[str], None] | None = report
        self._is_trusted = lru_cache(maxsize=1024)(self._look_up)

    def client(self, environ: dict[str, Any]) -> str:
        """The client's address: the last hop that is not a trusted proxy, if the peer is one; else the peer.

        An IPv6 client is its /64 network, since it may choose freely within that.
        """
        peer = str(environ.get("REMOTE_ADDR") or "")
        if not self._trusted or not self._is_trusted(peer):
            if self._report is not None and "HTTP_X_FORWARDED_FOR" in environ:
                report, self._report = self._report, None
                report(_client_key(peer))
            return _client_key(peer)
        for hop in reversed(_hops(environ)):
            if not self._is_trusted(hop):
                return _client_key(hop)
        return _client_key(peer)

    def is_nobody(self, environ: dict[str, Any]) -> bool:
        """Whether a request has no client's address: it comes from this machine itself, or from a trusted proxy that
        names no client."""
        peer = str(environ.get("REMOTE_ADDR") or "")
        return is_loopback(environ) or (self._is_trusted(peer) and self.client(environ) == _client_key(peer))

    def _look_up(self, text: str) -> bool:
        address = read_address(text)
        return address is not None and any(address in network for network in self._trusted)


def read_address(text: str) -> IpAddress | None:
    """The address in a text, an IPv4 one also if written in IPv6; or None."""
    try:
        address = ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=1024)
def _client_key(text: str) -> str:
    address = read_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address) if address is not None else text[:64]


def _hops(environ: dict[str, Any]) -> list[str]:
    forwarded = environ.get("HTTP_X_FORWARDED_FOR")
    if forwarded is not None:
        hops = str(forwarded).split(",")
    else:
        hops = [hop.strip('"') for hop in _FOR.findall(str(environ.get("HTTP_FORWARDED") or ""))]
    return [_without_port(hop.strip()) for hop in hops if hop.strip()]


def _without_port(hop: str) -> str:
    match = _PORT.match(hop)
    return (match.group(1) or match.group(2)) if match else hop


def is_loopback(environ: dict[str, Any]) -> bool:
    """Whether the request comes from this machine itself, with no forwarding header either."""
    if any(name in environ for name in _FORWARDING):
        return False
    address = read_address(str(environ.get("REMOTE_ADDR") or ""))
    return address is not None and address.is_loopback
