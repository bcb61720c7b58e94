"""What an import and an archive say of licenses, step by step: states, faults, where new items go, what seats end."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from lts.errors import AdminError, LicenseFileError
from lts.protocol import DAY_SECONDS, iso
from lts.rules.licensing import licensefile, vendorkey
from lts.service.licensing import archiving, handshakes, itemlist, licenses
from lts.service.licensing.archiving import LicenseUse
from lts.service.licensing.licenses import Choice
from lts.vendor import issuing
from tests.support.kit import NOON, Lab, Vendor, item

END = iso(NOON + 10 * DAY_SECONDS)


def bring(server: Lab, data: bytes, choice: Choice | None = None, **more: Any) -> licenses.Preview:
    return licenses.import_license(server.ctx, data, choice or Choice(), "test", NOON, **more)


@pytest.mark.parametrize(
    ("confirmed", "code", "status"),
    [(None, "unknown-vendor", 409), ("wrong", "wrong-fingerprint", 400), ("fingerprint", None, 0), ("kid", None, 0)],
)
def test_a_strangers_file_wants_its_fingerprint_or_key_id(
    server: Lab, confirmed: str | None, code: str | None, status: int
) -> None:
    stranger = Vendor("Stranger")
    data = stranger.file(server.ctx, item(), organization="7")
    given = {"fingerprint": vendorkey.fingerprint(stranger.key.kid), "kid": stranger.key.kid}.get(
        confirmed or "", confirmed
    )
    shown = licenses.preview(server.ctx, data, Choice(), NOON)
    assert (shown.trusted, shown.fingerprint) == (False, vendorkey.fingerprint(stranger.key.kid))
    if code is None:
        assert bring(server, data, confirmed=given).status == "new"
        assert server.ctx.trust.get(stranger.key.kid) is not None
        return
    with pytest.raises(AdminError) as caught:
        bring(server, data, confirmed=given)
    assert (caught.value.code, caught.value.status) == (code, status)


@pytest.mark.parametrize(
    ("changes", "at", "state", "left"),
    [
        ({}, 0, "active", 365),
        ({"expiresAt": END}, 0, "active", 10),
        ({"expiresAt": END}, 10 * DAY_SECONDS - 1, "active", 0),
        ({"expiresAt": END}, 10 * DAY_SECONDS, "grace", 0),
        ({"expiresAt": END}, 17 * DAY_SECONDS - 1, "grace", -7),
        ({"expiresAt": END}, 17 * DAY_SECONDS, "expired", -7),
        ({"startsAt": END}, 0, "pending", 365),
        ({"startsAt": END}, 10 * DAY_SECONDS, "active", 355),
        ({"expiresAt": None}, 0, "active", None),
    ],
)
def test_an_item_has_its_state_to_the_second(
    server: Lab, changes: dict[str, Any], at: int, state: str, left: int | None
) -> None:
    server.load(item("one", **changes))
    [told] = itemlist.describe(server.ctx, NOON + at)
    assert (told.state, told.days_left, told.used) == (state, left, 0)
    assert itemlist.describe(server.ctx, NOON + at, [1]) == [told]
    assert itemlist.describe(server.ctx, NOON, [2]) == []


def test_new_items_go_to_a_new_code_with_the_lowest_free_number(server: Lab) -> None:
    server.load(item("zero"), license_id="7")
    for custom in ("100", "100-2", "100-4"):
        handshakes.add(server.ctx, None, {"custom": custom}, "test", NOON)
    done = bring(server, server.vendor.file(server.ctx, item("one")))
    assert (done.handshake_code, done.code_exists) == ("216998-100-3", False)
    assert [(notice.code, notice.params["code"]) for notice in done.notices] == [("code-name-taken", "216998-100-3")]
    long = "x" * 100
    handshakes.add(server.ctx, None, {"custom": long}, "test", NOON)
    done = bring(server, server.vendor.file(server.ctx, item("two"), license_id=long))
    assert done.handshake_code == f"216998-{'x' * 92}-2"


@pytest.mark.parametrize("license_id", ["x" * 101, "y" * 99 + " " + "z" * 380, "x" * 480])
def test_a_long_license_id_gives_the_code_its_first_hundred_characters(server: Lab, license_id: str) -> None:
    sold = server.vendor.activate(server.vendor.issue(item("one"), license_id=license_id), server.ctx)
    custom = license_id[:100].strip()
    done = bring(server, licensefile.render(sold).encode())
    assert done.handshake_code == f"216998-{custom}"
    server.authorize(done.handshake_code)
    twin = server.vendor.activate(server.vendor.issue(item("twin"), license_id=license_id + "!"), server.ctx)
    assert bring(server, licensefile.render(twin).encode()).handshake_code == f"216998-{custom[:92]}-2"
    handshakes.edit(server.ctx, f"216998-{custom[:92]}-2", {"isDefault": True}, "test", NOON)
    handshakes.remove(server.ctx, done.handshake_code, "test", NOON)
    more = issuing.amend(sold, {"items": [item("two")]}, server.vendor.key, "Vendor")
    assert bring(server, licensefile.render(more).encode()).handshake_code == f"216998-{custom}"


def test_a_code_that_is_named_must_be_new_or_chosen(server: Lab) -> None:
    code = server.load(item("one"))
    data = server.vendor.file(server.ctx, item("two"), license_id="200")
    with pytest.raises(AdminError) as caught:
        bring(server, data, Choice(new_code="100"))
    assert caught.value.code == "code-exists"
    with pytest.raises(AdminError) as caught:
        bring(server, data, Choice(to_code="nothing"))
    assert caught.value.code == "no-such-code"
    done = bring(server, data, Choice(to_code=code, make_default=True))
    assert (done.handshake_code, done.code_exists, done.notices) == (code, True, ())
    again = bring(server, data, Choice(new_code="100"))  # nothing is new: no code is needed
    assert (again.status, again.difference.unchanged) == ("already-imported", ("two",))
    other = bring(server, server.vendor.file(server.ctx, item("three"), license_id="300"), Choice(make_default=True))
    assert server.ctx.store.catalog.defaults["216998"].name == other.handshake_code
    with pytest.raises(AdminError) as caught:
        bring(
            server,
            server.vendor.file(server.ctx, item("four"), organization="8", license_id="400"),
            Choice(to_code=code),
        )
    assert caught.value.code == "other-organization"
    assert bring(server, data, Choice(items_only=True)).handshake_code is None


def test_a_file_that_is_no_license_is_named(server: Lab) -> None:
    with pytest.raises(LicenseFileError, match=r"The file is a vendor's public key; give a license file") as caught:
        bring(server, server.vendor.pub)
    assert caught.value.code == "wrong-file"
    with pytest.raises(LicenseFileError) as caught:
        bring(server, b"hello")
    assert caught.value.code == "no-license"
    new = licensefile.render(server.vendor.issue(item())).encode()
    with pytest.raises(LicenseFileError) as caught:
        bring(server, new)
    assert caught.value.code == "not-activated"


@pytest.mark.parametrize(
    ("way", "changes", "stops", "over"),
    [
        ("device", {"revoke": ["one"]}, [("one", "revoked", 3)], {}),
        ("device", {"items": [{"itemId": "one", "quota": 2}]}, [], {"one": 1}),
        ("device", {"items": [{"itemId": "one", "quota": 3}]}, [], {}),
        ("device", {"items": [{"itemId": "one", "quota": 1, "graceQuota": 100}]}, [], {"one": 1}),
        ("concurrentDevice", {"revoke": ["one"]}, [("one", "revoked", 3)], {}),
        ("concurrentDevice", {"items": [{"itemId": "one", "quota": 1}]}, [], {}),
        ("scan", {"revoke": ["one"]}, [], {}),
    ],
)
def test_what_a_renewal_ends_and_what_is_beyond_it_is_shown(
    server: Lab, way: str, changes: dict[str, Any], stops: list[Any], over: dict[str, int]
) -> None:
    sold = server.vendor.activate(server.vendor.issue(item("one", way, 5, graceQuota=0)), server.ctx)
    bring(server, licensefile.render(sold).encode())
    for _ in range(3):
        server.authorize()
    amended = {"items": changes["items"]} if "items" in changes else {"remove": changes["revoke"]}
    if "remove" in amended:
        amended["items"] = [item("two", way, 5)]
    data = licensefile.render(issuing.amend(sold, amended, server.vendor.key, "Vendor")).encode()
    found = licenses.preview(server.ctx, data, Choice(), server.time.now).effects
    assert [(stop.item_id, stop.why, stop.seats) for stop in found.stops] == stops
    assert found.over_quota == over


def test_a_license_is_archived_once_and_says_what_that_ends(server: Lab) -> None:
    server.load(item("one", "device", 5), item("two", "scan", 5, product="scans"))
    server.authorize()
    told = LicenseUse("100", "216998", 2, 1, ["216998-100"], archived=False)
    assert archiving.license_use(server.ctx, "100", None, NOON) == told
    assert archiving.archive(server.ctx, "100", "216998", "test", NOON) == replace(told, archived=True)
    for organization, code, status in (("216998", "archived-before", 409), ("9", "no-such-license", 404)):
        with pytest.raises(AdminError) as caught:
            archiving.archive(server.ctx, "100", organization, "test", NOON)
        assert (caught.value.code, caught.value.status) == (code, status)
    assert archiving.license_use(server.ctx, "100", None, NOON).archived is True


@pytest.mark.parametrize("way", ["device", "concurrentDevice"])
def test_seats_count_whatever_code_they_came_by(server: Lab, way: str) -> None:
    sold = server.vendor.activate(server.vendor.issue(item("one", way, 5, graceQuota=0, overdraft=0)), server.ctx)
    bring(server, licensefile.render(sold).encode())
    handshakes.add(server.ctx, None, {"custom": "two", "items": [{"id": 1}]}, "test", NOON)
    for code in ("216998-100", "216998-two", "216998-two"):
        server.authorize(code)
    [told] = itemlist.describe(server.ctx, NOON)
    assert told.used == archiving.license_use(server.ctx, "100", None, NOON).seats == 3
    assert (told.handshake_codes, told.codes) == (("216998-100", "216998-two"), (1, 2))
    for amended, stops, over in (
        ({"items": [{"itemId": "one", "quota": 1}]}, [], {"one": 2} if way == "device" else {}),
        ({"items": [{"itemId": "one", "startsAt": END}]}, [("one", "pending", 3)], {}),
    ):
        data = licensefile.render(issuing.amend(sold, amended, server.vendor.key, "Vendor")).encode()
        found = licenses.preview(server.ctx, data, Choice(), NOON).effects
        assert ([(stop.item_id, stop.why, stop.seats) for stop in found.stops], found.over_quota) == (stops, over)


def test_a_license_key_is_shown_only_where_it_is_asked_for(server: Lab) -> None:
    code = server.load(item("one"))
    [told] = handshakes.describe(server.ctx)
    assert told.license_key is None
    [told] = handshakes.describe(server.ctx, keys=True)
    assert told.license_key == handshakes.license_key(server.ctx, code)
