"""Answers to clients wait until the other server has their changes durably (docs/design/pair.md, Following)."""

from __future__ import annotations

import threading
from collections.abc import Callable

from lts.rules.pair import IN_STEP_SECONDS

SILENCE_SECONDS = 5.0
"""Seconds without a request of the other server, while none is being answered, after which it is not in step."""


class Acknowledgments:
    """Which of this server's serials the other one has; `elapsed` is a clock that never steps."""

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self._acknowledged = threading.Condition(threading.RLock())
        self.serial = 0
        """How far the other server has this server's feed, by its last request."""
        self._given: tuple[int, float] | None = None
        self._asking = 0
        self._heard = 0.0
        self.in_step = False

    def asked(self, serial: int) -> None:
        """A request arrived: the other server has everything up to `serial` (0 = nothing of this feed)."""
        now = self._elapsed()
        with self._acknowledged:
            self._asking += 1
            self._heard = now
            self.serial = serial
            given, self._given = self._given, None
            if given is not None and serial >= given[0] and now - given[1] <= IN_STEP_SECONDS and not self.in_step:
                self.in_step = True
            self._acknowledged.notify_all()

    def answered(self, serial: int | None) -> None:
        """The request is answered: with everything up to `serial`, None if something was left out."""
        with self._acknowledged:
            self._asking -= 1
            self._heard = self._elapsed()
            self._given = None if serial is None else (serial, self._heard)

    def wait(self, serial: int) -> bool:
        """Whether the other server has this serial; waits up to a second while it is in step."""
        with self._acknowledged:
            if self.serial >= serial:
                return True
            if not self.in_step:
                return False
            if not self._acknowledged.wait_for(lambda: self.serial >= serial or not self.in_step, IN_STEP_SECONDS):
                self.in_step = False
            return self.serial >= serial

    def look(self) -> bool:
        """Whether the other server just fell out of step because it sent nothing for too long."""
        with self._acknowledged:
            if not self.in_step or self._asking or self._elapsed() - self._heard < SILENCE_SECONDS:
                return False
            self.fall_out()
            return True

    def fall_out(self) -> None:
        """Not in step from now on; nobody waits."""
        with self._acknowledged:
            self.in_step = False
            self._given = None
            self._acknowledged.notify_all()
