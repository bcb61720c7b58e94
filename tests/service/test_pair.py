"""The pair, two nodes in one process (docs/design/pair.md, Both serving)."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from uuid import UUID

import pytest

from lts.crypto import PublicKey, SigningKey, b64url, unb64url
from lts.errors import AdminError, PeerError, Refusal
from lts.protocol import CERTIFICATE_TYPE, DAY_SECONDS, slot_of, verify_lease
from lts.rules import pair
from lts.rules.pair import SERVING
from lts.rules.vendorkey import fingerprint
from lts.service import handshakes, identity, licenses, release, upkeep, usage
from lts.service import report as reporting
from lts.service.files import keep_replaced
from lts.service.licenses import Choice
from lts.service.pair import joining, messages, report
from lts.service.pair.caller import Caller
from lts.service.pair.messages import CopyRequest, News, Poll
from lts.service.pair.sessions import COUNTER, SESSION, SIGNATURE
from lts.store import archive, records
from lts.store import pair as stored_pair
from lts.store.store import DATABASE_FILES
from lts.web import answers
from tests.support import receipts
from tests.support.duet import Duet, Player, copy_of, counts, in_step, picture, template
from tests.support.kit import NOON, ORGANIZATION, Lab, Vendor, entry, item

DEVICE = str(UUID(int=77))


@cache
def _template() -> Duet:
    seats = item("seats", "device", 2, graceQuota=0, product="seats", modules=["S"])
    return template(Path(mkdtemp(prefix="duet-")), seats, item("scans", "scan", 10_000))


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    """Main and standby in step, the main with a license."""
    with in_step(copy_of(_template(), tmp_path / "duet")) as found:
        yield found


def fail_over(duet: Duet) -> Lab:
    """The main is gone, the standby serves."""
    duet.main.close()
    duet.run(17)
    assert duet.standby.answers()
    return duet.standby.server


def refused(call: Any, *given: Any, **named: Any) -> int:
    with pytest.raises(Refusal) as caught:
        call(*given, **named)
    assert isinstance(caught.value.code, int)
    return caught.value.code


# serving


def test_a_standby_refuses_every_client_while_the_main_works(duet: Duet) -> None:
    lease = duet.main.server.authorize(None, DEVICE).lease
    for call in (
        lambda: duet.standby.server.authorize(None, DEVICE),
        lambda: duet.standby.server.report(lease, {"QR": 1}),
    ):
        assert refused(call) == 100
    assert duet.main.server.report(lease, {"QR": 1}).durable == "both"
    assert counts(duet.standby.server) == {(DEVICE, slot_of(int(duet.time.wall))): 1}


def test_what_was_told_to_either_is_on_both_once(duet: Duet) -> None:
    first = duet.main.server.authorize(None, DEVICE)
    duet.main.server.report(first.lease, {"QR": 3})
    acting = fail_over(duet)
    assert acting.report(first.lease, {"QR": 3}).results[0].status == "unchanged"
    done = acting.report(first.lease, {"QR": 5})
    assert (done.results[0].status, done.durable, done.lease) == ("counted", "local", None)
    duet.settle()
    assert duet.main.server.report(first.lease, {"QR": 5}).durable == "both"
    assert list(counts(duet.main.server).values()) == [5]
    assert picture(duet.main.server) == picture(duet.standby.server)


def test_a_standby_that_never_was_in_step_does_not_take_over(tmp_path: Path) -> None:
    duet = Duet(tmp_path)
    duet.standby.open()
    duet.run(60)
    assert duet.standby.server.ctx.status == "standby"
    duet.close()


def test_one_slow_answer_changes_nothing(duet: Duet) -> None:
    for _ in range(28):
        duet.forward(0.5)
        duet.standby.beat()
        duet.main.beat()
    duet.standby.follow()
    duet.run(14)
    assert not duet.standby.answers()
    assert duet.main.answers()


def test_a_process_that_stood_still_asks_before_it_answers(duet: Duet) -> None:
    lease = duet.main.server.authorize(None, DEVICE).lease
    for _ in range(40):
        duet.forward(0.5)
        duet.standby.beat()
        duet.standby.node.peer.followed = 0.0
    duet.standby.beat()
    assert duet.standby.answers()
    assert refused(duet.main.server.report, lease, {"QR": 1}) == 100
    duet.main.beat()
    assert duet.main.server.ctx.status == "starting"
    duet.settle()
    assert duet.main.answers()
    assert not duet.standby.answers()


def test_an_answer_under_way_when_the_server_gave_way_is_no_200(duet: Duet) -> None:
    acting = fail_over(duet)
    waiting_serial = acting.ctx.store.serial
    duet.standby.node.give_way("a test")
    assert refused(acting.ctx.confirm, waiting_serial) == 100


def test_both_serving_merge_and_the_overshoot_is_shown(duet: Duet) -> None:
    duet.cut = True
    duet.run(20)
    main, standby = duet.main.server, duet.standby.server
    for number in (1, 2):
        main.authorize(None, str(UUID(int=number)), product="seats")
        standby.authorize(None, str(UUID(int=number + 10)), product="seats")
    both = main.authorize(None, DEVICE)
    again = standby.authorize(None, DEVICE)
    main.report(both.lease, {"A": 4, "B": 1})
    standby.report(again.lease, {"A": 6, "C": 2})
    duet.settle()
    assert picture(main) == picture(standby)
    assert list(counts(main).values()) == [6 + 1 + 2]
    assert report.describe(duet.main.node)["overshoot"] == [{"id": 1, "itemId": "seats", "seats": 2}]
    assert report.describe(duet.main.node)["merged"]
    assert refused(main.authorize, None, str(UUID(int=99)), product="seats") == 120
    assert duet.main.faults() == duet.standby.faults() == []


@pytest.mark.parametrize("skew", [-18_000, 18_000])
def test_a_seat_given_back_to_both_while_they_are_apart_ended_at_the_earlier_time(duet: Duet, skew: int) -> None:
    device = str(UUID(int=1))
    lease = duet.main.server.authorize(None, device, product="seats").lease
    duet.settle()
    duet.standby.clock.skew = skew
    duet.cut = True
    duet.run(20)
    for player in duet.players:
        release.release(player.server.ctx, lease, player.clock.now)
    duet.settle()
    assert picture(duet.main.server) == picture(duet.standby.server)
    assert duet.main.faults() == duet.standby.faults() == []


def test_names_made_on_both_sides_are_one_thing_afterwards(duet: Duet) -> None:
    duet.cut = True
    duet.run(20)
    for player in duet.players:
        handshakes.add(player.server.ctx, ORGANIZATION, {"custom": "new", "items": [{"id": 2}]}, player.name, NOON)
        lease = player.server.authorize("216998-new", DEVICE).lease
        player.server.report(lease, {"Brand new": 3 if player.name == "main" else 2})
    duet.settle()
    assert picture(duet.main.server) == picture(duet.standby.server)
    assert list(counts(duet.main.server).values()) == [3]
    assert len([code for code in duet.main.server.ctx.store.catalog.present if code.custom == "new"]) == 1


def test_a_lease_by_a_number_that_stands_for_another_one_goes_on_after_a_merge_and_a_rename(duet: Duet) -> None:
    duet.cut = True
    duet.run(20)
    leases, numbers = {}, {}
    for player in duet.players:
        handshakes.add(player.server.ctx, ORGANIZATION, {"custom": "new", "items": [{"id": 2}]}, player.name, NOON)
        leases[player.name] = player.server.authorize("216998-new").lease
        numbers[player.name] = max(player.server.ctx.store.catalog.codes_by_key)
    assert numbers["main"] != numbers["standby"]
    duet.settle()
    handshakes.edit(duet.main.server.ctx, "216998-new", {"custom": "moved"}, "admin", int(duet.time.wall))
    duet.turn()
    assert duet.main.server.report(leases["main"], {"A": 1}).lease is not None
    assert duet.main.server.report(leases["standby"], {"A": 2}).lease is None, "it is of the other server"
    standby = fail_over(duet)
    for name in ("main", "standby"):
        assert (standby.report(leases[name], {"A": 4}).lease is not None) == (name == "standby"), name
    assert usage.usage(standby.ctx, code="216998-moved").total == 8


def test_codes_made_one_after_another_under_one_name_on_both_sides_are_the_same_pairs(duet: Duet) -> None:
    duet.cut = True
    duet.run(20)
    for player, times in zip(duet.players, (3, 2), strict=True):
        for n in range(times):
            if n:
                handshakes.remove(player.server.ctx, "216998-new", player.name, int(duet.time.wall))
            handshakes.add(player.server.ctx, ORGANIZATION, {"custom": "new", "note": f"{n}"}, player.name, NOON)
    duet.settle()
    assert picture(duet.main.server) == picture(duet.standby.server)
    assert len(duet.main.server.ctx.store.catalog.codes_by_key) == 1 + 3
    for player in duet.players:
        assert player.faults() == []


def test_a_code_made_again_on_one_side_and_changed_on_the_other_is_two_that_can_be_told_apart(duet: Duet) -> None:
    handshakes.add(duet.main.server.ctx, ORGANIZATION, {"custom": "x", "items": [{"id": 2}]}, "admin", NOON)
    duet.turn()
    duet.cut = True
    duet.run(20)
    handshakes.remove(duet.main.server.ctx, "216998-x", "admin", int(duet.time.wall))
    handshakes.add(duet.main.server.ctx, ORGANIZATION, {"custom": "x"}, "admin", int(duet.time.wall))
    handshakes.edit(duet.standby.server.ctx, "216998-x", {"note": "by the standby"}, "admin", int(duet.time.wall))
    duet.settle()
    assert picture(duet.main.server) == picture(duet.standby.server)
    main = duet.main.server
    assert [(c.key, c.note) for c in main.ctx.store.catalog.present if c.custom == "x"] == [
        (2, "by the standby"),
        (3, ""),
    ]
    assert main.authorize("216998-x").items[0].item_id == "scans", "the older one"
    handshakes.edit(main.ctx, "#3", {"note": "the other"}, "admin", NOON)
    with pytest.raises(AdminError):
        handshakes.edit(main.ctx, "216998-100", {"custom": "x"}, "admin", NOON)
    assert handshakes.edit(main.ctx, "#3", {"custom": "y"}, "admin", NOON) == "216998-y"


@pytest.mark.parametrize("skew", [-3600, 0, 3600])
def test_both_mean_the_same_of_two_codes_that_got_one_name_apart_whatever_the_clocks_say(duet: Duet, skew: int) -> None:
    for custom in ("a", "b"):
        handshakes.add(duet.main.server.ctx, ORGANIZATION, {"custom": custom, "items": [{"id": 2}]}, "admin", NOON)
    duet.turn()
    duet.cut = True
    duet.run(20)
    handshakes.edit(duet.standby.server.ctx, "216998-b", {"custom": "z"}, "admin", NOON + skew)
    handshakes.edit(duet.main.server.ctx, "216998-a", {"custom": "z"}, "admin", NOON)
    duet.settle()
    assert picture(duet.main.server) == picture(duet.standby.server)
    for player in duet.players:
        known = player.server.ctx.store.catalog
        assert [code.key for code in known.present if code.custom == "z"] == [2, 3]
        assert known.codes["216998-z"].key == 2, "that of the main, whose epoch is the earlier one"
        assert player.faults() == []


def test_passwords_changed_on_both_sides_are_two_changes(duet: Duet) -> None:
    ctx = duet.main.server.ctx
    handshakes.add(ctx, ORGANIZATION, {"custom": "p", "password": "one", "items": [{"id": 2}]}, "admin", NOON)
    duet.turn()
    duet.cut = True
    duet.run(20)
    leases = {}
    for player in duet.players:
        handshakes.edit(player.server.ctx, "216998-p", {"password": player.name}, "admin", NOON)
        leases[player.name] = player.server.authorize("216998-p", session_password=player.name).lease
    duet.settle()
    [code] = [code for code in duet.main.server.ctx.store.catalog.present if code.custom == "p"]
    assert code.session_password == "standby", "it took over"
    assert duet.main.server.report(leases["main"], {"A": 1}).lease is None
    handshakes.edit(duet.main.server.ctx, "216998-p", {"password": "main"}, "admin", NOON)
    assert duet.main.server.report(leases["main"], {"A": 2}).lease is None, "of that change nobody knows any more"


# settings


def test_settings_changed_on_both_merge_one_by_one_and_the_loser_is_kept_for_the_audit(duet: Duet) -> None:
    for custom in ("x", "y"):
        handshakes.add(duet.main.server.ctx, ORGANIZATION, {"custom": custom}, "admin", NOON)
    duet.turn()
    duet.cut = True
    duet.run(20)
    main, standby = duet.main.server, duet.standby.server
    handshakes.edit(main.ctx, "216998-x", {"note": "by the main"}, "admin", NOON)
    handshakes.edit(main.ctx, "216998-y", {"note": "only here"}, "admin", NOON)
    handshakes.edit(standby.ctx, "216998-x", {"note": "by the standby"}, "admin", NOON)
    duet.settle()
    for one in (main, standby):
        notes = {code.custom: code.note for code in one.ctx.store.catalog.codes.values()}
        assert notes["x"] == "by the standby"
        assert notes["y"] == "only here"
        with one.ctx.store.reader() as db:
            assert len(stored_pair.overruled(db)) == 1
    handshakes.edit(main.ctx, "216998-x", {"note": "after all"}, "admin", NOON)
    duet.turn()
    assert standby.ctx.store.catalog.codes["216998-x"].note == "after all"


def test_a_default_moved_on_one_side_and_removed_on_the_other_leaves_exactly_one(duet: Duet) -> None:
    handshakes.add(duet.main.server.ctx, ORGANIZATION, {"custom": "y"}, "admin", NOON)
    duet.turn()
    duet.cut = True
    duet.run(20)
    handshakes.edit(duet.main.server.ctx, "216998-y", {"isDefault": True}, "admin", NOON)
    handshakes.remove(duet.standby.server.ctx, "216998-y", "admin", NOON)
    duet.settle()
    defaults = {p.name: p.server.ctx.store.catalog.defaults[ORGANIZATION].name for p in duet.players}
    assert defaults["main"] == defaults["standby"]
    assert picture(duet.main.server) == picture(duet.standby.server)


def test_codes_passwords_and_later_imports_are_on_the_standby(duet: Duet) -> None:
    ctx = duet.main.server.ctx
    handshakes.add(ctx, ORGANIZATION, {"custom": "p", "password": "secret", "items": [{"id": 2}]}, "admin", NOON)
    duet.main.server.load(item("late", "scan", 5, product="late"), license_id="200")
    duet.turn()
    acting = fail_over(duet)
    assert refused(acting.authorize, "216998-p", DEVICE, session_password="wrong") == 102
    acting.authorize("216998-p", DEVICE, session_password="secret")
    acting.authorize("216998-200", DEVICE, product="late")


def test_what_is_imported_at_the_acting_standby_is_on_the_main_afterwards(duet: Duet) -> None:
    data = duet.vendor.file(duet.main.server.ctx, item("late", "scan", 5, product="late"), license_id="300")
    acting = fail_over(duet)
    licenses.import_license(acting.ctx, data, Choice(), "admin", int(duet.time.wall))
    acting.authorize("216998-300", DEVICE, product="late")
    duet.settle()
    assert "216998-300" in duet.main.server.ctx.store.catalog.codes


def test_the_server_that_does_not_serve_takes_no_settings(duet: Duet) -> None:
    with pytest.raises(AdminError, match="make changes on the one"):
        duet.standby.server.ctx.check_in_charge()
    duet.main.server.ctx.check_in_charge()


# trust


def test_leases_of_the_acting_standby_verify_by_the_vendors_key_alone(duet: Duet) -> None:
    main_uuid = duet.main.server.ctx.identity.uuid
    done = fail_over(duet).authorize(None, DEVICE)
    lease = verify_lease(done.lease, list(done.certificates), duet.vendor.key.public)
    assert lease.issuer == duet.standby.server.ctx.identity.uuid != main_uuid
    assert len(done.certificates) == 2


def test_a_report_after_a_take_over_brings_a_receipt_and_the_certificates_of_its_key(duet: Duet) -> None:
    lease = duet.main.server.authorize(None, DEVICE).lease
    acting = fail_over(duet)
    body = b"the body of the report"
    digest = b64url(hashlib.sha256(body).digest())
    done = reporting.record(
        acting.ctx, lease, None, [entry(slot_of(duet.time.wall), {"QR": 1})], acting.time.now, digest
    )
    told = json.loads(answers.reported(done, acting.time.now))
    claims = receipts.check(told, body, DEVICE, [], duet.vendor.key.public.x)
    assert (told["lease"], len(told["certificates"])) == (None, 2)
    assert (claims["iss"], claims["origin"]) == (acting.ctx.identity.uuid, acting.ctx.identity.incarnation)
    assert claims["receipt"]["durable"] == "local"


def test_a_delegation_that_has_ended_authorizes_nobody_and_is_counted_down(duet: Duet) -> None:
    acting = fail_over(duet)
    assert any("more hours" in notice.detail for notice in report.notices(duet.standby.node))
    duet.forward(7 * DAY_SECONDS)
    duet.standby.beat()
    duet.run(17)
    assert refused(acting.authorize, None, DEVICE) == 113
    duet.settle()
    duet.main.server.authorize(None, DEVICE)


def test_a_fake_standby_gets_nothing(duet: Duet) -> None:
    me = duet.standby.node.me()
    fake = SigningKey.generate()
    line = Caller(duet.standby.send, fake, lambda: _as(me, fake), lambda who: None)
    for call, message in ((messages.COPY, CopyRequest(bytes(32))), (messages.CHANGES, _poll(duet))):
        with pytest.raises(PeerError) as caught:
            line.call(call, message, News, 1.0)
        assert caught.value.code == "peer-not-pinned"
    assert not duet.main.node.stopped
    assert duet.main.answers()


def _as(me: messages.Self, key: SigningKey) -> messages.Self:
    return messages.Self(uuid=me.uuid, key=key.public.x, role=me.role, version=me.version, protocol=me.protocol,
                         status=me.status)  # fmt: skip


def _poll(duet: Duet) -> Poll:
    return Poll(state=duet.standby.node.state(), wait=0.0, limit=10)


class Recorded:
    """A line of the real standby whose requests can be looked at and sent again."""

    def __init__(self, duet: Duet) -> None:
        self.duet = duet
        self.sent: list[tuple[str, dict[str, str], bytes]] = []
        node = duet.standby.node
        self.line = Caller(self._send, node.ctx.identity.key, node.me, node.believe)
        self.line.call(messages.CHANGES, _poll(duet), News, 1.0)

    def _send(self, path: str, headers: dict[str, str], body: bytes, timeout: float) -> Any:
        self.sent.append((path, headers, body))
        return self.duet.standby.send(path, headers, body, timeout)

    def again(self, path: str | None = None, body: bytes | None = None, **headers: str) -> tuple[int, str]:
        old_path, old_headers, old_body = self.sent[-1]
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        assert self.duet.main.answering is not None
        status, _, answer = self.duet.main.answering.answer(
            path or old_path, {**old_headers, **named}, old_body if body is None else body
        )
        return status, messages.decode(answer, messages.Problem).code


def test_requests_sent_again_altered_or_unsigned_are_refused(duet: Duet) -> None:
    recorded = Recorded(duet)
    assert recorded.again() == (409, "peer-replayed")
    assert recorded.again(path=messages.COPY) == (403, "peer-signature")
    assert recorded.again(body=recorded.sent[-1][2] + b"x") == (403, "peer-signature")
    assert recorded.again(LTS_Peer_Counter="9") == (403, "peer-signature")
    assert recorded.again(LTS_Peer_Signature="") == (403, "peer-signature")
    assert recorded.again(LTS_Peer_Session="other") == (401, "peer-session")
    assert recorded.again(path="nonsense") == (404, "peer-path")
    assert {SESSION, COUNTER, SIGNATURE} == {"LTS-Peer-Session", "LTS-Peer-Counter", "LTS-Peer-Signature"}


def test_an_answer_that_another_key_signed_is_no_answer_but_a_sign_of_life(duet: Duet) -> None:
    real = duet.standby.send

    def forged(path: str, headers: dict[str, str], body: bytes, timeout: float) -> Any:
        status, answered, answer = real(path, headers, body, timeout)
        return status, {**answered, SIGNATURE: b64url(SigningKey.generate().sign(answer))}, answer

    assert duet.standby.following is not None
    duet.standby.following._line._send = forged
    for _ in range(60):
        duet.forward(0.5)
        duet.standby.beat()
        duet.standby.following.step()
    assert duet.standby.server.ctx.status == "standby"
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
    assert all(report.notices(player.node) for player in duet.players)
    assert duet.main.answers()
    assert not duet.standby.answers()
    new = fingerprint(duet.standby.server.ctx.identity.key.kid)
    assert report.describe(duet.main.node)["peer"]["offeredFingerprint"] == new
    with pytest.raises(AdminError, match="fingerprint"):
        duet.main.node.approve("AAAA")
    duet.main.node.approve(new.lower())
    duet.settle()
    assert not duet.main.node.stopped


def test_a_main_with_a_new_key_is_no_reason_to_take_over(duet: Duet) -> None:
    give_new_key(duet.main)
    duet.run(10)
    assert "peer-key-changed" in duet.standby.node.peer.faults
    duet.main.close()
    duet.run(60)
    assert not duet.standby.answers()


def test_another_protocol_is_named_with_the_one_to_upgrade(duet: Duet, monkeypatch: pytest.MonkeyPatch) -> None:
    duet.standby.close()
    me = duet.main.node.me
    monkeypatch.setattr(duet.main.node, "me", lambda: _newer(me()))
    duet.standby.open()
    duet.run(3)
    assert "upgrade this one" in duet.standby.node.peer.faults["peer-version"]
    assert not duet.standby.answers()


def _newer(me: messages.Self) -> messages.Self:
    me.protocol = pair.PROTOCOL + 1
    me.version = "9.0"
    return me


def test_a_change_of_a_kind_not_known_stops_following_and_breaks_nothing(duet: Duet) -> None:
    before = duet.standby.server.ctx.store.positions()
    news = News(state=duet.main.node.state(), origins=[p[:2] for p in before], changes=[(0, 10**6, NOON, 99, b"x")],
                heads=[], complete=True)  # fmt: skip
    assert duet.standby.following is not None
    with pytest.raises(PeerError) as caught:
        duet.standby.following._store(news)
    assert caught.value.code == "peer-feed"
    assert duet.standby.server.ctx.store.positions() == before


@pytest.mark.parametrize("role", ["main", "standby"])
def test_two_servers_of_one_role_are_told_so(duet: Duet, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    duet.close()
    first = role == "main"
    servers = ("self", "https://x.example.com/") if first else ("https://x.example.com/", "self")
    monkeypatch.setattr(Player, "config", property(lambda self: replace(self.made_config(), servers=servers)))
    duet.open()
    duet.run(20)
    for player in duet.players:
        assert "peer-roles" in player.node.peer.faults or "peer-stopped" in player.node.peer.faults
    other = duet.standby if first else duet.main
    assert other.server.ctx.status != SERVING or first


def test_a_url_that_leads_to_the_server_itself_is_named(duet: Duet) -> None:
    assert duet.main.following is not None
    assert duet.main.answering is not None
    answering = duet.main.answering
    duet.main.following._line._send = lambda path, headers, body, timeout: answering.answer(path, headers, body)
    duet.main.following._line._session = ""
    duet.main.following.step()
    assert "itself" in duet.main.node.peer.faults["peer-self"]
    assert duet.main.answers()


# databases that do not fit


def test_a_standby_with_licenses_of_its_own_keeps_them_and_says_what_to_do(tmp_path: Path) -> None:
    duet = copy_of(_template(), tmp_path / "duet")
    shutil.rmtree(duet.standby.folder / "data")
    (duet.main.folder / "data" / "pair.json").unlink()
    duet.standby.open()
    duet.standby.server.ctx.store.begin_feed(("S", "ab" * 8), "", NOON)
    other = Vendor()
    (duet.standby.folder / "trust" / "o.pub").write_bytes(other.pub)
    data = other.file(duet.standby.server.ctx, item("own", "scan", 5), license_id="7", organization="999")
    licenses.import_license(duet.standby.server.ctx, data, Choice(), "admin", NOON)
    duet.main.open()
    duet.run(20)
    assert any("move its data folder away" in text for text in duet.standby.node.peer.faults.values())
    assert duet.main.answers()
    assert "999-7" in duet.standby.server.ctx.store.catalog.codes
    duet.close()


def keep_database(duet: Duet) -> Path:
    """A copy of the main's database as it is now."""
    duet.main.close()
    kept = shutil.copy(duet.main.folder / "data" / "lts.db", duet.folder / "kept.db")
    duet.main.open()
    duet.settle()
    return Path(kept)


