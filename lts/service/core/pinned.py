"""What a server remembers of the other one: `pair.json` in the data folder, beside the database and not in it,
since the database of a standby is a copy of the main's."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lts.errors import DataFolderError
from lts.service.core.files import write_private

FILE = "pair.json"


class Delegation(msgspec.Struct, rename="camel", frozen=True):
    """The main's word for this server's key: certificates [main's own, delegation], UTC seconds of its end. `former`:
    that one is its main no more; worked out as it is read, and not kept."""

    main_uuid: str
    certificates: tuple[str, ...]
    until: int
    former: bool = False


class Pinned(msgspec.Struct, rename="camel", frozen=True):
    """`uuid` and `key` (base64url) of the other server as first met; `offered` is a key found instead of it later.

    `joined`: this server was in step once. `promoted_at`: the other's URL when this server was made the main for
    good, until `servers` is written anew; `replaced` is the key of the main in whose place it came. `retired`: the
    other was made the main, and this server serves no more.
    """

    uuid: str | None = None
    key: str | None = None
    offered: str | None = None
    joined: bool = False
    delegation: Delegation | None = None
    promoted_at: str | None = None
    replaced: str | None = None
    retired: bool = False


class PinnedFile:
    """The file, read once and replaced on every change."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self.now = self._read()

    def _read(self) -> Pinned:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Pinned)
        except FileNotFoundError:
            return Pinned()
        except (OSError, msgspec.MsgspecError) as error:
            raise DataFolderError(
                f"{self._path} cannot be read ({error}); remove it, and compare the fingerprints of the pair anew."
            ) from error

    def delegation(self, now: int) -> Delegation | None:
        """The main's word for this server, while it holds at `now` (UTC seconds)."""
        held = self.now.delegation
        return held if held is not None and now < held.until else None

    def change(self, **changes: object) -> None:
        """Replace some fields, durably."""
        changed = msgspec.structs.replace(self.now, **changes)
        if changed != self.now:
            write_private(self._path, msgspec.json.format(msgspec.json.encode(changed)))
            self.now = changed
