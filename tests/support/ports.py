"""Ports for servers that tests start."""

from __future__ import annotations

import random
import socket

_PORTS = range(20_000, 32_000)
"""Below those that systems give to outgoing connections, so that none of these takes a port before its server does."""
_dice = random.SystemRandom()  # tests that run at the same time are given the same seed, and must not draw the same


def free_port() -> int:
    """A port of loopback that nobody listens on just now."""
    while True:
        port = _dice.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