def put_back(kept: Path, duet: Duet) -> None:
    """The closed main has its old database again."""
    for name in DATABASE_FILES:
        (duet.main.folder / "data" / name).unlink(missing_ok=True)
    shutil.copy(kept, duet.main.folder / "data" / "lts.db")


def test_an_old_database_put_back_on_the_main_gets_back_what_the_standby_holds(duet: Duet) -> None:
    kept = keep_database(duet)
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.main.server.report(lease, {"QR": 8})
    duet.turn()
    duet.main.close()
    put_back(kept, duet)
    duet.main.open()
    duet.settle()
    assert list(counts(duet.main.server).values()) == [8]
    assert picture(duet.main.server) == picture(duet.standby.server)
    assert duet.main.faults() == duet.standby.faults() == []


def test_an_old_database_that_served_alone_numbers_nothing_twice(duet: Duet) -> None:
    kept = keep_database(duet)
    for number in range(3):
        duet.main.server.report(duet.main.server.authorize(None, str(UUID(int=100 + number))).lease, {"X": 1})
    duet.turn()
    duet.main.close()
    duet.standby.close()
    put_back(kept, duet)
    duet.main.open()
    duet.run(20)
    for number in range(3):
        duet.main.server.report(duet.main.server.authorize(None, str(UUID(int=200 + number))).lease, {"Y": 2})
    duet.settle()
    assert sorted(counts(duet.standby.server).values()) == [1, 1, 1, 2, 2, 2]
    assert picture(duet.main.server) == picture(duet.standby.server)
    assert duet.main.faults() == duet.standby.faults() == []


