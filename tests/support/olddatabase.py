"""A database as an older program left it."""

from __future__ import annotations

from pathlib import Path

import apsw

from lts.store import sql
from lts.store.file.schema import APPLICATION_ID, MIGRATIONS


def turn_to_schema(path: Path, schema: int) -> None:
    """The same database as this schema had it: made by the first scripts, with the rows for which it has a place."""
    newer = path.with_name("newer.db")
    path.rename(newer)
    db = apsw.Connection(str(path))
    for script in MIGRATIONS[:schema]:
        db.execute(script)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {schema}")
    db.execute("ATTACH ? AS newer", (str(newer),))
    for (name,) in sql.rows(db, "SELECT name FROM sqlite_master WHERE type = 'table'"):
        columns = ", ".join(column for (column,) in sql.rows(db, f"SELECT name FROM pragma_table_info('{name}')"))
        db.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM newer.{name}")
    db.close()
    newer.unlink()
