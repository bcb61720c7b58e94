"""A link that signs a user in once, on the server's own machine: for the person who started the server, or who may ask
it for one there.

It is valid for an hour or until it is used, whichever comes first, and no longer than the user's password. A new link
replaces the previous one. Only a digest of its code is kept; that it is used on the server's own machine is
checked by lts.web.admin.signin.
"""

from __future__ import annotations

import hashlib
import hmac

from lts.errors import AdminError
from lts.rules.accounts import plain_code
from lts.service.access import accounts, sessions
from lts.service.access.sessions import NewSession, password_digest_of
from lts.service.core.context import Context
from lts.store.tables import sessions as stored
from lts.store.tables.sessions import StoredLink
from lts.store.writing.transaction import Transaction

LINK_SECONDS = 3600


def make(ctx: Context, name: str, now: int) -> str:
    """The code of a new link for a user; `now` in UTC seconds. Raises AdminError if there is no such user."""
    code = sessions.new_code()

    def operation(tx: Transaction) -> None:
        user = accounts.users_of(tx.catalog).get(name)
        if user is None:
            raise AdminError("no-such-user", f"There is no user {name!r}.", status=404)
        stored.keep_link(tx, StoredLink(_digest(code), name, password_digest_of(user), now + LINK_SECONDS))

    ctx.store.write(operation)
    return code


def use(ctx: Context, code: str, address: str, agent: str, now: int) -> NewSession:
    """Begin the session of the link's user and forget the link, in one. Raises AdminError 403 when it does not hold."""

    def operation(tx: Transaction) -> NewSession:
        link = stored.link(tx.db)
        if link is None or not _holds(link, tx, code, now):
            raise AdminError(
                "wrong-sign-in-link",
                "This sign-in link was used already, or is too old. Sign in with the password;"
                " `lts password reset` on the server's machine sets a new one.",
                status=403,
            )
        stored.keep_link(tx, None)
        return sessions.start(tx, link.user, address, agent, now)

    return ctx.store.write(operation)


def _holds(link: StoredLink, tx: Transaction, code: str, now: int) -> bool:
    user = accounts.users_of(tx.catalog).get(link.user)
    return (
        user is not None
        and now < link.until
        and hmac.compare_digest(link.digest, _digest(code))
        and hmac.compare_digest(link.password_digest, password_digest_of(user))
    )


def _digest(code: str) -> bytes:
    return hashlib.sha256(b"sign-in link " + plain_code(code)).digest()
