"""Former leases, and a main's word, in a folder that went elsewhere: alone, to another machine, back in time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from lts.background import jobs
from lts.errors import Refusal
from lts.protocol import DAY_SECONDS
from lts.rules.licensing.catalog import ACTIVE, INVALID
from lts.server import opened
from lts.service.folder import restoring
from lts.service.maintenance import backups, verify
from tests.service.conftest import with_one_item
from tests.support.duet import LABELS, Duet, copy_of, in_step
from tests.support.kit import FakeTime, Lab, Vendor, config_for, item, lab

DEVICE = str(UUID(int=77))
ELSEWHERE = ("mac:11", "machine-id:22", "processor-id:cc")


@contextlib.contextmanager
def on(machine: tuple[str, ...], folder: Path, time: FakeTime, vendor: Vendor) -> Iterator[Lab]:
    """A data folder, opened alone on a machine."""
    config = config_for(folder)
    with opened(config, read_labels=lambda: machine, clock=time.clock()) as here:
        time.forward(2)  # in which a server that had a partner listens whether that one serves
        yield Lab(here, time, vendor, config)


@pytest.fixture
def duet(tmp_path: Path) -> Duet:
    """A pair that was in step, closed."""
    with in_step(copy_of(with_one_item(), tmp_path / "duet")) as found:
        found.settle()
    return found


def states(server: Lab) -> set[str]:
    return {entry.state for entry in server.ctx.store.catalog.items.values()}


def test_a_former_standby_alone_counts_what_was_used_under_the_mains_leases(duet: Duet) -> None:
    with in_step(duet):
        lease = duet.main.server.authorize(None, DEVICE).lease
        duet.settle()
    with on(LABELS["standby"], duet.standby.folder, duet.time, duet.vendor) as server:
        done = server.report(lease, {"QR": 3})
        assert (done.results[0].status, done.lease) == ("counted", None)
        assert server.used() == 3


def test_a_former_standby_alone_authorizes_until_the_mains_delegation_ends(duet: Duet) -> None:
    with on(LABELS["standby"], duet.standby.folder, duet.time, duet.vendor) as server:
        server.authorize()
        held = server.ctx.delegation()
        assert held is not None
        duet.forward(held.until - server.time.now - 1)
        jobs.watch_delegation(server.ctx)
        server.authorize()
        duet.forward(1)
        jobs.watch_delegation(server.ctx)
        with pytest.raises(Refusal) as caught:
            server.authorize()
        assert caught.value.code == 113


def test_the_mains_delegation_does_not_move_to_another_machine(duet: Duet) -> None:
    with on(LABELS["standby"], duet.standby.folder, duet.time, duet.vendor) as server:
        assert states(server) == {ACTIVE}
    for _ in range(2):
        with on(ELSEWHERE, duet.standby.folder, duet.time, duet.vendor) as server:
            assert server.ctx.delegation() is None
            assert states(server) == {INVALID}


def test_a_folder_on_another_machine_counts_what_was_used_under_its_former_leases(tmp_path: Path) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        code = server.load(item())
        leases = [server.authorize(code).lease]
    for number, machine in enumerate((ELSEWHERE, tuple(f"{label}4" for label in ELSEWHERE)), start=1):
        with on(machine, tmp_path, time, vendor) as server:
            for lease in leases:
                done = server.report(lease, {"QR": number})
                assert (done.results[0].status, done.lease) == ("counted", None)
            assert server.used() == number * len(leases)
    assert verify.verify(tmp_path / "data", server.ctx.trust) == []


def lost_by_a_restore(tmp_path: Path, time: FakeTime, vendor: Vendor) -> tuple[str, str]:
    """A code with one seat, and the lease of a device that came after the backup that was put back."""
    with lab(tmp_path, time, vendor) as server:
        code = server.load(item(way="device", quota=1, graceQuota=0))
        backup = backups.backup(server.ctx.store.path, tmp_path / "data", time.now, server.ctx.trust)
        lease = server.authorize(code, DEVICE).lease
    restoring.restore(backup, tmp_path / "data")
    return code, lease


def test_a_device_that_a_restore_lost_is_renewed_by_its_report(tmp_path: Path) -> None:
    time, vendor = FakeTime(), Vendor()
    code, lease = lost_by_a_restore(tmp_path, time, vendor)
    time.forward(DAY_SECONDS)
    with lab(tmp_path, time, vendor) as server:
        renewed = server.report(lease, {"QR": 3})
        assert renewed.lease is not None, "an authorization would grant the same"
        assert server.live() == 1
        again = server.report(renewed.lease, {"QR": 4})
        assert again.lease is not None
        with pytest.raises(Refusal) as caught:
            server.authorize(code)
        assert caught.value.code == 120
        assert verify.verify(tmp_path / "data", server.ctx.trust) == []


def test_a_device_that_a_restore_lost_is_not_renewed_where_another_took_its_place(tmp_path: Path) -> None:
    time, vendor = FakeTime(), Vendor()
    code, lease = lost_by_a_restore(tmp_path, time, vendor)
    with lab(tmp_path, time, vendor) as server:
        server.authorize(code)
        done = server.report(lease, {"QR": 3})
        assert (done.results[0].status, done.lease) == ("counted", None)
