"""The server's own secret: encrypting what must be shown again, and deriving keys for tokens."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lts import plainfile
from lts.errors import DataFolderError
from lts.service.core import identity
from lts.service.core.files import not_read, write_private

FILE = "vault.key"
_NONCE = 12


class Vault:
    """32 secret bytes. Sealed texts are AES-GCM, bound to a purpose."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def load_or_create(cls, folder: Path, *, create: bool) -> Vault:
        """From `vault.key` in the data folder. Raises DataFolderError when it is lost, damaged or another server's."""
        path = folder / FILE
        if create and not path.exists():
            write_private(path, os.urandom(32))
        return cls.load(folder)

    @classmethod
    def load(cls, folder: Path) -> Vault:
        """From `vault.key` in the data folder. Raises DataFolderError when it is lost, damaged or another server's."""
        path = folder / FILE
        if not path.exists():
            raise DataFolderError(f"{path} is missing; without it stored secrets cannot be read: restore it.")
        try:
            secret = plainfile.read(path)
        except OSError as error:
            raise DataFolderError(not_read(path, error)) from error
        if len(secret) != 32:
            raise DataFolderError(f"{path} is damaged; restore it from a backup.")
        vault = cls(secret)
        if identity.vault_print(folder) not in ("", vault.fingerprint):
            raise DataFolderError(identity.not_own(path))
        return vault

    @property
    def fingerprint(self) -> str:
        """Identifies this secret, and reveals nothing about it."""
        return self.derive("print").hex()[:32]

    def secret_for_standby(self) -> bytes:
        """The secret itself, to be sealed for the other server of a pair: both must read the same tokens."""
        return self._secret

    def derive(self, label: str) -> bytes:
        """A key of 32 bytes for one use (HKDF-SHA256)."""
        return HKDF(hashes.SHA256(), 32, None, label.encode()).derive(self._secret)

    def seal(self, text: str, purpose: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self._secret).encrypt(nonce, text.encode("utf-8"), purpose.encode())

    def unseal(self, sealed: bytes, purpose: str) -> str:
        """Inverse of `seal`. Raises DataFolderError when sealed by another vault or for another purpose."""
        try:
            return AESGCM(self._secret).decrypt(sealed[:_NONCE], sealed[_NONCE:], purpose.encode()).decode("utf-8")
        except (InvalidTag, ValueError) as error:
            raise DataFolderError("A stored secret was encrypted with another vault.key; restore that file.") from error
