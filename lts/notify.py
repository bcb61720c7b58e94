"""Telling the system's service manager how the server fares (sd_notify: a datagram to the socket that it names)."""

from __future__ import annotations

import logging
import os
import socket

log = logging.getLogger("lts.notify")
VARIABLE = "NOTIFY_SOCKET"
READY, STOPPING = "READY=1", "STOPPING=1"


def notify(*lines: str) -> bool:
    """Notify the service manager, if there is one; returns whether it was. Never raises: the server continues
    without."""
    address = os.environ.get(VARIABLE, "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(1)
            sender.sendto("\n".join(lines).encode("utf-8"), address)
    except OSError as error:
        log.warning("the service manager could not be notified: %s", error)
        return False
    return True
