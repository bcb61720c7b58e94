"""After `lts promote` (docs/design/pair.md, Taking over): a new standby joins, and what is shown is true."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from unittest import mock
from uuid import UUID

import pytest

from lts.cli.administer.pair import print_pair
from lts.config import Config
from lts.errors import AdminError, CannotStore, Refusal
from lts.protocol import DAY_SECONDS
from lts.rules.licensing import licensefile
from lts.rules.licensing.catalog import ACTIVE
from lts.rules.licensing.vendorkey import fingerprint
from lts.server import opened
from lts.service.core import pinned
from lts.service.core.clock import Clock
from lts.service.core.pairmodels import PairNotice
from lts.service.core.pinned import PinnedFile
from lts.service.licensing import licenses
from lts.service.licensing.licenses import Choice
from lts.service.maintenance import attention
from lts.service.pair import pairstatus
from lts.web.admin.jsonpieces import as_json
from tests.service.conftest import with_one_item
from tests.support.duet import LABELS, URLS, Duet, Player, copy_of, in_step
from tests.support.kit import Lab, item
from tests.support.picture import picture

DEVICE = str(UUID(int=77))
ANOTHER = "https://another.example.com/lts/"


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    """Main and standby in step, the main with a license."""
    with in_step(copy_of(with_one_item(), tmp_path / "duet")) as found:
        yield found


def promote(duet: Duet) -> None:
    """The main is lost; the standby takes its place for good."""
    duet.main.close()
    duet.run(17)
    duet.standby.node.promote()


def test_a_promotion_that_fails_half_way_has_not_happened_and_can_be_made_again(
    duet: Duet, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = duet.standby.node
    for serving in (False, True):
        duet.standby.set_disk(full=True)
        with pytest.raises(CannotStore):
            node.promote()
        duet.standby.set_disk(full=False)
        with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):
            patch.setattr(node.pinned, "change", mock.Mock(side_effect=OSError("full")))
            node.promote()
        assert (node.role, node.membership.promoted, node.pinned.now.replaced) == ("standby", False, None)
        assert (duet.main.answers(), duet.standby.answers()) == (not serving, serving)
        duet.run(3)
        assert duet.in_step() != serving
        if not serving:
            duet.main.close()
            duet.run(17)
    node.promote()
    assert (node.role, duet.standby.answers()) == ("main", True)
    assert duet.standby.server.ctx.store.epochs[duet.standby.server.ctx.store.origin].main
    duet.run(3)
    duet.close()
    duet.standby.open()
    duet.run(3)
    assert duet.standby.answers()


def restart(player: Player, *servers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another `servers` in a player's lts.json."""
    player.close()
    written = player.made_config

    def config() -> Config:
        return replace(written(), servers=servers)

    monkeypatch.setattr(player, "made_config", config)
    player.open()


def new_machine(player: Player) -> None:
    """An empty data folder, as on a new machine."""
    player.close()
    shutil.rmtree(player.folder / "data")


def comes_into_step(duet: Duet) -> bool:
    """Whether the promoted server serves, and the new one has everything."""
    duet.run(20)
    main, other = duet.standby, duet.main
    return (
        main.answers()
        and other.server.ctx.running.status == "standby"
        and main.node.acknowledgments.in_step
        and picture(main.server) == picture(other.server)
    )


def shown(player: Player, capsys: pytest.CaptureFixture[str]) -> str:
    """What `lts pair` prints of it."""
    print_pair({**as_json(pairstatus.describe(player.node)), "running": True})
    return capsys.readouterr().out


def told(player: Player) -> set[str]:
    return {notice.code for notice in attention.notices(player.server.ctx, player.clock.now)}


def test_lts_pair_says_all_that_lts_status_says_of_the_pair(duet: Duet, capsys: pytest.CaptureFixture[str]) -> None:
    promote(duet)
    notices = pairstatus.notices(duet.standby.node)
    assert {"pair-no-standby", "pair-delegation-promoted"} <= {notice.code for notice in notices}
    said = shown(duet.standby, capsys)
    assert [notice.detail for notice in notices if f"! {notice.detail}\n" not in said] == []
    described = pairstatus.describe(duet.standby.node)
    both = [*described.faults, *described.notices]
    assert both == [PairNotice(notice.code, notice.detail) for notice in notices]


