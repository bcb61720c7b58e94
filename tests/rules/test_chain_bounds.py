"""Bounds of what is remembered of clone tokens (docs/design/authorizing.md, Device clones)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lts.crypto import b64url, unb64url
from lts.rules.chain import (
    NO_BRANCH,
    ChainState,
    Token,
    clear,
    decode_token,
    encode_token,
    join,
    plain_lag,
    plain_state,
    step,
)
from lts.rules.usage import FIRST_APART, TOGETHER
from tests.rules.test_chain import DEVICE, KEY, SLOT, Server

FAR = 0xFFFFFF
"""How far back a token can name its parent."""


@pytest.mark.parametrize(
    ("token", "read"),
    [
        (Token(1, 0, 0), Token(1, 0, 0)),
        (Token(FAR, 0, 63), Token(FAR, 0, 63)),
        (Token(FAR + 6, 0, 63), Token(FAR + 6, 6, 63)),
        (Token(2**40 - 1, 2**40 - 2, 5), Token(2**40 - 1, 2**40 - 2, 5)),
    ],
)
def test_a_token_is_24_characters_that_name_its_number_parent_and_branch(token: Token, read: Token) -> None:
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
        (Token(31, 20, 0), True),  # newer than all that came back
        (Token(29, 20, 0), False),
        (Token(29, 20, NO_BRANCH), True),
    ],
)
def test_an_older_one_that_came_back_for_the_first_time_is_told_by_those_that_did(token: Token, forked: bool) -> None:
    assert step(ChainState(100, (30,)), token, SLOT).state.forked is forked


def full(silent: int, *apart: int) -> ChainState:
    """64 branches: the oldest is silent for longest, then the fifth since the token `silent`; the ninth is newest."""
    tips = [1, *[120] * 63]
    tips[5], tips[9] = silent, 180
    return ChainState(200, tuple(tips), apart=apart, active=3)


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
@pytest.mark.parametrize("token", [Token(150, 50, 0), Token(170, 150, NO_BRANCH)])
def test_a_65th_branch_takes_the_place_of_one_that_is_silent_or_new_and_does_not_count_apart(
    state: ChainState, branch: int, token: Token
) -> None:
    made = step(state, token, SLOT)
    assert (made.branch, made.counted) == (branch, (TOGETHER, 0))
    assert made.state.tips == (*state.tips[:branch], token.number, *state.tips[branch + 1 :])
    assert made.state.apart == tuple(0 if at == branch else first for at, first in enumerate(state.apart))
    assert (made.state.alternations, made.state.forked) == (int(token.branch != NO_BRANCH), True)


@pytest.mark.parametrize(
    ("token", "branches", "alternations", "forked"),
    [
        (Token(150, 50, NO_BRANCH), 64, 0, True),
        (Token(150, 50, 0), 63, 0, True),
        (Token(150, 0, 63), 64, 1, False),
        (Token(200, 0, 63), 64, 0, False),
    ],
)
def test_a_fork_is_an_alternation_once_places_are_taken(
    token: Token, branches: int, alternations: int, forked: bool
) -> None:
    state = full(99)._replace(tips=full(99).tips[:branches])
    made = step(state, token, SLOT).state
    assert (made.alternations, made.forked, len(made.tips)) == (alternations, forked, 64)
    assert step(state, None, SLOT).branch == 63


@dataclass(frozen=True)
class Turn:
    """A request on branch 1 of two, after one on the other."""

    state: ChainState
    first: int
    """First slot that counts apart."""


BOTH = ChainState(10, (9, 10), active=0)
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
    made = step(turn.state, Token(10, 2, 1), SLOT)
    assert made.counted == (FIRST_APART + 1, turn.first)
    before = turn.state.apart[:1]
    assert made.state.apart[0] == (before[0] if any(before) else turn.first)
    assert (made.state.alternations, made.state.active, made.state.forked) == (1, 1, False)


@pytest.mark.parametrize(
    ("state", "token", "alternations", "active"),
    [
        (ChainState(5, (5,)), Token(5, 4, 0), 0, 0),
        (ChainState(5, (5,), active=~0), Token(5, 4, 0), 1, 0),
        (ChainState(5, (0,)), Token(5, 0, 0), 0, 0),  # the first return, and nobody asked since
        (ChainState(6, (0,)), Token(5, 0, 0), 1, 0),
        (ChainState(5, (3,)), Token(5, 0, 1), 0, 1),
        (ChainState(6, (3,)), Token(5, 0, 1), 1, 1),
        (ChainState(6, (3,)), Token(5, 2, 0), 0, 1),  # a fork is no alternation
        (ChainState(6, (0, 5), active=0), Token(5, 4, 1), 1, 1),
        (ChainState(6, (5, 0), active=~0), None, 0, ~0),
        (ChainState(6, (5, 0), active=0), None, 0, ~0),
        (ChainState(6, (0,), active=0), None, 0, 0),
    ],
)
def test_who_comes_back_after_another_alternates(
    state: ChainState, token: Token | None, alternations: int, active: int
) -> None:
    made = step(state, token, SLOT).state
    assert (made.alternations, made.active, made.given) == (alternations, active, state.given + 1)
    assert made.forked == (token == Token(5, 2, 0))


@pytest.mark.parametrize(("alternations", "flagged"), [(1, False), (2, True)])
def test_the_third_alternation_flags_the_device_and_refuses_all_but_the_oldest(
    alternations: int, flagged: bool
) -> None:
    state = BOTH._replace(alternations=alternations)
    made = step(state, Token(10, 2, 1), SLOT)
    assert (made.cloned, made.state.forked, made.state.refused) == (flagged, flagged, flagged)
    assert not step(made.state, Token(9, 2, 0), SLOT).cloned
    oldest = made.state._replace(tips=(0, 10), alternations=9)
    assert not step(oldest, Token(10, 2, 1), SLOT).cloned, "branch 0 never had a token come back"


@pytest.mark.parametrize(("number", "parent"), [(4, 0), (5, 5), (6, 6), (7, 0)])
def test_tokens_up_to_those_before_a_clearing_and_beyond_those_given_are_unknown(number: int, parent: int) -> None:
    state = ChainState(6, (3,), base=4)
    assert step(state, Token(number, number - 1, 0), SLOT).parent == parent


def test_a_clearing_makes_unknown_what_was_given_and_takes_a_number() -> None:
    assert clear(ChainState(9, (8, 7), 5, 1, 0, 4, True, 2, (3, 3), 6)) == ChainState(10, base=10, cleared=7)


@pytest.mark.parametrize(
    ("here", "there", "joined"),
    [
        (ChainState(4, (3,)), ChainState(5, (4,)), ChainState(5, (4,))),
        (ChainState(4, (3,), base=2), ChainState(5, (4,), base=2), ChainState(5, (4,), base=2)),
        (ChainState(4, (3,)), ChainState(6, (4,)), ChainState(6, base=6)),
        (ChainState(4, (3,)), ChainState(5, (4,), base=2), ChainState(5, base=5)),
        (ChainState(6, (3,)), ChainState(5, (4,)), ChainState(6, base=6)),
        (ChainState(6, forked=True), ChainState(3, cleared=1), ChainState(6, base=6, cleared=1)),
        (ChainState(6, forked=True), ChainState(3), ChainState(6, forked=True, base=6)),
    ],
)
def test_a_state_that_follows_another_is_taken_of_two_others_none_is_known(
    here: ChainState, there: ChainState, joined: ChainState
) -> None:
    assert join(here, there) == joined


@pytest.mark.parametrize(
    ("given", "lag", "state"),
    [
        (3, 1, ChainState(3, (2,), 0b110)),
        (3, 0, ChainState(3, (3,), 0b111)),
        (3, 3, ChainState(3, (0,), 0)),
        (64, 63, ChainState(64, (1,), 1 << 63)),
        (100, 64, ChainState(100, (36,), 0)),
        (100, 1, ChainState(100, (99,), 2**64 - 2)),
    ],
)
def test_a_device_on_one_branch_is_kept_as_two_numbers(given: int, lag: int, state: ChainState) -> None:
    assert (plain_state(given, lag), plain_lag(state)) == (state, lag)
    assert plain_lag(state._replace(alternations=1)) is None
