"""The vendor's public key file (`.pub`), and the succession from an old key to a new one.

Which keys are trusted is not decided here.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from lts.crypto import PublicKey, SigningKey, canonical_json, jws_header, read_jws, sign_jws
from lts.errors import TokenError
from lts.rules.licensing import armor
from lts.strictjson import strict_json

KEY_TYPE = "lts-vendor-key+jws"
MAX_BYTES = 64 << 10
SUCCESSION_TYPE = "lts-vendor-rotation+jws"


@dataclass(frozen=True, slots=True)
class VendorKey:
    """A vendor's key; `replaces` is the key id of the old key that signed the succession, if any.

    `succession` is that signed statement; it holds only after `verify_succession` with the old key.
    """

    name: str
    key: PublicKey
    replaces: str | None
    succession: str | None
    text: str


def build(name: str, key: SigningKey, now: int, old: SigningKey | None = None) -> str:
    """The text of a `.pub` file, signed by the key itself; `old` signs that `key` takes its place."""
    claims: dict[str, object] = {"name": name, "iat": now}
    if old is not None:
        statement = canonical_json({"sub": key.kid, "cnf": {"jwk": key.public.jwk}, "iat": now})
        claims["replaces"] = sign_jws(jws_header(old.public, SUCCESSION_TYPE), statement, old)
    header = jws_header(key.public, KEY_TYPE, jwk=key.public.jwk)
    return sign_jws(header, canonical_json(claims), key) + "\n"


def describe(name: str, key: PublicKey) -> str:
    """Text of a `.pub` file for a key known only by its public half (from a license file): not signed."""
    return canonical_json({"name": name, "jwk": key.jwk}).decode("utf-8") + "\n"


def read(data: bytes) -> VendorKey:
    """A `.pub` file, its own signature checked. Raises TokenError."""
    if len(data) > MAX_BYTES:
        raise TokenError("The key file is larger than 64 KiB; a key file never is.")
    text = armor.decode(data).strip()
    if text.startswith("{"):
        return _read_described(text)
    jws = read_jws("".join(text.split()), None)
    key = PublicKey.from_jwk(jws.header.get("jwk"))
    if jws.header.get("typ") != KEY_TYPE:
        raise TokenError("What the file holds is signed, but is not a vendor key.")
    jws.verify(key)
    claims = jws.claims()
    succession = claims.get("replaces")
    if succession is not None and not isinstance(succession, str):
        raise TokenError("The succession in the key file cannot be read; ask the vendor for a new one.")
    replaces = str(read_jws(succession, None).header.get("kid")) if succession else None
    return VendorKey(str(claims.get("name", "")), key, replaces, succession, text)


def _read_described(text: str) -> VendorKey:
    try:
        fields = strict_json(text)
    except ValueError as error:
        raise TokenError("The key file cannot be read; ask the vendor for a new one.") from error
    return VendorKey(str(fields.get("name", "")), PublicKey.from_jwk(fields.get("jwk")), None, None, text)


def fingerprint(kid: str) -> str:
    """A key id in a form people can compare: eight groups of four letters and digits."""
    text = base64.b32encode(hashlib.sha256(kid.encode()).digest()[:20]).decode("ascii")
    return "-".join(text[i : i + 4] for i in range(0, 32, 4))


def is_fingerprint(given: str, kid: str) -> bool:
    """Whether what somebody typed is the fingerprint of a key id; case, blanks and hyphens do not matter."""
    return _plain(given) == _plain(fingerprint(kid))


def _plain(text: str) -> str:
    return "".join(char for char in text if char.isalnum()).lower()


def verify_succession(vendor_key: VendorKey, old: PublicKey) -> None:
    """Raises TokenError unless `old` signed that `vendor_key` takes its place."""
    if vendor_key.succession is None:
        raise TokenError("The key file names no predecessor.")
    # A server's certificate names a key under the vendor's signature too: the type distinguishes them.
    jws = read_jws(vendor_key.succession, SUCCESSION_TYPE)
    jws.verify(old)
    if jws.claims().get("cnf") != {"jwk": vendor_key.key.jwk}:
        raise TokenError("The succession is for another key.")