@pytest.mark.parametrize("url", [URLS["main"], ANOTHER])
def test_a_new_standby_joins_at_the_old_address_and_at_another(
    duet: Duet, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.main.server.report(lease, {"QR": 3})
    promote(duet)
    assert "pair-no-standby" in told(duet.standby)
    new_machine(duet.main)
    restart(duet.standby, "self", url, monkeypatch=monkeypatch)
    restart(duet.main, URLS["standby"], "self", monkeypatch=monkeypatch)
    assert comes_into_step(duet)
    assert not {code for code in told(duet.standby) if code.startswith(("peer-", "pair-no"))}
    assert not pairstatus.describe(duet.standby.node).promoted
    assert duet.standby.server.report(lease, {"QR": 5}).durable == "both"
    assert duet.main.faults() == duet.standby.faults() == []


def get_a_new_standby(duet: Duet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The standby is promoted, and a new machine at the old main's URL follows it."""
    promote(duet)
    new_machine(duet.main)
    restart(duet.standby, "self", URLS["main"], monkeypatch=monkeypatch)
    restart(duet.main, URLS["standby"], "self", monkeypatch=monkeypatch)
    assert comes_into_step(duet)


def test_a_promotion_that_cannot_be_kept_is_not_in_the_history_of_either(
    duet: Duet, monkeypatch: pytest.MonkeyPatch
) -> None:
    duet.main.close()
    duet.run(17)
    node = duet.standby.node
    before = node.ctx.store.vector()

    def immutable(path: Path, data: bytes) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", str(path))

    with monkeypatch.context() as patch, pytest.raises(PermissionError):
        patch.setattr(pinned, "write_private", immutable)
        node.promote()
    assert (node.role, node.ctx.store.vector()) == ("standby", before)


def test_a_new_standby_takes_over_from_a_promoted_main_and_hands_back(
    duet: Duet, monkeypatch: pytest.MonkeyPatch
) -> None:
    get_a_new_standby(duet, monkeypatch)
    duet.standby.close()
    duet.run(17)
    assert duet.main.answers()
    duet.standby.open()
    duet.turn()
    assert comes_into_step(duet)


def test_a_new_standby_stands_in_once_the_licenses_are_bound_to_the_promoted_server(
    duet: Duet, monkeypatch: pytest.MonkeyPatch
) -> None:
    get_a_new_standby(duet, monkeypatch)
    lease = duet.standby.server.authorize(None, DEVICE).lease
    duet.standby.close()
    duet.run(17)
    with pytest.raises(Refusal) as caught:
        duet.main.server.authorize(None, str(UUID(int=78)))
    assert caught.value.code == 113
    assert duet.main.server.report(lease, {"QR": 3}).results[0].status == "counted"
    duet.standby.open()
    assert comes_into_step(duet)
    ctx = duet.standby.server.ctx
    bound = duet.vendor.activate(duet.vendor.activate(duet.vendor.issue(item("scans", "scan", 10_000)), ctx), ctx)
    licenses.import_license(ctx, licensefile.render(bound).encode(), Choice(), "admin", duet.standby.clock.now)
    duet.run(3)
    duet.standby.close()
    duet.run(17)
    assert duet.main.server.authorize(None, str(UUID(int=78))).lease


def test_with_servers_as_before_a_stranger_at_the_old_address_gets_nothing_until_it_is_approved(
    duet: Duet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = fingerprint(duet.main.server.ctx.identity.key.kid)
    promote(duet)
    said = shown(duet.standby, capsys)
    assert "no contact yet" not in said
    assert "the former main was there, which this server replaced" in said
    assert "In step         no, without a standby" in said
    assert "by the former main's last delegation" in said
    new_machine(duet.main)
    restart(duet.main, URLS["standby"], "self", monkeypatch=monkeypatch)
    duet.run(20)
    assert duet.standby.answers()
    assert duet.main.server.ctx.running.status == "standby"
    assert "peer-new-standby" in told(duet.standby)
    assert "waits for an approval" in duet.main.node.peer.faults["peer-not-approved"]
    with pytest.raises(AdminError, match="in whose place this server was promoted"):
        duet.standby.node.approve(old)
    duet.standby.close()
    duet.standby.open()
    duet.run(2)
    assert duet.standby.answers(), "promoted and alone"
    duet.standby.node.approve(fingerprint(duet.main.server.ctx.identity.key.kid))
    assert comes_into_step(duet)
    assert "peer-new-standby" not in told(duet.standby)
    assert "peer-not-approved" not in told(duet.main)
    duet.standby.close()
    duet.run(17)
    assert duet.main.answers()
    duet.standby.open()
    duet.standby.beat()
    assert not duet.standby.answers(), "a standby that may serve is asked first"
    assert comes_into_step(duet)


@pytest.mark.parametrize("anew", [False, True])
def test_the_old_main_that_comes_back_serves_nobody_and_both_say_why(
    duet: Duet, anew: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(duet)
    if anew:
        restart(duet.standby, "self", URLS["main"], monkeypatch=monkeypatch)
    duet.main.open()
    duet.run(40)
    assert (duet.standby.answers(), duet.main.answers()) == (True, False)
    assert "peer-promoted" in told(duet.main)
    assert "peer-replaced" in told(duet.standby)
    duet.main.close()
    duet.main.open()
    duet.cut = True
    duet.run(40)
    assert not duet.main.answers()
    assert "peer-promoted" in told(duet.main), "after a restart too"
    assert [fault.code for fault in pairstatus.describe(duet.main.node).faults] == ["peer-promoted"]


def test_a_pair_file_of_before_that_kept_the_old_mains_key_is_read_as_it_was_meant(
    duet: Duet, monkeypatch: pytest.MonkeyPatch
) -> None:
    duet.main.close()
    duet.standby.close()
    file = PinnedFile(duet.standby.folder / "data")
    file.change(promoted_at=URLS["main"])
    duet.standby.open()
    duet.run(2)
    assert duet.standby.answers()
    new_machine(duet.main)
    restart(duet.standby, "self", ANOTHER, monkeypatch=monkeypatch)
    restart(duet.main, URLS["standby"], "self", monkeypatch=monkeypatch)
    assert comes_into_step(duet)


@pytest.mark.parametrize("servers", [(URLS["main"], "self"), ("self", ANOTHER), ("self",)])
def test_the_delegation_of_the_old_main_is_shown_until_a_license_is_bound_to_this_server(
    duet: Duet, servers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(duet)
    if len(servers) > 1:
        restart(duet.standby, *servers, monkeypatch=monkeypatch)
        duet.run(20)
    else:
        make_single(duet.standby)
    ctx = duet.standby.server.ctx

    def hours() -> int | None:
        found = [n for n in attention.notices(ctx, duet.standby.clock.now) if n.code.startswith("pair-delegation")]
        assert {n.code for n in found} <= {"pair-delegation-promoted"}
        return int(found[0].params["hours"]) if found else None

    def counted_down() -> bool:
        return len(servers) > 1 and pairstatus.describe(duet.standby.node).delegation is not None

    assert hours() == 7 * 24
    duet.forward(DAY_SECONDS)
    assert hours() == 6 * 24
    assert counted_down() == (len(servers) > 1)
    issued = duet.vendor.issue(item("scans", "scan", 10_000))
    bound = duet.vendor.activate(duet.vendor.activate(issued, ctx), ctx)
    licenses.import_license(ctx, licensefile.render(bound).encode(), Choice(), "admin", duet.standby.clock.now)
    assert hours() is None
    assert not counted_down()


def test_the_new_standby_of_a_promoted_server_names_that_one_for_the_vendor_and_counts_nothing_down(
    duet: Duet, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = duet.main.server.ctx.identity.uuid
    assert pairstatus.describe(duet.standby.node).delegation
    promote(duet)
    new_machine(duet.main)
    restart(duet.standby, "self", URLS["main"], monkeypatch=monkeypatch)
    restart(duet.main, URLS["standby"], "self", monkeypatch=monkeypatch)
    assert comes_into_step(duet)
    main, new = (player.server.ctx for player in (duet.standby, duet.main))
    assert {item.state for item in main.store.catalog.items.values()} == {ACTIVE}
    [reason] = {item.reason for item in new.store.catalog.items.values()}
    assert reason == (
        f"The license is bound to {old}, the main is {main.identity.uuid}; ask the vendor to activate it for the main."
    )
    assert pairstatus.describe(duet.main.node).delegation is None
    duet.standby.close()
    duet.run(20)
    duet.main.node.promote()
    [reason] = {item.reason for item in new.store.catalog.items.values()}
    assert reason is not None
    assert f"this server is {new.identity.uuid}; ask the vendor to activate it for this server." in reason


def make_single(player: Player) -> None:
    """`servers` names the server alone; it is no player any more, so nothing of it is stepped."""
    player.close()
    player._stack = ExitStack()
    config = replace(player.made_config(), servers=("self",))
    clock = Clock(0, lambda: player.clock.now, lambda: player.time.elapsed)
    here = player._stack.enter_context(opened(config, read_labels=lambda: LABELS["standby"], clock=clock))
    player.lab = Lab(here, player.clock, player.vendor, config)


@pytest.mark.parametrize("restarted", [False, True])
def test_the_old_main_says_that_it_was_replaced_for_good_and_an_older_lts_understands_its_status(
    duet: Duet, restarted: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    promote(duet)
    duet.main.open()
    duet.run(3)
    if restarted:
        duet.main.close()
        duet.main.open()
        duet.run(3)
    here, node = duet.main.server.ctx, duet.main.node
    assert here.running.status == "replaced"
    with pytest.raises(Refusal, match="was replaced by another one for good; use the other server URL"):
        here.running.check_serving()
    assert "This server     main, was replaced for good" in shown(duet.main, capsys)
    assert (node.membership.me().status, node.statuses.state().status) == ("starting", "starting")
    with pytest.raises(AdminError, match="This server was replaced"):
        node.promote()
