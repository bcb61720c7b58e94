"""Clone tokens: what is a fork, what an alternation, and what is harmless.

See docs/design/authorizing.md, Device clones.
"""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lts.crypto import unb64url
from lts.rules.metering.clonetokens import (
    CloneState,
    CloneToken,
    TokenStep,
    clear,
    decode_token,
    encode_token,
    join,
    plain_lag,
    plain_state,
    step,
)
from lts.rules.metering.usage import FIRST_APART, TOGETHER

KEY, DEVICE = b"k" * 32, bytes(range(16))
SLOT = 9_000_000


class Server:
    """A server's view of one device, and the requests clients make of it."""

    def __init__(self) -> None:
        self.state: CloneState | None = None
        self.last: TokenStep | None = None
        self.slot = SLOT

    def ask(self, token: CloneToken | None) -> CloneToken:
        """One request that is granted; returns the new token."""
        self.last = step(self.state, token, self.slot)
        self.state = self.last.state
        return CloneToken(self.last.number, self.last.parent, self.last.branch)

    @property
    def forked(self) -> bool:
        return self.state is not None and self.state.forked


def test_a_device_that_returns_each_token_stays_plain() -> None:
    server, token = Server(), None
    for _ in range(200):
        token = server.ask(token)
        assert server.state is not None
        assert plain_lag(server.state) == 1
    assert not server.forked


def test_lost_answers_and_parallel_requests_are_harmless() -> None:
    server = Server()
    token = server.ask(None)
    for _ in range(20):
        server.ask(token)
        answers = [server.ask(token) for _ in range(3)]
        token = answers[1]
    assert not server.forked
    assert server.state is not None
    assert server.state.alternations == 0


def test_two_siblings_returned_are_a_fork_at_once_and_later() -> None:
    for between in (0, 5, 40):
        server = Server()
        start = server.ask(server.ask(None))
        one, two = server.ask(start), server.ask(start)
        for _ in range(between):
            one = server.ask(one)
        server.ask(one)
        assert not server.forked
        server.ask(two)
        assert server.forked


def test_a_state_restored_from_an_old_copy_is_a_fork_once_its_child_comes_back() -> None:
    server = Server()
    old = token = server.ask(None)
    for _ in range(10):
        token = server.ask(token)
    child = server.ask(old)
    assert not server.forked
    server.ask(child)
    assert server.forked


def test_from_the_third_alternation_on_the_younger_branch_is_refused_and_the_older_goes_on() -> None:
    server = Server()
    start = server.ask(server.ask(None))
    old, young = server.ask(start), server.ask(start)
    refused = {"old": 0, "young": 0}
    for _ in range(6):
        for name in ("old", "young"):
            token = old if name == "old" else young
            made = step(server.state, token, SLOT)
            if made.cloned:
                refused[name] += 1
                continue
            server.state = made.state
            new = CloneToken(made.number, made.parent, made.branch)
            old, young = (new, young) if name == "old" else (old, new)
    assert refused["old"] == 0
    assert refused["young"] >= 4


def test_null_from_a_known_device_opens_a_branch_and_is_no_fork() -> None:
    server = Server()
    token = server.ask(server.ask(None))
    fresh = server.ask(None)
    for _ in range(5):
        fresh = server.ask(fresh)
    assert not server.forked
    assert server.last is not None
    assert server.last.counted == (TOGETHER, 0)
    server.ask(token)
    assert server.state is not None
    assert server.state.alternations == 1, "tokens of both came back, in turns"


def test_fifty_parallel_nulls_and_one_of_their_tokens_raise_no_alarm() -> None:
    server = Server()
    tokens = [server.ask(None) for _ in range(50)]
    token = tokens[17]
    for _ in range(10):
        token = server.ask(token)
    assert not server.forked
    assert server.state is not None
    assert server.state.alternations == 0
    assert len(server.state.tips) == 1, "a request without a token begins no branch until its token comes back"


