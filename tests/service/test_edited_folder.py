"""What root edits beside the feed, and what reveals it (docs/design/machine.md, What root can do)."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import apsw
import pytest

from lts import server as composition
from lts.background import jobs
from lts.crypto import read_jws
from lts.protocol import DAY_SECONDS, LEASE_TYPE
from lts.server import opened
from lts.service.core import identity
from lts.service.core.trust import TrustStore
from lts.service.folder import evidence
from lts.service.maintenance import attention, doctor, verify
from tests.support.kit import LABELS, NOON, FakeTime, Lab, Vendor, config_for, item, lab

HOUR = 3600
DEVICE = str(UUID(int=77))


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def data(tmp_path: Path, time: FakeTime) -> Path:
    """A stopped server's data folder, used until a day after NOON."""
    with lab(tmp_path, time, Vendor()) as server:
        code = server.load(item(way="device", quota=1, graceQuota=0))
        time.forward(DAY_SECONDS)
        server.authorize(code, DEVICE)
        jobs.watch_clock(server.ctx)
    return tmp_path / "data"


@contextlib.contextmanager
def started(monkeypatch: pytest.MonkeyPatch, data: Path, time: FakeTime) -> Iterator[Lab]:
    """The server as it starts by itself: its clock continues from what was stored."""
    config = config_for(data.parent)
    monkeypatch.setattr(composition, "Clock", lambda highest: time.clock())
    with opened(config, read_labels=lambda: LABELS) as here:
        yield Lab(here, time, Vendor(), config)


def run(data: Path, statement: str) -> None:
    with contextlib.closing(apsw.Connection(str(data / "lts.db"))) as db:
        db.execute(statement)
        assert db.changes() > 0


def audited(server: Lab, action: str) -> list[str]:
    return [detail for (detail,) in server.rows(f"SELECT detail FROM audit WHERE action = '{action}'")]


def found(data: Path) -> list[str]:
    """What verify says of the stopped server; doctor says it too."""
    trust = TrustStore(data.parent / "trust", data)
    said = verify.verify_folder(data, trust, lambda n: None, in_use=False)
    assert verify.verify_folder(data, trust, lambda n: None, in_use=True) == []
    edited = evidence.faults(data)
    told = [one.words for one in doctor.examine(config_for(data.parent)) if one.level == doctor.FAULT]
    assert set(edited) <= set(told)
    assert said == edited
    return edited


def test_a_highest_time_set_back_is_reported_at_the_start_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, data: Path, time: FakeTime
) -> None:
    assert found(data) == []
    for value in (NOON + 22 * HOUR, NOON + 22 * HOUR - 1):
        assert found(data) == []
        run(data, f"UPDATE meta SET value = {value} WHERE name = 'highestTime'")
    [fault] = found(data)
    assert fault.startswith("meta: the highest time seen")
    time.wall = NOON + 10 * HOUR
    run(data, f"UPDATE meta SET value = {time.now} WHERE name = 'highestTime'")
    with started(monkeypatch, data, time) as server:
        jobs.watch_clock(server.ctx)
        assert audited(server, "clock-back") == [json.dumps({"seconds": 14 * HOUR})]
        assert server.ctx.clock.item_time(time.now) == NOON + DAY_SECONDS - 2 * HOUR, "by the least time kept"
    run(data, f"UPDATE meta SET value = {time.now} WHERE name = 'highestTime'")
    run(data, f"UPDATE meta SET value = {time.now - 2 * HOUR} WHERE name = 'leastTime'")
    with started(monkeypatch, data, time) as server:
        jobs.watch_clock(server.ctx)
        assert server.ctx.clock.item_time(time.now) < NOON + DAY_SECONDS - 2 * HOUR
    with started(monkeypatch, data, time) as server:
        jobs.watch_clock(server.ctx)
        assert len(audited(server, "clock-back")) == 1


@pytest.mark.parametrize(("days", "told"), [(3, 1), (300, 0)])
def test_a_change_of_a_jump_that_nobody_believed_is_no_edit(
    monkeypatch: pytest.MonkeyPatch, data: Path, time: FakeTime, days: int, told: int
) -> None:
    """Told where it has a time of the jump, since nobody can say who was right."""
    time.wall += days * DAY_SECONDS
    with started(monkeypatch, data, time) as server:
        jobs.watch_clock(server.ctx)
        assert len(audited(server, "clock-ahead")) == 1
    assert found(data) == []
    time.wall -= days * DAY_SECONDS
    with started(monkeypatch, data, time) as server:
        jobs.watch_clock(server.ctx)
        assert len(audited(server, "clock-back")) == told
        assert server.ctx.clock.item_time(time.now) == time.now
    assert found(data) == []


