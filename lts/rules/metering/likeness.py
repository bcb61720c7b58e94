"""Which devices look alike: a number made from the network and the kind of program of a device's first authorization.

A browser that forgets its identity returns as a new device. Nothing can prove that it is the old one; the number
shows an administrator which devices may be. It is a keyed hash too short to be reversed, and a network with one kind of
browser has one number. Decides nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import NamedTuple

_VERSIONS = re.compile(r"[0-9]+(?:[._][0-9]+)*")
_AGENT_CHARACTERS = 512


class Caller(NamedTuple):
    """Who sent a request, as far as HTTP says: its address (lts.web.wire.addresses) and its User-Agent."""

    address: str
    agent: str = ""


def likeness_of(key: bytes, caller: Caller) -> int:
    """32 bits, signed. Versions in the User-Agent do not count: a browser renews itself every few weeks."""
    kind = _VERSIONS.sub("", caller.agent[:_AGENT_CHARACTERS])
    text = f"{caller.address}\n{kind}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hmac.digest(key, text, hashlib.sha256)[:4], "big", signed=True)
