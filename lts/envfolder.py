"""The folder of a virtual environment: who runs from it, and putting a new one in its place; standard library only.

lts/bootstrap.py makes an environment. The new one is made next to the old one, which is replaced by renames once the
new one is complete (docs/decisions/0017-environment.md).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

STAMP = "lts-stamp.txt"
"""Written last: an environment without it was left half made."""
_PATIENCE_SECONDS = 5 if sys.platform == "win32" else 0
"""A virus scanner that reads new files keeps their folder from being renamed for a moment."""
SCRIPT = """\
#!/bin/sh
python="$(dirname "$(readlink -f "$0")")/python"
[ -x "$python" ] && exec "$python" -I -m lts.cli.main "$@"
echo "lts: $python is not open to you; run this as the user who installed LTS." >&2
exit 1
"""
"""The command of an environment; `readlink` follows a link such as /usr/local/bin/lts."""


def new_of(venv: Path) -> Path:
    """Where the next one is made: next to it, so that relative paths stay valid after the renames."""
    return venv.with_name(f"{venv.name}-new")


def _befores(venv: Path) -> list[Path]:
    """Environments set aside and not yet removed, the newest last; more than one only where removing failed."""
    return sorted(venv.parent.glob(f"{venv.name}-before-*"), key=lambda path: path.stat().st_mtime)


def has_leftovers(venv: Path) -> bool:
    """Whether a set-up was killed, or could not remove all, and this user may tidy up after it."""
    return os.access(venv.parent, os.W_OK) and (new_of(venv).exists() or bool(_befores(venv)))


def bring_back(venv: Path) -> None:
    """Take up the environment that a replacement killed between its two renames had set aside."""
    whole = [path for path in _befores(venv) if (path / STAMP).exists()]
    if whole and not venv.exists():
        _rename(whole[-1], venv)


def remove_leftovers(venv: Path) -> None:
    """Remove what killed set-ups left next to the environment."""
    for path in [new_of(venv), *_befores(venv)]:
        discard(path)


def discard(path: Path) -> None:
    """Remove an environment, if it is there; its stamp goes first, so that what may remain counts for nothing."""
    (path / STAMP).unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def used(prefix: Path) -> Iterator[None]:
    """While the block runs, no set-up replaces the environment `prefix`; nothing happens if it is not ours.

    Windows needs no lock: it renames no folder that a program runs from.
    """
    with contextlib.ExitStack() as stack:
        if sys.platform != "win32" and (prefix / STAMP).exists():
            import fcntl

            # neither a file of another user nor a file system without locks keeps the server from starting
            with contextlib.suppress(OSError):
                fcntl.flock(stack.enter_context((prefix / STAMP).open("rb")), fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def _unused(venv: Path) -> Iterator[None]:
    """Raises OSError where somebody runs from the environment; nobody begins to while the block runs."""
    with contextlib.ExitStack() as stack:
        if sys.platform != "win32" and (venv / STAMP).exists():
            import fcntl

            fcntl.flock(stack.enter_context((venv / STAMP).open("rb")), fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def replace(venv: Path) -> None:
    """Put the new environment in the place of the old one, if there is one.

    Raises OSError if something runs from the old one, which then stays; the new one waits next to it.
    """
    before = venv.with_name(f"{venv.name}-before-{os.getpid()}")
    with _unused(venv):
        if venv.exists():
            _rename(venv, before)
        try:
            _rename(new_of(venv), venv)
        except OSError:
            if before.exists():
                _rename(before, venv)
            raise
    discard(before)


def _rename(source: Path, target: Path) -> None:
    given_up = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            source.rename(target)
            return
        except PermissionError:
            if time.monotonic() >= given_up:
                raise
            time.sleep(0.2)


def name_place(programs: Path, made: Path, place: Path) -> None:
    """Change the path in programs that packages installed: they contain the path that they were made for."""
    old, new = os.fsencode(made), os.fsencode(place)
    if os.name == "nt":
        old, new = str(made).encode(), str(place).encode()
    for path in programs.iterdir():
        if path.is_symlink() or not path.is_file():
            continue
        held = path.read_bytes()
        if old in held:
            path.write_bytes(held.replace(old, new))
