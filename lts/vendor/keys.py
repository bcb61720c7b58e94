"""The vendor's key pair as files."""

from __future__ import annotations

import os
from pathlib import Path

from lts.crypto import SigningKey
from lts.errors import AdminError
from lts.rules import vendorkey

KEY_FILE, PUB_FILE = "vendor.key", "vendor.pub"


def init(folder: Path, name: str, now: int, passphrase: bytes | None = None, old: SigningKey | None = None) -> Path:
    """Make `vendor.key` (owner only) and `vendor.pub` in a folder; returns the `.pub` path.

    `old` signs the succession from an earlier key. Raises AdminError rather than replace a key.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / KEY_FILE
    key = SigningKey.generate()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise AdminError("key-exists", f"{path} exists already; a key is never overwritten.") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.to_pem(passphrase))
    pub = folder / PUB_FILE
    pub.write_text(vendorkey.build(name, key, now, old), encoding="utf-8", newline="\n")
    return pub


def load(path: Path, passphrase: bytes | None = None) -> tuple[SigningKey, str]:
    """The private key and the vendor's name (from the `.pub` beside it). Raises AdminError, TokenError."""
    try:
        key = SigningKey.from_pem(path.read_bytes(), passphrase)
        pub = path.with_suffix(".pub")
        name = vendorkey.read(pub.read_bytes()).name if pub.exists() else ""
    except OSError as error:
        raise AdminError("cannot-read", f"{path} cannot be read ({error.strerror}).") from error
    return key, name
