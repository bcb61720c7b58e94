"""The clock that everything uses: wall time in whole UTC seconds, watched for steps."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

from lts.rules import clock as rules
from lts.rules.clock import ClockEvent, ClockState, Moment


def elapsed_seconds() -> float:
    """Seconds that never step; suspend is included where the system has such a clock."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


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
        """Judge it again, once the stored times are known: the `highest` time, the `least` that it was (see `kept`),
        and the time of this server's `newest` change."""
        self._state, self._events = rules.start(highest, self.wall(), self._elapsed(), newest, least)

    @property
    def state(self) -> ClockState:
        """The judgment at the last check."""
        return self._state

    def wall(self) -> int:
        """UTC seconds as the machine's clock shows them, right or wrong: for comparing it, and telling of it."""
        return int(self._wall())

    def now(self) -> int:
        """UTC seconds: the clock's, unless it is doubted and further ahead than a pause or a stop explains."""
        return self._judged(self.wall(), rules.present)

    def elapsed(self) -> float:
        """Seconds of the clock that never steps."""
        return self._elapsed()

    @property
    def known(self) -> int:
        """The highest time, or what elapsed time made of it, UTC seconds."""
        return rules.known(self._state, self._elapsed())

    def item_time(self, now: int) -> int:
        """Time for starts and ends of items, and of a main's delegation, at a request's `now`: no step back stretches
        what ends by it."""
        return rules.item_time(self._state, now, self._elapsed())

    def seat_time(self, now: int) -> int:
        """The trusted time at a request's `now`: seats free themselves and usage is too old by it."""
        return self._judged(now, rules.trusted_time)

    def moment(self, now: int) -> Moment:
        """All times of a request at its `now`. Ask once: what is decided later in a request goes by the same times."""
        return Moment(now, self.item_time(now), self.seat_time(now))

    def _judged(self, now: int, time_of: Callable[[ClockState, int, float], int]) -> int:
        """A jump ahead since the last check is judged at once; the next check reports it."""
        state = self._state
        if state.pending is None and not rules.may_have_jumped(state, now):
            return now
        with self._lock:
            if rules.may_have_jumped(self._state, now):
                self._observe(now)
            return time_of(self._state, now, self._elapsed())

    def _observe(self, wall: int) -> None:
        self._state, events = rules.observe(self._state, wall, self._elapsed())
        self._events += events

    def look(self) -> list[ClockEvent]:
        """Read the clock and judge it; returns what is new. Call it every few seconds."""
        with self._lock:
            self._observe(self.wall())
            events, self._events = self._events, []
            return events

    @property
    def kept(self) -> tuple[int, int]:
        """What to store: the highest time seen, and the earliest that it can be (UTC seconds)."""
        return self.kept_of(self._state)

    def kept_of(self, state: ClockState) -> tuple[int, int]:
        """What to store of a judgment, see `kept`."""
        return state.highest, rules.least_time(state, self._elapsed())

    def accepted(self) -> ClockState:
        """To trust a jump ahead at once, if the clock still shows it; to be adopted once that is stored."""
        with self._lock:
            self._observe(self.wall())
            return rules.accept(self._state)

    def taken_back(self) -> ClockState:
        """To take back a wrong highest time; to be adopted once that is stored."""
        with self._lock:
            self._observe(self.wall())
            return rules.reset(self._state)

    def adopt(self, judged: ClockState) -> None:
        """Use a judgment from now on."""
        with self._lock:
            self._state = judged
