"""The vendor's key pair as files: `vendor.key` (private) and `vendor.pub` next to it. Makes no licenses."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lts import plainfile
from lts.crypto import SigningKey
from lts.errors import AdminError, LicenseFileError
from lts.rules.licensing import filekind, vendorkey
from lts.rules.licensing.vendorkey import VendorKey
from lts.rules.values.fields import Fields

KEY_FILE, PUB_FILE = "vendor.key", "vendor.pub"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A vendor's private key with what its `.pub` says: name ("" and None if there is no such file)."""

    key: SigningKey
    name: str
    pub: VendorKey | None


def init(folder: Path, name: str, now: int, passphrase: bytes | None = None, old: SigningKey | None = None) -> Path:
    """Make `vendor.key` (owner only) and `vendor.pub` in a folder; returns the `.pub` path. `now` in UTC seconds.

    `old` signs the succession from an earlier key. Raises AdminError rather than replace a key.
    """
    try:
        clean = Fields({"name": name}, "the vendor's key").text("name")
    except LicenseFileError as error:
        raise AdminError("bad-name", error.detail) from error
    key = SigningKey.generate()
    path, pub = folder / KEY_FILE, folder / PUB_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if pub.exists():
            raise AdminError("key-exists", f"{pub} exists already; a key is never overwritten.")
        _write_new(path, key.to_pem(passphrase), 0o600)
        try:
            _write_new(pub, vendorkey.build(clean, key, now, old).encode("utf-8"), 0o666)
        except OSError:
            path.unlink()  # made this moment, and of no use to anybody yet
            raise
    except FileExistsError as error:
        raise AdminError("key-exists", f"{error.filename} exists already; a key is never overwritten.") from error
    except OSError as error:
        raise AdminError("cannot-write", plainfile.not_written(error.filename or folder, error)) from error
    return pub


def _write_new(path: Path, data: bytes, mode: int) -> None:
    """Write a new file, completely or not at all. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError:
        path.unlink()
        raise


def load(path: Path, passphrase: bytes | None = None) -> KeyPair:
    """The private key, and the vendor's name and succession from the `.pub` next to it.

    Raises AdminError, TokenError.
    """
    pub_path = path.with_suffix(".pub")
    try:
        key = SigningKey.from_pem(plainfile.read(path, filekind.PRIVATE_KEY.most), passphrase)
        pub = _read_pub(pub_path) if pub_path.exists() else None
    except OSError as error:
        raise AdminError("cannot-read", plainfile.not_read(error.filename, error)) from error
    if pub is not None and pub.key != key.public:
        raise AdminError("other-key", f"{pub_path} belongs to another key than {path}; put its own next to it.")
    return KeyPair(key, pub.name if pub else "", pub)


def _read_pub(path: Path) -> VendorKey:
    data = plainfile.read(path, vendorkey.MAX_BYTES + 1)
    if fault := filekind.mistaken(str(path), data, filekind.PUBLIC_KEY):
        raise AdminError("wrong-file", fault)
    return vendorkey.read(data)
