"""The clock judged: steps back, jumps ahead, the time that ends of items follow (docs/design/machine.md, Clock)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lts.protocol import DAY_SECONDS
from lts.rules import clock
from lts.rules.clock import ClockEvent, ClockState

T = 1_795_608_000
HOUR = 3600


def run(state: ClockState, *looks: tuple[int, float]) -> tuple[ClockState, list[ClockEvent]]:
    """Look at the clock at (wall, mono), one after another."""
    events: list[ClockEvent] = []
    for wall, mono in looks:
        state, more = clock.observe(state, wall, mono)
        events += more
    return state, events


def test_time_that_passes_raises_nothing_and_moves_the_highest() -> None:
    state, events = clock.start(0, T, 0.0)
    state, more = run(state, (T + 5, 5.0), (T + 10, 10.0))
    assert (events + more, state.highest) == ([], T + 10)


def test_a_small_step_back_is_silent_and_a_large_one_is_reported_once() -> None:
    state, _ = clock.start(0, T, 0.0)
    assert run(state, (T - HOUR, 5.0))[1] == []
    state, events = run(state, (T - 3 * HOUR, 5.0), (T - 3 * HOUR + 5, 10.0))
    assert events == [ClockEvent("clock-back", 3 * HOUR)]
    assert state.highest == T
    state, events = run(state, (T + 15, 15.0), (T - 3 * HOUR, 20.0))
    assert len(events) == 1


def test_ends_of_items_follow_the_highest_time_and_what_elapsed_less_two_hours() -> None:
    state, _ = clock.start(T, T - 5 * HOUR, 0.0)
    assert clock.item_time(state, T - 5 * HOUR, 0.0) == T - 2 * HOUR
    assert clock.item_time(state, T + 1, 0.0) == T + 1


def test_a_jump_ahead_is_believed_after_an_hour_by_elapsed_time() -> None:
    state, _ = clock.start(0, T, 0.0)
    jump = T + 3 * DAY_SECONDS
    state, events = run(state, (jump, 5.0))
    assert events == [ClockEvent("clock-ahead", 3 * DAY_SECONDS - 5)]
    assert (state.highest, state.pending) == (T, jump)
    state, _ = run(state, (jump + 3599, 3604.0))
    assert state.highest == T
    state, _ = run(state, (jump + 3600, 3605.0))
    assert (state.highest, state.pending) == (jump + 3600, None)


def test_a_jump_that_is_taken_back_leaves_no_trace() -> None:
    state, _ = clock.start(0, T, 0.0)
    state, _ = run(state, (T + 300 * DAY_SECONDS, 5.0), (T + 60, 60.0))
    assert (state.highest, state.pending) == (T + 60, None)


def test_a_second_jump_has_an_hour_of_its_own_and_so_has_a_jump_taken_back_in_part() -> None:
    state, _ = clock.start(0, T, 0.0)
    far = T + 1000 * DAY_SECONDS
    state, events = run(state, (T + 2 * DAY_SECONDS, 5.0), (far, 3540.0))
    assert events == [ClockEvent("clock-ahead", 2 * DAY_SECONDS - 5), ClockEvent("clock-ahead", far - T - 3537)]
    state, events = run(state, (far + 65, 3605.0), (far + 3599, 7139.0))
    assert (events, state.highest) == ([], T)
    assert run(state, (far + 3600, 7140.0))[0].highest == far + 3600
    near = T + 5 * DAY_SECONDS
    state, events = run(state, (near, 7140.0))
    assert events == [ClockEvent("clock-ahead", near - T - 7135)]
    assert (state.highest, state.pending) == (T, near)
    state, events = run(state, (T + 7200, 7200.0))
    assert (events, state.highest, state.pending) == ([], T + 7200, None)


def test_a_long_stop_is_a_jump_at_start_until_an_administrator_accepts() -> None:
    state, events = clock.start(T, T + 10 * DAY_SECONDS, 0.0)
    assert [event.name for event in events] == ["clock-ahead"]
    assert state.highest == T
    assert clock.accept(state).highest == T + 10 * DAY_SECONDS


def test_a_wrong_highest_time_can_be_taken_back() -> None:
    state, _ = clock.start(T + 400 * DAY_SECONDS, T, 0.0)
    assert clock.item_time(state, T, 0.0) > T
    assert clock.item_time(clock.reset(state), T, 0.0) == T


def test_seats_free_themselves_by_no_time_that_is_not_believed() -> None:
    state, _ = clock.start(0, T, 0.0)
    far = T + 400 * DAY_SECONDS
    assert not clock.may_have_jumped(state, T + DAY_SECONDS)
    assert clock.may_have_jumped(state, T + DAY_SECONDS + 1)
    assert clock.trusted_time(state, T + 9, 9.0) == T + 9
    doubted, _ = run(state, (far, 10.0))
    assert clock.trusted_time(doubted, far + 20, 30.0) == T + 29
    assert clock.trusted_time(doubted, T + 5, 30.0) == T + 5
    believed, _ = run(doubted, (far + 3600, 3610.0))
    assert clock.trusted_time(believed, far + 3601, 3611.0) == far + 3601


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(-(10**7), 10**7)), max_size=30))
def test_the_highest_never_falls_by_itself_and_is_believed_for_a_reason(steps: list[tuple[int, int]]) -> None:
    """It was seen, and either stood for an hour or was within a day of what the time passed lets expect."""
    state, _ = clock.start(0, T, 0.0)
    mono, wall, looks = 0.0, T, [(0.0, T)]
    believed = T, 0.0
    for passed, step in steps:
        mono += passed
        wall = max(1, wall + passed + step)
        looks.append((mono, wall))
        before = state.highest
        state, _ = clock.observe(state, wall, mono)
        assert state.highest >= before
        if state.highest > before:
            assert state.highest == wall
            expected = (believed[0] + mono - believed[1], looks[-2][1] + passed)
            stood = any(mono - at >= 3600 and abs(wall - mono - (seen - at)) <= DAY_SECONDS for at, seen in looks)
            assert stood or wall <= max(expected) + DAY_SECONDS
        if state.pending is None and state.highest == wall > believed[0] + mono - believed[1]:
            believed = state.highest, mono


def test_what_is_tolerated_is_tolerated_to_the_second() -> None:
    state, _ = clock.start(0, T, 0.0)
    assert run(state, (T - 2 * HOUR, 5.0))[1] == []
    assert run(state, (T - 2 * HOUR - 1, 5.0))[1] == [ClockEvent("clock-back", 2 * HOUR + 1)]
    assert run(state, (T + 5 + DAY_SECONDS, 5.0))[1] == []
    assert run(state, (T + 6 + DAY_SECONDS, 5.0))[1] == [ClockEvent("clock-ahead", DAY_SECONDS + 1)]


def test_a_jump_back_to_what_is_known_is_no_jump_ahead() -> None:
    state, _ = clock.start(T + 10 * DAY_SECONDS, T, 0.0)
    state, events = run(state, (T + 9 * DAY_SECONDS, 5.0))
    assert (events, state.highest, state.pending) == ([], T + 10 * DAY_SECONDS, None)


def test_a_doubted_time_may_move_by_two_hours_and_come_back_to_within_a_day() -> None:
    state, _ = clock.start(0, T, 0.0)
    far = T + 10 * DAY_SECONDS
    state, _ = run(state, (far, 0.0))
    for back, events in ((2 * HOUR, 0), (2 * HOUR + 1, 1)):
        assert len(run(state, (far - back, 10.0))[1]) == events
    for ahead, pending in ((DAY_SECONDS + 10, None), (DAY_SECONDS + 11, T + DAY_SECONDS + 11)):
        assert run(state, (T + ahead, 10.0))[0].pending == pending


def test_what_has_elapsed_is_counted_from_the_last_look() -> None:
    state, _ = clock.start(0, T, 1000.0)
    assert run(state, (T + 6 + DAY_SECONDS, 1005.0))[1] == [ClockEvent("clock-ahead", DAY_SECONDS + 1)]
    state, _ = clock.start(T + 10 * DAY_SECONDS, T, 0.0)
    assert run(state, (T + 10 * DAY_SECONDS, 5.0))[1] == []


def test_a_doubted_clock_that_goes_ahead_by_a_day_has_not_jumped_again() -> None:
    state, _ = clock.start(0, T, 0.0)
    far = T + 10 * DAY_SECONDS
    state, _ = run(state, (far, 0.0))
    for ahead, events in ((DAY_SECONDS, 0), (DAY_SECONDS + 1, 1)):
        assert len(run(state, (far + ahead, 0.0))[1]) == events


def test_what_is_accepted_or_reset_is_no_more_doubted() -> None:
    state, _ = clock.start(0, T, 0.0)
    state, _ = run(state, (T - 3 * HOUR, 5.0))
    reset = clock.reset(state)
    assert (reset.highest, reset.pending, reset.stepped_back) == (T - 3 * HOUR, None, False)
    ahead, _ = run(reset, (T + 3 * DAY_SECONDS, 10.0))
    accepted = clock.accept(ahead)
    assert (accepted.highest, accepted.pending) == (T + 3 * DAY_SECONDS, None)
    assert clock.start(0, T, 0.0) == (ClockState(T, T, 0.0, expected=T), [])


@pytest.mark.parametrize("step", [DAY_SECONDS, DAY_SECONDS // 2 + 10, 7200, 60])
def test_a_clock_that_creeps_ahead_is_doubted_once_it_gained_a_day_in_all(step: int) -> None:
    state, _ = clock.start(0, T, 0.0)
    mono, wall = 0.0, T
    told: list[ClockEvent] = []
    while not told or mono - state.doubted_since < 3000:
        mono, wall = mono + 5, wall + 5 + step
        state, events = clock.observe(state, wall, mono)
        told += events
        assert state.highest <= T + DAY_SECONDS + 2 * mono
    assert told[0].name == "clock-ahead"
    assert DAY_SECONDS < told[0].seconds <= 2 * DAY_SECONDS
    assert wall > T + min(600 * step, 2 * DAY_SECONDS)
    assert state.pending is not None
    assert clock.trusted_time(state, wall, mono) <= T + DAY_SECONDS + 2 * mono


def test_what_a_clock_gains_is_summed_and_forgotten_a_second_a_second() -> None:
    half = DAY_SECONDS // 2
    at = T + half
    state, events = run(clock.start(0, T, 0.0)[0], (at, 0.0))
    assert (events, state.gained) == ([], half)
    for more, told in ((half, []), (half + 1, [ClockEvent("clock-ahead", DAY_SECONDS + 1)])):
        assert run(state, (at + more, 0.0))[1] == told
    for passed in (6 * HOUR, half, 20 * HOUR):
        left = max(0, half - passed)
        for more, told in (
            (DAY_SECONDS - left, []),
            (DAY_SECONDS - left + 1, [ClockEvent("clock-ahead", DAY_SECONDS + 1)]),
        ):
            assert run(state, (at + passed + more, float(passed)))[1] == told


@pytest.mark.parametrize(("hours_lost", "hours_ran"), [(10, 14), (12, 12), (10, 24)])
@pytest.mark.parametrize("seen", [True, False])
def test_a_machine_that_sleeps_each_night_and_is_set_right_each_morning_is_not_doubted(
    hours_lost: int, hours_ran: int, seen: bool
) -> None:
    """`seen`: a look before the clock is set right shows it behind, as where elapsed time counts the sleep."""
    state, _ = clock.start(0, T, 0.0)
    wall, mono = T, 0.0
    for _ in range(365):
        if seen:
            mono += hours_lost * HOUR
            state, events = clock.observe(state, wall, mono)
            assert events == []
        wall += hours_lost * HOUR
        mono += 5
        state, events = clock.observe(state, wall, mono)
        assert (events, state.highest) == ([], wall)
        for _ in range(hours_ran):
            wall, mono = wall + HOUR, mono + HOUR
            state, events = clock.observe(state, wall, mono)
            assert (events, state.highest) == ([], wall)


def test_a_clock_that_creeps_while_it_is_doubted_has_an_hour_of_its_own() -> None:
    state, _ = clock.start(0, T, 0.0)
    far = T + 3 * DAY_SECONDS
    state, _ = run(state, (far, 0.0))
    state, events = run(state, (far + DAY_SECONDS, 0.0), (far + 2 * DAY_SECONDS, 3000.0))
    assert [event.name for event in events] == ["clock-ahead"]
    assert run(state, (far + 2 * DAY_SECONDS + 600, 3600.0))[0].highest == T
    assert run(state, (far + 2 * DAY_SECONDS + 3600, 6600.0))[0].highest == far + 2 * DAY_SECONDS + 3600


def test_a_jump_by_steps_is_forgotten_only_where_less_than_a_day_is_left_in_all() -> None:
    state, _ = run(clock.start(0, T, 0.0)[0], (T + 20 * HOUR, 0.0), (T + 30 * HOUR, 0.0))
    assert (state.highest, state.pending) == (T + 20 * HOUR, T + 30 * HOUR)
    assert run(state, (T + 30 * HOUR + 5, 5.0))[0].pending == T + 30 * HOUR
    assert run(state, (T + DAY_SECONDS + 6, 5.0))[0].pending
    state, _ = run(state, (T + DAY_SECONDS + 5, 5.0))
    assert (state.pending, state.gained) == (None, DAY_SECONDS)
    assert run(state, (T + DAY_SECONDS + 6, 5.0))[1] == [ClockEvent("clock-ahead", DAY_SECONDS + 1)]


def test_what_is_believed_or_taken_back_is_gained_no_more() -> None:
    ahead = run(clock.start(0, T, 0.0)[0], (T + DAY_SECONDS, 0.0))[0]
    for state in (clock.accept(ahead), clock.reset(ahead)):
        assert run(state, (T + 2 * DAY_SECONDS, 0.0))[1] == []
    assert clock.may_have_jumped(ahead, T + DAY_SECONDS + 1)


def test_time_known_before_is_no_gain_when_it_comes_again() -> None:
    state, _ = clock.start(T + 10 * DAY_SECONDS, T, 0.0)
    state, _ = run(state, (T + 9 * DAY_SECONDS, 0.0))
    assert run(state, (T + 10 * DAY_SECONDS + 9, float(DAY_SECONDS + 9)))[1] == []


def test_a_stored_time_behind_the_newest_change_is_reported_at_the_start_and_not_trusted() -> None:
    for newest, told in ((T + 2 * HOUR, []), (T + 2 * HOUR + 1, [ClockEvent("clock-back", 2 * HOUR + 1)])):
        state, events = clock.start(T, T, 0.0, newest)
        assert (events, state.highest, state.stepped_back) == (told, T, False)
    far = T + 9 * DAY_SECONDS
    assert clock.start(T - HOUR, far, 0.0, far)[1] == [ClockEvent("clock-ahead", 9 * DAY_SECONDS + HOUR)]
    assert clock.start(far, T, 0.0, far + 3 * HOUR)[1] == [ClockEvent("clock-back", 9 * DAY_SECONDS)]
    assert clock.start(0, T, 0.0, far) == (ClockState(T, T, 0.0, expected=T), [])


def test_the_least_time_goes_on_from_the_one_that_was_kept() -> None:
    state, _ = clock.start(T, T - DAY_SECONDS, 100.0)
    assert clock.least_time(state, 161.0) == T - 2 * HOUR + 60
    for kept, least in ((T - 2 * HOUR - 1, T - 2 * HOUR), (T + HOUR, T + HOUR)):
        state, _ = clock.start(T, T - DAY_SECONDS, 100.0, least=kept)
        assert clock.least_time(state, 161.0) == least + 60
        assert clock.item_time(state, T - DAY_SECONDS, 161.0) == least + 60


def set_back(state: ClockState, mono: float, *steps: int) -> tuple[ClockState, list[ClockEvent]]:
    """An hour passes and the clock is set by so much, each time; looked at every five minutes."""
    events: list[ClockEvent] = []
    for step in steps:
        for _ in range(12):
            mono += 300
            state, more = clock.observe(state, state.wall + 300, mono)
            events += more
        state, more = clock.observe(state, state.wall + step, mono)
        events += more
    return state, events


def test_a_clock_set_back_bit_by_bit_is_reported_as_one_step_once_it_lost_too_much() -> None:
    state, events = set_back(clock.start(0, T, 0.0)[0], 0.0, *[-HOUR] * 72)
    assert [event.name for event in events] == ["clock-back"]
    assert 2 * HOUR < events[0].seconds <= 3 * HOUR
    assert (state.stepped_back, state.wall, state.highest) == (True, T, T + HOUR)
    true = T + 72 * HOUR
    assert true - 2 * HOUR - 3 * 60 - 1 <= clock.item_time(state, state.wall, state.mono) < true - 2 * HOUR
    state, events = run(state, (true, state.mono), (true + 5, state.mono + 5))
    assert (events, state.pending, state.stepped_back) == ([], None, False), "set right is no jump ahead"
    assert clock.item_time(state, true + 5, state.mono) == true + 5


@pytest.mark.parametrize("fault", [1800, -1800, 3600, -7000])
def test_a_clock_that_goes_wrong_and_is_set_right_again_and_again_is_not_set_back(fault: int) -> None:
    state, events = set_back(clock.start(0, T, 0.0)[0], 0.0, *[fault, -fault] * 100)
    assert (events, state.stepped_back, state.pending) == ([], False, None)


def test_a_fault_that_is_set_right_at_once_leaves_nothing_lost() -> None:
    state, _ = clock.start(0, T, 0.0)
    state, events = run(state, (T + 20 * HOUR, 0.0), (T + 60, 60.0))
    assert [event.name for event in events] == ["clock-back"], "it is below the highest time seen"
    assert run(state, (T + 19 * HOUR, 19.0 * HOUR))[0].stepped_back is False
    assert state.expected <= T + 120


@pytest.mark.parametrize(("a_day", "days", "told"), [(60, 3650, 0), (61, 365, 0), (600, 30, 1)])
def test_a_clock_may_lose_a_minute_a_day(a_day: int, days: int, told: int) -> None:
    state, _ = clock.start(0, T, 0.0)
    events: list[ClockEvent] = []
    for day in range(1, days + 1):
        state, more = clock.observe(state, T + day * (DAY_SECONDS - a_day), float(day * DAY_SECONDS))
        events += more
    assert len(events) == told


def test_what_a_clock_lost_is_reported_at_the_second_check_and_remembered_over_restarts() -> None:
    state, _ = clock.start(0, T, 0.0)
    state, events = run(state, (T, 3.0 * HOUR))
    assert (events, state.stepped_back) == ([], False)
    assert clock.item_time(state, T, state.mono) >= T + HOUR - 10, "what ends by it ends at once"
    assert [event.name for event in run(state, (T + 5, state.mono + 5))[1]] == ["clock-back"]
    least, told, lost = 0, 0, 0
    for _ in range(10):
        state, events = clock.start(T, T, 500.0, least=least)
        told += len(events)
        state, events = run(state, (T + 3000, 3500.0), (T + 3005, 3505.0))
        lost, told, least = lost + 3005, told + len(events), clock.least_time(state, 3505.0)
        assert lost - 60 <= least + 2 * HOUR - T <= lost
    assert told == 7, "at each start, once it is more than 2 hours"


def test_a_clock_that_is_doubted_is_not_gone_by_where_no_stop_explains_it() -> None:
    state, _ = clock.start(0, T, 0.0)
    week = 7 * DAY_SECONDS
    doubted, _ = run(state, (T + week, 0.0))
    for wall, now in ((T + week, T + week), (T + week + 1, T), (T + 300 * DAY_SECONDS, T), (T - 9, T - 9)):
        assert clock.present(doubted, wall, 0.0) == now
    assert clock.present(doubted, T + 300 * DAY_SECONDS, 60.0) == T + 60
    assert clock.present(state, T + DAY_SECONDS, 0.0) == T + DAY_SECONDS
    assert clock.present(clock.accept(doubted), T + week + 1, 0.0) == T + week + 1


def test_a_lease_of_a_doubted_clock_is_as_long_as_by_the_trusted_time_but_lasts_until_that_is_settled() -> None:
    assert clock.shortened_in_doubt(T + DAY_SECONDS, clock.Moment(T, T, T)) == T + DAY_SECONDS
    assert clock.shortened_in_doubt(T + DAY_SECONDS, clock.Moment(T, T, T - 20 * HOUR)) == T + 4 * HOUR
    assert clock.shortened_in_doubt(T + DAY_SECONDS, clock.Moment(T, T, T - 3 * DAY_SECONDS)) == T + HOUR
    assert clock.shortened_in_doubt(T + 360, clock.Moment(T, T, T - 3 * DAY_SECONDS)) == T + 360


def test_a_start_explains_31_days_and_a_pause_7() -> None:
    for days, running, at_start in ((7, True, True), (8, False, True), (31, False, True), (32, False, False)):
        jump = T + days * DAY_SECONDS
        state, _ = run(clock.start(T, T, 0.0)[0], (jump, 0.0))
        assert clock.present(state, jump, 0.0) == (jump if running else T)
        state, _ = clock.start(T, jump, 0.0)
        assert clock.present(state, jump, 0.0) == (jump if at_start else T)
        assert clock.trusted_time(state, jump, 0.0) == T, "it is doubted either way"


def test_a_jump_further_ahead_is_no_longer_explained_by_the_start() -> None:
    at = T + 20 * DAY_SECONDS
    state, _ = clock.start(T, at, 0.0)
    back, _ = run(state, (at - 5 * DAY_SECONDS, 0.0))
    assert clock.present(back, back.wall, 0.0) == back.wall
    ahead, _ = run(state, (at + 5 * DAY_SECONDS, 0.0))
    assert clock.present(ahead, ahead.wall, 0.0) == T
    once, _ = run(state, (at, 3600.0))
    assert once.pending is None
    again, _ = run(once, (at + 20 * DAY_SECONDS, 3600.0))
    assert clock.present(again, again.wall, 3600.0) == at