def test_a_backup_restored_on_the_standby_catches_up(duet: Duet) -> None:
    folder = duet.standby.folder / "data"
    bundle = upkeep.backup(duet.standby.server.ctx.store.path, folder, int(duet.time.wall))
    duet.main.server.report(duet.main.server.authorize(None, DEVICE).lease, {"QR": 2})
    duet.turn()
    duet.standby.close()
    upkeep.restore(bundle, folder)
    identity.renew_incarnation(folder)
    duet.standby.open()
    duet.settle()
    assert picture(duet.main.server) == picture(duet.standby.server)


def test_a_standby_long_away_is_served_from_the_archives(duet: Duet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "STRETCH", 10)
    duet.standby.close()
    main = duet.main.server
    for number in range(40):
        main.report(main.authorize(None, str(UUID(int=1000 + number))).lease, {"QR": 1})
    assert upkeep.archive_old_changes(main.ctx.store, main.ctx.store.path.parent, NOON + 9 * DAY_SECONDS) >= 50
    duet.settle()
    assert len(counts(duet.standby.server)) == 40
    assert duet.standby.faults() == []


@pytest.mark.parametrize("mark", [joining.READY, joining.PLACING])
def test_a_copy_whose_placing_was_interrupted_is_placed_at_the_next_start(tmp_path: Path, mark: str) -> None:
    duet = copy_of(_template(), tmp_path / "duet")
    shutil.rmtree(duet.standby.folder / "data")
    (duet.main.folder / "data" / "pair.json").unlink()
    duet.main.open()
    duet.run(17)
    duet.standby.open()
    duet.standby.node.reopen = lambda: None
    for _ in range(2):
        duet.standby.follow()
        duet.main.follow()
    duet.standby.follow()
    duet.standby.close()
    folder = duet.standby.folder / "data"
    incoming = folder / joining.INCOMING
    assert (incoming / joining.READY).exists()
    if mark == joining.PLACING:
        keep_replaced(folder, (*DATABASE_FILES, "archive", "vault.key"))
        (incoming / joining.READY).rename(incoming / joining.PLACING)
        (incoming / "vault.key").rename(folder / "vault.key")
    duet.settle()
    assert not incoming.exists()
    assert picture(duet.main.server) == picture(duet.standby.server)
    duet.close()


