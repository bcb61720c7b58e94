"""Where a request comes from: the peer, or what a trusted proxy says of it."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Any

_FORWARDING = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_FORWARDED",
    "HTTP_X_REAL_IP",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_VIA",
)


class Addresses:
    """Knows the trusted proxies (networks as text)."""

    def __init__(self, trusted: tuple[str, ...]) -> None:
        self._trusted = tuple(ipaddress.ip_network(network) for network in trusted)
        self._is_trusted = lru_cache(maxsize=1024)(self._look_up)

    def client(self, environ: dict[str, Any]) -> str:
        """The client's address: the last hop of X-Forwarded-For that is no trusted proxy, when the peer is one."""
        peer = str(environ.get("REMOTE_ADDR") or "")
        forwarded: str | None = environ.get("HTTP_X_FORWARDED_FOR")
        if not self._trusted or not forwarded or not self._is_trusted(peer):
            return peer
        for hop in reversed([part.strip() for part in forwarded.split(",")]):
            if not self._is_trusted(hop):
                return hop[:64]
        return peer

    def _look_up(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in self._trusted)


def is_loopback(environ: dict[str, Any]) -> bool:
    """Whether the request comes from this machine itself, with no forwarding header either."""
    if any(name in environ for name in _FORWARDING):
        return False
    try:
        return ipaddress.ip_address(str(environ.get("REMOTE_ADDR"))).is_loopback
    except ValueError:
        return False
