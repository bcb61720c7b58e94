"""What a server remembers of the other one: `pair.json` in the data folder, next to the database and not in it,
since the database of a standby is a copy of the main's."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import msgspec

from lts import plainfile
from lts.crypto import PublicKey, read_jws
from lts.errors import DataFolderError, TokenError
from lts.protocol import CERTIFICATE_TYPE
from lts.service.core.files import write_private

FILE = "pair.json"
MAX_LINE, DELEGATION_BYTES = 64, 768
"""How many promotions are known, the newest, and the most characters of a delegation (about 510)."""


class Delegation(msgspec.Struct, rename="camel", frozen=True):
    """The main's delegation to this server's key: certificates [main's own, delegation], UTC seconds of its end.
    `former`: the issuer is no longer its main; computed when read, not stored."""

    main_uuid: str
    certificates: tuple[str, ...]
    until: int
    former: bool = False


def delegation_of(main_uuid: str, certificates: tuple[str, ...]) -> Delegation:
    """The main's delegation with its end as signed: nothing else is trusted. It ended in 1970 where the key of the
    main's own certificate did not sign it."""
    try:
        own, token = [read_jws(text, CERTIFICATE_TYPE) for text in certificates]
        token.verify(PublicKey.from_x(own.claims()["cnf"]["jwk"]["x"]))
        return Delegation(main_uuid, certificates, int(token.claims()["exp"]))
    except (TokenError, LookupError, TypeError, ValueError):
        return Delegation(main_uuid, certificates, 0)


class Pinned(msgspec.Struct, rename="camel", frozen=True):
    """`uuid` and `key` (base64url) of the other server as at first contact; `offered` is a different key found later.

    `joined`: this server was in step once. `promoted_at`: the other's URL when this server was promoted, until
    `servers` is changed; `replaced` is the key of the main that it replaced. `line` are the delegations by which the
    other one, and promoted servers before it, came after their mains, the oldest first. `retired`: the other was
    promoted, and this server no longer serves.
    """

    uuid: str | None = None
    key: str | None = None
    offered: str | None = None
    joined: bool = False
    delegation: Delegation | None = None
    promoted_at: str | None = None
    replaced: str | None = None
    line: tuple[str, ...] = ()
    retired: bool = False

    @property
    def own_line(self) -> tuple[str, ...]:
        """The same for this server."""
        if self.replaced is None or self.delegation is None:
            return self.line
        return (*self.line, self.delegation.certificates[1])[-MAX_LINE:]

    @property
    def former(self) -> set[str]:
        """Ids of the keys of all mains that promotions replaced before this server, as far as it knows."""
        found = set() if self.replaced is None else {PublicKey.from_x(self.replaced).kid}
        for text in self.line:
            with contextlib.suppress(TokenError):  # what another version of LTS named
                found.add(str(read_jws(text, CERTIFICATE_TYPE).header.get("kid")))
        return found

    def came_after(self, key: str) -> bool:
        """Whether a promotion replaced the server with that key."""
        return PublicKey.from_x(key).kid in self.former


class PinnedFile:
    """The file, read once and replaced on every change."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._lock = threading.Lock()
        self.now = self._read()
        self._stored = self.now

    def _read(self) -> Pinned:
        try:
            kept = msgspec.json.decode(plainfile.read(self._path), type=Pinned)
        except FileNotFoundError:
            return Pinned()
        except (OSError, ValueError, RecursionError) as error:
            words = error.strerror if isinstance(error, OSError) else "it is not what LTS wrote"
            raise DataFolderError(
                f"{self._path} cannot be read ({words}); remove it, and compare the fingerprints of the pair again."
            ) from error
        held = kept.delegation
        signed = None if held is None else delegation_of(held.main_uuid, held.certificates)
        return msgspec.structs.replace(kept, delegation=signed)

    def delegation(self, now: int, *, is_main: bool) -> Delegation | None:
        """A main's delegation to this server, if it is valid at `now` (UTC seconds); a `former` main's where `servers`
        says that this one `is_main`, or it was promoted."""
        held = self.now.delegation
        if held is None or now >= held.until:
            return None
        return msgspec.structs.replace(held, former=True) if is_main or self.now.promoted_at else held

    def change(self, **changes: object) -> None:
        """Replace some fields, durably; fields that another thread replaces at the same moment keep its values. Whoever
        decides by `now` does so while nobody else changes it (`changing` of lts.service.pair.shared). Raises OSError.
        """
        with self._lock:
            changed = msgspec.structs.replace(self.now, **changes)
            if changed != self._stored:
                self._write(changed)
            self.now = changed

    def retire(self, **heir: str) -> bool:
        """This server no longer serves, in memory at once; returns whether that is stored, which each call tries.
        `heir` has the `uuid` and `key` of who gets what it alone has. The caller holds `changing` of
        lts.service.pair.shared where there is one."""
        with self._lock:
            self.now = msgspec.structs.replace(self.now, retired=True, **heir)
            with contextlib.suppress(OSError):
                if self._stored != self.now:
                    self._write(self.now)
            return self._stored == self.now

    @property
    def has_retired(self) -> bool:
        """Whether it is stored that this server no longer serves."""
        return self._stored.retired

    def keep(self) -> None:
        """Write it as it is, which shows whether it can be written. Raises OSError."""
        with self._lock:
            self._write(self.now)

    def _write(self, pinned: Pinned) -> None:
        write_private(self._path, msgspec.json.format(msgspec.json.encode(pinned)))
        self._stored = pinned
