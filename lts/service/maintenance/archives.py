"""Old changes of the feed, moved into archive files (docs/design/architecture.md, The change feed)."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lts.protocol import DAY_SECONDS
from lts.service.core.files import write_private
from lts.service.folder.datafolder import archives_folder
from lts.store.changes import feed
from lts.store.history import archive
from lts.store.store import Store

ARCHIVE_AFTER_SECONDS = DAY_SECONDS


def archive_old_changes(store: Store, data_dir: Path, now: int) -> int:
    """Move full stretches older than a day into archive files; returns how many changes were moved."""
    folder = archives_folder(data_dir)
    folder.mkdir(mode=0o700, exist_ok=True)
    moved = 0
    with store.reader() as db:
        origins = feed.origins(db)
    for origin in origins:
        while True:
            with store.reader() as db:
                stretch = archive.candidates(db, origin, now - ARCHIVE_AFTER_SECONDS)
            if not stretch:
                break
            data = archive.pack(stretch)
            name = archive.file_name(origin, stretch[0].serial, stretch[-1].serial)
            write_private(folder / name, data)
            digest = hashlib.sha256(data).digest()
            store.write(lambda tx, s=stretch, n=name, d=digest: archive.replace(tx, s, n, d))  # type: ignore[misc]  # bound at once
            moved += len(stretch)
    return moved
