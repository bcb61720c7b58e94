"""A label of this machine, hashed: never sent, only compared with the one under which an identity was made."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

_FILES = ("/etc/machine-id", "/var/lib/dbus/machine-id")


def label() -> str | None:
    """SHA-256 of the machine's id, None if it has none that can be read."""
    raw = _windows() if sys.platform == "win32" else _posix()
    return hashlib.sha256(f"LTS client {raw}".encode()).hexdigest() if raw else None


def _posix() -> str:
    for name in _FILES:
        try:
            text = Path(name).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue
        if text:
            return text
    return ""


def _windows() -> str:
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\Microsoft\Cryptography") as key:  # type: ignore[attr-defined,unused-ignore]
            return str(winreg.QueryValueEx(key, "MachineGuid")[0])  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return ""
