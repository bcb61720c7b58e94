"""Running the command line as a person would, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


def lts(*arguments: object, data: Path | None = None, text: str | None = None) -> Done:
    """Run `lts …` to its end."""
    place = ["--data", str(data)] if data else []
    command = [sys.executable, "-m", "lts.cli.main", *map(str, arguments), *place]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment(),
        timeout=120,
        check=False,
        input=text,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def environment() -> dict[str, str]:
    """The environment of child processes: the project importable, nothing else configured, no browser to open."""
    gone = ("LTS_", "DISPLAY", "WAYLAND_DISPLAY")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(gone)}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
