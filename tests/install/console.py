"""A program in a console of its own, as a double-click opens it, with somebody who reads and types."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from pathlib import Path

from tests.support.wait import PATIENCE

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\r")
"""What a console draws with, and is no text."""
COLUMNS = 400
"""Wide enough that no line is broken."""


class Console:
    """`with Console(command) as console`: ends what it started."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 50, COLUMNS, 0, 0))
        modes = termios.tcgetattr(theirs)
        modes[0] &= ~termios.ICRNL  # Enter stays the key that it is on Windows
        termios.tcsetattr(theirs, termios.TCSANOW, modes)
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env={**environment, "TERM": "xterm"},
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(theirs)
        self._read = b""

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)

    @property
    def text(self) -> str:
        """What the screen shows."""
        return _CONTROL.sub("", self._read.decode("utf-8", "replace"))

    def wait_for(self, words: str, seconds: float = 2 * PATIENCE) -> str:
        """Read until these words stand there; returns all. Fails when the program ends or says nothing."""
        until = time.monotonic() + seconds
        while words not in self.text:
            assert time.monotonic() < until, f"{words!r} did not come: {self.text!r}"
            assert self._more() or words in self.text, f"ended before {words!r}: {self.text!r}"
        return self.text

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._ours, keys)

    def end(self, seconds: float = 2 * PATIENCE) -> int:
        """Read to the program's end; returns its exit code."""
        until = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < until, f"does not end: {self.text!r}"
            self._more()
        while self._more():
            pass
        return self.process.returncode

    def _more(self) -> bool:
        if not select.select([self._ours], [], [], 0.2)[0]:
            return self.process.poll() is None
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # the other side is closed
            return False
        self._read += data
        return bool(data)


def recorder(folder: Path) -> tuple[Path, Path]:
    """A program to name as the browser, and the file to which it writes the addresses that it is to open."""
    script, told = folder / "browser.sh", folder / "opened.txt"
    script.write_text(f'#!/bin/sh\necho "$1" >> "{told}"\n')
    script.chmod(0o755)
    return script, told
