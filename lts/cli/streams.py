"""The three standard streams as a command finds them: closed, a pipe that nobody reads, a disk that is full.

lts.cli.main decides what is printed and which exit code a fault gives.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from typing import TextIO

_LOOK_SECONDS = 0.02


def make_ready() -> None:
    """Put the null device in place of a stream that is closed, so that no file takes its number, and let every
    console show what it can of any text."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - open until the end
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a console of any code page


def is_none(stream: TextIO) -> bool:
    """Whether a stream was closed before LTS began, so that the null device replaces it."""
    return getattr(stream, "name", "") == os.devnull


def write_out() -> None:
    """Write what is still in memory. Raises OSError, BrokenPipeError when the output cannot be written."""
    if sys.stdout is not None:
        sys.stdout.flush()


def complain(words: str) -> None:
    """A line on standard error, after what was printed before it, also if both go to one file or pipe. If it cannot be
    written, only the exit code reports the fault."""
    with contextlib.suppress(OSError, ValueError):  # standard output's own fault is found and reported elsewhere
        write_out()
    with contextlib.suppress(OSError, ValueError):
        print(words, file=sys.stderr, flush=True)


def say(words: str) -> None:
    """A line on standard output about what continues without a reader: if it cannot be written, it is dropped, and all
    that follows."""
    try:
        print(words, flush=True)
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            _drop(sys.stdout)


def is_taken() -> bool:
    """Whether the reader of standard output took everything: waits until a pipe is empty. True if the system cannot
    say."""
    write_out()
    descriptor = sys.stdout.fileno()
    if sys.platform == "win32" or not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        return True
    import fcntl
    import select
    import termios

    reader = select.poll()
    reader.register(descriptor, 0)
    while True:
        held = fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4))
        if any(held) and any(event & select.POLLERR for _, event in reader.poll(0)):
            return False
        if not any(held):
            return True
        time.sleep(_LOOK_SECONDS)


def settle() -> None:
    """At the end of a command: what cannot be written is dropped, or the interpreter would complain of it."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            try:
                stream.flush()
            except OSError:
                _drop(stream)


def _drop(stream: TextIO) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def lost_output() -> OSError | None:
    """Why standard output cannot be written, tried by a line end; None if it can."""
    try:
        print(flush=True)
    except OSError as error:
        return error
    except ValueError:  # closed meanwhile
        return None
    return None