def test_an_honest_folder_is_not_accused_whenever_its_server_ends_after_a_pause(
    monkeypatch: pytest.MonkeyPatch, data: Path, time: FakeTime, tmp_path: Path
) -> None:
    time.wall += 3 * DAY_SECONDS
    killed = tmp_path / "killed"
    with started(monkeypatch, data, time) as server:
        server.authorize(device=DEVICE)
        killed.mkdir()
        shutil.copytree(data, killed / "data")
        assert len(audited(server, "clock-ahead")) == 1
    assert evidence.faults(killed / "data") == []
    assert found(data) == []


def test_a_jump_right_before_a_stop_in_good_order_is_no_edit(
    monkeypatch: pytest.MonkeyPatch, data: Path, time: FakeTime
) -> None:
    with started(monkeypatch, data, time) as server:
        running = jobs.Jobs(server.ctx, watch_seconds=3600)
        running.start()
        time.wall += 3 * DAY_SECONDS
        server.authorize(device=DEVICE)
        running.stop()
    assert found(data) == []


def edit_identity(data: Path, **fields: object) -> None:
    kept = json.loads((data / "identity.json").read_text())
    kept.pop("digest", None)  # whoever edits it with a purpose takes that out
    (data / "identity.json").write_text(json.dumps({**kept, **fields}))


@pytest.mark.parametrize("feed", ["", "new"])
def test_a_new_incarnation_without_a_cause_is_named_and_reported(data: Path, time: FakeTime, feed: str) -> None:
    edit_identity(data, incarnation="00" * 8, feed=feed)
    assert found(data) == [identity.UNEXPLAINED]
    for _ in range(2):
        with lab(data.parent, time, Vendor()) as server:
            [line] = audited(server, "folder-accepted")
            assert json.loads(line) == {"found": identity.UNEXPLAINED}
            assert "folder-accepted" in {notice.code for notice in attention.notices(server.ctx, time.now)}
        assert found(data) == []


def test_one_that_was_restored_says_so_and_nothing_else(data: Path, time: FakeTime) -> None:
    identity.renew_incarnation(data, ("restored", {"file": "x.lts"}, "Ann"))
    assert found(data) == []
    with lab(data.parent, time, Vendor()) as server:
        assert audited(server, "folder-accepted") == []
        assert len(audited(server, "restored")) == 1


@pytest.mark.parametrize("in_between", [True, False])
def test_leases_of_an_incarnation_that_the_folder_lost_raise_an_alert(
    tmp_path: Path, time: FakeTime, data: Path, in_between: bool
) -> None:
    """Of one that it never knew, or of one of which it knows less."""
    kept = tmp_path / "kept"
    shutil.copytree(data, kept)
    if in_between:
        identity.renew_incarnation(data, ("restored", {"file": "x.lts"}, "Ann"))
    vendor = Vendor()
    with lab(tmp_path, time, vendor) as server:
        lease = server.authorize(device=DEVICE).lease
    shutil.rmtree(data)
    shutil.copytree(kept, data)
    edit_identity(data, incarnation="00" * 8, feed="new")
    with lab(tmp_path, time, vendor) as server:
        server.report(lease, {"QR": 1})
        server.report(lease, {"QR": 2})
        assert [json.loads(line)["serial"] for line in audited(server, "database-restored")] == [lease_serial(lease)]
    assert verify.verify(data, server.ctx.trust) == []


def test_leases_of_an_incarnation_that_continued_elsewhere_raise_an_alert(
    tmp_path: Path, time: FakeTime, data: Path
) -> None:
    kept, vendor = tmp_path / "kept", Vendor()
    shutil.copytree(data, kept)
    with lab(tmp_path, time, vendor) as server:
        leases = [server.authorize(device=DEVICE).lease for _ in range(4)]
    shutil.rmtree(data)
    shutil.copytree(kept, data)
    time.forward(60)
    with lab(tmp_path, time, vendor) as server:
        for _ in range(9):
            server.authorize(device=DEVICE)
    identity.renew_incarnation(data, ("restored", {"file": "x.lts"}, "Ann"))
    lease = next(one for one in leases if lease_serial(one) % 8)
    with lab(tmp_path, time, vendor) as server:
        server.report(lease, {"QR": 1})
        assert [json.loads(line)["serial"] for line in audited(server, "database-restored")] == [lease_serial(lease)]


def test_leases_of_an_incarnation_that_the_folder_knows_raise_no_alert(
    tmp_path: Path, time: FakeTime, data: Path
) -> None:
    with lab(tmp_path, time, Vendor()) as server:
        lease = server.authorize(device=DEVICE).lease
    identity.renew_incarnation(data, ("restored", {"file": "x.lts"}, "Ann"))
    with lab(tmp_path, time, Vendor()) as server:
        server.report(lease, {"QR": 1})
        assert audited(server, "database-restored") == []


def lease_serial(lease: str) -> int:
    return int(read_jws(lease, LEASE_TYPE).claims()["serial"])
