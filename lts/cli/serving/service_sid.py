"""The identity that Windows gives a service of its own: the account `NT SERVICE\\NAME` (no password, few rights)."""

from __future__ import annotations

import hashlib
import struct

_READ = "0x1200a9"
"""Read and traverse (FILE_GENERIC_READ | FILE_GENERIC_EXECUTE); BU are all users."""


def account(name: str) -> str:
    """The virtual account of a service."""
    return f"NT SERVICE\\{name}"


def service_sid(name: str) -> str:
    """Its security identifier: S-1-5-80 and the five 32-bit words, least byte first, of the SHA-1 of the name in
    capitals in UTF-16 (as `sc showsid NAME` prints it). Computed, since the account exists only once the service does.
    """
    digest = hashlib.sha1(name.upper().encode("utf-16-le"), usedforsecurity=False).digest()
    return "S-1-5-80-" + "-".join(str(word) for word in struct.unpack("<5I", digest))


def folder_rights(name: str) -> tuple[str, str]:
    """Who may do what with the configuration's folder and with the data folder in it, in SDDL.

    The configuration holds no secret: everybody may read it, administrators may change it. The data are for the
    only for system, administrators and the service. Both rights apply to all that is inside, whatever applies above.
    """
    owners, own = "(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)", service_sid(name)
    return f"D:P{owners}(A;OICI;{_READ};;;{own})(A;OICI;{_READ};;;BU)", f"D:P{owners}(A;OICI;FA;;;{own})"
