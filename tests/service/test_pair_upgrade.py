"""A pair that is upgraded one server at a time (docs/design/pair.md, Upgrading): beside a server of this program stands
one that speaks protocol 1, as 0.1 did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from uuid import UUID

import msgspec
import pytest

from lts import __version__
from lts.errors import PeerError
from lts.rules import pair
from lts.rules.metering.usage import TOGETHER
from lts.service.licensing import archiving
from lts.service.maintenance import attention
from lts.service.pair import pairstatus, peermessages
from lts.service.pair.peermessages import CopyOffer, CopyRequest, Introduction, News, ServerState, Welcome
from lts.store.changes import records
from lts.store.changes.records import ChangeKind, decode_payload, encode_payload
from lts.store.history import dialect
from tests.support.duet import Duet, Player, copy_of, in_step, template
from tests.support.kit import NOON, item
from tests.support.picture import counts, picture

DEVICE = str(UUID(int=77))


@cache
def _template() -> Duet:
    duet = template(Path(mkdtemp(prefix="duet-")), item("scans", "scan", 10_000))
    with in_step(duet):
        duet.main.server.load(item("other", "scan", 5), license_id="200")
        duet.settle()
    return duet


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    """Main and standby in step, the main with two licenses."""
    with in_step(copy_of(_template(), tmp_path / "duet")) as found:
        yield found


def start_as_of_before(player: Player) -> None:
    """Start a player that speaks, and can read, what 0.1 did."""
    player.close()
    player.open()
    node, send = player.node, player.send
    me, state = node.membership.me, node.statuses.state

    def of_before(to: Introduction | None = None) -> Introduction:
        return msgspec.structs.replace(me(to), protocol=1, version="0.1.0", first_number=0)

    def unnumbered() -> ServerState:
        return msgspec.structs.replace(state(), number=0)

    def strict(path: str, headers: dict[str, str], body: bytes, timeout: float) -> tuple[int, Mapping[str, str], bytes]:
        answer = send(path, headers, body, timeout)
        if path == peermessages.HELLO and answer[0] == 200:
            assert peermessages.decode(answer[2], Welcome).me.protocol == 1, "it follows no other"
        if path == peermessages.CHANGES and answer[0] == 200:
            for _, _, _, kind, payload in peermessages.decode(answer[2], News).changes:
                assert kind <= ChangeKind.DELIVERY, "it stops following at a kind that it does not know"
                if kind == ChangeKind.REPORT:
                    _, _, _, branch, *rest = msgspec.msgpack.decode(payload)
                    assert branch >= 0, "it would add this up with what it has"
                    assert not any(rest[5:])
        return answer

    node.membership.me, node.statuses.state = of_before, unnumbered  # type: ignore[method-assign]
    assert player.follower is not None
    player.follower._line._send, player.follower._line._me = strict, of_before


def told(player: Player) -> set[str]:
    return {notice.code for notice in attention.troubles(player.server.ctx)}


@pytest.mark.parametrize("old", ["main", "standby"])
def test_the_two_follow_each_other_and_say_who_is_to_be_upgraded(duet: Duet, old: str) -> None:
    player = duet.main if old == "main" else duet.standby
    start_as_of_before(player)
    duet.run(20)
    assert duet.in_step()
    lease = duet.main.server.authorize(None, DEVICE).lease
    assert duet.main.server.report(lease, {"QR": 3}).durable == ("both" if old == "main" else "local")
    assert "pair-older" in told(player.other)
    assert "pair-older" in {notice.code for notice in pairstatus.describe(player.other.node).notices}
    [words] = [one.detail for one in attention.troubles(player.other.server.ctx) if one.code == "pair-older"]
    assert words.count(f"({__version__})") == 1, "of builds of one version, neither is named as older than itself"
    assert not {code for code in told(player.other) if code.startswith("peer-")}
    player.close()
    duet.settle()
    assert "pair-older" not in told(player.other)
    assert picture(duet.main.server) == picture(duet.standby.server)


def test_standby_first_under_work_nothing_is_missing_and_nothing_doubled(duet: Duet) -> None:
    start_as_of_before(duet.main)
    duet.run(20)
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.main.server.report(lease, {"QR": 3})
    duet.turn()
    duet.main.close()
    duet.run(17)
    acting = duet.standby.server
    acting.report(lease, {"QR": 5})
    archiving.archive(acting.ctx, "200", None, "admin", duet.standby.clock.now)
    start_as_of_before(duet.main)
    duet.run(30)
    assert (duet.main.answers(), duet.standby.answers()) == (False, True), "what it cannot read keeps it from serving"
    duet.main.close()
    duet.settle()
    assert list(counts(duet.main.server).values()) == [5]
    assert picture(duet.main.server) == picture(duet.standby.server)
    assert duet.main.faults() == duet.standby.faults() == []


def test_main_first_new_kinds_of_change_wait_for_the_standbys_upgrade(duet: Duet) -> None:
    start_as_of_before(duet.standby)
    duet.run(20)
    main = duet.main.server
    lease = main.authorize(None, DEVICE).lease
    duet.turn()
    assert picture(main)["seats"] == picture(duet.standby.server)["seats"]
    assert duet.main.node.acknowledgments.in_step
    archiving.archive(main.ctx, "200", None, "admin", NOON)
    assert main.report(lease, {"QR": 5}).durable == "local"
    duet.run(30)
    assert duet.main.answers()
    assert counts(duet.standby.server) == {}
    assert {"pair-older", "pair-not-following"} <= told(duet.main)
    assert not duet.standby.node.peer.faults
    duet.standby.close()
    duet.settle()
    assert main.report(lease, {"QR": 6}).durable == "both"
    assert picture(main) == picture(duet.standby.server)
    assert duet.main.faults() == duet.standby.faults() == []


def test_a_hello_of_before_the_upgrade_that_comes_again_changes_nothing(duet: Duet) -> None:
    sent = []
    start_as_of_before(duet.standby)
    assert duet.standby.follower is not None
    line = duet.standby.follower._line
    send = line._send

    def recorded(
        path: str, headers: dict[str, str], body: bytes, timeout: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        sent.append((path, headers, body))
        return send(path, headers, body, timeout)

    line._send = recorded
    duet.run(3)
    assert duet.main.node.peer.protocol == 1
    duet.standby.close()
    duet.settle()
    [hello] = [one for one in sent if one[0] == peermessages.HELLO]
    assert duet.main.endpoint is not None
    assert duet.main.endpoint.answer(*hello)[0] == 200
    assert duet.main.node.peer.protocol == pair.PROTOCOL
    archiving.archive(duet.main.server.ctx, "200", None, "admin", NOON)
    duet.standby.follow()
    assert picture(duet.main.server) == picture(duet.standby.server)


def test_an_older_standby_gets_no_first_copy_that_it_cannot_read(duet: Duet) -> None:
    start_as_of_before(duet.standby)
    duet.run(3)
    assert duet.standby.follower is not None
    with pytest.raises(PeerError, match="upgrade this server"):
        duet.standby.follower._line.call(peermessages.COPY, CopyRequest(b"x" * 32), CopyOffer, 1.0)


def test_a_main_of_now_asks_nothing_of_a_standby_of_before(duet: Duet) -> None:
    start_as_of_before(duet.standby)
    real = duet.standby.node.statuses.answer
    duet.standby.node.statuses.answer = lambda: msgspec.structs.replace(real(), number=0)  # type: ignore[method-assign]
    duet.run(20)
    assert not duet.main.stop()
    duet.run(17)
    assert duet.standby.answers()


def test_what_the_protocol_of_before_can_read() -> None:
    def given(record: records.Record) -> Any:
        kind = records.KIND_OF[type(record)]
        payload = encode_payload(record)
        assert decode_payload(kind, payload) == record
        return (1, 1, NOON, int(kind), payload, b"")

    plain = records.ReportChange(1, None, 1, 0, 0, 0, None, (), (records.Run(1, 1, 0, [1]),))
    old = [given(plain), given(records.EpochChange(1, True, "start", "", ())), given(records.ReleaseChange(1, ()))]
    assert dialect.readable(old, 1) == old
    for record in (
        msgspec.structs.replace(plain, branch=TOGETHER),
        msgspec.structs.replace(plain, apart=7),
        msgspec.structs.replace(plain, runs=(records.Run(1, b"x" * 16, 0, [1]),)),
        records.EpochChange(1, True, "continued", "", (), 1),
        records.CloneTokenChange(1, 0, 0, None),
        records.ArchiveChange("a", "v", "1", 1, 1),
        records.GrantsEndChange(()),
    ):
        assert dialect.readable([old[0], given(record), old[1]], 1) == old[:1], record
        assert len(dialect.readable([old[0], given(record), old[1]], pair.PROTOCOL)) == 3
    assert {kind for kind in ChangeKind if kind > ChangeKind.DELIVERY} == set(dialect._SINCE_2), (
        "a new kind waits as well"
    )


def test_a_protocol_that_neither_speaks_is_named() -> None:
    assert [pair.spoken(theirs) for theirs in (0, 1, 2, 3)] == [None, 1, 2, 2]
