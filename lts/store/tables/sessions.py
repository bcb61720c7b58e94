"""Sessions of browsers, the set-up code and the sign-in link: facts of this server only, which are in no feed."""

from __future__ import annotations

import json
from dataclasses import dataclass

import apsw

from lts.store import sql
from lts.store.tables import meta
from lts.store.writing.transaction import Transaction


@dataclass(frozen=True)
class StoredSession:
    """A session: `digest` of the cookie's secret, `password_digest` of the password it was opened with; UTC seconds."""

    id: str
    digest: bytes
    user: str
    password_digest: bytes
    begun: int
    seen: int
    address: str
    agent: str


_COLUMNS = "id, digest, user, mark, begun, seen, address, agent"


def find(db: apsw.Connection, digest: bytes) -> StoredSession | None:
    row = sql.first(db, f"SELECT {_COLUMNS} FROM sessions WHERE digest = ?", (digest,))  # noqa: S608 - fixed columns
    return None if row is None else StoredSession(*row)


def all_sessions(db: apsw.Connection) -> list[StoredSession]:
    """Every session, the one last used first."""
    return [StoredSession(*row) for row in sql.rows(
        db, f"SELECT {_COLUMNS} FROM sessions ORDER BY seen DESC, id")]  # noqa: S608  # fmt: skip


def put(tx: Transaction, session: StoredSession) -> None:
    tx.note_written_beside()
    tx.execute(
        "INSERT INTO sessions (id, digest, user, mark, begun, seen, address, agent) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (session.id, session.digest, session.user, session.password_digest, session.begun, session.seen,
         session.address, session.agent),
    )  # fmt: skip


def touch(tx: Transaction, key: str, now: int) -> None:
    tx.note_written_beside()
    tx.execute("UPDATE sessions SET seen = ? WHERE id = ?", (now, key))


def remove(tx: Transaction, key: str) -> bool:
    """End a session; whether there was one."""
    tx.note_written_beside()
    tx.execute("DELETE FROM sessions WHERE id = ?", (key,))
    return bool(tx.db.changes())


def setup_code(db: apsw.Connection) -> str | None:
    """The set-up code kept, None if none was made."""
    code: str | None = sql.value(db, "SELECT value FROM meta WHERE name = 'setupCode'")
    return code


def keep_setup_code(tx: Transaction, code: str | None) -> None:
    """Keep a set-up code, None = it was used."""
    tx.note_written_beside()
    tx.execute("DELETE FROM meta WHERE name = 'setupCode'")
    if code is not None:
        tx.execute("INSERT INTO meta VALUES ('setupCode', ?)", (code,))


@dataclass(frozen=True)
class StoredLink:
    """The sign-in link: `digest` of its code, `password_digest` of the user's password at that time;
    UTC seconds."""

    digest: bytes
    user: str
    password_digest: bytes
    until: int


def link(db: apsw.Connection) -> StoredLink | None:
    """The stored link, None if there is none or it was used."""
    kept = meta.read(db, "signInLink")
    if kept is None:
        return None
    digest, user, password_digest, until = kept
    return StoredLink(bytes.fromhex(digest), user, bytes.fromhex(password_digest), until)


def keep_link(tx: Transaction, made: StoredLink | None) -> None:
    """Keep a link in place of the one before, None = it was used."""
    tx.note_written_beside()
    tx.execute("DELETE FROM meta WHERE name = 'signInLink'")
    if made is not None:
        text = json.dumps([made.digest.hex(), made.user, made.password_digest.hex(), made.until])
        tx.execute("INSERT INTO meta VALUES ('signInLink', ?)", (text,))
