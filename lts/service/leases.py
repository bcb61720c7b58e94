"""Signing leases, and believing those that come back."""

from __future__ import annotations

import threading
from collections import OrderedDict

import msgspec

from lts.crypto import Jws, SigningKey, jws_header, read_jws, sign_jws
from lts.errors import NotVerified, TokenError
from lts.protocol import Lease

REMEMBERED = 8192
_encode = msgspec.json.Encoder().encode


class Leases:
    """Leases signed by this server's key. Those verified lately are remembered, so that a device's reports
    under one lease cost one verification."""

    def __init__(self, issuer: str, key: SigningKey) -> None:
        self._issuer = issuer
        self._key = key
        self._header = jws_header(key.public, "lts-lease+jws")
        self._believed: OrderedDict[str, Lease] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def issuer(self) -> str:
        """LTS UUID that stands in `iss`."""
        return self._issuer

    def sign(self, lease: Lease) -> str:
        """The lease as a compact JWS."""
        text = sign_jws(self._header, _encode(lease.claims()), self._key)
        self._remember(text, lease)
        return text

    def verify(self, text: str) -> Lease:
        """The lease behind `text`. Raises NotVerified (141) when it is not of this server."""
        with self._lock:
            lease = self._believed.get(text)
            if lease is not None:
                self._believed.move_to_end(text)
                return lease
        try:
            jws = read_jws(text)
            lease = self._check(jws)
        except TokenError as error:
            raise NotVerified(f"The lease is not one of this server: {error.detail} Authorize again.") from error
        self._remember(text, lease)
        return lease

    def _check(self, jws: Jws) -> Lease:
        if jws.header.get("kid") != self._key.kid:
            raise TokenError("It is signed by another key.")
        jws.verify(self._key.public)
        return Lease.from_claims(jws.claims())

    def _remember(self, text: str, lease: Lease) -> None:
        with self._lock:
            self._believed[text] = lease
            if len(self._believed) > REMEMBERED:
                self._believed.popitem(last=False)
