"""A vendor's public key file, and the succession from an old key to a new one."""

from __future__ import annotations

import pytest

from lts.crypto import SigningKey, canonical_json, jws_header, sign_jws
from lts.errors import TokenError
from lts.rules.licensing import filekind, vendorkey
from lts.rules.licensing.vendorkey import KEY_TYPE, SUCCESSION_TYPE
from tests.support.kit import NOON

OLD, NEW, OTHER = SigningKey.generate(), SigningKey.generate(), SigningKey.generate()


def signed(key: SigningKey, claims: dict[str, object], typ: str = KEY_TYPE, names: SigningKey | None = None) -> bytes:
    """A token that names a key, and is signed by this one."""
    public = (names or key).public
    return sign_jws(jws_header(public, typ, jwk=public.jwk), canonical_json(claims), key).encode()


def succession(key: SigningKey, by: SigningKey, typ: str = SUCCESSION_TYPE) -> str:
    """That this key comes next, signed by another."""
    claims = {"sub": key.kid, "cnf": {"jwk": key.public.jwk}, "iat": NOON}
    return sign_jws(jws_header(by.public, typ), canonical_json(claims), by)


def test_a_key_names_its_vendor_and_the_key_that_it_replaces() -> None:
    text = vendorkey.build("Vendor", NEW, NOON, OLD)
    found = vendorkey.read(text.encode())
    assert (found.name, found.key.kid, found.replaces) == ("Vendor", NEW.kid, OLD.kid)
    vendorkey.verify_succession(found, OLD.public)
    for wrapped in (text.replace(".", ".\n"), f"\ufeff{text}", f"\n {text}"):
        assert vendorkey.read(wrapped.encode()).key.kid == NEW.kid
    first = vendorkey.read(vendorkey.build("Vendor", OLD, NOON).encode())
    assert (first.replaces, first.succession) == (None, None)
    with pytest.raises(TokenError, match="names no predecessor"):
        vendorkey.verify_succession(first, NEW.public)


@pytest.mark.parametrize(
    "statement", [succession(NEW, OTHER), succession(OTHER, OLD), succession(NEW, OLD, "lts-certificate+jws")]
)
def test_a_succession_is_of_this_key_signed_by_the_old_one(statement: str) -> None:
    found = vendorkey.read(signed(NEW, {"name": "Vendor", "replaces": statement}))
    with pytest.raises(TokenError):
        vendorkey.verify_succession(found, OLD.public)


def test_a_key_that_is_described_is_signed_by_nobody() -> None:
    found = vendorkey.read(vendorkey.describe("Vendor", OLD.public).encode())
    assert (found.name, found.key.kid, found.replaces) == ("Vendor", OLD.kid, None)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (signed(OTHER, {"name": "V"}, names=OLD), "signature"),
        (signed(OLD, {"name": "V"}, typ="lts-license+jws"), "is signed, but is not a vendor key"),
        (signed(OLD, {"name": "V", "replaces": 7}), "The succession in the key file cannot be read"),
        (b"{", "The key file cannot be read"),
        (b'{"name": "V"}', ""),
        (b"", ""),
    ],
)
def test_what_is_no_key_file_is_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(TokenError) as caught:
        vendorkey.read(data)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("data", "kind"),
    [(b'{"items": [], "remove": []}', filekind.CHANGES), (b'{"remove": []}', filekind.CHANGES),
     (b'{"format": "LTS activation request"}', filekind.REQUEST), (signed(OLD, {}), filekind.PUBLIC_KEY)],
)  # fmt: skip
def test_other_files_of_vendors_are_known_too(data: bytes, kind: filekind.FileKind) -> None:
    assert filekind.kind_of(data) == kind
    assert filekind.mistaken("It", data, kind) is None
    assert f"It is {kind.words}" in (filekind.mistaken("It", data, filekind.DATABASE) or "")


@pytest.mark.parametrize(
    ("wanted", "mistaken"), [(filekind.SPEC, False), (filekind.LICENSE, False), (filekind.BACKUP, True)]
)
def test_a_file_of_no_known_kind_goes_to_a_reader_that_says_where(wanted: filekind.FileKind, *, mistaken: bool) -> None:
    found = filekind.mistaken("It", b"hello", wanted)
    assert (found is not None) is mistaken
    assert found is None or found == f"It is nothing that LTS knows; give {wanted.wanted}."
