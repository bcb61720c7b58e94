"""The data folder on another machine, an old database put back, a clock that steps."""

from __future__ import annotations

import shutil
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from lts.background.jobs import Jobs
from lts.cli.main import main
from lts.errors import Refusal
from lts.rules import labels as rules
from lts.rules.alerting.notices import Notice
from lts.rules.licensing import licensefile
from lts.server import opened
from lts.service.core import identity
from lts.service.core.pinned import Delegation
from lts.service.folder import placing, restoring
from lts.service.folder.datafolder import DataFolder
from lts.service.licensing import licenses
from lts.service.licensing.licenses import Choice
from lts.service.maintenance import attention, backups, verify
from lts.service.pair.alone import Alone
from tests.support.killed import every_step
from tests.support.kit import LABELS, NOON, FakeTime, Lab, Vendor, config_for, item, lab
from tests.support.wait import PATIENCE, wait_until

MAIN_UUID = "00000000-0000-8000-8000-000000000005"


def test_a_folder_on_another_machine_opens_says_why_and_serves_after_a_new_activation(tmp_path: Path) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        server.authorize(server.load(item()))
        old, issued = server.ctx.identity, vendor.issue(item())
    other = ("mac:11", "machine-id:22", "processor-id:cc")
    with opened(config_for(tmp_path), read_labels=lambda: other, clock=time.clock()) as here:
        moved = Lab(here, time, vendor, config_for(tmp_path))
        assert here.ctx.identity.uuid != old.uuid
        assert here.ctx.identity.key.kid != old.key.kid
        assert any(
            old.uuid in warning.detail and here.ctx.identity.uuid in warning.detail
            for warning in here.ctx.running.warnings.all()
        )
        with pytest.raises(Refusal) as caught:
            moved.authorize()
        assert caught.value.code == 113
        again = vendor.activate(vendor.activate(issued, here.ctx), here.ctx)
        licenses.import_license(here.ctx, licensefile.render(again).encode(), Choice(), "test", NOON)
        moved.authorize()
        assert verify.verify(tmp_path / "data", here.ctx.trust) == []


def test_a_move_that_was_a_mistake_is_undone(tmp_path: Path) -> None:
    time, vendor, data = FakeTime(), Vendor(), tmp_path / "data"
    with lab(tmp_path, time, vendor) as server:
        server.authorize(server.load(item()))
        old = server.ctx.identity
    elsewhere = ("mac:11", "machine-id:22", "processor-id:cc")
    with opened(config_for(tmp_path), read_labels=lambda: elsewhere, clock=time.clock()) as here:
        new = here.ctx.identity
        [(detail,)] = Lab(here, time, vendor, config_for(tmp_path)).rows(
            "SELECT detail FROM audit WHERE action = 'labels-changed'"
        )
        assert '"kept":"replaced-1"' in detail.replace(" ", "")
    [kept] = restoring.replaced(data)
    assert kept.words.endswith(f"another machine's. It holds the identity of LTS UUID {old.uuid}.")
    assert (data / "replaced-1" / "server.key").read_bytes() == old.key.to_pem()
    assert sys.platform == "win32" or (data / "replaced-1").stat().st_mode & 0o777 == 0o700
    assert restoring.undo(data, "Ann").kept == "replaced-2"
    with lab(tmp_path, time, vendor) as server:
        assert (server.ctx.identity.uuid, server.ctx.identity.key.kid) == (old.uuid, old.key.kid)
        server.authorize()
        assert verify.verify(data, server.ctx.trust) == []
    [kept] = restoring.replaced(data)
    assert kept.words.endswith(f"a restore was undone. It holds the identity of LTS UUID {new.uuid}.")
    assert restoring.undo(data, "Ann").kept == "replaced-3"
    with opened(config_for(tmp_path), read_labels=lambda: elsewhere, clock=time.clock()) as here:
        assert here.ctx.identity.uuid == new.uuid
    (data / "replaced-3" / "server.key").write_bytes(new.key.to_pem())
    [kept] = restoring.replaced(data)
    assert kept.words.endswith("It holds an identity that cannot be read.")


