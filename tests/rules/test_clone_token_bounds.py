"""Bounds of what is remembered of clone tokens (docs/design/authorizing.md, Device clones)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lts.crypto import b64url, unb64url
from lts.rules.metering.clonetokens import (
    NO_BRANCH,
    CloneState,
    CloneToken,
    clear,
    decode_token,
    encode_token,
    join,
    plain_lag,
    plain_state,
    step,
)
from lts.rules.metering.usage import FIRST_APART, TOGETHER
from tests.rules.test_clonetokens import DEVICE, KEY, SLOT, Server

FAR = 0xFFFFFF
"""How far back a token can name its parent."""


@pytest.mark.parametrize(
    ("token", "read"),
    [
        (CloneToken(1, 0, 0), CloneToken(1, 0, 0)),
        (CloneToken(FAR, 0, 63), CloneToken(FAR, 0, 63)),
        (CloneToken(FAR + 6, 0, 63), CloneToken(FAR + 6, 6, 63)),
        (CloneToken(2**40 - 1, 2**40 - 2, 5), CloneToken(2**40 - 1, 2**40 - 2, 5)),
    ],
)
def test_a_token_is_24_characters_that_name_its_number_parent_and_branch(token: CloneToken, read: CloneToken) -> None:
    text = encode_token(KEY, DEVICE, token)
    assert (len(text), decode_token(KEY, DEVICE, text)) == (24, read)
    raw = unb64url(text)
    for other in (raw[:-1], raw + b"\0", raw[:9], raw[:8], raw[:8] + b"\1" + raw[9:]):
        assert other == raw or decode_token(KEY, DEVICE, b64url(other)) is None


@pytest.mark.parametrize(("later", "forked"), [(63, True), (64, False)])
def test_of_64_tokens_it_is_known_which_came_back_older_ones_count_as_returned(later: int, forked: bool) -> None:
    server = Server()
    start = server.ask(server.ask(None))
    one, two = server.ask(start), server.ask(start)
    for _ in range(later):
        one = server.ask(one)
    server.ask(two)
    assert server.forked is forked


@pytest.mark.parametrize(
    ("token", "forked"),
    [
        (CloneToken(31, 20, 0), True),  # newer than all that came back
        (CloneToken(29, 20, 0), False),
        (CloneToken(29, 20, NO_BRANCH), True),
    ],
)
def test_an_older_token_that_returns_for_the_first_time_is_judged_by_those_that_returned(
    token: CloneToken, forked: bool
) -> None:
    assert step(CloneState(100, (30,)), token, SLOT).state.forked is forked


def full(silent: int, *apart: int) -> CloneState:
    """64 branches: the oldest is silent for longest, then the fifth since the token `silent`; the ninth is newest."""
    tips = [1, *[120] * 63]
    tips[5], tips[9] = silent, 180
    return CloneState(200, tuple(tips), apart=apart, active=3)


@pytest.mark.parametrize(
    ("state", "branch"),
    [
        (full(99), 5),  # 101 tokens given since, and 50 since the sender was given one before its turn
        (full(100), 9),
        (full(99, 0, 7, 0), 5),
        (full(99, *[0] * 5, 7), 9),
        (full(99, *[0] * 5, 7, 0, 0, 0, 7), 1),
        (full(99, 0, *[7] * 63), 63),
    ],
)
@pytest.mark.parametrize("token", [CloneToken(150, 50, 0), CloneToken(170, 150, NO_BRANCH)])
def test_a_65th_branch_takes_the_place_of_one_that_is_silent_or_new_and_does_not_count_apart(
    state: CloneState, branch: int, token: CloneToken
) -> None:
    made = step(state, token, SLOT)
    assert (made.branch, made.counted) == (branch, (TOGETHER, 0))
    assert made.state.tips == (*state.tips[:branch], token.number, *state.tips[branch + 1 :])
    assert made.state.apart == tuple(0 if at == branch else first for at, first in enumerate(state.apart))
    assert (made.state.alternations, made.state.forked) == (int(token.branch != NO_BRANCH), True)


@pytest.mark.parametrize(
    ("token", "branches", "alternations", "forked"),
    [
        (CloneToken(150, 50, NO_BRANCH), 64, 0, True),
        (CloneToken(150, 50, 0), 63, 0, True),
        (CloneToken(150, 0, 63), 64, 2, False),
        (CloneToken(200, 0, 63), 64, 0, False),
    ],
)
def test_a_fork_is_an_alternation_once_places_are_taken(
    token: CloneToken, branches: int, alternations: int, forked: bool
) -> None:
    state = full(99)._replace(tips=full(99).tips[:branches])
    made = step(state, token, SLOT).state
    assert (made.alternations, made.forked, len(made.tips)) == (alternations, forked, 64)
    assert step(state, None, SLOT).branch == 63


@dataclass(frozen=True)
class Turn:
    """A request on branch 1 of two, after one on the other."""

    state: CloneState
    first: int
    """First slot that counts apart."""


BOTH = CloneState(10, (9, 10), active=0)
LATER = SLOT + 1 + 4
"""After the slots of the next ten minutes, three whole ones and a part of one."""


@pytest.mark.parametrize(
    "turn",
    [
        Turn(BOTH, SLOT + 1),
        Turn(BOTH._replace(home=0), LATER),
        Turn(BOTH._replace(base=3), LATER),
        Turn(BOTH._replace(apart=(0, 0)), SLOT + 1),
        Turn(BOTH._replace(apart=(7,)), LATER),
        Turn(BOTH._replace(apart=(7, 8)), 8),
        Turn(BOTH._replace(tips=(9, 10, 8), apart=(0, 0, 6)), LATER),
    ],
)
def test_two_that_take_turns_count_apart_from_the_next_slot_or_past_what_was_named_ahead(turn: Turn) -> None:
    made = step(turn.state, CloneToken(10, 2, 1), SLOT)
    assert made.counted == (FIRST_APART + 1, turn.first)
    before = turn.state.apart[:1]
    assert made.state.apart[0] == (before[0] if any(before) else turn.first)
    assert (made.state.alternations, made.state.active, made.state.forked) == (1, 1, False)


@pytest.mark.parametrize(
    ("state", "token", "alternations", "active"),
    [
        (CloneState(5, (5,)), CloneToken(5, 4, 0), 0, 0),
        (CloneState(5, (5,), active=~0, left=5), CloneToken(5, 4, 0), 0, 0),  # without a token nothing is proven
        (CloneState(5, (0,)), CloneToken(5, 0, 0), 0, 0),  # the first return of all
        (CloneState(6, (0,)), CloneToken(5, 0, 0), 0, 0),
        (CloneState(5, (3,)), CloneToken(5, 0, 1), 0, 1),
        (CloneState(6, (3,)), CloneToken(5, 0, 1), 2, 1),
        (CloneState(6, (3,), active=~0, left=4), CloneToken(5, 0, 1), 0, 1),  # all since were without a token
        (CloneState(7, (3,), active=~0, left=6), CloneToken(5, 0, 1), 2, 1),
        (CloneState(6, (3,), active=~0), CloneToken(5, 0, 1), 0, 1),  # as an earlier version left it: nobody knows
        (CloneState(6, (3,)), CloneToken(5, 2, 0), 0, 1),  # a fork is no alternation
        (CloneState(6, (0, 5), active=0), CloneToken(5, 4, 1), 0, 1),
        (CloneState(6, (4, 5), active=0), CloneToken(5, 4, 1), 1, 1),
        (CloneState(6, (5, 0), active=~0), None, 0, ~0),
        (CloneState(6, (5, 0), active=0), None, 0, ~0),
        (CloneState(6, (0,), active=0), None, 0, 0),
    ],
)
def test_who_comes_back_after_another_alternates(
    state: CloneState, token: CloneToken | None, alternations: int, active: int
) -> None:
    made = step(state, token, SLOT).state
    assert (made.alternations, made.active, made.given) == (alternations, active, state.given + 1)
    assert made.left == (0 if active >= 0 else state.left or (state.given if state.active >= 0 else 0))
    assert made.forked == (token == CloneToken(5, 2, 0))


@pytest.mark.parametrize(("alternations", "flagged"), [(1, False), (2, True)])
def test_the_third_alternation_flags_the_device_and_refuses_all_but_the_oldest(
    alternations: int, flagged: bool
) -> None:
    state = BOTH._replace(alternations=alternations)
    made = step(state, CloneToken(10, 2, 1), SLOT)
    assert (made.cloned, made.state.forked, made.state.refused) == (flagged, flagged, flagged)
    assert not step(made.state, CloneToken(9, 2, 0), SLOT).cloned
    oldest = made.state._replace(tips=(0, 10), alternations=9)
    assert not step(oldest, CloneToken(10, 2, 1), SLOT).cloned, "branch 0 never had a token come back"


@pytest.mark.parametrize(("number", "parent"), [(4, 0), (5, 5), (6, 6), (7, 0)])
def test_tokens_up_to_those_before_a_clearing_and_beyond_those_given_are_unknown(number: int, parent: int) -> None:
    state = CloneState(6, (3,), base=4)
    assert step(state, CloneToken(number, number - 1, 0), SLOT).parent == parent


def test_a_clearing_makes_unknown_what_was_given_and_takes_a_number() -> None:
    assert clear(CloneState(9, (8, 7), 5, 1, 0, 4, True, 2, (3, 3), 6)) == CloneState(10, base=10, cleared=7)


@pytest.mark.parametrize(
    ("here", "there", "joined"),
    [
        (CloneState(4, (3,)), CloneState(5, (4,)), CloneState(5, (4,))),
        (CloneState(4, (3,), base=2), CloneState(5, (4,), base=2), CloneState(5, (4,), base=2)),
        (CloneState(4, (3,)), CloneState(6, (4,)), CloneState(6, base=6)),
        (CloneState(4, (3,)), CloneState(5, (4,), base=2), CloneState(5, base=5)),
        (CloneState(6, (3,)), CloneState(5, (4,)), CloneState(6, base=6)),
        (CloneState(6, forked=True), CloneState(3, cleared=1), CloneState(6, base=6, cleared=1)),
        (CloneState(6, forked=True), CloneState(3), CloneState(6, forked=True, base=6)),
    ],
)
def test_a_state_that_follows_another_is_taken_of_two_others_none_is_known(
    here: CloneState, there: CloneState, joined: CloneState
) -> None:
    assert join(here, there) == joined


@pytest.mark.parametrize(
    ("given", "lag", "state"),
    [
        (3, 1, CloneState(3, (2,), 0b110)),
        (3, 0, CloneState(3, (3,), 0b111)),
        (3, 3, CloneState(3, (0,), 0)),
        (64, 63, CloneState(64, (1,), 1 << 63)),
        (100, 64, CloneState(100, (36,), 0)),
        (100, 1, CloneState(100, (99,), 2**64 - 2)),
    ],
)
def test_a_device_on_one_branch_is_kept_as_two_numbers(given: int, lag: int, state: CloneState) -> None:
    assert (plain_state(given, lag), plain_lag(state)) == (state, lag)
    assert plain_lag(state._replace(alternations=1)) is None
