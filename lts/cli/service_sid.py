"""The identity that Windows gives a service of its own: the account `NT SERVICE\\NAME` (no password, few rights)."""

from __future__ import annotations

import hashlib
import struct


def account(name: str) -> str:
    """The virtual account of a service."""
    return f"NT SERVICE\\{name}"


def service_sid(name: str) -> str:
    """Its security identifier: S-1-5-80 and the five 32-bit words, least byte first, of the SHA-1 of the name in
    capitals in UTF-16 (as `sc showsid NAME` prints it). Computed, since the account exists only once the service does.
    """
    digest = hashlib.sha1(name.upper().encode("utf-16-le"), usedforsecurity=False).digest()
    return "S-1-5-80-" + "-".join(str(word) for word in struct.unpack("<5I", digest))


def folder_rights(name: str) -> str:
    """Who may do what with the data folder, in SDDL: the system, administrators and the service everything, nobody
    else anything; inherited by all that is in it, not by what is above it."""
    return "D:P" + "".join(f"(A;OICI;FA;;;{sid})" for sid in ("SY", "BA", service_sid(name)))
