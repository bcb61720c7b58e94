"""Whom a node of a pair believes: keys, signatures, protocols, roles (docs/design/pair.md, Trust)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lts.crypto import SigningKey, b64url
from lts.errors import AdminError, PeerError
from lts.rules import pair
from lts.rules.licensing.vendorkey import fingerprint
from lts.rules.pair import SERVING
from lts.service.core import identity
from lts.service.pair import pairstatus, peermessages
from lts.service.pair.peerclient import PeerClient
from lts.service.pair.peermessages import CopyRequest, News, Poll
from lts.service.pair.peersessions import COUNTER, SESSION, SIGNATURE
from tests.support.duet import Duet, Player
from tests.support.kit import NOON


def test_a_fake_standby_gets_nothing(duet: Duet) -> None:
    me = duet.standby.node.membership.me()
    fake = SigningKey.generate()
    line = PeerClient(duet.standby.send, fake, lambda: _as(me, fake), lambda who: None)
    for call, message in ((peermessages.COPY, CopyRequest(bytes(32))), (peermessages.CHANGES, _poll(duet))):
        with pytest.raises(PeerError) as caught:
            line.call(call, message, News, 1.0)
        assert caught.value.code == "peer-not-pinned"
    assert not duet.main.node.contact.stopped
    assert duet.main.answers()


def _as(me: peermessages.Introduction, key: SigningKey) -> peermessages.Introduction:
    return peermessages.Introduction(
        uuid=me.uuid, key=key.public.x, role=me.role, version=me.version, protocol=me.protocol, status=me.status
    )


def _poll(duet: Duet) -> Poll:
    return Poll(state=duet.standby.node.statuses.state(), wait=0.0, limit=10)


class Recorded:
    """A line of the real standby whose requests can be looked at and sent again."""

    def __init__(self, duet: Duet) -> None:
        self.duet = duet
        self.sent: list[tuple[str, dict[str, str], bytes]] = []
        node = duet.standby.node
        self.line = PeerClient(self._send, node.ctx.identity.key, node.membership.me, node.meeting.believe)
        self.line.call(peermessages.CHANGES, _poll(duet), News, 1.0)

    def _send(self, path: str, headers: dict[str, str], body: bytes, timeout: float) -> Any:
        self.sent.append((path, headers, body))
        return self.duet.standby.send(path, headers, body, timeout)

    def again(self, path: str | None = None, body: bytes | None = None, **headers: str) -> tuple[int, str]:
        old_path, old_headers, old_body = self.sent[-1]
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        assert self.duet.main.endpoint is not None
        status, _, answer = self.duet.main.endpoint.answer(
            path or old_path, {**old_headers, **named}, old_body if body is None else body
        )
        return status, peermessages.decode(answer, peermessages.PeerProblem).code


def test_requests_sent_again_altered_or_unsigned_are_refused(duet: Duet) -> None:
    recorded = Recorded(duet)
    assert recorded.again() == (409, "peer-replayed")
    assert recorded.again(path=peermessages.COPY) == (403, "peer-signature")
    assert recorded.again(body=recorded.sent[-1][2] + b"x") == (403, "peer-signature")
    assert recorded.again(LTS_Peer_Counter="9") == (403, "peer-signature")
    assert recorded.again(LTS_Peer_Signature="") == (403, "peer-signature")
    assert recorded.again(LTS_Peer_Session="other") == (401, "peer-session")
    assert recorded.again(path="nonsense") == (403, "peer-signature")
    assert {SESSION, COUNTER, SIGNATURE} == {"LTS-Peer-Session", "LTS-Peer-Counter", "LTS-Peer-Signature"}


def test_an_answer_that_another_key_signed_is_no_answer_but_a_sign_of_life(duet: Duet) -> None:
    real = duet.standby.send

    def forged(path: str, headers: dict[str, str], body: bytes, timeout: float) -> Any:
        status, answered, answer = real(path, headers, body, timeout)
        return status, {**answered, SIGNATURE: b64url(SigningKey.generate().sign(answer))}, answer

    assert duet.standby.follower is not None
    duet.standby.follower._line._send = forged
    for _ in range(60):
        duet.forward(0.5)
        duet.standby.beat()
        duet.standby.follower.step()
    assert duet.standby.server.ctx.running.status == "standby"
    assert "peer-signature" in duet.standby.node.peer.faults


def give_new_key(player: Player) -> None:
    """The server starts with another key than before."""
    player.close()
    known = identity.load(player.folder / "data")
    changed = identity.Identity(known.uuid, SigningKey.generate(), known.labels, known.incarnation)
    identity._save(player.folder / "data", changed)
    player.open()


def test_a_changed_key_stops_the_pair_until_it_is_approved(duet: Duet) -> None:
    give_new_key(duet.standby)
    duet.run(30)
    codes = [set(player.node.peer.faults) for player in duet.players]
    assert "peer-key-changed" in codes[0]
    assert codes[1] & {"peer-not-pinned", "peer-stopped"}
    assert all(pairstatus.notices(player.node) for player in duet.players)
    assert duet.main.answers()
    assert not duet.standby.answers()
    new = fingerprint(duet.standby.server.ctx.identity.key.kid)
    assert pairstatus.describe(duet.main.node).peer.offered_fingerprint == new
    with pytest.raises(AdminError, match=rf"another fingerprint, {new}; compare"):
        duet.main.node.approve("AAAA")
    for player in duet.players:  # whose own key the other one refuses: it is approved there
        own = fingerprint(player.server.ctx.identity.key.kid)
        with pytest.raises(AdminError, match="of this server itself; approve it on the other one"):
            player.node.approve(own)
    duet.main.node.approve(new.lower())
    duet.settle()
    assert not duet.main.node.contact.stopped


def test_a_main_with_a_new_key_is_no_reason_to_take_over(duet: Duet) -> None:
    give_new_key(duet.main)
    duet.run(10)
    assert "peer-key-changed" in duet.standby.node.peer.faults
    duet.main.close()
    duet.run(60)
    assert not duet.standby.answers()


def test_another_protocol_is_named_with_the_one_to_upgrade(duet: Duet, monkeypatch: pytest.MonkeyPatch) -> None:
    duet.standby.close()
    me = duet.main.node.membership.me
    monkeypatch.setattr(duet.main.node.membership, "me", lambda to=None: _newer(me(to)))
    duet.standby.open()
    duet.run(3)
    assert "upgrade this one" in duet.standby.node.peer.faults["peer-version"]
    assert not duet.standby.answers()


def _newer(me: peermessages.Introduction) -> peermessages.Introduction:
    me.protocol = pair.PROTOCOL + 1
    me.version = "9.0"
    return me


def test_a_change_of_a_kind_not_known_stops_following_and_breaks_nothing(duet: Duet) -> None:
    before = duet.standby.server.ctx.store.positions()
    state, changes = duet.main.node.statuses.state(), [(0, 10**6, NOON, 99, b"x")]
    news = News(state=state, origins=[p[:2] for p in before], changes=changes, heads=[], complete=True)
    assert duet.standby.follower is not None
    with pytest.raises(PeerError) as caught:
        duet.standby.follower._store(news)
    assert caught.value.code == "peer-feed"
    assert duet.standby.server.ctx.store.positions() == before


@pytest.mark.parametrize("role", ["main", "standby"])
def test_two_servers_of_one_role_report_it(duet: Duet, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    duet.close()
    first = role == "main"
    servers = ("self", "https://x.example.com/") if first else ("https://x.example.com/", "self")
    monkeypatch.setattr(Player, "config", property(lambda self: replace(self.made_config(), servers=servers)))
    duet.open()
    duet.run(20)
    for player in duet.players:
        assert "peer-roles" in player.node.peer.faults or "peer-stopped" in player.node.peer.faults
    other = duet.standby if first else duet.main
    assert other.server.ctx.running.status != SERVING or first


def test_a_url_that_leads_to_the_server_itself_is_named(duet: Duet) -> None:
    assert duet.main.follower is not None
    assert duet.main.endpoint is not None
    answering = duet.main.endpoint
    duet.main.follower._line._send = lambda path, headers, body, timeout: answering.answer(path, headers, body)
    duet.main.follower._line._session = ""
    duet.main.follower.step()
    assert "itself" in duet.main.node.peer.faults["peer-self"]
    assert duet.main.answers()


# databases that do not fit
