"""The server's clock, judged (docs/design/machine.md, Clock): highest time seen, what it gains and loses on elapsed
time, steps back, jumps ahead."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from lts.protocol import DAY_SECONDS

TOLERATED_BACK_SECONDS = 2 * 3600
CONFIRM_SECONDS = 3600
EXPLAINED_SECONDS = 7 * DAY_SECONDS
"""A machine that was paused explains a jump ahead of a running server by so much."""
EXPLAINED_AT_START_SECONDS = 31 * DAY_SECONDS
"""A server that was off, or an older backup, explains a jump ahead at its start by so much."""
DRIFT = 60 / DAY_SECONDS
"""What a clock may lose on elapsed time, a minute a day, without being set back."""


@dataclass(frozen=True)
class ClockState:
    """All in UTC seconds, `mono` in seconds of a clock that never steps.

    `highest` is the highest confirmed time; `pending` a higher one not trusted yet, first seen at `pending_since`
    (mono), and nothing is trusted since `doubted_since` (mono); `at_start` whether that doubt began at the start, and
    the clock has not jumped further ahead since; `stepped_back` whether a step back has been reported and still lasts.
    `gained` are the seconds that the clock is ahead of elapsed time without being doubted, less a second for each that
    elapsed since. `expected` is the time without what was gained, as elapsed time continues it less DRIFT: the clock
    has lost by how much it is behind.
    """

    highest: int
    wall: int
    mono: float
    pending: int | None = None
    pending_since: float = 0.0
    stepped_back: bool = False
    doubted_since: float = 0.0
    gained: float = 0.0
    expected: float = 0.0
    at_start: bool = False


class Moment(NamedTuple):
    """The time of a request, judged once, in UTC seconds: `now` by the clock, `item_now` for starts and ends of items,
    `seat_now` the trusted time, at which seats free themselves and usage is too old."""

    now: int
    item_now: int
    seat_now: int

    def of_seats(self, *, concurrent: bool) -> int:
        """The time by which a seat, or the lease of a concurrent item, is live."""
        return self.now if concurrent else self.seat_now


@dataclass(frozen=True)
class ClockEvent:
    """`clock-back` or `clock-ahead`, by how many seconds."""

    name: str
    seconds: int


def start(highest: int, wall: int, mono: float, newest: int = 0, least: int = 0) -> tuple[ClockState, list[ClockEvent]]:
    """The state at start; `highest` is the stored highest time, 0 on a first start, `least` that of `least_time`, 0
    if none was stored, and `newest` that of this server's newest change. If both the clock and the stored time are
    behind `newest`, somebody set them back, or the change was written during a jump that was never trusted: that is
    reported, and the time not trusted."""
    if not highest:
        return ClockState(wall, wall, mono, expected=wall), []
    expected = max(highest, least + TOLERATED_BACK_SECONDS if least else 0)
    state, events = _judge(ClockState(highest, highest, mono, expected=expected), wall, mono)
    if newest - max(highest, wall) > TOLERATED_BACK_SECONDS and not state.stepped_back:
        events.append(ClockEvent("clock-back", newest - wall))
    return replace(state, at_start=state.pending is not None), events


def observe(state: ClockState, wall: int, mono: float) -> tuple[ClockState, list[ClockEvent]]:
    """The clock was read: `wall` against what `mono` lets expect."""
    return _judge(state, wall, mono)


def _judge(state: ClockState, wall: int, mono: float) -> tuple[ClockState, list[ClockEvent]]:
    events: list[ClockEvent] = []
    before, elapsed = state, mono - state.mono
    expected = _expected(before, mono)
    # A loss counts once two looks saw it: a machine that woke up may not have set its clock yet.
    back = int(max(before.highest - wall, min(expected - wall, before.expected - before.wall)))
    stepped_back = back > TOLERATED_BACK_SECONDS
    if stepped_back and not before.stepped_back:
        events.append(ClockEvent("clock-back", back))
    state = replace(before, wall=wall, mono=mono, stepped_back=stepped_back, expected=expected)
    if state.pending is not None:
        return _wait(state, events), events
    forgotten = max(0.0, before.gained - elapsed)
    gained = max(0.0, min(forgotten + wall - before.wall - elapsed, wall - expected))
    if gained > DAY_SECONDS and wall > state.highest:
        events.append(ClockEvent("clock-ahead", int(gained)))
        state = replace(state, pending=wall, pending_since=mono, doubted_since=mono, gained=forgotten, at_start=False)
        return state, events
    return _trust(state, min(gained, DAY_SECONDS)), events


def _trust(state: ClockState, gained: float) -> ClockState:
    """The clock is right, as far as it has not `gained`."""
    highest, expected = max(state.highest, state.wall), max(state.expected, state.wall - gained)
    return replace(state, pending=None, highest=highest, gained=gained, expected=expected)


def _expected(state: ClockState, mono: float) -> float:
    return state.expected + (mono - state.mono) * (1 - DRIFT)


def _wait(state: ClockState, events: list[ClockEvent]) -> ClockState:
    """A jump is trusted once the clock has kept it for an hour, and forgotten when the clock returns to within a day of
    the time expected from elapsed time. Any other change meanwhile is another jump, with its own hour."""
    assert state.pending is not None
    ahead = state.gained + state.wall - _believed(state, state.mono)
    if ahead <= DAY_SECONDS:
        return _trust(state, max(0.0, ahead))
    stood = state.mono - state.pending_since
    if not -TOLERATED_BACK_SECONDS <= state.wall - state.pending <= DAY_SECONDS + stood:
        events.append(ClockEvent("clock-ahead", int(ahead)))
        at_start = state.at_start and state.wall < state.pending
        return replace(state, pending=state.wall, pending_since=state.mono, at_start=at_start)
    return accept(state) if stood >= CONFIRM_SECONDS else state


def _believed(state: ClockState, mono: float) -> int:
    """The time that a doubted clock should show."""
    return int(max(state.highest + mono - state.doubted_since, _expected(state, mono)))


def may_have_jumped(state: ClockState, wall: int) -> bool:
    """Whether a clock that now shows `wall` must be judged at once instead of at the next check."""
    return state.gained + wall - state.wall > DAY_SECONDS


def trusted_time(state: ClockState, wall: int, mono: float) -> int:
    """Time at which seats are freed, and usage is too old: the clock's, but only if it is trusted."""
    return wall if state.pending is None else min(wall, _believed(state, mono))


