"""Reading this machine's labels without special rights; only their scrypt hashes leave this module."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from lts.rules import labels as rules

_SCRYPT = {"n": 1 << 12, "r": 8, "p": 1}
MAX_MACS = 8
_PROCESSOR_LINES = ("vendor_id", "cpu family", "model", "stepping", "CPU part", "CPU implementer")


def fingerprints() -> tuple[str, ...]:
    """`kind:hash` of every label that can be read, sorted; the same on every start of the same machine."""
    return tuple(sorted({fingerprint(kind, value) for kind, value in _raw()}))


def fingerprint(kind: str, value: str) -> str:
    """scrypt hash of a label; slow to guess, equal for equal labels (the salt is the kind)."""
    normal = "".join(value.split()).lower()
    digest = hashlib.scrypt(
        normal.encode("utf-8"),
        salt=f"LTS label {kind}".encode(),
        n=_SCRYPT["n"],
        r=_SCRYPT["r"],
        p=_SCRYPT["p"],
        dklen=16,
    )
    return f"{kind}:{digest.hex()}"


def _raw() -> Iterator[tuple[str, str]]:
    host = os.environ.get("LTS_HOST_ID", "").strip()
    if host:
        yield rules.HOST, host
    yield from _windows() if sys.platform == "win32" else _linux()
    for mac in sorted(_macs())[:MAX_MACS]:
        yield rules.MAC, mac


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _linux() -> Iterator[tuple[str, str]]:
    machine = _read("/etc/machine-id") or _read("/var/lib/dbus/machine-id")
    if len(machine) == 32:
        yield rules.MACHINE_ID, machine
    board = _read("/sys/class/dmi/id/board_serial")
    if board and not rules.is_placeholder(board):
        yield rules.BOARD, board
    fields = [
        line.split(":", 1)[-1].strip()
        for line in _read("/proc/cpuinfo").splitlines()
        if line.startswith(_PROCESSOR_LINES)
    ]
    processor = "|".join(dict.fromkeys(fields)) or platform.processor()
    if processor:
        yield rules.PROCESSOR, processor


def _windows() -> Iterator[tuple[str, str]]:
    if sys.platform != "win32":
        return
    import winreg

    def registry(key: str, name: str) -> str:
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key, 0, winreg.KEY_READ | winreg.KEY_WOW64_64KEY) as handle:
                return str(winreg.QueryValueEx(handle, name)[0])
        except OSError:
            return ""

    machine = registry(r"SOFTWARE\Microsoft\Cryptography", "MachineGuid")
    if machine:
        yield rules.MACHINE_ID, machine
    board = registry(r"HARDWARE\DESCRIPTION\System\BIOS", "BaseBoardSerialNumber")
    if board and not rules.is_placeholder(board):
        yield rules.BOARD, board
    processor = os.environ.get("PROCESSOR_IDENTIFIER", "")
    if processor:
        yield rules.PROCESSOR, processor


def _macs() -> Iterator[str]:
    for name, addresses in psutil.net_if_addrs().items():
        for address in addresses:
            if address.family == psutil.AF_LINK and rules.is_physical_mac(address.address) and _is_fixed(name):
                yield address.address


def _is_fixed(name: str) -> bool:
    """Whether an adapter is a physical one that stays: not USB, bridge, tunnel or container."""
    if sys.platform != "linux":
        lowered = name.lower()
        return not any(word in lowered for word in ("virtual", "vethernet", "vpn", "tap", "tun", "bluetooth", "usb"))
    device = Path("/sys/class/net") / name / "device"
    try:
        target = os.path.realpath(device) if device.exists() else ""
    except OSError:
        return False
    return bool(target) and "/usb" not in target and "/virtual/" not in target
