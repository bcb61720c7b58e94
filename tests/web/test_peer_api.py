"""What anybody may send to a server of a pair: hellos, small ones and not too many of an address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lts.config import RateLimits
from lts.crypto import b64url
from lts.rules import pair as rules
from lts.service.pair import peermessages
from lts.service.pair.peermessages import Hello
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
    body = peermessages.encode(Hello(node.membership.me(), "nonce")) + more
    signature = b64url(node.ctx.identity.key.sign(rules.request_statement(peermessages.HELLO, body, "", 0)))
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
