"""A key that only the two servers know, for the one message that must stay secret on a plain line."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def shared_key(mine: X25519PrivateKey, theirs: X25519PublicKey) -> bytes:
    """32 bytes by X25519 and HKDF-SHA256; both public keys travel in signed messages."""
    return HKDF(hashes.SHA256(), 32, None, b"LTS pair: first copy").derive(mine.exchange(theirs))