def test_a_copy_that_is_not_whole_is_thrown_away(tmp_path: Path) -> None:
    incoming = tmp_path / joining.INCOMING
    incoming.mkdir()
    (incoming / "lts.db").write_bytes(b"half")
    assert not joining.install(tmp_path)
    assert not incoming.exists()


# for good


def test_a_promoted_standby_is_the_main_and_the_old_one_never_serves_again(duet: Duet) -> None:
    acting = fail_over(duet)
    duet.standby.node.promote()
    acting.authorize(None, DEVICE)
    assert report.describe(duet.standby.node)["promoted"]
    duet.standby.close()
    duet.standby.open()
    duet.run(2)
    assert duet.standby.answers()
    assert duet.standby.node.role == "main"
    duet.main.open()
    duet.run(40)
    assert not duet.main.answers()
    assert "promoted" in duet.main.node.peer.faults["peer-promoted"]
    duet.main.close()
    duet.main.open()
    duet.cut = True
    duet.run(60)
    assert not duet.main.answers()


def test_a_main_cannot_be_promoted_nor_a_standby_that_has_nothing(duet: Duet, tmp_path: Path) -> None:
    with pytest.raises(AdminError, match="already"):
        duet.main.node.promote()
    fresh = Duet(tmp_path / "fresh")
    fresh.standby.open()
    with pytest.raises(AdminError, match="never had everything"):
        fresh.standby.node.promote()
    fresh.close()


