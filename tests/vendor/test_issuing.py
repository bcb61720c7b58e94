"""Making license files: certificates, revisions, keys and their succession.

See docs/design/license-files.md, Issue and activate.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lts.crypto import PublicKey, SigningKey, canonical_json, jws_header, read_jws, sign_jws
from lts.errors import AdminError, LicenseFileError, TokenError
from lts.protocol import CERTIFICATE_TYPE
from lts.rules.licensing import activation, licensefile, vendorkey
from lts.rules.licensing.licensefile import License
from lts.vendor import issuing, keys
from lts.vendor.spec import ITEM_FIELDS, LICENSE_FIELDS
from tests.support.kit import NOON, Vendor, item

VENDOR = Vendor()
UUID = "6F1C2B7E-8C1D-4A0E-9A57-0C6A2F7A1B11"
ROOT = Path(__file__).resolve().parents[2]


def request(uuid: str = UUID, key: SigningKey | None = None) -> activation.ActivationRequest:
    text = activation.build(uuid, key or SigningKey.generate(), ("mac:1",), "strong", NOON)
    return activation.read(text.encode())


def test_the_guides_example_can_be_issued() -> None:
    spec = json.loads((ROOT / "examples" / "spec.json").read_text(encoding="utf-8"))
    made = issuing.issue(spec, VENDOR.key, "Vendor", NOON)
    assert len(made.items) == len(spec["items"])


def test_every_field_of_an_item_is_in_the_guide() -> None:
    guide = (ROOT / "docs" / "vendor.md").read_text(encoding="utf-8")
    for name in (*LICENSE_FIELDS, *ITEM_FIELDS):
        assert f"| `{name}` |" in guide, name


def test_a_certificate_says_just_what_a_client_needs() -> None:
    asked = request()
    made = issuing.activate(VENDOR.issue(item()), [asked], VENDOR.key, "Vendor", NOON)
    [text] = made.certificates
    jws = read_jws(text, CERTIFICATE_TYPE)
    jws.verify(VENDOR.key.public)
    assert jws.header["kid"] == VENDOR.key.kid
    assert jws.claims() == {
        "iss": VENDOR.key.kid,
        "sub": UUID,
        "cnf": {"jwk": asked.key.jwk},
        "iat": NOON,
        "licenseId": "100",
        "organizationId": "216998",
    }


def test_a_pair_gets_two_certificates_and_a_bare_uuid_none() -> None:
    new = VENDOR.issue(item())
    pair = issuing.activate(new, [request(), request(UUID[:-1] + "2")], VENDOR.key, "Vendor", NOON)
    assert (len(pair.servers), len(pair.certificates)) == (2, 2)
    bare = issuing.activate(new, ["{" + UUID.lower() + "}"], VENDOR.key, "Vendor", NOON)
    assert (bare.servers[0].uuid, bare.servers[0].key, bare.certificates) == (UUID, None, ())
    with pytest.raises(LicenseFileError):
        issuing.activate(new, [request(), request()], VENDOR.key, "Vendor", NOON)
    with pytest.raises(LicenseFileError):
        issuing.activate(new, ["not a uuid"], VENDOR.key, "Vendor", NOON)


def test_each_change_is_the_next_revision_and_the_first_activation_is_none() -> None:
    new = VENDOR.issue(item("a"), item("b"))
    bound = issuing.activate(new, [UUID], VENDOR.key, "Vendor", NOON)
    more = issuing.amend(bound, {"items": [{"itemId": "a", "quota": 7}, item("c")]}, VENDOR.key, "Vendor")
    less = issuing.revoke(more, ["b"], VENDOR.key, "Vendor")
    assert [f.revision for f in (new, bound, more, less)] == [1, 1, 2, 3]
    assert [i.item_id for i in more.items] == ["a", "b", "c"]
    assert (more.items[0].quota, more.items[0].product, less.revokes) == (7, "reader", frozenset("b"))
    assert less.license_status == "Activated"
    assert issuing.activate(less, [UUID], VENDOR.key, "Vendor", NOON).revision == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"productVersions": ["8.2"]}, "has '8.2'; a major version is a whole number, compared alone: write \"8\""),
        ({"productVersions": ["9", "v8"]}, "has 'v8'; a major version is a whole number, compared alone: write \"8\""),
        ({"productVersions": ["08"]}, 'write "8"'),
        ({"productVersions": ["latest"]}, 'write a number such as "8", or "*" for any'),
        ({"productVersions": ["8", "8"]}, "productVersions names '8' twice; name it once"),
        ({"modules": ["QR", "OCR", "QR"]}, "modules names 'QR' twice; name it once"),
        ({"modules": ["caf\u00e9", "cafe\u0301"]}, "modules names 'caf\u00e9' twice"),
        ({"editions": ["pro", "pro"]}, "editions names 'pro' twice"),
        ({"deploymentTypes": ["server", "server"]}, "deploymentTypes names 'server' twice"),
        ({"chargeWay": "domain", "domains": ["a.example", "a.example"]}, "domains names 'a.example' twice"),
        ({"chargeWay": "domain", "domains": ["*.example.com"]}, "write it as example.com"),
    ],
)
def test_what_no_application_can_ask_for_is_not_sold(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(LicenseFileError) as caught:
        VENDOR.issue(item("good"), item("bad", **changes))
    assert caught.value.detail.startswith("In item 2 (bad), ")
    assert words in caught.value.detail
    with pytest.raises(LicenseFileError, match="bad"):
        issuing.amend(VENDOR.issue(item("bad")), {"items": [{"itemId": "bad", **changes}]}, VENDOR.key, "Vendor")


def test_a_license_sold_before_can_be_changed_and_moved_whatever_its_versions_say() -> None:
    old = issuing.payload_of(VENDOR.issue(item("a"), item("b")))
    old["items"][0].update(productVersions=["8.2"], modules=["QR", "QR"])
    sold = issuing._sign(old, VENDOR.key, "Vendor")
    bound = issuing.activate(sold, [UUID], VENDOR.key, "Vendor", NOON)
    more = issuing.amend(bound, {"items": [{"itemId": "b", "quota": 7}]}, VENDOR.key, "Vendor")
    assert issuing.revoke(more, ["b"], VENDOR.key, "Vendor").items[0].product_versions == ("8.2",)


def test_wrong_changes_are_named() -> None:
    new = VENDOR.issue(item("a"))
    wrong: list[Any] = [{"items": [{"itemId": "new"}]}, {"remove": ["x"]}, {"color": 1}, [], {"items": [{"quota": 1}]}]
    for changes in wrong:
        with pytest.raises(LicenseFileError):
            issuing.amend(new, changes, VENDOR.key, "Vendor")
    with pytest.raises(LicenseFileError):
        issuing.revoke(new, ["x"], VENDOR.key, "Vendor")
    endless = item("a")
    del endless["expiresAt"]
    with pytest.raises(LicenseFileError) as caught:
        VENDOR.issue(endless)
    assert "expiresAt" in caught.value.detail


def test_a_key_is_private_protected_by_its_passphrase_and_never_overwritten(tmp_path: Path) -> None:
    pub = keys.init(tmp_path / "v", "Vendor é", NOON, b"secret")
    path = tmp_path / "v" / "vendor.key"
    if os.name == "posix":
        assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(TokenError):
        keys.load(path)
    with pytest.raises(TokenError):
        keys.load(path, b"wrong")
    loaded = keys.load(path, b"secret")
    assert loaded.name == "Vendor é"
    assert vendorkey.read(pub.read_bytes()).key == loaded.key.public
    before = path.read_bytes()
    with pytest.raises(AdminError):
        keys.init(tmp_path / "v", "Other", NOON)
    assert path.read_bytes() == before


def test_the_public_key_file_is_never_overwritten_nor_taken_from_another_key(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    keys.init(one, "V", NOON)
    keys.init(two, "V", NOON)
    (two / "vendor.pub").write_bytes((one / "vendor.pub").read_bytes())
    with pytest.raises(AdminError) as caught:
        keys.load(two / "vendor.key")
    assert caught.value.code == "other-key"
    (two / "vendor.key").unlink()
    with pytest.raises(AdminError):
        keys.init(two, "V", NOON)
    assert not (two / "vendor.key").exists()


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 501, "\u200b"])
def test_a_vendor_needs_a_name_that_people_can_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(AdminError):
        keys.init(tmp_path / "v", name, NOON)
    assert not (tmp_path / "v").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(AdminError) as caught:
        keys.init(tmp_path / "file" / "v", "V", NOON)
    assert "file" in caught.value.detail


def test_a_file_that_a_stranger_signed_is_never_signed_again() -> None:
    stranger = Vendor("Vendor")
    forged = stranger.issue(item(quota=10**9))
    attempts: list[Callable[[], License]] = [
        lambda: issuing.activate(forged, [UUID], VENDOR.key, "Vendor", NOON),
        lambda: issuing.amend(forged, {"items": [item("x")]}, VENDOR.key, "Vendor"),
        lambda: issuing.revoke(forged, ["one"], VENDOR.key, "Vendor"),
    ]
    for change in attempts:
        with pytest.raises(LicenseFileError) as caught:
            change()
        assert caught.value.code == "other-vendor"
        assert vendorkey.fingerprint(stranger.key.kid) in caught.value.detail


def test_a_file_that_only_names_the_vendors_key_is_not_signed_again() -> None:
    stranger = SigningKey.generate()
    header = jws_header(VENDOR.key.public, licensefile.JWS_TYPE, jwk=VENDOR.key.public.jwk)
    forged = licensefile.parse(sign_jws(header, VENDOR.issue(item()).payload, stranger))
    with pytest.raises(LicenseFileError) as caught:
        issuing.activate(forged, [UUID], VENDOR.key, "Vendor", NOON)
    assert caught.value.code == "other-vendor"


def test_a_new_key_takes_over_the_files_of_the_key_it_replaces_and_no_others(tmp_path: Path) -> None:
    old = VENDOR.issue(item("a"), item("b"))
    keys.init(tmp_path, "Vendor", NOON, old=VENDOR.key)
    new = keys.load(tmp_path / "vendor.key")
    bound = issuing.activate(old, [request()], new.key, new.name, NOON, pub=new.pub)
    assert (bound.vendor_kid, read_jws(bound.certificates[0], CERTIFICATE_TYPE).header["kid"]) == (
        new.key.kid,
        new.key.kid,
    )
    assert issuing.revoke(bound, ["b"], new.key, new.name, new.pub).revision == 2
    with pytest.raises(LicenseFileError):
        issuing.activate(old, [UUID], new.key, new.name, NOON)
    with pytest.raises(LicenseFileError):
        issuing.activate(Vendor().issue(item()), [UUID], new.key, new.name, NOON, pub=new.pub)


@pytest.mark.parametrize("way", ["revoke", "remove"])
def test_a_revoked_item_does_not_come_back(way: str) -> None:
    sold = VENDOR.issue(item("a"), item("b"), item("c"))
    first = issuing.revoke(sold, ["c"], VENDOR.key, "Vendor")
    if way == "revoke":
        less = issuing.revoke(first, ["b"], VENDOR.key, "Vendor")
    else:
        less = issuing.amend(first, {"remove": ["b"]}, VENDOR.key, "Vendor")
        less = issuing.amend(less, {"items": [{"itemId": "a", "quota": 9}]}, VENDOR.key, "Vendor")
    assert less.revokes == {"b", "c"}
    for back in ("b", "c"):
        with pytest.raises(LicenseFileError) as caught:
            issuing.amend(less, {"items": [item(back)]}, VENDOR.key, "Vendor")
        assert caught.value.code == "revoked-item"


def test_a_license_too_large_for_any_server_is_not_made() -> None:
    with pytest.raises(LicenseFileError) as caught:
        VENDOR.issue(*[item(f"item-{number}") for number in range(4000)])
    assert caught.value.code == "too-large"


def test_a_fault_in_a_spec_names_the_item_by_position_and_id() -> None:
    for wrong in ({"color": 1}, {"quota": -1}, {"product": "\ud800"}):
        with pytest.raises(LicenseFileError) as caught:
            VENDOR.issue(item("a"), item("b", **wrong))
        if "\ud800" not in wrong.values():
            assert "item 2 (b)" in caught.value.detail


def test_a_succession_holds_only_by_the_old_key() -> None:
    old, new = SigningKey.generate(), SigningKey.generate()
    made = vendorkey.read(vendorkey.build("V", new, NOON, old).encode())
    assert made.replaces == old.kid
    vendorkey.verify_succession(made, old.public)
    with pytest.raises(TokenError):
        vendorkey.verify_succession(made, new.public)
    with pytest.raises(TokenError):
        vendorkey.verify_succession(vendorkey.read(vendorkey.build("V", new, NOON).encode()), old.public)


def test_a_servers_certificate_makes_its_key_no_successor_of_the_vendors() -> None:
    server = SigningKey.generate()
    bound = issuing.activate(VENDOR.issue(item()), [request(key=server)], VENDOR.key, "Vendor", NOON)
    header = jws_header(server.public, vendorkey.KEY_TYPE, jwk=server.public.jwk)
    claims = canonical_json({"name": "Vendor", "iat": NOON, "replaces": bound.certificates[0]})
    made = vendorkey.read(sign_jws(header, claims, server).encode())
    assert made.replaces == VENDOR.key.kid
    with pytest.raises(TokenError):
        vendorkey.verify_succession(made, VENDOR.key.public)


def test_a_key_file_survives_an_editor_and_another_signed_text_is_no_key_file() -> None:
    text = vendorkey.build("V", VENDOR.key, NOON)
    assert vendorkey.read(text.replace("\n", "\r\n").encode("utf-16")).key == VENDOR.key.public
    with pytest.raises(TokenError):
        vendorkey.read(VENDOR.issue(item()).jws.encode())


@pytest.mark.parametrize("text", [b"", b"{}", b'{"format": "LTS activation request"}', b"\xff", b"[" * 9999, b"null"])
def test_what_is_no_activation_request_is_refused(text: bytes) -> None:
    with pytest.raises(LicenseFileError):
        activation.read(text)


def test_an_activation_request_says_who_asks_however_it_was_saved() -> None:
    key = SigningKey.generate()
    text = activation.build(UUID, key, ("mac:1", "board:2"), "weak", NOON)
    for saved in (text, text.encode(), text.encode("utf-8-sig"), text.encode("utf-16"), text.encode("utf-16-be")):
        assert activation.read(saved) == activation.ActivationRequest(UUID, key.public, ("mac:1", "board:2"), "weak")


@pytest.mark.parametrize("change", [{"version": 2}, {"uuid": UUID[:-1] + "9"}, {"request": VENDOR.issue(item()).jws}])
def test_an_activation_request_of_another_kind_or_that_contradicts_itself_is_refused(change: dict[str, Any]) -> None:
    outer = json.loads(activation.build(UUID, SigningKey.generate(), ("mac:1",), "strong", NOON))
    with pytest.raises(LicenseFileError):
        activation.read(json.dumps({**outer, **change}))


def outer_of(token: str) -> str:
    """A request file around a token."""
    return json.dumps({"format": activation.FORMAT, "version": 1, "uuid": UUID, "request": token})


def test_a_request_needs_the_very_key_that_it_names_and_its_own_type() -> None:
    mine, victim = SigningKey.generate(), SigningKey.generate()
    claims = {"sub": UUID, "cnf": {"jwk": mine.public.jwk}, "labels": ["mac:1"], "binding": "strong", "iat": NOON}
    header = jws_header(mine.public, activation.JWS_TYPE)
    assert activation.read(outer_of(sign_jws(header, canonical_json(claims), mine))).key == mine.public
    stolen = canonical_json({**claims, "cnf": {"jwk": victim.public.jwk}})
    for token in (
        sign_jws(header, stolen, mine),
        sign_jws(jws_header(mine.public, "lts-lease+jws"), canonical_json(claims), mine),
    ):
        with pytest.raises(LicenseFileError):
            activation.read(outer_of(token))


def test_a_rendered_file_names_what_it_holds_for_eyes() -> None:
    text = licensefile.render(VENDOR.issue(item("a"), item("b", expiresAt=None)))
    assert "a: reader, scan 100, until 2027-11-25" in text
    assert "until never" in text


def test_a_key_of_another_shape_is_refused() -> None:
    for jwk in (
        None,
        {},
        {"kty": "RSA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {"kty": "OKP", "crv": "Ed25519"},
    ):
        with pytest.raises(TokenError):
            PublicKey.from_jwk(jwk)
