"""The clock that everything uses: wall time in whole UTC seconds, watched for steps."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from lts.rules import clock as rules
from lts.rules.clock import ClockEvent, ClockState


def elapsed_seconds() -> float:
    """Seconds that never step; suspend is included where the system has such a clock."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class JudgedClock(NamedTuple):
    """What the clock would be after an administrator's command, to be adopted once that is stored."""

    state: ClockState
    begun: ClockState
    begun_least: int


class Clock:
    """Reads `wall` (UTC seconds) and judges it; `highest` is the time of the last change in the store."""

    def __init__(
        self,
        highest: int = 0,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = elapsed_seconds,
    ) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self.begin(highest)

    def begin(self, highest: int, least: int = 0, newest: int = 0) -> None:
        """Judge it again, once it is known what was stored: the `highest` time, the `least` that it was (see `least`),
        and the time of this server's `newest` change."""
        self._state, self._events = rules.start(highest, self.now(), self._elapsed(), newest)
        self._begun, self._begun_least = self._state, least

    @property
    def state(self) -> ClockState:
        """The judgment as of the last look."""
        return self._state

    def now(self) -> int:
        """UTC seconds."""
        return int(self._wall())

    def elapsed(self) -> float:
        """Seconds of the clock that never steps."""
        return self._elapsed()

    def item_time(self, now: int) -> int:
        """Time for starts and ends of items at a request's `now`."""
        return rules.item_time(self._state, now)

    @property
    def least(self) -> int:
        """UTC seconds that it is at least, by what elapsed while this server ran."""
        return rules.passed(self._begun, self._elapsed(), self._begun_least)

    def least_time(self, now: int) -> int:
        """Time for starts and ends of items, or what elapsed makes it at least: no step back stretches what ends by
        it."""
        return max(self.item_time(now), self.least)

    def seat_time(self, now: int) -> int:
        """Time at which seats free themselves, at a request's `now`. A jump ahead since the last look is judged at
        once; the next look reports it."""
        state = self._state
        if state.pending is None and not rules.may_have_jumped(state, now):
            return now
        with self._lock:
            if rules.may_have_jumped(self._state, now):
                self._observe(now)
            return rules.seat_time(self._state, now, self._elapsed())

    def _observe(self, wall: int) -> None:
        self._state, events = rules.observe(self._state, wall, self._elapsed())
        self._events += events

    def look(self) -> list[ClockEvent]:
        """Read the clock and judge it; returns what is new. Call it every few seconds."""
        with self._lock:
            self._observe(self.now())
            events, self._events = self._events, []
            return events

    @property
    def kept(self) -> tuple[int, int]:
        """What is to be kept of it: the highest time seen, and the least that it is (UTC seconds)."""
        return self._state.highest, self.least

    def accepted(self) -> JudgedClock:
        """To trust a jump ahead at once, if the clock still shows it."""
        with self._lock:
            self._observe(self.now())
            return JudgedClock(rules.accept(self._state), self._begun, self._begun_least)

    def taken_back(self) -> JudgedClock:
        """To take back a wrong highest time."""
        with self._lock:
            self._observe(self.now())
            state = rules.reset(self._state)
            return JudgedClock(state, state, 0)

    def kept_of(self, judged: JudgedClock) -> tuple[int, int]:
        """What is to be kept of a judgment, see `kept`."""
        return judged.state.highest, rules.passed(judged.begun, self._elapsed(), judged.begun_least)

    def adopt(self, judged: JudgedClock) -> None:
        """Go by a judgment from now on."""
        with self._lock:
            self._state, self._begun, self._begun_least = judged
