"""The trust store: vendor keys that an administrator put next to the configuration or confirmed later.

A confirmed key is trusted once it is in the change feed, never before: its file waits next to the others, and gets its
name after the commit. After a kill in between, the next start handles it: `settle` gives it its name if the feed has
the key, else deletes it.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lts import plainfile
from lts.config import Config
from lts.crypto import PublicKey
from lts.errors import TokenError, words_of
from lts.rules.alerting.notices import ERROR, Notice
from lts.rules.licensing import filekind, vendorkey
from lts.rules.licensing.vendorkey import VendorKey
from lts.service.core.files import sync_folder, write_private
from lts.whoami import user_name

_HELD = ".pub.held"
"""How the file of a key ends that is not trusted yet."""
_NO_KEY, _CLOSED = "not-a-vendor-key", "vendor-keys-closed"
_Stamp = tuple[tuple[str, int, int, int], ...]


class TrustStore:
    """Keys of `*.pub` in the configured folder and in `dataDir/trust`; new files are taken at once."""

    def __init__(self, configured: Path, data_dir: Path) -> None:
        self._own = data_dir / "trust"
        self._folders = (configured, self._own)
        self._lock = threading.Lock()
        self._changing = threading.Lock()
        self._stamp: _Stamp | None = None
        self._keys: dict[str, VendorKey] = {}
        self._roots: dict[str, str] = {}
        self.warnings: list[Notice] = []

    def get(self, kid: str) -> PublicKey | None:
        """The trusted key with this id, None if there is none."""
        found = self.keys().get(kid)
        return found.key if found else None

    def root(self, kid: str) -> str:
        """Key id of the vendor's first key, which identifies the vendor while keys succeed each other."""
        self.keys()
        return self._roots.get(kid, kid)

    def keys(self) -> dict[str, VendorKey]:
        """All trusted keys by id; the folders are read again only if a file was added, removed or changed."""
        stamp = self._look()
        with self._lock:
            if stamp != self._stamp:
                self._read(stamp)
            return self._keys

    @property
    def closed(self) -> list[str]:
        """One sentence for each folder or file that this user cannot read, as of when the keys were last read."""
        return [warning.detail for warning in self.warnings if warning.code == _CLOSED]

    def add(self, pub: bytes) -> VendorKey:
        """Trust the key of a `.pub` text at once. Only for a key that no change of this server's feed names: one of
        the main that a standby copies. Raises TokenError, also naming another kind of file."""
        key = self._hold(pub)
        self._believe(key)
        return key

    @contextlib.contextmanager
    def once_stored(self, pubs: Iterable[bytes]) -> Iterator[list[VendorKey]]:
        """The keys of some `.pub` texts, trusted once the block, which commits them to the feed, has ended well.
        Raises TokenError, also naming another kind of file."""
        keys: dict[str, VendorKey] = {}
        with self._changing:
            try:
                keys.update((key.key.kid, key) for key in map(self._hold, pubs))
                yield list(keys.values())
            except Exception:
                for kid in keys:
                    self._held(kid).unlink(missing_ok=True)
                raise
            for key in keys.values():
                self._believe(key)

    def settle(self, texts: Mapping[str, str]) -> bool:
        """Finish what a kill interrupted: `texts` are the texts of keys in the feed, by id. Returns whether a key
        became trusted."""
        found = False
        for path in sorted(self._own.glob(f"*{_HELD}")):
            with contextlib.suppress(OSError, TokenError):
                key = vendorkey.read(plainfile.read(path))
                if texts.get(key.key.kid) == key.text:
                    self._believe(key)
                    found = True
                    continue
            path.unlink()
        return found

    def _hold(self, pub: bytes) -> VendorKey:
        if fault := filekind.mistaken("The file", pub, filekind.PUBLIC_KEY):
            raise TokenError(fault)
        key = vendorkey.read(pub)
        self._own.mkdir(mode=0o700, exist_ok=True)
        write_private(self._held(key.key.kid), pub)
        return key

    def _believe(self, key: VendorKey) -> None:
        os.replace(self._held(key.key.kid), self._file(key.key.kid))
        sync_folder(self._own)

    def _held(self, kid: str) -> Path:
        return self._own / f"{kid}{_HELD}"

    def _file(self, kid: str) -> Path:
        return self._own / f"{kid}.pub"

    def changed(self) -> bool:
        """Whether the folders differ from what was last read."""
        return self._look() != self._stamp

    def _look(self) -> _Stamp:
        return tuple(seen for folder in self._folders for seen in _seen(folder))

    def _read(self, stamp: _Stamp) -> None:
        found: dict[str, VendorKey] = {}
        configured = self._folders[0]
        self.warnings = []
        if str(configured) not in {name for name, *_ in stamp} and (sentence := _no_folder(configured)):
            self.warnings.append(Notice(_NO_KEY, sentence, params={"file": str(configured)}))
        for name, *_ in stamp:
            try:
                key = vendorkey.read(plainfile.read(Path(name), vendorkey.MAX_BYTES + 1))
                found[key.key.kid] = key
            except PermissionError as error:
                self.warnings.append(_closed(name, str(error.strerror)))
            except (OSError, TokenError) as error:
                sentence = f"{name} is not a vendor key and is skipped ({words_of(error)})."
                self.warnings.append(Notice(_NO_KEY, sentence, params={"file": name}))
        self._keys, self._stamp = found, stamp
        self._roots = {kid: _root(kid, found) for kid in found}


def _seen(folder: Path) -> Iterator[tuple[str, int, int, int]]:
    """(path, times, size) of each key's file; of the folder itself if it cannot be listed. A change of rights alone
    changes the second time."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names are enough
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError:
        yield str(folder), 0, 0, 0
        return
    for path in (folder / name for name in names if name.endswith(".pub")):
        try:
            stat = path.stat()
        except OSError:  # a link to nothing, removed this moment, or closed
            yield str(path), 0, 0, 0
        else:
            yield str(path), stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size


def _no_folder(configured: Path) -> str | None:
    """A sentence if what is set as the folder of keys is none; the default one may be missing."""
    if configured.is_dir():
        return None
    if configured.exists():
        return f"{configured} is not a folder, so no vendor key is read there; set vendorKeys to a folder."
    if configured.name == Config.vendor_keys.name and configured.parent.is_dir():
        return None
    return f"There is no folder {configured}, so no vendor key is read there; set vendorKeys to the folder."


def _closed(name: str, reason: str) -> Notice:
    user = user_name()
    sentence = (
        f"{name} cannot be read by {user} ({reason}), so no vendor key in it is trusted; give that user the rights."
    )
    return Notice(_CLOSED, sentence, ERROR, {"file": name, "user": user, "reason": reason})


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
