"""Devices that continue after they gave back a seat, or instances of it, are named (docs/design/charging.md,
Release)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import apsw
import pytest
from msgspec.structs import replace

from lts.errors import RefusalCode
from lts.protocol import SLOT_SECONDS, slot_of
from lts.rules.licensing import licensefile
from lts.service.licensing import licenses
from lts.service.licensing.licenses import Choice
from lts.service.maintenance import attention
from lts.service.metering import release
from lts.store.writing import writermemory
from lts.vendor import issuing
from tests.service.conftest import refused
from tests.support.kit import NOON, Lab, entry, item


def gone_on(server: Lab) -> list[tuple[object, object]]:
    found = attention.notices(server.ctx, server.time.now)
    return sorted((one.params["device"], one.params["item"]) for one in found if one.code == "used-after-release")


@pytest.mark.parametrize("way", ["device", "concurrentDevice"])
def test_who_goes_on_under_an_older_lease_than_the_one_given_back_is_named(server: Lab, way: str) -> None:
    more: dict[str, Any] = {} if way == "device" else {"overdraft": 0}
    code = server.load(item(way=way, quota=1, graceQuota=0, maxOfflineDays=30, **more))
    device = str(uuid4())
    leases = []
    for _ in range(2):
        leases.append(server.authorize(code, device).lease)
        release.release(server.ctx, leases[-1], server.time.now)
    first, second = leases
    server.report(second, {"QR": 1}, NOON // SLOT_SECONDS)
    server.time.forward(3600)
    assert gone_on(server) == []
    server.report(first, {"QR": 1})
    assert gone_on(server) == [(device, "one")]


def test_what_a_newer_seat_of_the_device_covers_is_not_named(server: Lab) -> None:
    code = server.load(item(way="device", quota=1, graceQuota=0))
    device = str(uuid4())
    first = server.authorize(code, device).lease
    release.release(server.ctx, first, server.time.now)
    second = server.authorize(code, device).lease
    server.time.forward(3600)
    for lease in (first, second):
        server.report(lease, {"QR": 1})
    assert gone_on(server) == [], "one device, one seat"


def test_a_seat_given_back_before_its_item_was_sold_by_units_names_nobody(server: Lab) -> None:
    vendor, device = server.vendor, str(uuid4())
    sold = vendor.activate(vendor.issue(item(way="device", quota=1, graceQuota=0)), server.ctx)
    by_units = issuing.amend(sold, {"items": [{"itemId": "one", "chargeWay": "scan"}]}, vendor.key, vendor.name)
    leases = []
    for file in (sold, by_units):
        data = licensefile.render(file).encode()
        licenses.import_license(server.ctx, data, Choice(), "test", server.time.now)
        leases.append(server.authorize(device=device).lease)
        if file is sold:
            release.release(server.ctx, leases[0], server.time.now)
    server.time.forward(3600)
    assert server.report(leases[1], {"QR": 9}).lease is None, "used up"
    assert gone_on(server) == []


def fewer(server: Lab, *held: int, again: bool = False) -> list[str]:
    """Leases of as many new devices for so many instances each, all of which asked for one alone afterwards; `again`:
    gave them back before."""
    code = server.load(item(way="concurrentInstance", quota=5, overdraft=0, maxOfflineDays=30))
    leases = []
    for instances in held:
        device = str(uuid4())
        leases.append(server.authorize(code, device, instances=instances).lease)
        if again:
            release.release(server.ctx, leases[-1], server.time.now)
        server.time.forward(1)
        server.authorize(code, device)
        server.time.forward(1)
    return leases


@pytest.mark.parametrize("again", [False, True])
def test_who_uses_more_instances_than_it_kept_is_named(server: Lab, again: bool) -> None:
    leases = fewer(server, 5, 4, 3, again=again)
    for lease in (leases[0], leases[2]):
        server.report(lease, {"QR": 1})
    assert gone_on(server) == [], "in the slot in which it asked for fewer"
    server.time.forward(600 + SLOT_SECONDS)
    server.report_many(leases[0], [replace(entry(slot_of(server.time.now), {"QR": 1}), instances=1)])
    assert gone_on(server) == [], "no more than it kept"
    for lease in leases[:2]:
        assert server.report(lease, {"QR": 2}).lease is None
    uuids = [server.ctx.leases.verify(lease).device for lease in leases]
    assert gone_on(server) == sorted((uuid, "one") for uuid in uuids[:2])


def test_a_server_that_forgot_when_names_who_goes_on_from_what_it_sees(server: Lab) -> None:
    [lease] = fewer(server, 5, 1)[:1]
    server.time.forward(3600)
    server.ctx.store.write(lambda tx: tx.memory.fewer.clear())
    server.report(lease, {"QR": 1})
    assert gone_on(server) == [], "that may have been before it asked for fewer"
    server.time.forward(600 + SLOT_SECONDS)
    server.report(lease, {"QR": 1})
    assert len(gone_on(server)) == 1


def test_who_asks_for_as_many_again_is_not_named(server: Lab) -> None:
    [lease] = fewer(server, 5)
    device = server.ctx.leases.verify(lease).device
    server.time.forward(600 + SLOT_SECONDS)
    server.authorize(None, device, instances=5)
    server.time.forward(600 + SLOT_SECONDS)
    slot = slot_of(server.time.now)
    server.time.forward(600)
    server.authorize(None, device)
    server.report(lease, {"QR": 1}, slot)
    assert gone_on(server) == []


def test_a_device_s_fewer_instances_are_remembered_of_the_latest(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writermemory, "MOST_FEWER", 2)
    fewer(server, 4, 3, 2)
    assert len(server.ctx.store.write(lambda tx: dict(tx.memory.fewer))) == 2


def test_fewer_instances_that_were_not_stored_are_not_remembered(server: Lab) -> None:
    code = server.load(item(way="concurrentInstance", quota=5, overdraft=0, maxOfflineDays=30))
    device, store = str(uuid4()), server.ctx.store
    server.authorize(code, device, instances=5)
    server.time.forward(1)
    store.writer._db.exec_trace = full_disk
    assert refused(lambda: server.authorize(code, device)) == RefusalCode.CANNOT_STORE
    store.writer._db.exec_trace = None
    assert store.write(lambda tx: dict(tx.memory.fewer)) == {}
    server.authorize(code, device)
    assert len(store.write(lambda tx: dict(tx.memory.fewer))) == 1


def full_disk(cursor: Any, statement: str, bindings: Any) -> bool:
    if statement == "COMMIT":
        raise apsw.FullError("database or disk is full")
    return True
