"""What a data folder, a backup and a first copy hold, by the names of files and folders (docs/design/machine.md, The
data folder). Used by lts.service.maintenance.backups, lts.service.folder.restoring and lts.service.pair.copytaker.
"""

from __future__ import annotations

from lts.service.core import identity, pinned, vault
from lts.service.folder import mark
from lts.store.store import DATABASE, DATABASE_FILES

_DATABASE = (*DATABASE_FILES, f"{DATABASE}-journal")
"""With what LTS makes none of, and SQLite would write into the database."""
BACKED_UP_FILES = (identity.IDENTITY, identity.KEY, vault.FILE)
"""What a backup holds beside the database and `MANIFEST`; and the folders that it holds:"""
BACKED_UP_FOLDERS = ("trust", "archive")
MANIFEST = "backup.json"
"""Lists the files of a backup."""
MAY_BE_BACKED_UP = (DATABASE, *BACKED_UP_FILES, pinned.FILE)
"""The files, outside folders, that may be in a backup of any version."""
EVERYTHING = (*_DATABASE, mark.FILE, *BACKED_UP_FILES, pinned.FILE, *BACKED_UP_FOLDERS)
"""All that a data folder holds of its server."""
REPLACED_BY_COPY = (*_DATABASE, mark.FILE, "archive", vault.FILE)
"""What a first copy from the other server of a pair replaces."""
