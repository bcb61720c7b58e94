"""The server's clock, judged (docs/design/machine.md, Clock): highest time seen, steps back, jumps ahead."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lts.protocol import DAY_SECONDS

TOLERATED_BACK_SECONDS = 2 * 3600
CONFIRM_SECONDS = 3600


@dataclass(frozen=True)
class ClockState:
    """All in UTC seconds, `mono` in seconds of a clock that never steps.

    `highest` is the highest confirmed time; `pending` a higher one not trusted yet, first seen at `pending_since`
    (mono), and nothing is trusted since `doubted_since` (mono); `stepped_back` whether a step back has been reported
    and still lasts. `gained` are the seconds that the clock is ahead of elapsed time without being doubted, less a
    second for each that elapsed since.
    """

    highest: int
    wall: int
    mono: float
    pending: int | None = None
    pending_since: float = 0.0
    stepped_back: bool = False
    doubted_since: float = 0.0
    gained: float = 0.0


@dataclass(frozen=True)
class ClockEvent:
    """`clock-back` or `clock-ahead`, by how many seconds."""

    name: str
    seconds: int


def start(highest: int, wall: int, mono: float, newest: int = 0) -> tuple[ClockState, list[ClockEvent]]:
    """The state at start; `highest` is the time kept as the highest, 0 on a first start, and `newest` that of this
    server's newest change. Where both the clock and the time kept are behind that one, somebody set them back, or the
    change was written in a jump that was never trusted: it is reported, and not trusted."""
    if not highest:
        return ClockState(wall, wall, mono), []
    state, events = _judge(ClockState(highest, highest, mono), wall, mono)
    if newest - max(highest, wall) > TOLERATED_BACK_SECONDS and not state.stepped_back:
        events.append(ClockEvent("clock-back", newest - wall))
    return state, events


def observe(state: ClockState, wall: int, mono: float) -> tuple[ClockState, list[ClockEvent]]:
    """The clock was read: `wall` against what `mono` lets expect."""
    return _judge(state, wall, mono)


def _judge(state: ClockState, wall: int, mono: float) -> tuple[ClockState, list[ClockEvent]]:
    events: list[ClockEvent] = []
    back = state.highest - wall
    stepped_back = back > TOLERATED_BACK_SECONDS
    if stepped_back and not state.stepped_back:
        events.append(ClockEvent("clock-back", back))
    before, state = state, replace(state, wall=wall, mono=mono, stepped_back=stepped_back)
    if state.pending is not None:
        return _wait(state, events), events
    elapsed = mono - before.mono
    forgotten = max(0.0, before.gained - elapsed)
    gained = max(0.0, forgotten + wall - before.wall - elapsed)
    if gained > DAY_SECONDS and wall > state.highest:
        events.append(ClockEvent("clock-ahead", int(gained)))
        return replace(state, pending=wall, pending_since=mono, doubted_since=mono, gained=forgotten), events
    return replace(state, highest=max(state.highest, wall), gained=min(gained, DAY_SECONDS)), events


def _wait(state: ClockState, events: list[ClockEvent]) -> ClockState:
    """A jump is trusted once the clock has kept it for an hour, forgotten when it comes back to within a day of
    what elapsed time lets expect. Wherever else it goes meanwhile is another jump, with an hour of its own."""
    assert state.pending is not None
    ahead = state.gained + state.wall - _believed(state, state.mono)
    if ahead <= DAY_SECONDS:
        return replace(state, pending=None, highest=max(state.highest, state.wall), gained=max(0.0, ahead))
    stood = state.mono - state.pending_since
    if not -TOLERATED_BACK_SECONDS <= state.wall - state.pending <= DAY_SECONDS + stood:
        events.append(ClockEvent("clock-ahead", int(ahead)))
        return replace(state, pending=state.wall, pending_since=state.mono)
    return accept(state) if stood >= CONFIRM_SECONDS else state


def _believed(state: ClockState, mono: float) -> int:
    """The time that a doubted clock should show."""
    return state.highest + int(mono - state.doubted_since)


def may_have_jumped(state: ClockState, wall: int) -> bool:
    """Whether a clock that shows `wall` since the last look is to be judged at once."""
    return state.gained + wall - state.wall > DAY_SECONDS


def seat_time(state: ClockState, wall: int, mono: float) -> int:
    """Time at which seats are freed: the clock's, but only if it is trusted."""
    return wall if state.pending is None else min(wall, _believed(state, mono))


def passed(begun: ClockState, mono: float, least: int = 0) -> int:
    """Time that it is at least, by what elapsed since a server began in that state, when it was at least `least`."""
    return max(least, begun.highest - TOLERATED_BACK_SECONDS) + int(mono - begun.mono)


def accept(state: ClockState) -> ClockState:
    """An administrator or the peer agrees with the jump."""
    return replace(state, pending=None, highest=max(state.highest, state.wall), gained=0.0)


def reset(state: ClockState) -> ClockState:
    """`lts clock reset`: the highest time seen was wrong, the clock now is right."""
    return replace(state, pending=None, highest=state.wall, stepped_back=False, gained=0.0)


def item_time(state: ClockState, wall: int) -> int:
    """Time for starts and ends of items: max(clock, highest seen − 2 h)."""
    return max(wall, state.highest - TOLERATED_BACK_SECONDS)
