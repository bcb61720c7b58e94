"""Making licence files: certificates, revisions, keys and their succession (product.md, Licence file)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lts.crypto import PublicKey, SigningKey, read_jws
from lts.errors import AdminError, LicenseFileError, TokenError
from lts.rules import activation, licensefile, vendorkey
from lts.vendor import issuing, keys
from tests.kit import NOON, Vendor, item

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
    for name in issuing.ITEM_FIELDS:
        assert f"| `{name}` |" in guide, name


def test_a_certificate_says_just_what_a_client_needs() -> None:
    asked = request()
    made = issuing.activate(VENDOR.issue(item()), [asked], VENDOR.key, "Vendor", NOON)
    [text] = made.certificates
    jws = read_jws(text)
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
    assert (more.items[0].quota, more.items[0].product, less.revokes) == (7, "reader", ("b",))
    assert less.license_status == "Activated"
    assert issuing.activate(less, [UUID], VENDOR.key, "Vendor", NOON).revision == 4


def test_wrong_changes_are_named() -> None:
    new = VENDOR.issue(item("a"))
    for changes in ({"items": [{"itemId": "new"}]}, {"remove": ["x"]}, {"colour": 1}, [], {"items": [{"quota": 1}]}):
        with pytest.raises(LicenseFileError):
            issuing.amend(new, changes, VENDOR.key, "Vendor")  # type: ignore[arg-type]  # wrong on purpose
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
    key, name = keys.load(path, b"secret")
    assert name == "Vendor é"
    assert vendorkey.read(pub.read_bytes()).key == key.public
    before = path.read_bytes()
    with pytest.raises(AdminError):
        keys.init(tmp_path / "v", "Other", NOON)
    assert path.read_bytes() == before


def test_a_succession_holds_only_by_the_old_key() -> None:
    old, new = SigningKey.generate(), SigningKey.generate()
    made = vendorkey.read(vendorkey.build("V", new, NOON, old).encode())
    assert made.replaces == old.kid
    vendorkey.verify_succession(made, old.public)
    with pytest.raises(TokenError):
        vendorkey.verify_succession(made, new.public)
    with pytest.raises(TokenError):
        vendorkey.verify_succession(vendorkey.read(vendorkey.build("V", new, NOON).encode()), old.public)


@pytest.mark.parametrize("text", [b"", b"{}", b'{"format": "LTS activation request"}', b"\xff", b"[" * 9999, b"null"])
def test_what_is_no_activation_request_is_refused(text: bytes) -> None:
    with pytest.raises(LicenseFileError):
        activation.read(text)


def test_a_changed_activation_request_is_refused() -> None:
    text = activation.build(UUID, SigningKey.generate(), ("mac:1",), "strong", NOON)
    outer = json.loads(text)
    head, _, signature = outer["request"].split(".")
    other = activation.build(UUID[:-1] + "9", SigningKey.generate(), (), "strong", NOON)
    outer["request"] = f"{head}.{json.loads(other)['request'].split('.')[1]}.{signature}"
    with pytest.raises(LicenseFileError):
        activation.read(json.dumps(outer).encode())


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
