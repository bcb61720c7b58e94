"""Keys (Ed25519), JWS (RFC 7515 compact, EdDSA of RFC 8037) and fingerprints (RFC 7638).

Needs `cryptography` only, since the client library shares it. Does no file access and knows no rule:
whether a verified token is trusted is decided elsewhere.
"""

from __future__ import annotations

import binascii
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lts.errors import TokenError
from lts.strictjson import strict_json

MAX_HEADER_CHARACTERS = 4096
"""Of an encoded JWS header; ours hold a few hundred."""
_TO_URL, _FROM_URL = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")


def b64url(data: bytes) -> str:
    """base64url without padding (RFC 7515, section 2)."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL, b"=").decode("ascii")


def unb64url(text: str) -> bytes:
    """Inverse of `b64url`. Raises TokenError when `text` is not canonical base64url."""
    try:
        data = binascii.a2b_base64(text.encode("ascii").translate(_FROM_URL) + b"=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise TokenError("Not base64url text.") from error
    if b64url(data) != text:
        raise TokenError("Not base64url text.")
    return data


@dataclass(frozen=True)
class PublicKey:
    """An Ed25519 public key; `raw` is its 32 bytes."""

    raw: bytes

    @classmethod
    def from_jwk(cls, jwk: Any) -> PublicKey:
        """From `{"kty": "OKP", "crv": "Ed25519", "x": …}` (RFC 8037). Raises TokenError."""
        if not isinstance(jwk, dict) or jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519":
            raise TokenError("Not an Ed25519 key (JWK with kty OKP, crv Ed25519).")
        return cls.from_x(jwk.get("x"))

    @classmethod
    def from_x(cls, x: Any) -> PublicKey:
        """From a JWK's `x`, base64url of the key. Raises TokenError."""
        try:
            raw = unb64url(x) if isinstance(x, str) and x.isascii() else b""
        except TokenError:
            raw = b""
        if len(raw) != 32:
            raise TokenError("The key's x is not 32 bytes of base64url.")
        return cls(raw)

    @cached_property
    def x(self) -> str:
        """base64url of the key, the JWK's `x`."""
        return b64url(self.raw)

    @property
    def jwk(self) -> dict[str, str]:
        return {"crv": "Ed25519", "kty": "OKP", "x": self.x}

    @cached_property
    def kid(self) -> str:
        """Key id: RFC 7638 thumbprint (SHA-256, base64url)."""
        canonical = json.dumps(self.jwk, separators=(",", ":"), sort_keys=True)
        return b64url(hashlib.sha256(canonical.encode("ascii")).digest())

    @cached_property
    def _key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.raw)

    def verify(self, signature: bytes, data: bytes) -> None:
        """Raises TokenError when `signature` is not this key's over `data`."""
        try:
            self._key.verify(signature, data)
        except (InvalidSignature, ValueError) as error:
            raise TokenError("The signature does not match.") from error


class SigningKey:
    """An Ed25519 private key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(
            key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        )

    @classmethod
    def generate(cls) -> SigningKey:
        """A new random key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes, passphrase: bytes | None = None) -> SigningKey:
        """From PKCS #8 PEM. Raises TokenError when unreadable or of another kind."""
        try:
            key = serialization.load_pem_private_key(pem, passphrase)
        except (ValueError, TypeError) as error:
            raise TokenError("The private key cannot be read, or its passphrase is wrong.") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise TokenError("The private key is not an Ed25519 key.")
        return cls(key)

    def to_pem(self, passphrase: bytes | None = None) -> bytes:
        """PKCS #8 PEM, encrypted when a passphrase is given."""
        encryption: serialization.KeySerializationEncryption = (
            serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        )
        return self._key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)

    @property
    def kid(self) -> str:
        return self.public.kid

    def sign(self, data: bytes) -> bytes:
        """Ed25519 signature, 64 bytes."""
        return self._key.sign(data)


@dataclass(frozen=True)
class Jws:
    """A compact JWS taken apart; nothing is verified until `verify` has returned."""

    header: dict[str, Any]
    payload: bytes
    signing_input: bytes
    signature: bytes

    def verify(self, key: PublicKey) -> None:
        """Raises TokenError when not signed by `key`."""
        key.verify(self.signature, self.signing_input)

    def claims(self) -> dict[str, Any]:
        """The payload as a JSON object, strictly read. Raises TokenError."""
        try:
            claims = strict_json(self.payload)
        except ValueError as error:
            raise TokenError(f"The payload is not readable: {error}") from error
        if not isinstance(claims, dict):
            raise TokenError("The payload is not a JSON object.")
        return claims


def jws_header(key: PublicKey, typ: str, **extra: Any) -> str:
    """Encoded protected header: alg EdDSA, `kid`, `typ` and further fields."""
    header = {"alg": "EdDSA", "kid": key.kid, "typ": typ, **extra}
    return b64url(json.dumps(header, separators=(",", ":"), sort_keys=True).encode("utf-8"))


def sign_jws(header: str, payload: bytes, key: SigningKey) -> str:
    """Compact JWS of `payload` under an encoded `header` (see `jws_header`)."""
    signing_input = f"{header}.{b64url(payload)}"
    return f"{signing_input}.{b64url(key.sign(signing_input.encode('ascii')))}"


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no blanks, UTF-8."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False, allow_nan=False).encode("utf-8")


def read_jws(token: str, typ: str | None) -> Jws:
    """Take a compact JWS apart. Only alg EdDSA without `crit` is read, and of the header's `typ` only this one: a key
    signs several kinds of tokens, and none may pass for another. None is for a caller that distinguishes the kinds by
    itself. Raises TokenError."""
    parts = token.split(".", 3)
    if len(parts) != 3 or not token.isascii():
        raise TokenError("Not a signed token (three parts with dots between).")
    if len(parts[0]) > MAX_HEADER_CHARACTERS:
        raise TokenError("The token's header is too large.")
    try:
        header = strict_json(unb64url(parts[0]))
    except ValueError as error:
        raise TokenError("The token's header cannot be read.") from error
    if not isinstance(header, dict) or header.get("alg") != "EdDSA" or "crit" in header:
        raise TokenError("The token is not signed with EdDSA.")
    if typ is not None and header.get("typ") != typ:
        raise TokenError(f"The token is of another type than {typ}.")
    signature = unb64url(parts[2])
    if len(signature) != 64:
        raise TokenError("The token's signature is not an Ed25519 signature.")
    return Jws(header, unb64url(parts[1]), f"{parts[0]}.{parts[1]}".encode("ascii"), signature)
