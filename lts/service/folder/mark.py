"""The mark next to the database: what was durable in it at some moment (docs/design/machine.md, What a data folder says
of itself).

It is written after what it records is durable, so it is never ahead of the database: a database that has less lost
something, or belongs to another server.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lts import plainfile
from lts.errors import DataFolderError
from lts.service.core import identity
from lts.service.core.files import not_read, write_private
from lts.store.file.watermark import Watermark
from lts.store.sql import SqliteError
from lts.strictjson import strict_json

log = logging.getLogger("lts.datafolder")
FILE = "lts.mark"


class Mark:
    """Writes the mark of a data folder, from any thread."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._lock = threading.Lock()
        self._last: Watermark | None = None

    def keep(self, look: Callable[[], Watermark]) -> bool:
        """Record what `look` finds durable. Returns False, with a line in the log, if that cannot be done now: the
        previous mark remains valid. Never raises: it is called between a commit and its answers."""
        with self._lock:
            try:
                watermark = look()
                if watermark != self._last:
                    write_private(self._path, _encode(watermark))
                    self._last = watermark
            except (OSError, SqliteError, DataFolderError) as error:
                log.warning("%s cannot be written: %s", self._path, error)
                return False
            return True


def _encode(watermark: Watermark) -> bytes:
    positions = [(uuid, incarnation, serial, digest.hex()) for uuid, incarnation, serial, digest in watermark.positions]
    fields: dict[str, Any] = {"generation": watermark.generation, "time": watermark.time, "positions": positions}
    fields[identity.DIGEST] = identity.digest_of(fields)
    return json.dumps(fields, indent=1).encode("utf-8")


def read(folder: Path) -> Watermark | None:
    """What the mark of a data folder records, or None if there is no mark. Raises ValueError if it is damaged,
    DataFolderError where it cannot be read at all."""
    path = folder / FILE
    try:
        fields = strict_json(plainfile.read(path))
        if fields.pop(identity.DIGEST, None) not in (None, identity.digest_of(fields)):  # LTS wrote none before 0.2
            raise ValueError
        positions = tuple(
            (str(uuid), str(incarnation), int(serial), bytes.fromhex(digest))
            for uuid, incarnation, serial, digest in fields["positions"]
        )
        return Watermark(int(fields["generation"]), positions, int(fields["time"]))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataFolderError(not_read(path, error)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("it is not what LTS wrote") from error
