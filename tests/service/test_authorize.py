"""Authorizing: which item is used, which refusal comes, what a lease says.

See docs/design/authorizing.md, Checks of an item.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lts.errors import Refusal
from lts.protocol import DAY_SECONDS, iso, verify_lease
from lts.rules.metering.checks import Request
from lts.service.licensing import handshakes
from lts.service.licensing.licenses import Choice
from lts.service.metering import authorize
from tests.support.kit import NOON, FakeTime, Lab, Vendor, item, lab

DEVICE = "6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b11"


def refused(server: Lab, *arguments: Any, **more: Any) -> int:
    with pytest.raises(Refusal) as caught:
        server.authorize(*arguments, **more)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_a_lease_verifies_with_the_vendors_key_alone(server: Lab) -> None:
    code = server.load(item())
    done = server.authorize(code, DEVICE)
    lease = verify_lease(done.lease, list(done.certificates), server.vendor.key.public)
    assert (lease.device, lease.handshake_code) == (DEVICE, code)
    assert lease.expires_at == NOON + 7 * DAY_SECONDS
    assert [i.item_id for i in lease.items] == ["one"]


def test_each_refusal_has_its_own_code(server: Lab) -> None:
    code = server.load(
        item(productVersions=["8"], editions=["javascript"], deploymentTypes=["server"], domains=[]),
    )
    assert refused(server, "nothing") == 101
    assert refused(server, code, organization_id="other") == 122
    assert refused(server, code, product="writer") == 106
    assert refused(server, code, version="9.1") == 107
    assert refused(server, code, deployment_type="browser") == 108
    assert refused(server, code, edition="java") == 109
    assert refused(server, code, charge_way="device") == 115
    assert refused(server, code, modules=("OCR",)) == 124
    server.authorize(code, version="8.2.5", edition="javascript", charge_way="scan", modules=("QR",))


def test_an_organization_alone_means_its_default_code(server: Lab) -> None:
    server.load(item())

    request = Request(bytes([1] * 16), "reader", "server", organization_id="216998")
    assert authorize.authorize(server.ctx, request, NOON).items[0].item_id == "one"
    with pytest.raises(Refusal) as caught:
        authorize.authorize(server.ctx, Request(bytes([1] * 16), "reader", "server", organization_id="x"), NOON)
    assert caught.value.code == 121
    with pytest.raises(Refusal) as caught:
        authorize.authorize(server.ctx, Request(bytes([1] * 16), "reader", "server"), NOON)
    assert caught.value.code == 123


def test_session_password_and_validation_fields_bind_a_code(server: Lab) -> None:
    code = server.load(item())
    handshakes.edit(
        server.ctx, code, {"password": "geheim é", "validation": {"domains": ["example.com"]}}, "test", NOON
    )
    assert refused(server, code) == 102
    assert refused(server, code, session_password="geheim e") == 102
    assert refused(server, code, session_password="geheim é") == 114
    assert refused(server, code, session_password="geheim é", domain="example.org") == 103
    assert refused(server, code, session_password="geheim é", domain="badexample.com") == 103
    server.authorize(code, session_password="geheim é", domain="shop.example.com")


def test_a_code_without_items_says_so(server: Lab) -> None:
    server.load(item(), choice=Choice(items_only=True))
    handshakes.add(server.ctx, "216998", {"custom": "empty"}, "test", NOON)
    assert refused(server, "216998-empty") == 104


def test_an_item_works_from_its_start_to_the_end_of_its_grace_without_restart(server: Lab) -> None:
    start, end = NOON + DAY_SECONDS, NOON + 10 * DAY_SECONDS
    code = server.load(item(startsAt=iso(start), expiresAt=iso(end)))
    assert refused(server, code) == 112
    server.time.forward(DAY_SECONDS)
    assert not server.authorize(code).items[0].grace
    server.time.forward(9 * DAY_SECONDS)
    done = server.authorize(code)
    assert done.items[0].grace
    assert done.expires_at == end + 7 * DAY_SECONDS
    server.time.forward(7 * DAY_SECONDS)
    assert refused(server, code) == 111


@pytest.mark.parametrize(
    "end", ["2038-01-19T03:14:08Z", "2099-12-31T00:00:00Z", "9999-12-31T23:59:59Z", None, "permanent"]
)
def test_far_and_endless_items_authorize(server: Lab, end: str | None) -> None:
    code = server.load(item(expiresAt=end))
    assert server.authorize(code).expires_at == NOON + 7 * DAY_SECONDS


def test_the_item_that_ends_first_is_used_first_until_an_order_is_set(server: Lab) -> None:
    code = server.load(
        item("long", expiresAt=iso(NOON + 300 * DAY_SECONDS)), item("short", expiresAt=iso(NOON + 10 * DAY_SECONDS))
    )
    assert server.authorize(code).items[0].item_id == "short"
    handshakes.edit(server.ctx, code, {"items": [{"id": 1}, {"id": 2}], "manualOrder": True}, "test", NOON)
    assert server.authorize(code).items[0].item_id == "long"


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ({"productVersions": ["*"]}, {"productVersions": ["8", "9", "10"]}),
        ({"productVersions": ["8", "9"]}, {"productVersions": ["8"]}),
        ({"productVersions": ["*"], "editions": ["pro"]}, {"productVersions": ["8"]}),
        ({}, {"editions": ["pro", "lite"]}),
        ({"editions": ["pro", "lite"]}, {"editions": ["pro"]}),
        ({}, {"deploymentTypes": ["server", "desktop"]}),
        ({"modules": ["QR", "OCR"]}, {"modules": ["QR"]}),
        ({"quota": 9, "modules": ["QR", "OCR"]}, {"quota": 1}),
        ({"quota": 9}, {"quota": 10}),
        ({"maxOfflineDays": 3}, {"maxOfflineDays": 4, "quota": 1}),
    ],
)
def test_of_items_that_end_together_the_more_specific_is_used_first(
    server: Lab, wide: dict[str, Any], narrow: dict[str, Any]
) -> None:
    server.load(item("wide", **wide), item("narrow", **narrow))
    assert server.authorize(version="8", edition="pro").items[0].item_id == "narrow"


def test_an_item_without_modules_is_granted_to_who_asks_for_none(server: Lab) -> None:
    server.load(item("bare", modules=[]), item("other", product="other"))
    assert [(granted.item_id, granted.modules) for granted in server.authorize().items] == [("bare", ())]
    with pytest.raises(Refusal) as caught:
        server.authorize(modules=("QR",))
    assert caught.value.code == 124


def test_items_in_quota_grace_come_after_the_others(server: Lab) -> None:
    code = server.load(item("a", quota=10, expiresAt=iso(NOON + 5 * DAY_SECONDS)), item("b"))
    first = server.authorize(code)
    assert first.items[0].item_id == "a"
    server.report(first.lease, {"QR": 10})
    assert server.authorize(code).items[0].item_id == "b"


def test_modules_are_gathered_from_several_items(server: Lab) -> None:
    code = server.load(item("a", modules=["QR"]), item("b", modules=["OCR"]), item("c", modules=["PDF"]))
    done = server.authorize(code, modules=("QR", "OCR"))
    assert [(i.item_id, i.modules) for i in done.items] == [("a", ("QR",)), ("b", ("OCR",))]
    assert refused(server, code, modules=("QR", "DOC")) == 124


def test_a_shared_item_is_drawn_down_once_across_codes_and_a_cap_holds_for_its_code(server: Lab) -> None:
    first = server.load(item(quota=10, graceQuota=0))
    second = handshakes.add(server.ctx, "216998", {"custom": "two", "items": [{"id": 1, "cap": 4}]}, "test", NOON).name
    server.report(server.authorize(second).lease, {"QR": 4})
    assert refused(server, second) == 120
    lease = server.authorize(first).lease
    server.report(lease, {"QR": 6})
    assert server.used() == 10
    assert refused(server, first) == 120


def test_an_invalid_domain_is_malformed_where_it_would_be_compared(server: Lab) -> None:
    """It ends like the domain that is allowed, and is the name of another host."""
    evil = "evil.test/.demo.example.com"
    code = server.load(item())
    server.authorize(code, domain=evil)  # bound to nothing: it is not compared
    bound = {"validation": {"domains": ["demo.example.com"], "applicationIds": ["app"]}}
    handshakes.edit(server.ctx, code, bound, "test", NOON)
    with pytest.raises(Refusal) as caught:
        server.authorize(code, domain=evil)
    assert (caught.value.code, caught.value.field) == (140, "validation.domain")
    assert refused(server, code, domain="demo.example.org") == 103
    server.authorize(code, domain=evil, application_id="app")  # one of those sent matches
    server.authorize(code, domain="shop.demo.example.com:8080")


def test_a_domain_item_matches_its_domain_and_subdomains_only(server: Lab) -> None:
    code = server.load(item(way="domain", quota=0))
    assert refused(server, code) == 114
    assert refused(server, code, domain="example.net") == 103
    assert refused(server, code, domain="notexample.com") == 103
    assert refused(server, code, domain="evil.test/.example.com") == 103
    assert server.authorize(code, domain="a.b.EXAMPLE.com").items[0].charge_way == "domain"


def test_a_refusal_changes_nothing_and_names_what_each_item_said(server: Lab) -> None:
    code = server.load(item("a", productVersions=["7"]), item("b", deploymentTypes=["browser"]))
    before = server.ctx.store.serial
    assert refused(server, code, version="8") == 108
    assert server.ctx.store.serial == before
    assert server.rows("SELECT count(*) FROM devices") == [(0,)]
    why = server.ctx.refusals.latest()[0]
    assert why.code == 108
    assert dict(why.tried) == {"a": 107, "b": 108}


def test_concurrent_instances_are_limited_by_what_is_asked(server: Lab) -> None:
    code = server.load(item(way="concurrentInstance", quota=4))
    assert refused(server, code, instances=5) == 120
    assert server.authorize(code, instances=4).items[0].instances == 4


def test_an_order_set_by_hand_survives_a_restart_and_shares_one_quota(tmp_path: Path) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        code = server.load(
            item("a", expiresAt=iso(NOON + 10 * DAY_SECONDS)), item("b", expiresAt=iso(NOON + 300 * DAY_SECONDS))
        )
        server.report(server.authorize(code).lease, {"QR": 5})
        handshakes.edit(server.ctx, code, {"items": [{"id": 2}, {"id": 1}], "manualOrder": True}, "test", NOON)
    with lab(tmp_path, time, vendor) as server:
        lease = server.authorize(code).lease
        server.report(lease, {"QR": 5})
        assert (server.used(1), server.used(2)) == (5, 5)