def test_days_are_closed_only_while_both_have_everything(duet: Duet) -> None:
    from lts import jobs

    ctx = duet.main.server.ctx
    duet.main.server.report(duet.main.server.authorize(None, DEVICE).lease, {"QR": 2})
    duet.turn()
    ctx.store._served = set(range(NOON // DAY_SECONDS - 60, NOON // DAY_SECONDS + 60))
    duet.main.node.confirming.fall_out()
    jobs.close_days(ctx)
    assert "closedDay" not in ctx.store.catalog.settings
    duet.settle()
    jobs.close_days(ctx)
    assert "closedDay" in ctx.store.catalog.settings
    duet.turn()
    assert "closedDay" in duet.standby.server.ctx.store.catalog.settings


def test_the_key_of_a_delegation_is_the_standbys(duet: Duet) -> None:
    held = duet.standby.node.pinned.now.delegation
    assert held is not None
    _, key = _last(held.certificates)
    assert key == duet.standby.server.ctx.identity.key.public


def _last(certificates: tuple[str, ...]) -> tuple[str, PublicKey]:
    from lts.crypto import read_jws

    claims = read_jws(certificates[-1], CERTIFICATE_TYPE).claims()
    return claims["sub"], PublicKey(unb64url(claims["cnf"]["jwk"]["x"]))


def test_every_kind_of_change_is_known_to_the_numbers_of_another_database() -> None:
    class Tx:
        aliases = {(stored_pair.DEVICE, 1): 11, (stored_pair.CODE, 2): 12, (stored_pair.ITEM, 3): 13,
                   (stored_pair.TYPE, 4): 14}  # fmt: skip

    tx: Any = Tx()
    seat = records.SeatRecord(3, 1, 10, 0, (2,))
    granted = stored_pair.resolve(tx, records.Granted(1, None, 2, 0, 0, None, (seat,)))
    assert (granted.device, granted.code, granted.seats[0].item, granted.seats[0].codes) == (11, 12, 13, (12,))
    reported = stored_pair.resolve(tx, records.Reported(1, None, 2, 0, 0, 0, None, (), (records.Run(3, 4, 0, [1]),)))
    assert (reported.device, reported.code, reported.runs[0].item, reported.runs[0].type) == (11, 12, 13, 14)
    assert stored_pair.resolve(tx, records.Released(1, ((3, 9),))).seats == ((13, 9),)
    assert stored_pair.resolve(tx, records.Code("a", 2, "o", "c", False, {}, ((3, None),))).items == ((13, None),)
    assert stored_pair.resolve(tx, records.CodeRemoved("a", 2)).code == 12
    assert stored_pair.resolve(tx, records.Refused(((2, 120, 3),))).counts == ((12, 120, 3),)
    assert stored_pair.resolve(tx, records.Event("a", "n", {})) == records.Event("a", "n", {})
