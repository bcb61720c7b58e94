"""Programs of the system that tests drive: found, or brought by the package manager as root."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
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
LOCK = Path("/run/lock/lts-tests-bring")
POLICY = Path("/usr/sbin/policy-rc.d")
"""Asked by Debian's maintainer scripts before they start a service (invoke-rc.d(8)); 101 forbids it."""


def find(package: str) -> str | None:
    """Path of a package's program."""
    folders = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return next((found for name in PROGRAMS[package] if (found := shutil.which(name, path=folders))), None)


def may_install() -> bool:
    """Whether this user may bring packages of the system."""
    return sys.platform != "win32" and os.geteuid() == 0 and shutil.which("apt-get") is not None


def bring(packages: Collection[str]) -> None:
    """Install what is missing of these, where that is possible: once, however many processes ask for it."""
    if not _missing(packages) or not may_install():
        return
    with _alone():
        missing = _missing(packages)  # another process may have brought it meanwhile
        if not missing:
            return
        print(f"tests: installing {', '.join(missing)} for the tests …", file=sys.stderr, flush=True)
        more = [FONTS] if "chromium" in missing else []
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        with _no_service_starts():
            for words in (["update"], ["install", "-y", "--no-install-recommends", *missing, *more]):
                subprocess.run(["apt-get", *words], stdout=subprocess.DEVNULL, env=environment, check=False)


def _missing(packages: Collection[str]) -> list[str]:
    return sorted(package for package in packages if find(package) is None)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One process of this machine at a time; the system drops the lock of one that dies."""
    if sys.platform == "win32":  # where nothing is installed
        yield
        return
    import fcntl

    with LOCK.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


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
