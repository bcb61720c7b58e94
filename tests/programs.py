"""Programs of the system that tests drive: found, or brought by the package manager as root.

Imported before anything is installed, hence the standard library alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PROGRAMS = {
    "chromium": ("chromium", "chromium-browser"),
    "nginx": ("nginx",),
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


def find(package: str) -> str | None:
    """Path of a package's program."""
    folders = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return next((found for name in PROGRAMS[package] if (found := shutil.which(name, path=folders))), None)


def may_install() -> bool:
    """Whether this user may bring packages of the system."""
    return sys.platform != "win32" and os.geteuid() == 0 and shutil.which("apt-get") is not None


def bring() -> None:
    """Install what is missing, where that is possible (tests.needed says what is still missing)."""
    missing = [package for package in PROGRAMS if find(package) is None]
    if not missing or not may_install():
        return
    print(f"tests: installing {', '.join(missing)} for the tests …", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", *missing, FONTS]):
        subprocess.run(["apt-get", *words], stdout=subprocess.DEVNULL, env=environment, check=False)
