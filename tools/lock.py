"""Make requirements/*.txt from requirements/*.in: `python -m tools.lock [--upgrade]` (docs/developer.md).

One lock serves every system and every Python we run on: it names versions, markers and the hashes of all files,
and no index. The index is the one pip is set up with. Needs `uv` on the path or beside the interpreter; it does
not install anything.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "requirements"
NAMES = ("runtime", "dev", "package", "wheel")
OLDEST = "3.10"
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
SYSTEMS = ("linux", "windows")
_LINE = re.compile(r"[a-z0-9._-]+==\S+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")


class LockError(Exception):
    """A lock could not be made or does not serve everywhere; the text is for the developer."""


def strange_lines(lock: str) -> list[str]:
    """Lines of a lock that are neither `name==version [; marker]` nor a hash, such as an index or a URL."""
    return [line for line in lock.splitlines() if not _LINE.fullmatch(line)]


def _uv() -> str:
    found = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if found is None:
        raise LockError("uv is missing; install it with pip.")
    return found


def _environment() -> dict[str, str]:
    """Our environment, with the index that pip would use; uv does not read pip's settings."""
    environment = dict(os.environ)
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    asked = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    index = os.environ.get("PIP_INDEX_URL") or asked.stdout.strip()
    if index:
        environment.setdefault("UV_DEFAULT_INDEX", index)
    return environment


def _run_uv(*arguments: str) -> None:
    done = subprocess.run(
        [_uv(), "pip", *arguments], env=_environment(), capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode:
        raise LockError(done.stderr.strip())


def make(name: str, upgrade: bool) -> None:
    """Write the lock of one `.in` file; versions stay as they are unless `upgrade`. Raises LockError."""
    target = FOLDER / f"{name}.txt"
    options = ["--universal", "--python-version", OLDEST, "--generate-hashes", "--no-header", "--no-annotate"]
    more = ["--upgrade"] if upgrade else []
    _run_uv("compile", str(FOLDER / f"{name}.in"), "-o", str(target), *options, *more)
    strange = strange_lines(target.read_text(encoding="utf-8"))
    if strange:
        raise LockError(f"{target.name} holds more than versions and hashes: {strange[0]}")


def check(name: str, system: str, python: str) -> None:
    """See that the lock has a ready-made file of each package for a system and Python. Raises LockError."""
    options = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--python-platform", system]
    where = ["--python-version", python, "--target", str(FOLDER / "none"), "--python", sys.executable]
    try:
        _run_uv("install", "--dry-run", *options, *where, "-r", str(FOLDER / f"{name}.txt"))
    except LockError as error:
        raise LockError(f"{name}.txt does not serve Python {python} on {system}: {error}") from error


def main() -> int:
    """Exit code 0 when both locks are made and serve everywhere."""
    parser = argparse.ArgumentParser(prog="python -m tools.lock", description=__doc__.splitlines()[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    upgrade = parser.parse_args().upgrade
    try:
        for name in NAMES:
            make(name, upgrade)
            for system in SYSTEMS:
                for python in PYTHONS:
                    check(name, system, python)
            print(f"{name}.txt: locked, serves Python {PYTHONS[0]} to {PYTHONS[-1]} on {' and '.join(SYSTEMS)}")
    except LockError as error:
        print(f"lock: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
