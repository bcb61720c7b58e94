"""Having the server restarted when its loop hangs: the loop beats at each turn, and if the beats stop, the
service manager or the process itself ends it.

Under systemd the beats are messages (sd_notify(3), WATCHDOG=1). Windows does not ask a service, so there they postpone
the moment at which the process ends itself, which Windows treats as a failure. Nothing here runs in a Python thread:
whatever hangs may hold the interpreter (docs/decisions/0019-watchdog.md).
"""

from __future__ import annotations

import faulthandler
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from lts.notify import notify

log = logging.getLogger("lts.background.watchdog")
SECONDS = 30
"""How long the loop may hang as a service of Windows; deploy/systemd/lts.service says the same."""
BEATS = 4
"""Shorter than the time for which a beat is awaited; the loop turns at least once a second."""


class Watchdog:
    """One that does nothing, for a process whose beats nobody awaits; its kinds say to whom they beat."""

    seconds = float("inf")
    """For how long a beat is awaited."""
    _due = 0.0

    def beat(self) -> None:
        """The loop is alive. Called at each turn, so it does something only when it is time."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + self.seconds / BEATS
            self._notify()

    def rest(self) -> None:
        """The loop ends in order: no beat is awaited until the next one."""
        self._due = 0.0
        self._stop_waiting()

    def _notify(self) -> None: ...

    def _stop_waiting(self) -> None: ...


class Systemd(Watchdog):
    """The service manager that set WATCHDOG_USEC (sd_watchdog_enabled(3)) ends and restarts what does not beat."""

    def __init__(self, microseconds: int) -> None:
        self.seconds = microseconds / 1e6
        self._microseconds = microseconds

    def _notify(self) -> None:
        if not faulthandler.is_enabled():
            faulthandler.enable()  # it is ended by SIGABRT: the journal then shows where it stood
        notify("WATCHDOG=1", f"WATCHDOG_USEC={self._microseconds}")

    def _stop_waiting(self) -> None:
        notify("WATCHDOG_USEC=0")


class ExitWatchdog(Watchdog):
    """The process ends itself with exit code 1, and leaves in `path` where it stood; the next start logs that."""

    def __init__(self, path: Path, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._path = path
        self._file: IO[bytes] | None = None

    def _notify(self) -> None:
        if self._file is None:
            self._file = self._open()
        faulthandler.dump_traceback_later(self.seconds, exit=True, file=self._file)

    def _stop_waiting(self) -> None:
        faulthandler.cancel_dump_traceback_later()

    def _open(self) -> IO[bytes]:
        stood = self._path.read_text("utf-8", "replace") if self._path.exists() else ""
        if stood:
            log.error("the server hung and was started again; this is where it hung:\n%s", stood)
        return self._path.open("wb", buffering=0)


def of_systemd(environ: Mapping[str, str] = os.environ) -> Watchdog:
    """The watchdog of systemd if the environment asks this process for beats, else one that does nothing."""
    meant = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    given = environ.get("WATCHDOG_USEC", "")
    return Systemd(int(given)) if meant and given.isdecimal() and int(given) else Watchdog()
