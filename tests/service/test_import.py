"""Importing: all or nothing, revisions, trust, binding (docs/design/license-files.md, Import)."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest

from lts.crypto import b64url, canonical_json, jws_header, sign_jws, unb64url
from lts.errors import AdminError, LicenseFileError, Refusal
from lts.protocol import DAY_SECONDS, iso
from lts.rules.licensing import armor, licensefile, vendorkey
from lts.rules.licensing.licensefile import License
from lts.service.licensing import itemlist, licenses
from lts.service.licensing.licenses import Choice, Preview
from lts.service.maintenance import verify
from lts.vendor import issuing
from tests.support.kit import NOON, FakeTime, Lab, Vendor, item, lab


def load(server: Lab, license_file: License, **more: Any) -> Preview:
    data = licensefile.render(license_file).encode()
    return licenses.import_license(server.ctx, data, Choice(), "test", server.time.now, **more)


def first(server: Lab, *items: dict[str, object]) -> License:
    return server.vendor.activate(server.vendor.issue(*(items or (item(),))), server.ctx)


def test_the_first_import_makes_the_organizations_default_code(server: Lab) -> None:
    done = load(server, first(server, item("a"), item("b")))
    assert (done.status, done.difference.added, done.handshake_code) == ("new", ("a", "b"), "216998-100")
    code = server.ctx.store.catalog.codes["216998-100"]
    assert code.is_default
    assert {e.item.terms.item_id for e in code.items} == {"a", "b"}


def test_the_same_file_again_changes_nothing(server: Lab) -> None:
    license_file = first(server)
    load(server, license_file)
    serial = server.ctx.store.serial
    assert load(server, license_file).status == "already-imported"
    assert server.ctx.store.serial == serial


def test_a_renewal_takes_effect_at_once_and_an_older_file_never_does(server: Lab) -> None:
    old = first(server, item(expiresAt=iso(NOON + DAY_SECONDS), graceDays=0))
    load(server, old)
    server.time.forward(2 * DAY_SECONDS)
    with pytest.raises(Refusal):
        server.authorize()
    change = {"items": [{"itemId": "one", "expiresAt": iso(NOON + 400 * DAY_SECONDS)}]}
    renewed = issuing.amend(old, change, server.vendor.key, "Vendor")
    done = load(server, renewed)
    assert (done.difference.renewed, done.difference.added) == (("one",), ())
    server.authorize()
    with pytest.raises(LicenseFileError) as caught:
        load(server, old)
    assert caught.value.code == "older-revision"
    server.authorize()


def test_an_equal_revision_with_another_content_is_refused_naming_both_digests(server: Lab) -> None:
    issued = server.vendor.issue(item())
    one = server.vendor.activate(issued, server.ctx)
    two = server.vendor.activate(server.vendor.issue(item(quota=999)), server.ctx)
    load(server, one)
    with pytest.raises(LicenseFileError) as caught:
        load(server, two)
    assert one.digest[:16] in caught.value.detail
    assert two.digest[:16] in caught.value.detail


def test_a_revoked_item_stays_visible_and_authorizes_nobody(server: Lab) -> None:
    old = first(server, item("a"), item("b", product="writer"))
    load(server, old)
    done = load(server, issuing.revoke(old, ["a"], server.vendor.key, "Vendor"))
    assert done.difference.revoked == ("a",)
    with pytest.raises(Refusal) as caught:
        server.authorize()
    assert caught.value.code == 113
    server.authorize(product="writer")
    states = {i.item_id: i.state for i in itemlist.describe(server.ctx, NOON)}
    assert states == {"a": "revoked", "b": "active"}


def test_an_item_missing_in_the_next_revision_counts_as_revoked(server: Lab) -> None:
    old = first(server, item("a"), item("b", product="writer"))
    load(server, old)
    load(server, issuing.amend(old, {"remove": ["a"]}, server.vendor.key, "Vendor"))
    with pytest.raises(Refusal) as caught:
        server.authorize()
    assert caught.value.code == 113


def by_another_tool(server: Lab, old: License, **changes: Any) -> License:
    """The next revision as a tool would sign it that brings revoked items back."""
    payload = {**issuing.payload_of(old), "revision": old.revision + 1, **changes}
    key = server.vendor.key
    header = jws_header(key.public, licensefile.JWS_TYPE, jwk=key.public.jwk)
    return licensefile.parse(sign_jws(header, canonical_json(payload), key))


@pytest.mark.parametrize("gone", ["missing", "revoked", "missing before"])
def test_a_file_that_brings_a_revoked_item_back_is_refused_and_names_it(server: Lab, gone: str) -> None:
    sold = first(server, item("a", "device"), item("b", "device", product="writer"))
    load(server, sold)
    server.authorize(product="writer")
    both = issuing.payload_of(sold)["items"]
    less = by_another_tool(server, sold, **({"revokes": ["b"]} if gone == "revoked" else {"items": both[:1]}))
    assert load(server, less).difference.revoked == ("b",)
    if gone == "missing before":
        less = by_another_tool(server, less)
        load(server, less)
    serial = server.ctx.store.serial
    back = by_another_tool(server, less, items=[*both, item("c")], revokes=[])
    data = licensefile.render(back).encode()
    for choice in (Choice(), Choice(new_code="fresh")):
        for call in (
            partial(licenses.preview, server.ctx, data, choice, NOON),
            partial(licenses.import_license, server.ctx, data, choice, "test", NOON),
        ):
            with pytest.raises(LicenseFileError, match=r"revoked on this server \(b\), .* another itemId") as caught:
                call()
            assert caught.value.code == "revoked-item"
    assert server.ctx.store.serial == serial
    anew = by_another_tool(server, less, items=[both[0], item("b2", product="writer")])
    assert load(server, anew).difference.added == ("b2",)
    server.authorize(product="writer")


def test_a_renewal_without_new_items_names_no_code_that_it_does_not_make(server: Lab) -> None:
    sold = first(server, item("a"), item("b"))
    code = load(server, sold).handshake_code
    data = licensefile.render(issuing.amend(sold, {"remove": ["b"]}, server.vendor.key, "Vendor")).encode()
    assert licenses.preview(server.ctx, data, Choice(), NOON).handshake_code == code
    assert licenses.preview(server.ctx, data, Choice(new_code="fresh"), NOON).handshake_code is None
    done = licenses.import_license(server.ctx, data, Choice(new_code="fresh"), "test", NOON)
    assert (done.handshake_code, list(server.ctx.store.catalog.codes)) == (None, [code])


def test_new_items_of_a_renewal_join_the_code_of_the_first_import(server: Lab) -> None:
    old = first(server)
    load(server, old)
    new = issuing.amend(old, {"items": [item("two", product="writer")]}, server.vendor.key, "Vendor")
    assert load(server, new).difference.added == ("two",)
    server.authorize(product="writer")


def test_a_file_for_another_server_names_both_uuids(server: Lab) -> None:
    other = "6F1C2B7E-8C1D-4A0E-9A57-0C6A2F7A1B11"
    bound = issuing.activate(server.vendor.issue(item()), [other], server.vendor.key, "Vendor", NOON)
    with pytest.raises(LicenseFileError) as caught:
        load(server, bound)
    assert other in caught.value.detail
    assert server.ctx.identity.uuid in caught.value.detail
    assert not server.ctx.store.catalog.items


def test_a_bare_uuid_in_lower_case_and_braces_is_this_server(server: Lab) -> None:
    mine = "{" + server.ctx.identity.uuid.lower() + "}"
    load(server, issuing.activate(server.vendor.issue(item()), [mine], server.vendor.key, "Vendor", NOON))
    assert len(server.authorize().certificates) == 1


def test_a_new_file_is_refused_until_it_is_activated(server: Lab) -> None:
    with pytest.raises(LicenseFileError) as caught:
        load(server, server.vendor.issue(item()))
    assert caught.value.code == "not-activated"


def test_an_unknown_vendor_is_importable_once_its_fingerprint_is_confirmed(server: Lab) -> None:
    stranger = Vendor("Stranger")
    license_file = stranger.activate(stranger.issue(item(), organization="7"), server.ctx)
    shown = vendorkey.fingerprint(stranger.key.kid)
    with pytest.raises(AdminError) as caught:
        load(server, license_file)
    assert shown in caught.value.detail
    with pytest.raises(AdminError):
        load(server, license_file, confirmed="wrong")
    assert server.ctx.trust.get(stranger.key.kid) is None
    load(server, license_file, confirmed=shown.lower())
    server.authorize("7-100")


def test_a_bad_file_of_an_unknown_vendor_leaves_no_trust_behind(server: Lab) -> None:
    stranger = Vendor("Stranger")
    bound = issuing.activate(
        stranger.issue(item()), ["6F1C2B7E-8C1D-4A0E-9A57-0C6A2F7A1B11"], stranger.key, "Stranger", NOON
    )
    with pytest.raises(LicenseFileError):
        load(server, bound, confirmed=vendorkey.fingerprint(stranger.key.kid))
    assert server.ctx.trust.get(stranger.key.kid) is None


def test_an_organization_belongs_to_the_vendor_of_its_first_license(server: Lab) -> None:
    load(server, first(server))
    stranger = Vendor("Stranger")
    other = stranger.activate(stranger.issue(item(), license_id="5"), server.ctx)
    with pytest.raises(LicenseFileError) as caught:
        load(server, other, confirmed=vendorkey.fingerprint(stranger.key.kid))
    assert caught.value.code == "other-vendor-key"
    server.ctx.trust.add(stranger.pub)
    with pytest.raises(LicenseFileError) as caught:
        load(server, other)
    assert caught.value.code == "other-vendor"


def test_a_file_by_a_vendors_new_key_says_what_makes_it_known(server: Lab) -> None:
    sold = first(server)
    load(server, sold)
    successor = Vendor()
    pub = vendorkey.build("Vendor", successor.key, NOON, server.vendor.key).encode()
    renewed = issuing.amend(sold, {"items": [{"itemId": "one", "quota": 7}]}, successor.key, "Vendor",
                            vendorkey.read(pub))  # fmt: skip
    shown = vendorkey.fingerprint(successor.key.kid)
    for confirmed in (None, shown):
        with pytest.raises(LicenseFileError) as caught:
            load(server, renewed, confirmed=confirmed)
        assert (caught.value.code, shown in caught.value.detail) == ("other-vendor-key", True)
        assert "signed by the old key, add it by `lts trust" in caught.value.detail
        assert server.ctx.trust.get(successor.key.kid) is None
    licenses.trust(server.ctx, pub, "test", NOON)
    assert load(server, renewed).difference.renewed == ("one",)


def test_a_vendors_new_key_signed_by_the_old_one_is_the_same_vendor(server: Lab) -> None:
    load(server, first(server))
    successor = Vendor()
    pub = vendorkey.build("Vendor", successor.key, NOON, server.vendor.key)
    server.ctx.trust.add(pub.encode())
    done = load(server, successor.activate(successor.issue(item("x"), license_id="5"), server.ctx))
    assert done.status == "new"


def test_one_bad_item_of_five_stores_nothing_and_is_named(server: Lab) -> None:
    good = [item(f"i{n}") for n in range(5)]
    payload = issuing.payload_of(first(server, *good))
    payload["items"][2]["quota"] = -1

    key = server.vendor.key
    text = sign_jws(jws_header(key.public, "lts-license+jws", jwk=key.public.jwk), canonical_json(payload), key)
    with pytest.raises(LicenseFileError) as caught:
        licenses.import_license(server.ctx, armor.wrap(text).encode(), Choice(), "test", NOON)
    assert "item 3 (i2)" in caught.value.detail
    assert not server.ctx.store.catalog.items
    assert load(server, first(server, *good)).status == "new"


def test_an_edited_row_is_never_honored(tmp_path: Path) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        server.load(item(quota=100))

    db = apsw.Connection(str(tmp_path / "data" / "lts.db"))
    [(jws,)] = db.execute("SELECT jws FROM license_files").fetchall()
    head, payload, signature = str(jws).split(".")

    changed = unb64url(payload).replace(b'"quota":100', b'"quota":999')
    db.execute("UPDATE license_files SET jws = ?", (f"{head}.{b64url(changed)}.{signature}",))
    db.close()
    with lab(tmp_path, time, vendor) as server:
        with pytest.raises(Refusal) as caught:
            server.authorize()
        assert caught.value.code == 113
        [shown] = [row for row in itemlist.describe(server.ctx, server.time.now) if row.item_id == "one"]
        assert (shown.state, shown.reason) == ("invalid", "The signature does not match.")
        faults = verify.verify(tmp_path / "data", server.ctx.trust)
    assert any("100" in fault and fault.startswith("licenses") for fault in faults)


MOVED = {
    "the older one in its place": "UPDATE license_files SET jws = (SELECT jws FROM license_files"
    " WHERE revision = 1 AND license = 1) WHERE revision = 2",
    "only the older one is left": "DELETE FROM license_files WHERE revision = 2",
    "the older one as the newest": "INSERT INTO license_files SELECT license, 3, time, jws FROM license_files"
    " WHERE revision = 1 AND license = 1",
    "another license": "UPDATE license_files SET jws = (SELECT jws FROM license_files WHERE license = 2)"
    " WHERE license = 1 AND revision = 2",
}


@pytest.mark.parametrize("statement", MOVED.values(), ids=MOVED)
def test_a_signed_file_in_the_place_of_another_is_not_honored(tmp_path: Path, statement: str) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        bound = first(server, item("one"), item("two"))
        load(server, bound)
        load(server, issuing.revoke(bound, ["one"], vendor.key, vendor.name))
        server.load(item("one", quota=10**6), license_id="200")
        assert [row.state for row in itemlist.describe(server.ctx, NOON)] == ["revoked", "active", "active"]
    with closing(apsw.Connection(str(tmp_path / "data" / "lts.db"))) as db:
        db.execute(statement)
        assert db.changes() == 1
    with lab(tmp_path, time, vendor) as server:
        rows = itemlist.describe(server.ctx, NOON)
        assert not [row for row in rows if row.license_id == "100" and row.state not in ("revoked", "invalid")]
        with pytest.raises(Refusal):
            server.authorize("216998-100")


def test_a_renewal_bought_as_a_new_license_joins_the_code_that_applications_use(server: Lab) -> None:
    load(server, first(server, item(expiresAt=iso(NOON + 10 * DAY_SECONDS))))
    code = "216998-100"
    renewal = server.vendor.activate(
        server.vendor.issue(item("next", expiresAt=iso(NOON + 400 * DAY_SECONDS)), license_id="200"), server.ctx
    )
    data = licensefile.render(renewal).encode()
    done = licenses.import_license(server.ctx, data, Choice(to_code=code), "test", NOON)
    assert done.handshake_code == code
    assert server.authorize(code).items[0].item_id == "one"
    server.time.forward(11 * DAY_SECONDS)
    assert server.authorize(code).items[0].item_id == "next", "an item in grace comes after the others"


def test_items_only_and_a_named_code_are_the_administrators_choice(server: Lab) -> None:
    data = licensefile.render(first(server)).encode()
    licenses.import_license(server.ctx, data, Choice(items_only=True), "test", NOON)
    assert not server.ctx.store.catalog.codes
    other = licensefile.render(server.vendor.activate(server.vendor.issue(item("b"), license_id="2"), server.ctx))
    done = licenses.import_license(server.ctx, other.encode(), Choice(new_code="team"), "test", NOON)
    assert done.handshake_code == "216998-team"
    assert server.ctx.store.catalog.defaults["216998"].name == "216998-team"


def test_a_preview_changes_nothing(server: Lab) -> None:
    before = server.ctx.store.serial
    shown = licenses.preview(server.ctx, licensefile.render(first(server)).encode(), Choice(), NOON)
    assert (shown.status, shown.difference.added, shown.trusted) == ("new", ("one",), True)
    assert server.ctx.store.serial == before
    assert not server.ctx.store.catalog.items


def test_thousands_of_items_import_and_authorize(server: Lab) -> None:
    items = [item(f"i{n}", product=f"p{n}") for n in range(3000)]
    with pytest.raises(LicenseFileError) as caught:
        server.load(*[item(f"i{n}", product=f"p{n}") for n in range(10_001)])
    assert "items" in caught.value.detail
    server.load(*items)
    assert server.authorize(product="p2999").items[0].item_id == "i2999"


def test_a_license_stays_with_its_organization(server: Lab) -> None:
    load(server, first(server))
    before = server.rows("SELECT * FROM items"), server.ctx.store.serial
    moved = server.vendor.activate(server.vendor.issue(item(), organization="9"), server.ctx)
    for file in (moved, replace(moved, revision=moved.revision + 1)):
        with pytest.raises(LicenseFileError) as caught:
            licensefile.compare(first(server), file)
        assert caught.value.code == "organization-changed"
    with pytest.raises(LicenseFileError, match=r"belongs to organization 216998 .* is for organization 9"):
        load(server, moved)
    assert (server.rows("SELECT * FROM items"), server.ctx.store.serial) == before
