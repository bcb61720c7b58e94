"""What anybody may send to a server of a pair: hellos, small ones and not too many of an address."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lts.config import RateLimits
from lts.crypto import PublicKey, SigningKey, b64url, canonical_json, jws_header, sign_jws
from lts.protocol import CERTIFICATE_TYPE
from lts.rules import pair as rules
from lts.service.core.pinned import DELEGATION_BYTES, MAX_LINE, Delegation, Pinned
from lts.service.pair import delegating, peermessages
from lts.service.pair.peermessages import Hello, Introduction
from lts.service.pair.peersessions import SIGNATURE
from lts.web import peer_api
from tests.support.duet import Duet
from tests.web.conftest import Web

ELSEWHERE, ANOTHER = "192.0.2.7", "192.0.2.8"


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    both = Duet(tmp_path)
    both.open()
    yield both
    both.close()


@pytest.fixture
def main(duet: Duet) -> Web:
    """The web application of the main."""
    return Web(duet.main.server, RateLimits(1_000_000, 1_000_000, 1_000_000))


def hello(duet: Duet, main: Web, address: str, more: bytes = b"", signed: bool = True) -> int:
    """The status of a hello of the standby."""
    node = duet.standby.node
    return said(main, node.ctx.identity.key, node.membership.me(), address, more, signed)


def said(
    main: Web, key: SigningKey, me: Introduction, address: str = ELSEWHERE, more: bytes = b"", signed: bool = True
) -> int:
    """The status of a hello."""
    body = peermessages.encode(Hello(me, "nonce")) + more
    signature = b64url(key.sign(rules.request_statement(peermessages.HELLO, body, "", 0)))
    header = {"HTTP_" + SIGNATURE.upper().replace("-", "_"): signature if signed else ""}
    return main.call("POST", "/api/v1/peer/hello", body, REMOTE_ADDR=address, **header).status


def test_an_address_that_says_hello_too_often_waits_and_others_do_not(
    duet: Duet, main: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [hello(duet, main, ELSEWHERE, signed=False) for _ in range(peer_api.HELLOS_AT_ONCE + 50)]
    assert found[0] == 403
    assert found[-1] == 429
    signs: list[str] = []
    monkeypatch.setattr(duet.main.node.membership, "me", lambda: signs.append("asked"))
    assert hello(duet, main, ELSEWHERE) == 429
    assert not signs, "nothing is done for it"
    monkeypatch.undo()

    def turned_away(address: str) -> int | None:
        found = main.app.turns_away("POST", "/lts/api/v1/peer/hello", lambda: {"REMOTE_ADDR": address})
        return None if found is None else found.status

    assert [turned_away(address) for address in (ELSEWHERE, ANOTHER, "127.0.0.1")] == [429, None, None]
    assert hello(duet, main, ANOTHER) == 200
    assert hello(duet, main, "127.0.0.1") == 200


def test_a_large_hello_is_not_read(duet: Duet, main: Web) -> None:
    assert hello(duet, main, ELSEWHERE, b"\0" * peer_api.HELLO_BYTES) == 413
    assert hello(duet, main, ELSEWHERE) == 200


Keys = list[SigningKey]


def delegation(by: SigningKey, to: PublicKey, issuer: PublicKey | None = None) -> str:
    """A main's delegation to a standby's key; `issuer` is who is named as having signed it."""
    claims = rules.delegation("A" * 36, "B" * 36, to, 1_800_000_000, 1_800_000_000)
    return sign_jws(jws_header(issuer or by.public, CERTIFICATE_TYPE), canonical_json(claims), by)


def line_over(keys: Keys) -> list[str]:
    """The delegations from each to the next one."""
    return [delegation(one, other.public) for one, other in itertools.pairwise(keys)]


@pytest.fixture
def keys(duet: Duet) -> Keys:
    """Of the main, its standby, and those promoted after that one: as many promotions as are known. Those two have
    met."""
    duet.run(5)
    assert duet.main.node.pinned.now.key is not None
    made = [player.server.ctx.identity.key for player in (duet.main, duet.standby)]
    return made + [SigningKey.generate() for _ in range(MAX_LINE - 1)]


def who_names(duet: Duet, key: SigningKey, line: list[str]) -> Introduction:
    """Who says that it came by that line."""
    me = duet.standby.node.membership.me()
    return msgspec.structs.replace(me, key=key.public.x, role="main", line=line, delegation=line[-1])


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The signatures that are verified."""
    found: list[bytes] = []
    verify = PublicKey.verify

    def count(key: PublicKey, signature: bytes, data: bytes) -> None:
        found.append(signature)
        verify(key, signature, data)

    monkeypatch.setattr(PublicKey, "verify", count)
    return found


