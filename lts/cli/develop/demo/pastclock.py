"""The clock of a server whose past is played: it begins sixty days ago, is set forward with the story, and is the
machine's own from then on. Against elapsed time it never jumps."""

from __future__ import annotations

import time

from lts.cli.develop.demo.company import DAYS
from lts.protocol import DAY_SECONDS
from lts.service.core.clock import Clock, elapsed_seconds


def begin_of(until: int) -> int:
    """The first second of the story's first day, UTC."""
    return until // DAY_SECONDS * DAY_SECONDS - DAYS * DAY_SECONDS


class PastClock:
    """Wall time that is set by hand until `arrive`, and elapsed time that never jumps against it."""

    def __init__(self, begin: int) -> None:
        self._set: float | None = float(begin)
        self._offset = time.time() - elapsed_seconds()

    def clock(self) -> Clock:
        """What a server takes for its clock."""
        return Clock(0, self._wall, self._elapsed)

    def move(self, now: int) -> None:
        """Time passes until `now` (UTC seconds)."""
        self._set = float(now)

    def arrive(self) -> None:
        """The present: from now on the machine's own clock counts."""
        self._set = None

    def _wall(self) -> float:
        return time.time() if self._set is None else self._set

    def _elapsed(self) -> float:
        return elapsed_seconds() + self._offset if self._set is None else self._set