def present(state: ClockState, wall: int, mono: float) -> int:
    """The time that everything goes by: the clock's, unless it is doubted and further ahead than a pause explains, or
    at a start a stop or an older backup."""
    trusted = trusted_time(state, wall, mono)
    explained = EXPLAINED_AT_START_SECONDS if state.at_start else EXPLAINED_SECONDS
    return wall if wall - trusted <= explained else trusted


def shortened_in_doubt(end: int, moment: Moment) -> int:
    """The end of a lease given at `moment`, which would end at `end`: while the clock is doubted it is as long as by
    the trusted time, but until the clock can be trusted at least."""
    now, _, trusted = moment
    return max(end - (now - trusted), min(end, now + CONFIRM_SECONDS)) if trusted < now else end


def known(state: ClockState, mono: float) -> int:
    """The highest time, or what elapsed time made of it."""
    return int(max(state.highest, _expected(state, mono)))


def least_time(state: ClockState, mono: float) -> int:
    """Time that it is at least."""
    return known(state, mono) - TOLERATED_BACK_SECONDS


def item_time(state: ClockState, now: int, mono: float) -> int:
    """Time for starts and ends of items: that of a request, or the least that it is."""
    return max(now, least_time(state, mono))


def accept(state: ClockState) -> ClockState:
    """An administrator or the peer agrees with the jump."""
    return _trust(state, 0.0)


def reset(state: ClockState) -> ClockState:
    """`lts clock reset`: the highest time seen was wrong, the clock now is right."""
    return replace(state, pending=None, highest=state.wall, stepped_back=False, gained=0.0, expected=state.wall)
