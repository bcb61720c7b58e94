"""Sessions of browsers, which belong only to this server, and the one-time code of the first visit."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any

from lts.errors import AdminError, CannotStore
from lts.protocol import iso
from lts.rules.accounts import Account
from lts.rules.sessions import SEEN_SECONDS, session_ended
from lts.rules.values.readmodel import ReadModel
from lts.service.access import accounts
from lts.service.core.context import Context
from lts.store.tables import sessions as stored
from lts.store.tables.sessions import StoredSession
from lts.store.writing.transaction import Transaction

KEPT_EACH = 50
"""Sessions of one user; the one unused for longest makes room."""
_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


@dataclass(frozen=True)
class NewSession:
    """A new session: `secret` goes into the cookie and is stored nowhere else."""

    account: Account
    secret: str


def csrf_of(secret: str) -> str:
    """What a page sends back in a header to show that it is our own."""
    return hashlib.sha256(f"csrf {secret}".encode("utf-8", "replace")).hexdigest()[:32]


def _digest(secret: str) -> bytes:
    return hashlib.sha256(f"session {secret}".encode("utf-8", "replace")).digest()


def password_digest_of(user: dict[str, Any]) -> bytes:
    """Changes with a stored user's password, and reveals nothing about it."""
    return hashlib.sha256(str(user["password"]).encode()).digest()[:16]


def begin(ctx: Context, name: str, address: str, agent: str, now: int) -> NewSession:
    """A new session of a user whose password has been checked. Raises AdminError, CannotStore."""
    return ctx.store.write(lambda tx: start(tx, name, address, agent, now))


def start(tx: Transaction, name: str, address: str, agent: str, now: int) -> NewSession:
    """The operation behind `begin`."""
    user = accounts.users_of(tx.catalog).get(name)
    if user is None:
        raise AdminError("not-signed-in", "Sign in first.", status=401)
    secret, key = secrets.token_urlsafe(32), secrets.token_hex(8)
    _sweep(tx, name, now)
    stored.put(
        tx, StoredSession(key, _digest(secret), name, password_digest_of(user), now, now, address[:64], agent[:200])
    )
    return NewSession(Account(name, str(user["role"]), name, key), secret)


def _sweep(tx: Transaction, name: str, now: int) -> None:
    users = accounts.users_of(tx.catalog)
    kept = 0
    for session in stored.all_sessions(tx.db):
        kept += session.user == name
        if not _holds(session, users, now) or (session.user == name and kept >= KEPT_EACH):
            stored.remove(tx, session.id)


def _holds(session: StoredSession, users: dict[str, Any], now: int) -> bool:
    user = users.get(session.user)
    ended = session_ended(session.begun, session.seen, now)
    return user is not None and not ended and hmac.compare_digest(session.password_digest, password_digest_of(user))


def find(ctx: Context, secret: str, now: int) -> Account | None:
    """Whose session a cookie is, None if it has ended."""
    with ctx.store.reader() as db:
        session = stored.find(db, _digest(secret))
    users = accounts.users_of(ctx.store.catalog)
    if session is None or not _holds(session, users, now):
        return None
    if now - session.seen > SEEN_SECONDS:
        with contextlib.suppress(CannotStore):  # with a full disk, people must still be able to read what is wrong
            ctx.store.write(lambda tx: stored.touch(tx, session.id, now))
    return Account(session.user, str(users[session.user]["role"]), session.user, session.id)


class SessionLine(ReadModel, frozen=True):
    """A valid session; times as RFC 3339, `current` if it is the caller's own."""

    id: str
    user: str
    since: str
    last_used: str
    address: str
    agent: str
    current: bool


def describe(ctx: Context, account: Account, now: int) -> list[SessionLine]:
    """Sessions that hold: an administrator sees all, others their own."""
    users = accounts.users_of(ctx.store.catalog)
    with ctx.store.reader() as db:
        every = stored.all_sessions(db)
    return [
        SessionLine(
            id=session.id,
            user=session.user,
            since=iso(session.begun),
            last_used=iso(session.seen),
            address=session.address,
            agent=session.agent,
            current=session.id == account.session,
        )
        for session in every
        if _holds(session, users, now) and (account.may_change or session.user == account.name)
    ]


def end(ctx: Context, account: Account, key: str, now: int) -> None:
    """End a session: one's own, or as an administrator anybody's. Raises AdminError if it does not exist."""
    if key not in {session.id for session in describe(ctx, account, now)}:
        raise AdminError("no-such-session", "There is no such session, or it has ended.", status=404)
    ctx.store.write(lambda tx: stored.remove(tx, key))


def new_code() -> str:
    """A one-time code of 80 random bits that people can type."""
    letters = [secrets.choice(_LETTERS) for _ in range(16)]
    return "-".join("".join(letters[i : i + 4]) for i in range(0, 16, 4))


def setup_code(ctx: Context) -> str | None:
    """The one-time code of the first visit, made when it is first asked for; None once the password is set."""

    def operation(tx: Transaction) -> str | None:
        if accounts.is_set_up(tx.catalog):
            return None
        code = stored.setup_code(tx.db)
        if code is None:
            code = new_code()
            stored.keep_setup_code(tx, code)
        return code

    return ctx.store.write(operation)
