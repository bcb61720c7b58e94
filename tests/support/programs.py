"""Programs of the system that tests drive: found, or brought by the package manager as root.

Imported before anything is installed, hence the standard library alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = {
    "chromium": ("chromium", "chromium-browser"),
    "nginx": ("nginx",),
    "caddy": ("caddy",),
    "systemd": ("systemd-analyze",),
    "systemd-container": ("systemd-nspawn",),
    "mmdebstrap": ("mmdebstrap",),
    "wine": ("wine",),
    "wine64": ("/usr/lib/wine/wine64",),
    "gcc-mingw-w64-x86-64": ("x86_64-w64-mingw32-gcc",),
    "nsis": ("makensis",),
}
"""Package of the system: names of its program."""
FONTS = "fonts-noto-cjk"
"""Without it pictures of Chinese pages show boxes."""
POLICY = Path("/usr/sbin/policy-rc.d")
"""Asked by Debian's maintainer scripts before they start a service (invoke-rc.d(8)); 101 forbids it."""


def find(package: str) -> str | None:
    """Path of a package's program."""
    folders = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return next((found for name in PROGRAMS[package] if (found := shutil.which(name, path=folders))), None)


def may_install() -> bool:
    """Whether this user may bring packages of the system."""
    return sys.platform != "win32" and os.geteuid() == 0 and shutil.which("apt-get") is not None


def bring() -> None:
    """Install what is missing, where that is possible (tests.support.needed says what is still missing)."""
    missing = [package for package in PROGRAMS if find(package) is None]
    if not missing or not may_install():
        return
    print(f"tests: installing {', '.join(missing)} for the tests …", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _no_service_starts():
        for words in (["update"], ["install", "-y", "--no-install-recommends", *missing, FONTS]):
            subprocess.run(["apt-get", *words], stdout=subprocess.DEVNULL, env=environment, check=False)


@contextlib.contextmanager
def _no_service_starts() -> Iterator[None]:
    """Tests start servers on ports of their own; the packages' services must not take port 80."""
    if POLICY.exists():  # the machine's owner has said what starts
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
