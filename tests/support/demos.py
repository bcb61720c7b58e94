"""A demo in a process of its own, as a person starts and ends it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

from tests.support.lines import environment
from tests.support.wait import PATIENCE

SECONDS = 2 * PATIENCE
"""How long a demo may take on a machine that is busy with other tests."""

if sys.platform == "win32":
    _CTRL_C, _GROUP = signal.CTRL_BREAK_EVENT, subprocess.CREATE_NEW_PROCESS_GROUP
else:
    _CTRL_C, _GROUP = signal.SIGINT, 0


class Running(NamedTuple):
    """A running demo: what it printed up to its portal's address, that address, its process."""

    text: str
    link: str
    process: subprocess.Popen[str]

    @property
    def folder(self) -> Path:
        """Where its data lies."""
        return folder_in(self.text)


def folder_in(text: str) -> Path:
    """The folder that a demo's output names."""
    found = re.search(r"^Everything is in (.+)$", text, re.MULTILINE)
    assert found, text
    return Path(found[1])


def start(place: Path, *arguments: str) -> subprocess.Popen[str]:
    """The process of a demo whose folder is made in `place`; all that it prints is in one stream."""
    temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(place))
    return subprocess.Popen(
        [sys.executable, "-m", "lts.cli.main", "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        env={**environment(), **temporary},
        creationflags=_GROUP,
    )


def interrupt(process: subprocess.Popen[str]) -> str:
    """Ctrl-C; what was printed after it. Fails when the process does not end by itself with 0."""
    process.send_signal(_CTRL_C)
    rest, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, rest
    return rest


def begin(place: Path, *arguments: str) -> Running:
    """A demo whose folder is made in `place`, once it says that it may be ended."""
    process = start(place, "--port", "0", *arguments)
    late = threading.Timer(SECONDS, process.kill)
    late.start()
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Ctrl-C"):
            break
    late.cancel()
    text = "".join(lines)
    link = re.search(r"\S+/page/\S+", text)
    assert link, text
    return Running(text, link[0], process)
