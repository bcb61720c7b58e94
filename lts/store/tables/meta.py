"""Facts about this database only: its clock and the days it served. Not in the feed. An impossible value raises
DatabaseDamaged."""

from __future__ import annotations

import json
from typing import Annotated, Any

import apsw
import msgspec

from lts.errors import DatabaseDamaged
from lts.protocol import DAY_SECONDS
from lts.store import sql
from lts.store.changes.records import EventChange
from lts.store.writing.transaction import Transaction

KEPT_DAYS = 100
_LATEST = 253_402_300_799
"""The last second of the year 9999."""
_Time = Annotated[int, msgspec.Meta(ge=0, le=_LATEST)]
_Day = Annotated[int, msgspec.Meta(ge=0, le=_LATEST // DAY_SECONDS)]
_Hex = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2})*$")]
_SHAPES: dict[str, Any] = {
    "highestTime": _Time,
    "leastTime": _Time,
    "servedDays": list[_Day],
    "notes": list[tuple[str, str, str, dict[str, Any]]],
    "generation": Annotated[int, msgspec.Meta(ge=0, le=1 << 53)],
    "refusals": bytes,
    "signInLink": tuple[_Hex, str, _Hex, int],
}
"""What each name has; a list is kept as JSON."""


def read(db: apsw.Connection, name: str) -> Any:
    """The value stored under a name, None if there is none. Raises DatabaseDamaged."""
    kept, shape = sql.value(db, "SELECT value FROM meta WHERE name = ?", (name,)), _SHAPES[name]
    if kept is None:
        return None
    try:
        if isinstance(kept, str):
            return msgspec.json.decode(kept, type=shape)
        return msgspec.convert(kept, shape)
    except msgspec.MsgspecError as error:
        words = f"{db.filename} is damaged ({name} in its table meta: {error}); run `lts restore BACKUP`."
        raise DatabaseDamaged(words) from error


def damage(db: apsw.Connection) -> DatabaseDamaged | None:
    """What cannot be read of all that is kept, None if everything can."""
    try:
        for name in _SHAPES:
            read(db, name)
    except DatabaseDamaged as error:
        return error
    return None


def highest_time(db: apsw.Connection) -> int:
    """Highest confirmed time seen (UTC seconds), 0 when none was kept yet."""
    return read(db, "highestTime") or 0


def least_time(db: apsw.Connection) -> int:
    """The time that it was at least by what elapsed (UTC seconds), 0 where LTS before kept none."""
    return read(db, "leastTime") or 0


def served_days(db: apsw.Connection) -> set[int]:
    """Days since 1970 on which the server ran, the last 100."""
    return set(read(db, "servedDays") or ())


def refusals(db: apsw.Connection) -> bytes:
    """What was kept of the last refused requests (lts.service.core.refusals), empty when nothing was."""
    return read(db, "refusals") or b""


def keep_refusals(tx: Transaction, data: bytes) -> None:
    """Keep the last refused requests, in place of those kept before."""
    tx.note_written_beside()
    tx.execute("INSERT OR REPLACE INTO meta VALUES ('refusals', ?)", (data,))


def try_storing(tx: Transaction) -> None:
    """Store something, so that the commit shows whether this can be done."""
    tx.note_written_beside()
    tx.execute(
        "INSERT OR REPLACE INTO meta VALUES ('tried', coalesce((SELECT value FROM meta WHERE name = 'tried'), 0) + 1)"
    )


def keep_clock(tx: Transaction, highest: int, least: int, day: int) -> None:
    """Store the days; days after `day` are from a wrong clock, and are removed."""
    tx.note_written_beside()
    days = sorted({one for one in served_days(tx.db) if one < day} | {day})[-KEPT_DAYS:]
    for name, value in (("highestTime", highest), ("leastTime", least), ("servedDays", json.dumps(days))):
        tx.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def put_note(tx: Transaction, server: str, event: EventChange) -> None:
    """Keep a line for the audit log until the server of that LTS UUID writes its own feed."""
    tx.note_written_beside()
    notes = [*_notes(tx.db), [server, event.actor, event.name, event.detail]]
    tx.execute("INSERT OR REPLACE INTO meta VALUES ('notes', ?)", (json.dumps(notes),))


def take_notes(tx: Transaction, server: str) -> list[EventChange]:
    """Remove and return the stored lines. Lines of another server, from a copy of its database, are dropped: it writes
    them itself."""
    notes = _notes(tx.db)
    if notes:
        tx.note_written_beside()
        tx.execute("DELETE FROM meta WHERE name = 'notes'")
    return [EventChange(actor, name, detail) for uuid, actor, name, detail in notes if uuid == server]


def _notes(db: apsw.Connection) -> list[Any]:
    return read(db, "notes") or []


def generation(db: apsw.Connection) -> int:
    """How often the database's log started over, see lts.store.file.checkpoints; 0 before this was counted."""
    return read(db, "generation") or 0


def next_generation(db: apsw.Connection) -> None:
    """Part of the first commit of a log that starts over."""
    db.execute("INSERT OR REPLACE INTO meta VALUES ('generation', ?)", (generation(db) + 1,))
