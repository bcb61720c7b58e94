"""Chain tokens: what is a fork, what an alternation, and what is harmless.

See docs/design/authorizing.md, Device clones.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lts.rules.chain import ChainState, Step, Token, decode_token, encode_token, plain_lag, plain_state, step

KEY, DEVICE = b"k" * 32, bytes(range(16))


class Server:
    """A server's view of one device, and the requests clients make of it."""

    def __init__(self) -> None:
        self.state: ChainState | None = None
        self.last: Step | None = None

    def ask(self, token: Token | None) -> Token:
        """One request that is granted; returns the new token."""
        self.last = step(self.state, token)
        self.state = self.last.state
        return Token(self.last.number, self.last.parent, self.last.branch)

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
            made = step(server.state, token)
            if made.cloned:
                refused[name] += 1
                continue
            server.state = made.state
            new = Token(made.number, made.parent, made.branch)
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
    assert server.last.usage_branch == 0
    server.ask(token)
    assert server.state is not None
    assert server.state.alternations == 1


def test_fifty_parallel_nulls_and_one_of_their_tokens_raise_no_alarm() -> None:
    server = Server()
    tokens = [server.ask(None) for _ in range(50)]
    token = tokens[17]
    for _ in range(10):
        token = server.ask(token)
    assert not server.forked
    assert server.state is not None
    assert server.state.alternations == 1


def test_branches_count_apart_once_they_alternate() -> None:
    server = Server()
    start = server.ask(server.ask(None))
    one, two = server.ask(start), server.ask(start)
    branches = set()
    for _ in range(2):
        one = server.ask(one)
        assert server.last is not None
        branches.add(("one", server.last.usage_branch))
        two = server.ask(two)
        branches.add(("two", server.last.usage_branch))
    assert {branch for name, branch in branches if name == "one"} == {0}
    assert 0 not in {branch for name, branch in branches if name == "two"}


def test_a_token_from_the_future_or_of_another_device_is_unknown() -> None:
    text = encode_token(KEY, DEVICE, Token(7, 6, 0))
    assert decode_token(KEY, DEVICE, text) == Token(7, 6, 0)
    assert decode_token(KEY, DEVICE[::-1], text) is None
    assert decode_token(b"x" * 32, DEVICE, text) is None
    for other in ("", "é", text[:-1], text + "A", "A" * len(text)):
        assert decode_token(KEY, DEVICE, other) is None
    made = step(plain_state(3, 1), Token(7, 6, 0))
    assert (made.branch, made.state.forked, made.state.alternations) == (1, False, 0)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 30), max_size=60))
def test_no_sequence_of_old_tokens_breaks_the_state(picks: list[int]) -> None:
    server = Server()
    seen: list[Token | None] = [None]
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
