"""Reading rows with types that a checker can follow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apsw

Connection = apsw.Connection
"""An open database, to hand from one function of the store to another."""
SqliteError, Interrupted, Closed = apsw.Error, apsw.InterruptError, apsw.ConnectionClosedError
sqlite_version = apsw.sqlite_lib_version
Row = tuple[Any, ...]


def rows(db: apsw.Connection, sql: str, values: tuple[Any, ...] = ()) -> list[Row]:
    return db.execute(sql, values).fetchall()


def each(db: apsw.Connection, sql: str, values: tuple[Any, ...] = ()) -> Iterator[Row]:
    yield from db.execute(sql, values)


def first(db: apsw.Connection, sql: str, values: tuple[Any, ...] = ()) -> Row | None:
    """The first row, or None."""
    return db.execute(sql, values).fetchone()


def value(db: apsw.Connection, sql: str, values: tuple[Any, ...] = ()) -> Any:
    """The first column of the first row, or None."""
    row = db.execute(sql, values).fetchone()
    return None if row is None else row[0]