def test_branches_count_apart_once_they_alternate_in_slots_that_begin_later() -> None:
    server = Server()
    start = server.ask(server.ask(None))
    one, two = server.ask(start), server.ask(start)
    counted = []

    def ask(token: CloneToken) -> CloneToken:
        token = server.ask(token)
        assert server.last is not None
        counted.append(server.last.counted)
        return token

    for _ in range(3):
        server.slot += 10
        one = ask(ask(one))
        two = ask(two)
    moment = SLOT + 20
    apart = [(FIRST_APART, moment + 1), (FIRST_APART + 1, moment + 1)]
    assert counted[:3] == [(TOGETHER, 0)] * 3, "one branch, then the other: the first may be gone for good"
    assert counted[3:] == [apart[0], apart[0], apart[1], apart[0], apart[0], apart[1]]


def test_a_device_that_lost_its_token_is_one_machine_as_long_as_the_old_one_is_silent() -> None:
    server, token = Server(), None
    for n in range(200):
        server.slot += 10
        token = server.ask(None if n % 7 == 0 else token)
        assert server.last is not None
        assert server.last.counted == (TOGETHER, 0)
        assert not server.last.cloned
    assert not server.forked


def test_requests_whose_tokens_never_come_back_take_no_room_and_prove_nothing() -> None:
    server = Server()
    token = server.ask(server.ask(None))
    for _ in range(200):
        server.ask(None)
        assert server.last is not None
        assert not server.last.cloned
        token = server.ask(token)
        assert server.state is not None
        assert (len(server.state.tips), server.state.apart, server.state.alternations) == (1, (), 0)
    assert not server.forked


@pytest.mark.parametrize("first", [0, 1, 2])
@pytest.mark.parametrize("own", [1, 5, 70])
def test_a_device_that_starts_with_requests_in_parallel_and_goes_on_with_one_answer_is_never_refused(
    first: int, own: int
) -> None:
    server = Server()
    for _ in range(150):
        server.slot += 480
        token = [server.ask(None) for _ in range(3)][first]
        for _ in range(own):
            token, _ = server.ask(token), server.ask(token)
            assert server.last is not None
            assert (server.last.cloned, server.last.counted) == (False, (TOGETHER, 0))
    assert server.state is not None
    assert (server.state.alternations, server.forked) == (0, False)


@pytest.mark.parametrize("copies", [2, 3, 10, 64, 100])
def test_copies_that_begin_without_a_token_are_refused_within_three_requests_of_each(copies: int) -> None:
    server = Server()
    held: list[CloneToken | None] = [None] * copies
    refused_in = [0] * copies
    for turn in range(1, 4):
        for copy in range(copies):
            held[copy] = server.ask(held[copy])
            assert server.last is not None
            if server.last.cloned and not refused_in[copy]:
                refused_in[copy] = turn
    assert (refused_in[0], set(refused_in[2:])) == (0, {2} if copies > 2 else set())
    assert refused_in[1] == 3, "the second of all"


def test_a_device_that_never_returns_a_token_takes_two_integers() -> None:
    server = Server()
    for n in range(1, 300):
        server.ask(None)
        assert server.state is not None
        assert plain_lag(server.state) == n
    assert not server.forked


def test_a_third_branch_counts_apart_only_past_the_slots_that_a_second_one_may_have_named_ahead() -> None:
    server = Server()
    start = server.ask(server.ask(None))
    one, two, three = server.ask(start), server.ask(start), server.ask(start)
    for _ in range(2):
        one = server.ask(one)
        two = server.ask(two)
    server.slot += 100
    three = server.ask(three)
    one = server.ask(one)
    server.ask(three)
    assert server.last is not None
    assert server.last.counted == (FIRST_APART + 2, SLOT + 100 + 5)


def test_an_old_token_that_comes_back_is_on_no_branch_but_its_child_is_a_fork() -> None:
    server = Server()
    old = token = server.ask(server.ask(None))
    for _ in range(5):
        token = server.ask(token)
    child = server.ask(old)
    assert server.last is not None
    assert (server.last.counted, server.forked) == ((TOGETHER, 0), False)
    assert server.state is not None
    assert server.state.active == 0
    server.ask(child)
    assert server.forked


