"""Reading this machine's labels without special rights; only their scrypt hashes leave this module.

Which labels count is decided in lts/rules/labels.py. What cannot be read is left out.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from lts.rules import labels as rules

_SCRYPT_N, _SCRYPT_R = 1 << 12, 8
"""About 10 ms a label: all of them, 12 at most, take well under half a second at start."""
MAX_MACS = 8
_PROCESSOR_LINES = ("vendor_id", "cpu family", "model", "stepping", "CPU part", "CPU implementer")
_NETWORK_CLASS = "{4D36E972-E325-11CE-BFC1-08002BE10318}"
"""Windows' class of network adapters."""


def fingerprints() -> tuple[str, ...]:
    """`kind:hash` of every label that can be read, sorted; the same on every start of the same machine."""
    return tuple(sorted({fingerprint(kind, value) for kind, value in _raw()}))


def fingerprint(kind: str, value: str) -> str:
    """scrypt hash of a label: slow to guess, and equal for equal labels (the salt is the kind), so that a
    vendor can see that two requests come from one machine. Case and blanks do not matter."""
    normal = "".join(value.split()).lower().encode("utf-8")
    salt = f"LTS label {kind}".encode()
    return f"{kind}:{hashlib.scrypt(normal, salt=salt, n=_SCRYPT_N, r=_SCRYPT_R, p=1, dklen=16).hex()}"


def _raw() -> Iterator[tuple[str, str]]:
    host = os.environ.get("LTS_HOST_ID", "").strip()
    if host:
        yield rules.HOST, host
    found = _windows() if sys.platform == "win32" else _linux(Path("/"))
    macs: set[str] = set()
    for kind, value in found:
        if kind == rules.MAC:
            macs.add(value.replace("-", ":").lower())
        elif kind == rules.PROCESSOR or not rules.is_placeholder(value):
            yield kind, value
    for mac in sorted(filter(rules.is_physical_mac, macs))[:MAX_MACS]:
        yield rules.MAC, mac


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _linux(root: Path) -> Iterator[tuple[str, str]]:
    """Labels of a Linux system whose files are under `root`."""
    machine = _read(root / "etc/machine-id") or _read(root / "var/lib/dbus/machine-id")
    if len(machine) == 32:
        yield rules.MACHINE_ID, machine
    yield rules.BOARD, _read(root / "sys/class/dmi/id/board_serial")
    lines = [line for line in _read(root / "proc/cpuinfo").splitlines() if line.startswith(_PROCESSOR_LINES)]
    processor = "|".join(dict.fromkeys(line.split(":", 1)[-1].strip() for line in lines))
    if processor:
        yield rules.PROCESSOR, processor
    for adapter in (root / "sys/class/net").glob("*"):
        if _is_fixed(adapter):
            yield rules.MAC, _burnt_in(adapter)


def _is_fixed(adapter: Path) -> bool:
    """Whether an adapter in /sys/class/net is a device that stays: not USB, bridge, tunnel or container."""
    try:
        target = (adapter / "device").resolve(strict=True).as_posix()
    except (OSError, RuntimeError):
        return False
    return "/usb" not in target and "/virtual/" not in target


def _burnt_in(adapter: Path) -> str:
    """The address an adapter was made with: a bond lends its own to its members, others are set or random."""
    if lent := _read(adapter / "bonding_slave/perm_hwaddr"):
        return lent
    return _read(adapter / "address") if _read(adapter / "addr_assign_type") in ("", "0") else ""


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

    def subkeys(key: str) -> Iterator[str]:
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key, 0, winreg.KEY_READ | winreg.KEY_WOW64_64KEY) as handle:
                yield from [winreg.EnumKey(handle, number) for number in range(winreg.QueryInfoKey(handle)[0])]
        except OSError:
            return

    yield rules.MACHINE_ID, registry(r"SOFTWARE\Microsoft\Cryptography", "MachineGuid")
    yield rules.BOARD, registry(r"HARDWARE\DESCRIPTION\System\BIOS", "BaseBoardSerialNumber")
    if processor := os.environ.get("PROCESSOR_IDENTIFIER", ""):
        yield rules.PROCESSOR, processor
    # An adapter's name is the user's to change and speaks the system's language; the bus it sits on is reliable.
    network = rf"SYSTEM\CurrentControlSet\Control\Network\{_NETWORK_CLASS}"
    connections = [rf"{network}\{one}\Connection" for one in subkeys(network)]
    on_board = {registry(one, "Name") for one in connections if registry(one, "PnpInstanceID").startswith("PCI\\")}
    try:
        adapters = psutil.net_if_addrs()
    except (OSError, psutil.Error):
        return
    for name, addresses in adapters.items():
        if name in on_board:
            yield from ((rules.MAC, one.address) for one in addresses if one.family == psutil.AF_LINK)