def test_a_restored_folder_moves_as_well(tmp_path: Path) -> None:
    time, vendor, data = FakeTime(), Vendor(), tmp_path / "data"
    with lab(tmp_path, time, vendor) as server:
        bundle = backups.backup(server.ctx.store.path, data, time.now, server.ctx.trust)
    folder = DataFolder.hold(data)
    restoring.restore(bundle, data)
    folder.release()
    elsewhere = ("mac:11", "machine-id:22", "processor-id:cc")
    with opened(config_for(tmp_path), read_labels=lambda: elsewhere, clock=time.clock()) as here:
        assert here.ctx.identity.uuid != server.ctx.identity.uuid
    assert placing.numbers(data) == [1, 2]


def test_a_move_that_is_killed_keeps_the_former_identity_once(tmp_path: Path) -> None:
    elsewhere = ("mac:11", "machine-id:22", "processor-id:cc")
    (tmp_path / "made").mkdir()
    here = identity.load_or_create(tmp_path / "made", lambda: LABELS)

    def move(folder: Path) -> None:
        identity.load_or_create(folder, lambda: elsewhere, placing.keep_identity)

    for _, folder in every_step(lambda n: Path(shutil.copytree(tmp_path / "made", tmp_path / f"at-{n}")), move):
        move(folder)
        placing.finish(folder)
        assert identity.load(folder).previous == (here.uuid,)
        assert placing.numbers(folder) == [1]
        assert (folder / "replaced-1" / "server.key").read_bytes() == here.key.to_pem()


ELSEWHERE, FURTHER = ("mac:11", "machine-id:22", "processor-id:cc"), ("mac:33", "machine-id:44", "processor-id:cc")


def uuid_on(folder: Path, labels: tuple[str, ...], *, moves: bool = True) -> str:
    """Under which the server continues when it is opened on the machine of these labels."""
    with opened(config_for(folder), read_labels=lambda: labels, clock=FakeTime().clock(), moves=moves) as here:
        assert verify.verify(folder / "data", here.ctx.trust) == []
        return here.ctx.identity.uuid


def test_a_folder_back_on_a_machine_of_before_goes_on_as_it_was_there(tmp_path: Path) -> None:
    time, vendor, data = FakeTime(), Vendor(), tmp_path / "data"
    with lab(tmp_path, time, vendor) as server:
        server.authorize(server.load(item()))
        first = server.ctx.identity.uuid
    second = uuid_on(tmp_path, ELSEWHERE)
    third = uuid_on(tmp_path, FURTHER)
    assert len({first, second, third}) == 3
    for _ in range(2):
        with lab(tmp_path, time, vendor) as server:
            assert server.ctx.identity.uuid == first
            assert not server.ctx.running.warnings.all()
            server.authorize()
            told = server.rows("SELECT actor FROM audit WHERE action = 'moved-back' ORDER BY origin, serial")
            assert told[-1] == ("system",)
        assert restoring.replaced(data)[-1].words.endswith(f"It holds the identity of LTS UUID {third}.")
        assert uuid_on(tmp_path, ELSEWHERE) == second
        assert uuid_on(tmp_path, FURTHER) == third
    assert sorted(one.holds for one in restoring.replaced(data)) == [
        f"the identity of LTS UUID {uuid}" for uuid in sorted((first, second))
    ]