def test_a_main_retires_by_the_longest_line_there_is(duet: Duet, main: Web, keys: Keys) -> None:
    line = line_over(keys)
    assert (len(line), max(map(len, line)) <= DELEGATION_BYTES) == (MAX_LINE, True)
    assert said(main, keys[-1], who_names(duet, keys[-1], line)) == 200
    assert duet.main.node.pinned.has_retired


def test_a_server_after_more_promotions_names_the_newest_and_is_heard(duet: Duet, main: Web, keys: Keys) -> None:
    line = line_over(keys)
    own = delegation(keys[-1], keys[-1].public)
    held = Delegation("A", ("", own), 1)
    grown = Pinned(line=tuple(line), replaced=keys[-1].public.x, delegation=held).own_line
    assert grown == (*line[1:], own)
    longest = ["x" * DELEGATION_BYTES] * MAX_LINE
    who = msgspec.structs.replace(who_names(duet, keys[-1], longest), delegation="y" * DELEGATION_BYTES)
    assert said(main, keys[-1], who) == 200
    assert not duet.main.node.pinned.now.retired


def test_only_what_is_a_delegation_in_form_is_kept_of_a_line(duet: Duet, keys: Keys) -> None:
    line = line_over(keys)
    padded = sign_jws(jws_header(keys[0].public, CERTIFICATE_TYPE), canonical_json({"cnf": "x" * 900}), keys[0])
    junk = ["", "a.b.c", "[" * 700, "\u00e9.a.b", padded, delegation(keys[0], keys[1].public) + "A" * 768]
    who = who_names(duet, keys[-1], [*junk, *line[:3]])
    assert delegating.line_of(who) == tuple(line[:3])
    assert delegating.line_of(msgspec.structs.replace(who, line=line * 3)) == tuple(line)


@pytest.mark.parametrize("kind", ["junk", "forged", "same", "other issuer", "own chain", "known, then forged"])
def test_a_line_of_a_stranger_costs_two_signatures_whatever_its_length(
    duet: Duet, main: Web, keys: Keys, verified: list[bytes], kind: str
) -> None:
    stranger = SigningKey.generate()
    good, own = line_over(keys), [stranger, *[SigningKey.generate() for _ in range(MAX_LINE - 3)], stranger]
    lines = {
        "junk": ["a.b.c"] * MAX_LINE,
        "forged": [good[0], *[delegation(stranger, stranger.public)] * (MAX_LINE - 1)],
        "same": [good[0]] * MAX_LINE,
        "other issuer": [delegation(stranger, stranger.public, keys[0].public)] * MAX_LINE,
        "own chain": [good[0], delegation(stranger, stranger.public, keys[1].public), *line_over(own)],
        "known, then forged": [*good[:-1], delegation(stranger, stranger.public, keys[-2].public)],
    }
    for turn in range(2):
        del verified[:]
        assert said(main, stranger, who_names(duet, stranger, lines[kind])) == 200
        assert turn == 0 or len(verified) <= 2, "the one of the hello, and the first of the line that is wrong"
    del verified[:]
    assert said(main, stranger, who_names(duet, stranger, lines[kind]), signed=False) == 403
    assert len(verified) <= 1
    assert not duet.main.node.pinned.now.retired
