"""A report renews only what an authorization that asks for the same would grant at that moment.

See docs/design/charging.md, Renewal by report.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from lts.crypto import read_jws
from lts.errors import Refusal
from lts.protocol import DAY_SECONDS, LEASE_TYPE, Lease, iso
from lts.rules.licensing import licensefile
from lts.rules.licensing.licensefile import License
from lts.service.licensing import handshakes, licenses
from lts.service.licensing.licenses import Choice
from lts.vendor import issuing
from tests.support.kit import NOON, FakeTime, Lab, Vendor, item, lab
from tests.support.leases import without

END = NOON + 10 * DAY_SECONDS


def claims(lease: str) -> dict[str, Any]:
    return read_jws(lease, LEASE_TYPE).claims()


def renewed(server: Lab, lease: str, usage: dict[str, int] | None = None) -> str | None:
    return server.report(lease, usage).lease


def sell(server: Lab, *items: dict[str, Any]) -> tuple[str, License]:
    """(handshake code, license) of an import."""
    sold = server.vendor.activate(server.vendor.issue(*items), server.ctx)
    return take(server, sold), sold


def amend(server: Lab, sold: License, change: dict[str, Any]) -> None:
    """Import the license with its one item changed."""
    take(server, issuing.amend(sold, {"items": [{"itemId": "one", **change}]}, server.vendor.key, "Vendor"))


def take(server: Lab, sold: License) -> str:
    data = licensefile.render(sold).encode()
    return licenses.import_license(server.ctx, data, Choice(), "test", server.time.now).handshake_code or ""


def test_a_lease_says_what_was_asked_and_when_and_a_renewal_carries_it_on(server: Lab) -> None:
    code = server.load(item(domains=[]))
    handshakes.edit(server.ctx, code, {"password": "secret", "validation": {"processNames": ["p"]}}, "test", NOON)
    first = server.authorize(
        code, version="8.2", edition="java", charge_way="scan", modules=("QR",), session_password="secret",
        process_name="p",
    ).lease  # fmt: skip
    [stored] = server.ctx.store.catalog.codes_by_key.values()
    asked = {
        "product": "reader", "deploymentType": "server", "version": "8.2", "edition": "java", "chargeWay": "scan",
        "modules": ["QR"], "validation": {"processName": "p"}, "password": stored.password_change,
    }  # fmt: skip
    assert stored.password_change
    assert (claims(first)["code"], claims(first)["asked"], claims(first)["auth_time"]) == (1, asked, NOON)
    assert "secret" not in str(claims(first))
    server.time.forward(3600)
    second = renewed(server, first)
    assert second is not None
    told = claims(second)
    assert (told["code"], told["asked"], told["auth_time"], told["iat"]) == (1, asked, NOON, NOON + 3600)
    server.time.forward(3600)
    third = renewed(server, second)
    assert third is not None
    assert claims(third)["auth_time"] == NOON


def test_what_was_not_sent_is_not_in_the_claim(server: Lab) -> None:
    lease = server.authorize(server.load(item())).lease
    assert claims(lease)["asked"] == {"product": "reader", "deploymentType": "server"}


@pytest.mark.parametrize(
    "change",
    [
        {"productVersions": ["9"]}, {"editions": ["java"]}, {"deploymentTypes": ["browser"]}, {"modules": ["OCR"]},
        {"modules": ["QR", "OCR"]}, {"product": "writer"}, {"chargeWay": "page"},
    ],
)  # fmt: skip
def test_an_amended_item_shows_at_the_next_report(server: Lab, change: dict[str, Any]) -> None:
    code, sold = sell(server, item(productVersions=["8"]))
    lease = server.authorize(code, version="8.1", edition="c").lease
    assert renewed(server, lease) is not None
    amend(server, sold, change)
    answer = server.report(lease, {"QR": 2})
    assert (answer.results[0].status, answer.lease) == ("counted", None)


def test_an_item_amended_in_what_nobody_asked_for_goes_on(server: Lab) -> None:
    code, sold = sell(server, item())
    lease = server.authorize(code, modules=("QR",)).lease
    amend(server, sold, {"modules": ["QR", "OCR"], "editions": ["java"], "quota": 200})
    assert renewed(server, lease) is not None


def test_a_changed_password_ends_renewals_and_the_same_one_typed_again_does_not(server: Lab) -> None:
    code = server.load(item())

    def change(password: str | None) -> None:
        handshakes.edit(server.ctx, code, {"password": password}, "test", NOON)

    open_lease = server.authorize(code).lease
    change("one")
    assert renewed(server, open_lease) is None, "no password was sent"
    lease = server.authorize(code, session_password="one").lease
    assert renewed(server, lease) is not None
    change("one")
    assert renewed(server, lease) is not None
    change("two")
    assert renewed(server, lease) is None
    change("one")
    assert renewed(server, lease) is None, "that an old password stands again is not known without keeping it"
    change(None)
    assert renewed(server, lease) is not None
    assert renewed(server, open_lease) is not None


@pytest.mark.parametrize(
    ("binding", "sent"),
    [
        ({"domains": ["example.com"]}, {"domain": "example.com"}),
        ({"applicationIds": ["a"]}, {"application_id": "a"}),
        ({"processNames": ["p"]}, {"process_name": "p"}),
    ],
)
def test_a_changed_binding_ends_renewals(server: Lab, binding: dict[str, list[str]], sent: dict[str, Any]) -> None:
    code = server.load(item())
    bare, lease = server.authorize(code).lease, server.authorize(code, **sent).lease
    handshakes.edit(server.ctx, code, {"validation": binding}, "test", NOON)
    assert renewed(server, bare) is None
    assert renewed(server, lease) is not None
    other = {name: ["other"] for name in binding}
    handshakes.edit(server.ctx, code, {"validation": other}, "test", NOON)
    assert renewed(server, lease) is None


def test_the_domain_of_a_domain_item_is_asked_again(server: Lab) -> None:
    code, sold = sell(server, item(way="domain", quota=0, domains=["example.com", "example.org"]))
    lease = server.authorize(code, domain="shop.example.org").lease
    assert renewed(server, lease) is not None
    amend(server, sold, {"domains": ["example.com"]})
    assert renewed(server, lease) is None


def test_another_order_moves_devices_without_a_seat(server: Lab) -> None:
    code = server.load(item("a"), item("b", expiresAt=iso(NOON + 300 * DAY_SECONDS)))
    lease = server.authorize(code).lease
    assert claims(lease)["items"][0]["itemId"] == "b"
    handshakes.edit(server.ctx, code, {"items": [{"id": 1}, {"id": 2}], "manualOrder": True}, "test", NOON)
    assert renewed(server, lease) is None
    assert server.authorize(code).items[0].item_id == "a"


def test_the_order_does_not_move_a_device_that_has_a_seat(server: Lab) -> None:
    code = server.load(item("a", "device"), item("b", "device", expiresAt=iso(NOON + 300 * DAY_SECONDS)))
    lease = server.authorize(code).lease
    handshakes.edit(server.ctx, code, {"items": [{"id": 1}, {"id": 2}], "manualOrder": True}, "test", NOON)
    assert renewed(server, lease) is not None


@pytest.mark.parametrize("way", ["device", "scan", "concurrentDevice"])
def test_a_device_leaves_an_item_in_grace_after_its_end_for_a_fresh_one(server: Lab, way: str) -> None:
    code, device = server.load(item("old", way, expiresAt=iso(END))), str(uuid4())
    server.time.forward(10 * DAY_SECONDS + 60)
    lease = server.authorize(code, device).lease
    assert renewed(server, lease) is not None, "in grace, and nothing beside it"
    server.load(item("new", way), license_id="2", choice=Choice(to_code=code))
    assert renewed(server, lease) is None
    moved = server.authorize(code, device)
    assert [(i.item_id, i.grace) for i in moved.items] == [("new", False)]
    assert renewed(server, moved.lease) is not None


def test_a_seat_in_grace_of_the_quota_holds_its_device(server: Lab) -> None:
    code = server.load(item("a", "device", quota=1, graceQuota=100, expiresAt=iso(END)))
    device = str(uuid4())
    server.authorize(code)
    beyond = server.authorize(code, device)
    assert beyond.items[0].grace
    server.load(item("b", "device"), license_id="2", choice=Choice(to_code=code))
    assert renewed(server, beyond.lease) is not None
    assert server.authorize(code, device).items[0].item_id == "a"


def test_a_reports_own_counts_can_move_its_device_to_the_next_item(server: Lab) -> None:
    code = server.load(item("a", quota=10, graceQuota=50, expiresAt=iso(END)), item("b"))
    lease = server.authorize(code).lease
    assert renewed(server, lease, {"QR": 9}) is not None
    assert renewed(server, lease, {"QR": 10}) is None
    assert server.authorize(code).items[0].item_id == "b"


def test_a_lease_over_several_items_is_renewed_whole_or_not_at_all(server: Lab) -> None:
    code = server.load(item("a", quota=10, graceQuota=0), item("b", modules=["OCR"], quota=10, graceQuota=0))
    lease = server.authorize(code, modules=("QR", "OCR")).lease
    assert renewed(server, lease, {"QR": 1, "OCR": 9}) is not None
    assert renewed(server, lease, {"OCR": 10}) is None
    with pytest.raises(Refusal) as caught:
        server.authorize(code, modules=("QR", "OCR"))
    assert caught.value.code == 120


def test_a_cap_counts_what_a_device_asks_beyond_what_it_holds(server: Lab) -> None:
    server.load(item(way="concurrentInstance", quota=10))
    capped = handshakes.add(server.ctx, "216998", {"custom": "c", "items": [{"id": 1, "cap": 6}]}, "test", NOON).name
    device = str(uuid4())
    server.authorize(capped, instances=2)
    lease = server.authorize(capped, device, instances=3).lease
    with pytest.raises(Refusal) as caught:
        server.authorize(capped, device, instances=5)
    assert caught.value.code == 120
    assert server.authorize(capped, device, instances=4).items[0].instances == 4
    handshakes.edit(server.ctx, capped, {"items": [{"id": 1, "cap": 1}]}, "test", NOON)
    assert renewed(server, lease) is not None, "no more is asked than is held"


def test_a_lease_of_a_version_before_is_judged_as_that_version_did(server: Lab) -> None:
    code = server.load(item("a"), item("b", expiresAt=iso(NOON + 300 * DAY_SECONDS)))
    old = without(server, server.authorize(code).lease, "asked", "code", "auth_time")
    handshakes.edit(
        server.ctx, code, {"items": [{"id": 1}, {"id": 2}], "manualOrder": True, "password": "x"}, "test", NOON
    )
    again = renewed(server, old)
    assert again is not None
    assert "asked" not in claims(again)
    assert Lease.from_claims(claims(again)).items[0].item_id == "b"
    assert renewed(server, old, {"QR": 105}) is None


def test_what_was_asked_holds_after_a_restart(tmp_path: Path) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        code = server.load(item(productVersions=["8"]))
        handshakes.edit(server.ctx, code, {"password": "one"}, "test", NOON)
        lease = server.authorize(code, version="8", session_password="one").lease
    with lab(tmp_path, time, vendor) as server:
        assert renewed(server, lease) is not None
        handshakes.edit(server.ctx, code, {"password": "two"}, "test", NOON)
        assert renewed(server, lease) is None


def test_a_lease_of_the_default_code_is_renewed_while_that_is_the_default(server: Lab) -> None:
    code = server.load(item(quota=1000))
    other = handshakes.add(server.ctx, "216998", {"custom": "other", "items": []}, "test", NOON).name
    by_organization = server.authorize("", organization_id="216998").lease
    by_code = server.authorize(code).lease
    for lease in (by_organization, by_code):
        assert renewed(server, lease) is not None
    handshakes.edit(server.ctx, other, {"isDefault": True}, "test", NOON)
    assert renewed(server, by_organization) is None
    assert renewed(server, by_code) is not None
    handshakes.edit(server.ctx, code, {"isDefault": True}, "test", NOON)
    assert renewed(server, by_organization) is not None


def test_a_lease_over_counts_and_seats_is_renewed_from_its_first_report_on(server: Lab) -> None:
    code = server.load(
        item("scans", modules=["QR"]),
        item("desks", way="concurrentDevice", quota=3, overdraft=10, modules=["OCR"], maxOfflineDays=None),
    )
    lease: str | None = server.authorize(code, modules=("QR", "OCR")).lease
    for _ in range(5):
        assert lease is not None
        assert [one["modules"] for one in claims(lease)["items"]] == [["OCR"], ["QR"]], "the seat comes first"
        server.time.forward(180)
        lease = renewed(server, lease, {"Label": 1})
    assert lease is not None


def test_a_report_whose_own_counts_bring_the_lease_s_order_back_renews_it(server: Lab) -> None:
    grace: dict[str, Any] = {"quota": 10, "graceQuota": 50}
    server.load(
        item("A", modules=["a"], expiresAt=iso(NOON + 100 * DAY_SECONDS), **grace), item("B", modules=["b"], **grace)
    )
    device = str(uuid4())
    asked: dict[str, Any] = {"device": device, "modules": ("a", "b")}
    lease = server.authorize(**asked)
    assert [one.item_id for one in lease.items] == ["A", "B"]
    server.report(server.authorize(modules=("a",)).lease, {"a": 10})
    assert renewed(server, lease.lease, {"b": 9}) is None, "A is in grace, so B comes first"
    assert renewed(server, lease.lease, {"b": 10}) is not None, "both are in grace now"
    assert [one.item_id for one in server.authorize(**asked).items] == ["A", "B"]
    assert (server.used(1), server.used(2)) == (10, 10)
