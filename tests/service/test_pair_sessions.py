"""Who may speak to a server of a pair, and that nothing is taken twice (docs/design/pair.md, Trust)."""

from __future__ import annotations

import msgspec
import pytest

from lts.crypto import SigningKey, b64url
from lts.errors import PeerError
from lts.rules import pair as rules
from lts.service.pair import peermessages
from lts.service.pair.peermessages import Hello, Introduction, Welcome
from lts.service.pair.peersessions import COUNTER, MAX_SESSIONS, SESSION, SIGNATURE, PeerSessions


def speaker(key: SigningKey) -> Introduction:
    return Introduction(uuid="A", key=key.public.x, role="standby", version="1", protocol=1, status=rules.REFUSING)


class Lines:
    """A server's sessions, and callers of it."""

    def __init__(self) -> None:
        self.server, self.peer = SigningKey.generate(), SigningKey.generate()
        self.sessions = PeerSessions(self.server, lambda: self.peer.public.x)

    def hello(self, key: SigningKey, protocol: int = 1) -> str:
        body = peermessages.encode(Hello(msgspec.structs.replace(speaker(key), protocol=protocol), "nonce"))
        signature = b64url(key.sign(rules.request_statement(peermessages.HELLO, body, "", 0)))
        answer, _, _ = self.sessions.welcome(body, signature, lambda who: speaker(self.server))
        return peermessages.decode(answer, Welcome).session

    def request(self, key: SigningKey, session: str, counter: int, body: bytes = b"x") -> dict[str, str]:
        statement = rules.request_statement("changes", body, session, counter)
        return {SESSION: session, COUNTER: str(counter), SIGNATURE: b64url(key.sign(statement))}

    def admit(self, headers: dict[str, str], body: bytes = b"x") -> int | None:
        return self.sessions.admit("changes", headers, body)

    def refused(self, headers: dict[str, str]) -> str:
        with pytest.raises(PeerError) as caught:
            self.admit(headers)
        return str(caught.value.code)


@pytest.fixture
def lines() -> Lines:
    return Lines()


def test_each_counter_is_taken_once_and_only_upwards(lines: Lines) -> None:
    session = lines.hello(lines.peer)
    first, third = lines.request(lines.peer, session, 1), lines.request(lines.peer, session, 3)
    lines.admit(first)
    lines.admit(third)
    assert lines.refused(first) == lines.refused(third) == "peer-replayed"
    assert lines.refused(lines.request(lines.peer, session, 2)) == "peer-replayed"


def test_what_a_hello_says_counts_with_the_first_good_request_of_its_session(lines: Lines) -> None:
    older, newer = lines.hello(lines.peer, 1), lines.hello(lines.peer, 2)
    assert lines.admit(lines.request(lines.peer, newer, 1)) == 2
    assert lines.admit(lines.request(lines.peer, newer, 2)) is None
    assert lines.admit(lines.request(lines.peer, older, 1)) == 1
    renamed = newer.rpartition(".")[0] + ".1"
    assert lines.refused(lines.request(lines.peer, renamed, 3)) == "peer-not-pinned"


def test_a_stranger_may_say_hello_as_often_as_it_likes_and_disturbs_nobody(lines: Lines) -> None:
    session, stranger = lines.hello(lines.peer), SigningKey.generate()
    for _ in range(100):
        strange = lines.hello(stranger)
    assert lines.refused(lines.request(stranger, strange, 1)) == "peer-not-pinned"
    assert lines.refused(lines.request(lines.peer, strange, 1)) == "peer-not-pinned"
    lines.admit(lines.request(lines.peer, session, 1))


def test_a_session_that_has_made_room_for_newer_ones_is_never_taken_again(lines: Lines) -> None:
    oldest = lines.hello(lines.peer)
    recorded = lines.request(lines.peer, oldest, 1)
    lines.admit(recorded)
    for _ in range(MAX_SESSIONS):
        lines.admit(lines.request(lines.peer, lines.hello(lines.peer), 1))
    assert lines.refused(recorded) == "peer-session"


def test_sixteen_sessions_go_on_beside_each_other(lines: Lines) -> None:
    sessions = [lines.hello(lines.peer) for _ in range(17)]
    for session in sessions:
        lines.admit(lines.request(lines.peer, session, 1))
    assert lines.refused(lines.request(lines.peer, sessions[0], 2)) == "peer-session"
    for session in sessions[1:]:
        lines.admit(lines.request(lines.peer, session, 2))


def test_a_status_of_a_new_start_of_the_other_server_ends_the_sessions_of_the_one_before(lines: Lines) -> None:
    first, then, beside = (lines.hello(lines.peer) for _ in range(3))
    old, new = rules.first_number(5), rules.first_number(6)
    lines.sessions.hear(first, old + 1)
    lines.sessions.hear(then, new + 1)
    lines.sessions.hear(beside, new + 2)
    lines.sessions.hear(then, new + 3)
    assert lines.refused(lines.request(lines.peer, first, 1)) == "peer-session"
    with pytest.raises(PeerError, match="has ended"):  # it was admitted just before
        lines.sessions.hear(first, old + 2)
    for session in (then, beside):
        lines.admit(lines.request(lines.peer, session, 1))


def test_a_server_that_numbers_nothing_ends_no_session(lines: Lines) -> None:
    first, then = lines.hello(lines.peer), lines.hello(lines.peer)
    for session in (then, first):
        lines.sessions.hear(session, 0)
        lines.admit(lines.request(lines.peer, session, 1))


def test_sessions_of_an_earlier_start_are_not_known(lines: Lines) -> None:
    session = lines.hello(lines.peer)
    again = Lines()
    again.peer = lines.peer
    assert again.refused(lines.request(lines.peer, session, 1)) == "peer-session"


@pytest.mark.parametrize("session", ["", ".", "1", "1.x", "1.x.y", "é", "9" * 400, "1.2.3.4"])
@pytest.mark.parametrize("counter", ["", "-1", "1.5", "٣", "9" * 40])
def test_nonsense_in_the_headers_is_refused(lines: Lines, session: str, counter: str) -> None:
    assert lines.refused({SESSION: session, COUNTER: counter, SIGNATURE: "x"}) == "peer-session"


def test_a_hello_must_be_signed_by_the_key_it_names(lines: Lines) -> None:
    body = peermessages.encode(Hello(speaker(lines.peer), "nonce"))
    for signature in ("", "x", b64url(SigningKey.generate().sign(body))):
        with pytest.raises(PeerError):
            lines.sessions.welcome(body, signature, lambda who: speaker(lines.server))
