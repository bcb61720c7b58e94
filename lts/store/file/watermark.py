"""How far a database is, to be recorded elsewhere and compared with it later."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import apsw

from lts.errors import DatabaseDamaged
from lts.store import sql
from lts.store.changes import feed
from lts.store.file import database
from lts.store.tables import meta
from lts.store.writing.openfeed import Position


@dataclass(frozen=True)
class Watermark:
    """The generation of its log, how far it has every origin, and the time of its newest change (UTC seconds, 0 = it
    holds none)."""

    generation: int
    positions: tuple[Position, ...]
    time: int

    def has(self, uuid: str, incarnation: str) -> bool:
        """Whether it holds changes of an origin."""
        return any(position[:2] == (uuid, incarnation) for position in self.positions)


def names(db: apsw.Connection) -> list[tuple[str, str]]:
    """(LTS UUID, incarnation) of every origin that a database knows, whether it holds anything of it or not."""
    if not sql.value(db, "PRAGMA user_version"):
        return []
    return [(uuid, incarnation) for _, uuid, incarnation in feed.origin_names(db)]


EMPTY = Watermark(0, (), 0)


def of(db: apsw.Connection) -> Watermark:
    """That of an open database as this connection sees it, of any schema this program knows."""
    if not sql.value(db, "PRAGMA user_version"):
        return EMPTY
    heads = [(uuid, incarnation, feed.head(db, key)) for key, uuid, incarnation in feed.origin_names(db)]
    positions = tuple((uuid, incarnation, *head[:2]) for uuid, incarnation, head in heads if head is not None)
    return Watermark(meta.generation(db), positions, feed.highest_time(db))


def generation_of_file(path: Path) -> int | None:
    """The generation in the file itself, without its log; None if it cannot be read, as while a checkpoint is under
    way."""
    try:
        with contextlib.closing(database.open_alone(path)) as db:
            return meta.generation(db)
    except (apsw.Error, DatabaseDamaged):
        return None


OLDER, OTHER = "older", "other"


def lag(db: apsw.Connection, here: Watermark, said: Watermark) -> str | None:
    """OLDER if the database, which is `here`, lacks changes that were recorded (`said`), OTHER if the record is another
    database's, else None."""
    heads = {position[:2]: position[2:] for position in here.positions}
    known = {(uuid, incarnation): key for key, uuid, incarnation in feed.origin_names(db)} if heads else {}
    found = None
    for uuid, incarnation, serial, digest in said.positions:
        head = heads.get((uuid, incarnation))
        if head is None or head[0] < serial:
            found = OLDER
        elif feed.hash_at(db, known[uuid, incarnation], serial) not in (None, digest):
            return OTHER
    if heads and said.positions and not heads.keys() & {position[:2] for position in said.positions}:
        return OTHER
    return OLDER if found is None and here.generation < said.generation else found
