"""Running the command line as a person would, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, NamedTuple

from tests.support.wait import PATIENCE

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
        timeout=2 * PATIENCE,
        check=False,
        input=text,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def launch(folder: Path, *more: str, program: Path = ROOT) -> tuple[subprocess.Popen[bytes], str]:
    """A server process over a folder's `data` and `lts.json`, and the line in which it says that it listens; `program`
    is another checkout's folder."""
    command = [sys.executable, "-m", "lts.cli.main", "serve", "--no-browser", "--data", str(folder / "data"),
               "--config", str(folder / "lts.json"), *more]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               cwd=None if program == ROOT else program,
                               env={**environment(program), "PYTHONUNBUFFERED": "1"})  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    if "running" not in line:
        raise RuntimeError(f"The server did not start: {line}{process.stdout.read().decode()}")
    threading.Thread(target=_read_on, args=(process.stdout,), daemon=True).start()
    return process, line


def _read_on(output: IO[bytes]) -> None:
    with contextlib.suppress(OSError, ValueError):
        output.read()


def environment(program: Path = ROOT) -> dict[str, str]:
    """The environment of child processes: `program` importable, nothing else configured, no browser to open."""
    gone = ("LTS_", "DISPLAY", "WAYLAND_DISPLAY")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(gone)}
    return {**kept, "PYTHONPATH": str(program), "PYTHONUTF8": "1"}
