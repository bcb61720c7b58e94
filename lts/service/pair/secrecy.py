"""Encrypting the one message that must stay secret on a plain connection: the vault's secret, in a first copy.

X25519 with keys made for the one copy, HKDF-SHA256, AES-GCM; the public keys travel in signed messages.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lts.errors import PeerError

_NONCE = 12
_PURPOSE = b"vault.key"


def seal(secret: bytes, theirs: bytes) -> tuple[bytes, bytes]:
    """(public part of a new key, encrypted secret) for the holder of the key behind `theirs`. Raises PeerError."""
    mine = X25519PrivateKey.generate()
    try:
        cipher = _cipher(mine, theirs)
    except ValueError as error:
        raise PeerError("peer-message", "The key for the secrets is not valid.") from error
    nonce = os.urandom(_NONCE)
    return mine.public_key().public_bytes_raw(), nonce + cipher.encrypt(nonce, secret, _PURPOSE)


def unseal(mine: X25519PrivateKey, theirs: bytes, sealed: bytes) -> bytes:
    """Inverse of `seal`. Raises PeerError."""
    try:
        return _cipher(mine, theirs).decrypt(sealed[:_NONCE], sealed[_NONCE:], _PURPOSE)
    except (ValueError, InvalidTag) as error:
        raise PeerError("peer-message", "The other server's secret cannot be read.") from error


def _cipher(mine: X25519PrivateKey, theirs: bytes) -> AESGCM:
    shared = mine.exchange(X25519PublicKey.from_public_bytes(theirs))
    return AESGCM(HKDF(hashes.SHA256(), 32, None, b"LTS pair: first copy").derive(shared))
