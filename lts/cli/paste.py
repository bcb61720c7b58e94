"""Commands to copy from what LTS prints: quoted for this system, and called as LTS itself was called."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from lts.bootstrap import STARTED_AS
from lts.cli.place import is_frozen


def command(*words: object) -> str:
    """A line for the shell (on Windows for cmd and PowerShell) that runs LTS with these words."""
    return quoted(*program(), *words)


def quoted(*words: object) -> str:
    """Words as the system's shell takes them."""
    texts = [str(word) for word in words]
    return subprocess.list2cmdline(texts) if sys.platform == "win32" else shlex.join(texts)


def program() -> list[str]:
    """How this LTS is called: `python3 run_lts.py` where it was started so, else by its name or place."""
    if is_frozen():
        own = Path(sys.executable)
        return [own.stem if _is_on_path(own) else str(own)]
    if started := os.environ.get(STARTED_AS):
        return [str(word) for word in json.loads(started)]
    script = Path(sys.executable).with_name("lts.cmd" if sys.platform == "win32" else "lts")
    if not script.exists():
        return [sys.executable, "-m", "lts.cli.main"]
    return ["lts" if _is_on_path(script) else str(script)]


def _is_on_path(file: Path) -> bool:
    found = shutil.which(file.stem)
    return found is not None and Path(found).resolve() == file.resolve()