def clones(alternations: int) -> tuple[Server, CloneToken, CloneToken]:
    """A server that saw two machines take turns, with the newest tokens of the older and the younger one."""
    server = Server()
    start = server.ask(server.ask(None))
    old, young = server.ask(start), server.ask(start)
    while server.state is None or server.state.alternations < alternations:
        old = server.ask(old)
        young = server.ask(young)
    return server, old, young


def test_while_clones_are_refused_only_the_oldest_branch_goes_on() -> None:
    server, old, young = clones(3)
    stale = CloneToken(3, 2, 0)
    assert [step(server.state, token, SLOT).cloned for token in (old, young, None, stale)] == [False, True, True, True]


def test_a_cleared_device_is_refused_to_nobody_and_knows_no_token() -> None:
    server, old, young = clones(3)
    assert server.state is not None
    server.state = cleared = clear(server.state)
    assert (cleared.forked, cleared.refused, cleared.given) == (False, False, server.state.given)
    for token in (young, old):
        server.ask(token)
        assert server.last is not None
        assert (server.last.cloned, server.last.counted) == (False, (TOGETHER, 0))


def test_a_clearing_comes_out_the_same_on_both_servers_in_any_order() -> None:
    server, old, young = clones(3)
    here = there = server.state
    assert here is not None
    assert there is not None
    cleared = clear(here)
    assert join(here, cleared) == cleared, "the other server follows"
    apart = [step(there, old, SLOT).state]
    apart.append(step(apart[0], young, SLOT).state)
    on_one = join(join(cleared, apart[0]), apart[1])
    on_other = join(apart[1], cleared)
    assert on_one == on_other
    assert not on_one.forked


def test_a_token_older_than_the_window_is_known_by_those_that_came_back_since() -> None:
    server = Server()
    start = server.ask(server.ask(None))
    one, two = server.ask(start), server.ask(start)
    for _ in range(70):
        server.ask(start)
    server.ask(one)
    server.ask(two)
    assert server.forked, "nothing newer came back, so it cannot have come back itself"
    server = Server()
    start = server.ask(server.ask(None))
    one, two = server.ask(start), server.ask(start)
    for _ in range(70):
        two = server.ask(two)
    child = server.ask(one)
    assert not server.forked, "of it nobody knows"
    for _ in range(70):
        two = server.ask(two)
    server.ask(child)
    assert server.forked, "its child is a fork at any age"


@pytest.mark.parametrize("key", [b"k", b"k" * 32, b"k" * 64, b"k" * 65])
def test_a_token_ends_with_an_hmac_of_rfc_2104(key: bytes) -> None:
    raw = unb64url(encode_token(key, DEVICE, CloneToken(7, 6, 0)))
    assert raw[9:] == hmac.digest(key, DEVICE + raw[:9], "sha256")[:9]


def test_a_token_from_the_future_or_of_another_device_is_unknown() -> None:
    text = encode_token(KEY, DEVICE, CloneToken(7, 6, 0))
    assert decode_token(KEY, DEVICE, text) == CloneToken(7, 6, 0)
    assert decode_token(KEY, DEVICE[::-1], text) is None
    assert decode_token(b"x" * 32, DEVICE, text) is None
    for other in ("", "é", text[:-1], text + "A", "A" * len(text)):
        assert decode_token(KEY, DEVICE, other) is None
    made = step(plain_state(3, 1), CloneToken(7, 6, 0), SLOT)
    assert (made.branch, made.state.forked, made.state.alternations) == (1, False, 0)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 30), max_size=60))
def test_no_sequence_of_old_tokens_breaks_the_state(picks: list[int]) -> None:
    server = Server()
    seen: list[CloneToken | None] = [None]
    for pick in picks:
        seen.append(server.ask(seen[pick % len(seen)]))
        assert server.state is not None
        assert 1 <= len(server.state.tips) <= 64
        assert server.state.returned >> 64 == 0
        assert all(tip <= server.state.given for tip in server.state.tips)


@given(st.integers(1, 10_000), st.integers(0, 200))
def test_a_plain_state_comes_back_from_two_numbers(given_: int, lag: int) -> None:
    lag = min(lag, given_, 63)
    assert plain_lag(plain_state(given_, lag)) == lag
