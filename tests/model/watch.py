"""The server's clock as docs/design/machine.md, Clock, has it: in whole seconds of the clock, and of elapsed time."""

from __future__ import annotations

from dataclasses import dataclass

from tests.model.licenses import DAY

HOUR = 3_600


@dataclass
class Watch:
    """`line` is the time that elapsed time makes of what is known, `gained` what the clock is ahead of it without being
    doubted; `wall` and `elapsed` are of the last look; `doubted` says since when (elapsed) the clock is."""

    highest: int
    line: float
    wall: int
    elapsed: float
    gained: float = 0.0
    doubted: float | None = None
    at_start: bool = False

    @classmethod
    def started(cls, highest: int, least: int, wall: int, elapsed: float) -> Watch:
        """Of a server that starts with the highest time and the least that were stored, 0 on a first start."""
        if not highest:
            return cls(wall, wall, wall, elapsed)
        watch = cls(highest, max(highest, least + 2 * HOUR), highest, elapsed)
        watch.look(wall, elapsed)
        watch.at_start = watch.doubted is not None
        return watch

    @property
    def known(self) -> int:
        """The highest time, or what elapsed made of it."""
        return int(max(self.highest, self.line))

    def trusted(self, wall: int) -> int:
        """The time at which seats free themselves."""
        if self.doubted is None:
            return wall
        return min(wall, int(max(self.highest + self.elapsed - self.doubted, self.line)))

    def time(self, wall: int) -> int:
        """The time of requests: a clock that is doubted and over a week ahead is not used, at a start over 31 days."""
        trusted = self.trusted(wall)
        return wall if wall - trusted <= (31 if self.at_start else 7) * DAY else trusted

    def look(self, wall: int, elapsed: float) -> None:
        """A look at the clock; while it is doubted it neither jumps nor is set back but to where it was."""
        passed = elapsed - self.elapsed
        self.line += passed * (1 - 60 / DAY)
        rise = wall - self.wall - passed
        self.wall, self.elapsed = wall, elapsed
        if self.doubted is not None:
            ahead = self.gained + wall - max(int(self.highest + elapsed - self.doubted), int(self.line))
            if ahead <= DAY:
                self._trust(max(0.0, ahead))
            elif elapsed - self.doubted >= HOUR:
                self._trust(0.0)
            return
        left = max(0.0, self.gained - passed)
        gained = max(0.0, min(left + rise, wall - self.line))
        if gained > DAY and wall > self.highest:
            self.doubted, self.gained = elapsed, left
        else:
            self._trust(min(gained, DAY))

    def confirmed(self) -> None:
        """The other server of a pair has the same time."""
        if self.doubted is not None:
            self._trust(0.0)

    def _trust(self, gained: float) -> None:
        self.doubted, self.gained, self.at_start = None, gained, False
        self.highest, self.line = max(self.highest, self.wall), max(self.line, self.wall - gained)
