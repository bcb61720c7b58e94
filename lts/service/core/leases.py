"""Signing leases, and verifying those that come back."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable

import msgspec

from lts.crypto import PublicKey, SigningKey, jws_header, read_jws, sign_jws, unb64url
from lts.errors import NotVerified, TokenError
from lts.protocol import LEASE_TYPE, RECEIPT_TYPE, FeedPlace, Lease, Receipt

REMEMBERED = 50_000
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict).decode


class Leases:
    """Leases signed by this server's key, or by that of the other server of its pair.

    The digests of those signed or verified lately are remembered (one to two times REMEMBERED, a few MiB),
    so that a device's reports under one lease cost a hash instead of a verification. `secret` keys them.
    """

    def __init__(self, issuer: str, key: SigningKey, secret: bytes) -> None:
        self.issuer = issuer
        """LTS UUID in `iss`."""
        self._key = key
        self._secret = secret
        self._keys = {key.kid: key.public}
        self._header = jws_header(key.public, LEASE_TYPE)
        self._receipt_header = jws_header(key.public, RECEIPT_TYPE)
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()
        self._lock = threading.Lock()

    def sign(self, lease: Lease) -> str:
        text = sign_jws(self._header, _encode(lease.claims()), self._key)
        self._remember(self._digest(text))
        return text

    def sign_receipt(self, device: str, now: int, place: FeedPlace, receipt: Receipt) -> str:
        """A receipt that no lease carries, as a compact JWS. `now` in UTC seconds."""
        claims = {"iss": self.issuer, "sub": device, "iat": now, **place._asdict(), "receipt": receipt.claims()}
        return sign_jws(self._receipt_header, _encode(claims), self._key)

    def believe(self, keys: Iterable[PublicKey]) -> None:
        """Leases signed by these keys are accepted too: those of the other server of a pair."""
        self._keys = {**self._keys, **{key.kid: key for key in keys}}

    def verify(self, text: str) -> Lease:
        """The lease behind `text`. Raises NotVerified (141) when it is not of this server."""
        digest = self._digest(text)
        if digest in self._young or digest in self._old:
            return Lease.from_claims(_decode(unb64url(text.split(".")[1])))
        try:
            lease = self._signed(text)
        except TokenError as error:
            raise NotVerified(
                f"The lease is not one of this server or pair: {error.detail} Authorize again."
            ) from error
        self._remember(digest)
        return lease

    def _digest(self, text: str) -> bytes:
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=self._secret).digest()

    def _signed(self, text: str) -> Lease:
        jws = read_jws(text, LEASE_TYPE)
        key = self._keys.get(str(jws.header.get("kid")))
        if key is None:
            raise TokenError("It is signed by another key.")
        jws.verify(key)
        return Lease.from_claims(jws.claims())

    def _remember(self, digest: bytes) -> None:
        with self._lock:
            self._young.add(digest)
            if len(self._young) >= REMEMBERED:
                self._old, self._young = self._young, set()
