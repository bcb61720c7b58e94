"""The trust store: vendor keys that an administrator put beside the configuration or confirmed later."""

from __future__ import annotations

import threading
from pathlib import Path

from lts import plainfile
from lts.crypto import PublicKey
from lts.errors import TokenError, words_of
from lts.rules import filekind, vendorkey
from lts.rules.notices import Notice
from lts.rules.vendorkey import VendorKey
from lts.service.files import write_private


class TrustStore:
    """Keys of `*.pub` in the configured folder and in `dataDir/trust`; new files are taken at once."""

    def __init__(self, configured: Path, data_dir: Path) -> None:
        self._own = data_dir / "trust"
        self._folders = (configured, self._own)
        self._lock = threading.Lock()
        self._stamp: tuple[tuple[str, int, int], ...] | None = None
        self._keys: dict[str, VendorKey] = {}
        self._roots: dict[str, str] = {}
        self.warnings: list[Notice] = []

    def get(self, kid: str) -> PublicKey | None:
        """The trusted key with this id, None when there is none."""
        found = self.keys().get(kid)
        return found.key if found else None

    def root(self, kid: str) -> str:
        """Key id of the vendor's first key: the vendor's name for as long as keys succeed each other."""
        self.keys()
        return self._roots.get(kid, kid)

    def keys(self) -> dict[str, VendorKey]:
        """All trusted keys by id; the folders are read again only when a file came, went or changed."""
        stamp = self._look()
        with self._lock:
            if stamp != self._stamp:
                self._read(stamp)
            return self._keys

    def add(self, pub: bytes) -> VendorKey:
        """Trust the key of a `.pub` text from now on. Raises TokenError, also naming another kind of file."""
        if fault := filekind.mistaken("The file", pub, filekind.PUBLIC_KEY):
            raise TokenError(fault)
        key = vendorkey.read(pub)
        self._write(key.key.kid, pub)
        return key

    def add_key(self, name: str, key: PublicKey) -> str:
        """Trust a key known from a license file; returns the text kept for it."""
        text = vendorkey.describe(name, key)
        self._write(key.kid, text.encode("utf-8"))
        return text

    def changed(self) -> bool:
        """Whether the folders differ from what was last read."""
        return self._look() != self._stamp

    def _write(self, kid: str, data: bytes) -> None:
        self._own.mkdir(mode=0o700, exist_ok=True)
        write_private(self._own / f"{kid}.pub", data)

    def _look(self) -> tuple[tuple[str, int, int], ...]:
        seen = []
        for folder in self._folders:
            for path in sorted(folder.glob("*.pub")):
                stat = path.stat()
                seen.append((str(path), stat.st_mtime_ns, stat.st_size))
        return tuple(seen)

    def _read(self, stamp: tuple[tuple[str, int, int], ...]) -> None:
        found: dict[str, VendorKey] = {}
        self.warnings = []
        for name, _, _ in stamp:
            try:
                key = vendorkey.read(plainfile.read(Path(name)))
                found[key.key.kid] = key
            except (OSError, TokenError) as error:
                sentence = f"{name} is not a vendor key and is passed over ({words_of(error)})."
                self.warnings.append(Notice("not-a-vendor-key", sentence, params={"file": name}))
        self._keys, self._stamp = found, stamp
        self._roots = {kid: _root(kid, found) for kid in found}


def _root(kid: str, keys: dict[str, VendorKey]) -> str:
    """Follow successions whose old key is itself trusted."""
    for _ in range(len(keys)):
        key = keys[kid]
        old = keys.get(key.replaces or "")
        if old is None:
            return kid
        try:
            vendorkey.verify_succession(key, old.key)
        except TokenError:
            return kid
        kid = old.key.kid
    return kid