def test_a_backup_restored_again_on_another_machine_goes_on_there_as_before(tmp_path: Path) -> None:
    """A rehearsal, then the real move. The second time the server had a vault of its own there."""
    bundles = []
    for name in ("origin", "other", "here/data"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("origin", "other"):
        with lab(tmp_path / name) as server:
            bundles.append(backups.backup(server.ctx.store.path, tmp_path / name / "data", NOON, server.ctx.trust))
    here, seen = tmp_path / "here", []
    for bundle in (bundles[0], bundles[0], bundles[1]):
        restoring.restore(bundle, here / "data", "Ann")
        seen.append(uuid_on(here, ELSEWHERE))
    assert len(set(seen)) == 1
    whole = [one for one in restoring.replaced(here / "data") if one.action == "restored"]
    assert [one.holds.endswith(f", of LTS UUID {seen[0]}") for one in whole] == [True, True]
    restoring.restore(bundles[0], here / "data", "Ann")
    assert uuid_on(here, FURTHER) != seen[0]
    assert uuid_on(here, ELSEWHERE) == seen[0]
    restoring.undo(here / "data", "Ann", whole[0].name)
    assert uuid_on(here, ELSEWHERE) == seen[0]


def test_labels_that_are_unique_to_no_machine_bring_no_identity_back() -> None:
    assert rules.compare(("processor-id:cc",), ELSEWHERE).same
    assert not rules.recognize(("processor-id:cc",), ELSEWHERE)
    assert rules.recognize(ELSEWHERE, ELSEWHERE)


def test_an_identity_that_cannot_be_read_is_not_gone_back_to(tmp_path: Path) -> None:
    with lab(tmp_path) as server:
        first = server.ctx.identity.uuid
    second = uuid_on(tmp_path, ELSEWHERE)
    (tmp_path / "data" / "replaced-1" / "server.key").write_bytes(b"x")
    assert uuid_on(tmp_path, LABELS) not in (first, second)


def test_what_only_looks_at_another_machines_folder_leaves_its_identity(tmp_path: Path) -> None:
    with lab(tmp_path, vendor=Vendor()) as server:
        server.load(item())
        mine = server.ctx.identity.uuid
    before = (tmp_path / "data" / "identity.json").read_bytes()
    assert uuid_on(tmp_path, ELSEWHERE, moves=False) == mine
    assert (tmp_path / "data" / "identity.json").read_bytes() == before
    assert placing.numbers(tmp_path / "data") == []
    assert uuid_on(tmp_path, ELSEWHERE) != mine


def test_the_notice_of_a_moved_folder_names_the_uuid_that_licenses_are_bound_to(tmp_path: Path) -> None:
    with lab(tmp_path, vendor=Vendor()) as server:
        server.load(item())
        mine = server.ctx.identity.uuid
    uuid_on(tmp_path, ELSEWHERE)
    with opened(config_for(tmp_path), read_labels=lambda: FURTHER, clock=FakeTime().clock()) as here:
        [notice] = [one for one in here.ctx.running.warnings.all() if one.code == "moved"]
        assert notice.params == {"old": mine, "new": here.ctx.identity.uuid}


def test_the_notice_of_a_moved_folder_goes_once_all_licenses_were_activated_again(tmp_path: Path) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        server.load(item())
        mine = server.ctx.identity.uuid
    with opened(config_for(tmp_path), read_labels=lambda: ELSEWHERE, clock=time.clock()) as here:

        def told() -> list[Notice]:
            return [one for one in attention.notices(here.ctx, time.now) if one.code == "moved"]

        assert told()[0].params["old"] == mine
        again = vendor.activate(vendor.activate(vendor.issue(item()), here.ctx), here.ctx)
        licenses.import_license(here.ctx, licensefile.render(again).encode(), Choice(), "test", NOON)
        assert told() == []
    with opened(config_for(tmp_path), read_labels=lambda: ELSEWHERE, clock=time.clock()) as later:
        assert not later.ctx.running.warnings.find("moved")


def test_after_a_restore_and_a_move_the_restore_is_undone_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    time, vendor, data = FakeTime(), Vendor(), tmp_path / "data"
    with lab(tmp_path, time, vendor) as server:
        lease = server.authorize(server.load(item())).lease
        bundle = backups.backup(server.ctx.store.path, data, time.now, server.ctx.trust)
        server.report(lease, {"QR": 3})
        old = server.ctx.identity.uuid
    restoring.restore(bundle, data)
    assert uuid_on(tmp_path, ELSEWHERE) != old
    assert main(["restore", "--list", "--data", str(data)]) == 0
    content, moved = capsys.readouterr().out.splitlines()
    assert "replaced-1: until" in content
    assert "1 license, 1 handshake code" in content
    assert moved.startswith("replaced-2: until")
    assert "the identity of LTS UUID" in moved
    assert main(["restore", "--undo", "--data", str(data)]) == 0
    said = capsys.readouterr().out
    assert f"{data}: replaced-1 is back in place; what was there before is kept in replaced-3." in said
    assert "In replaced-1 was what was in place until" in said
    assert "when a backup was restored: 1 license" in said
    with lab(tmp_path, time, vendor) as server:
        assert (server.ctx.identity.uuid, server.used()) == (old, 3)


def test_undoing_a_move_puts_no_empty_database_of_before_in_place(tmp_path: Path) -> None:
    time, vendor, place = FakeTime(), Vendor(), tmp_path / "new"
    with lab(tmp_path, time, vendor) as server:
        server.authorize(server.load(item()))
        bundle = backups.backup(server.ctx.store.path, tmp_path / "data", time.now, server.ctx.trust)
    place.mkdir()
    with lab(place, time, vendor) as server:
        assert server.used() == 0
    restoring.restore(bundle, place / "data")
    with lab(place, time, vendor) as server:
        there = server.ctx.identity.uuid
    assert uuid_on(place, ELSEWHERE) != there
    assert restoring.undo(place / "data", "Ann").detail["from"] == "replaced-2"
    with lab(place, time, vendor) as server:
        assert server.ctx.identity.uuid == there
        assert server.ctx.store.catalog.items


@pytest.mark.parametrize(
    "labels",
    [
        LABELS,
        ("mac:other", "machine-id:bb", "processor-id:cc"),
        ("mac:aa", "machine-id:other", "processor-id:cc"),
        ("mac:aa", "mac:more", "machine-id:bb", "processor-id:cc", "host-id:new"),
    ],
)
def test_a_new_adapter_or_reinstalled_system_is_the_same_machine(tmp_path: Path, labels: tuple[str, ...]) -> None:
    with lab(tmp_path) as server:
        uuid = server.ctx.identity.uuid
    with opened(config_for(tmp_path), read_labels=lambda: labels, clock=FakeTime().clock()) as here:
        assert here.ctx.identity.uuid == uuid
    with opened(config_for(tmp_path), read_labels=lambda: labels, clock=FakeTime().clock()) as here:
        assert here.ctx.identity.uuid == uuid, "what was learnt counts from now on"


def test_an_old_database_put_back_shows_by_a_lease_it_never_gave(tmp_path: Path) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        code = server.load(item())
    shutil.copytree(tmp_path / "data", tmp_path / "old")
    with lab(tmp_path, time, vendor) as server:
        for _ in range(5):
            lease = server.authorize(code).lease
    shutil.rmtree(tmp_path / "data")
    shutil.copytree(tmp_path / "old", tmp_path / "data")
    with lab(tmp_path, time, vendor) as server:
        assert not server.ctx.running.warnings.all()
        assert server.report(lease, {"QR": 3}).results[0].status == "counted"
        server.report(lease, {"QR": 3})
        assert [
            w for w in server.ctx.running.warnings.all() if "old copy" in w.detail
        ] == server.ctx.running.warnings.all()
        assert len(server.ctx.running.warnings.all()) == 1
        assert server.used() == 3


def test_jobs_continue_and_the_audit_log_says_so_after_the_clock_stepped_back(server: Lab) -> None:
    ran = threading.Event()

    def tick(ctx: object) -> None:
        ran.set()

    jobs = Jobs(server.ctx, watch_seconds=0.02)
    jobs.start()
    try:
        server.time.wall -= 3 * 3600
        wait_until(lambda: server.rows("SELECT count(*) FROM changes WHERE kind = 7") == [(1,)], "the log tells")
        jobs.add(tick, 1)
        assert ran.wait(PATIENCE)
    finally:
        jobs.stop()


def test_a_restored_backup_writes_a_new_origin_and_both_verify(tmp_path: Path) -> None:

    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        server.authorize(server.load(item()))
        bundle = backups.backup(server.ctx.store.path, tmp_path / "data", time.now, server.ctx.trust)
    folder = DataFolder.hold(tmp_path / "data")
    restoring.restore(bundle, tmp_path / "data")
    folder.release()
    with lab(tmp_path, time, vendor) as server:
        server.report(server.authorize("216998-100").lease, {"QR": 2})
        assert server.rows("SELECT count(*) FROM origins") == [(2,)]
        assert verify.verify(tmp_path / "data", server.ctx.trust) == []
    with lab(tmp_path, time, vendor) as server:
        assert server.used() == 2


def test_a_promoted_standby_made_a_single_server_still_says_how_long_it_may_authorize(
    server: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> list[str]:
        return [notice.code for notice in attention.notices(server.ctx, server.time.now)]

    assert "pair-delegation-promoted" not in told()
    held = Delegation(MAIN_UUID, (), server.time.now + 7200)
    known = server.ctx.identity
    server.ctx.running.identity = replace(known, uuid=held.main_uuid)
    bound = server.vendor.file(server.ctx, item())
    server.ctx.running.identity = known
    server.ctx = replace(server.ctx, delegation=lambda: held)
    server.ctx.running.partner = Alone(server.ctx)
    licenses.import_license(server.ctx, bound, Choice(), "admin", server.time.now)
    assert "pair-delegation-promoted" in told()
    [notice] = [one for one in attention.notices(server.ctx, server.time.now) if "delegation" in one.code]
    assert notice.params["hours"] == 2
    assert notice.detail.startswith("This server authorizes in the main's place for 2 more hours (until ")
    assert notice.detail.endswith("Send the vendor its activation request.")
