"""Copies of the project in temporary folders, and pytest run in them; the project itself is only read.

Knows nothing of changes and why tests are chosen: it writes one file, runs these tests, says how it went, puts the
file back.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

TOOL = Path(__file__).resolve().parents[2]
"""The folder that contains `tools`."""
FOLDER = "MUTATION_FOLDER"
"""Variable of the environment: the folder that the plugin writes into."""
SOURCES = "MUTATION_SOURCES"
"""Variable of the environment: the folders whose lines count, a list in JSON."""
NOT_COPIED = {"build", "dist", "data", "screenshots", "trust"}
"""Folders of the root that no test needs; those whose name begins with a dot neither."""
PASSED, FAILED, NO_TESTS = 0, 1, 5
"""Exit codes of pytest. Others mean that it could not begin or continue, mostly because of a fault of the program."""
STANDARD_ERROR = 2
LASTING = float("inf")


class Stopped(Exception):
    """The copy was closed while it was at work."""


class Copy:
    """A copy of a project. One thread works in it; any may close it."""

    def __init__(self, root: Path, python: Path) -> None:
        """Raises OSError, when there is no room for it."""
        self._python = python
        self.place = Path(tempfile.mkdtemp(prefix="lts-mutation-"))
        self.root = self.place / "project"
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._written = 0
        shutil.copytree(root, self.root, ignore=lambda folder, found: _not_copied(Path(folder) == root, found))

    def write(self, path: str, source: bytes) -> None:
        """Write a source over a file.

        Each time has a different hour: otherwise Python would reuse what it compiled from a source of the same length
        and age.
        """
        file = self.root / path
        file.write_bytes(source)
        self._written += 1
        hour = file.stat().st_mtime + 3600 * self._written
        os.utime(file, (hour, hour))

    def run(self, tests: list[str], seconds: float, *options: str, loud: bool = False, **more: str) -> int | None:
        """Exit code of pytest over some tests, None when it took longer. `loud` shows what it says.

        Raises Stopped.
        """
        chosen = self.place / "tests.txt"  # a command line has no room for them on every system
        chosen.write_text("\n".join(tests), encoding="utf-8")
        command = [
            str(self._python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(self.place / "tmp"),
            *options, f"@{chosen}",
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": f"{self.root}{os.pathsep}{TOOL}", **more}
        out = STANDARD_ERROR if loud else subprocess.DEVNULL
        with self._lock:
            if self._closed:
                raise Stopped
            self._process = process = subprocess.Popen(
                command, cwd=self.root, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=sys.platform != "win32",
            )  # fmt: skip
        try:
            code: int | None = process.wait(None if seconds == LASTING else seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
            self._process = None  # its number may soon be another's
        if self._closed:
            raise Stopped
        return code

    def close(self) -> None:
        """End what runs in it, and remove it."""
        with self._lock:
            self._closed = True
        if (process := self._process) is not None:
            _end(process)
        shutil.rmtree(self.place, ignore_errors=True)


def _not_copied(is_root: bool, found: list[str]) -> set[str]:
    return {
        name
        for name in found
        if name == "__pycache__" or (is_root and (name in NOT_COPIED or (name.startswith(".") and name != ".github")))
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all it started."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False)
    else:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # all of them ended by themselves
    process.wait()
