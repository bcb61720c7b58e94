"""Users, their passwords and the API tokens: settings of the server, so that a standby knows them too.

A user is the setting `user:NAME` = {role, password (Argon2id hash), since}, a token `token:ID` = {name, role, digest,
since}. Nothing here ever returns a password, hash or token, except a token once, when it is made.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Any

from lts.errors import AdminError
from lts.protocol import iso
from lts.rules.accounts import ADMINISTRATOR, OWNER, ROLES, Account, normal_password, password_fault, plain_code
from lts.rules.licensing.catalog import Catalog
from lts.rules.values import meanwhile
from lts.rules.values.readmodel import ReadModel
from lts.rules.values.text import clean_name, nfc
from lts.service.access.passwords import hashed, is_dated, matches
from lts.service.core.context import Context
from lts.store.changes import records
from lts.store.tables import sessions as stored
from lts.store.writing.transaction import Transaction

if TYPE_CHECKING:
    from lts.store.sql import Connection

Json = dict[str, Any]
USER, TOKEN = "user:", "token:"
MAX_USERS, MAX_TOKENS, MAX_USER_NAME = 200, 200, 64


class UserLine(ReadModel, frozen=True):
    """A user, known since a time (RFC 3339)."""

    name: str
    role: str
    since: str
    owner: bool


class TokenLine(ReadModel, frozen=True):
    """An API token, without what would let anybody use it."""

    id: str
    name: str
    role: str
    since: str


class MadeToken(ReadModel, frozen=True):
    """A new API token with its text, which is shown this once."""

    id: str
    name: str
    role: str
    token: str


def users_of(catalog: Catalog) -> dict[str, Json]:
    return catalog.settings_of(USER)


def is_set_up(catalog: Catalog) -> bool:
    """Whether the owner has a password."""
    return OWNER in users_of(catalog)


def checked_new_password(password: Any, user: str) -> str:
    """The password when it is good enough. Raises AdminError naming the field."""
    if not isinstance(password, str):
        raise AdminError("bad-field", "password must be a text.", field="password")
    fault = password_fault(normal_password(password), user)
    if fault is not None:
        raise AdminError(*fault, field="password")
    return password


def check_password(ctx: Context, name: str, password: str) -> None:
    """Raises AdminError 403 unless this is the user's password; takes as long if there is no such user."""
    name = plain_name(name)
    user = users_of(ctx.store.catalog).get(name)
    if not matches(str(user["password"]) if user else None, password[:1024]):
        raise AdminError("wrong-password", "The user name or the password is wrong.", status=403, field="password")


def plain_name(text: str) -> str:
    """A user's name as it is kept, however it was typed: in NFC, trimmed."""
    return nfc(text.strip(), MAX_USER_NAME).strip()


def renew_hash(ctx: Context, name: str, password: str, now: int) -> None:
    """Hash a password that was just accepted again if its hash has an earlier version's parameters.

    The user's other sessions end, as with any new hash. Only the server that serves does this: its settings apply to
    both.
    """
    known = users_of(ctx.store.catalog).get(name)
    if known is None or not is_dated(str(known["password"])):
        return
    if not ctx.running.may_write or not ctx.running.serves:
        return
    new = {**known, "password": hashed(password)}

    def operation(tx: Transaction) -> None:
        if users_of(tx.catalog).get(name) == known:
            tx.emit(records.SettingChange(name, USER + name, new), now)

    ctx.store.write(operation)


def set_up(ctx: Context, code: str, password: str, now: int) -> None:
    """Give the owner a password, once, by the one-time code. Raises AdminError."""
    if is_set_up(ctx.store.catalog):
        raise _done_before()
    checked_new_password(password, OWNER)
    with ctx.store.reader() as db:
        _check_setup_code(db, code)  # a stranger's guess costs no hash
    value = {"role": ADMINISTRATOR, "password": hashed(password), "since": now}

    def operation(tx: Transaction) -> None:
        if is_set_up(tx.catalog):
            raise _done_before()
        _check_setup_code(tx.db, code)
        tx.emit(records.SettingChange(OWNER, USER + OWNER, value), now)
        stored.keep_setup_code(tx, None)

    ctx.store.write(operation)


def _check_setup_code(db: Connection, code: str) -> None:
    known = stored.setup_code(db)
    if known is None or not hmac.compare_digest(plain_code(code), plain_code(known)):
        raise AdminError(
            "wrong-setup-code",
            "The set-up code is not right; `lts setup-code` shows it on the server's machine.",
            status=403,
            field="code",
        )


def _done_before() -> AdminError:
    return AdminError("set-up-before", "This server is set up already; sign in.", status=409)


def reset(ctx: Context, actor: str, now: int) -> None:
    """Take the owner's password away: all its sessions end, and a new set-up code is made when asked for."""

    def operation(tx: Transaction) -> None:
        if is_set_up(tx.catalog):
            tx.emit(records.SettingChange(actor, USER + OWNER, None), now)
        stored.keep_setup_code(tx, None)

    ctx.store.write(operation)


def describe_users(ctx: Context) -> list[UserLine]:
    """All users, the owner first."""
    users = users_of(ctx.store.catalog)
    return [
        UserLine(name, user["role"], iso(user["since"]), name == OWNER)
        for name, user in sorted(users.items(), key=lambda one: (one[0] != OWNER, one[0]))
    ]


def _role(role: Any) -> str:
    if role not in ROLES:
        raise AdminError("bad-role", f"role is one of {', '.join(ROLES)}.", field="role")
    return str(role)


def add_user(ctx: Context, name: str, role: Any, password: Any, actor: str, now: int) -> str:
    """A new user; returns the name as stored. Raises AdminError."""
    cleaned = clean_name(name, "The user name", MAX_USER_NAME)
    if cleaned in (".", ".."):  # browsers take them out of an address, so nobody could open that user again
        raise AdminError("dots-name", "A user cannot be called . or ..; take a name with a letter.", field="name")
    value = {"role": _role(role), "password": hashed(checked_new_password(password, cleaned)), "since": now}

    def operation(tx: Transaction) -> None:
        users = users_of(tx.catalog)
        if cleaned.casefold() in {known.casefold() for known in users} | {OWNER}:
            raise AdminError("user-exists", f"There is a user {cleaned} already.", status=409, field="name")
        if len(users) >= MAX_USERS:
            raise AdminError("too-many-users", f"There may be {MAX_USERS} users; remove one first.", status=409)
        tx.emit(records.SettingChange(actor, USER + cleaned, value), now)

    ctx.store.write(operation)
    return cleaned


def edit_user(ctx: Context, name: str, changes: Json, actor: str, now: int) -> None:
    """Change role or password (both optional) of a user; the owner's role stays. `was` holds the role that was read
    (lts.rules.values.meanwhile). Raises AdminError."""
    name = plain_name(name)
    new: Json = {}
    if changes.get("role") is not None:
        new["role"] = _role(changes["role"])
        if name == OWNER and new["role"] != ADMINISTRATOR:
            raise AdminError("owner", f"{OWNER} stays an administrator.", status=409, field="role")
    if changes.get("password") is not None:
        new["password"] = hashed(checked_new_password(changes["password"], name))

    def operation(tx: Transaction) -> None:
        user = users_of(tx.catalog).get(name)
        if user is None:
            raise _no_such_user(name)
        meanwhile.check(changes.get(meanwhile.WAS), {"role": user["role"]}, new)
        tx.emit(records.SettingChange(actor, USER + name, {**user, **new}), now)

    ctx.store.write(operation)


def remove_user(ctx: Context, name: str, actor: str, now: int) -> None:
    """Remove a user; its sessions end. The owner stays. Raises AdminError."""
    name = plain_name(name)
    if name == OWNER:
        raise AdminError("owner", f"{OWNER} cannot be removed.", status=409)

    def operation(tx: Transaction) -> None:
        if name not in users_of(tx.catalog):
            raise _no_such_user(name)
        tx.emit(records.SettingChange(actor, USER + name, None), now)

    ctx.store.write(operation)


def _no_such_user(name: str) -> AdminError:
    return AdminError("no-such-user", f"There is no user {name!r}.", status=404)


def describe_tokens(ctx: Context) -> list[TokenLine]:
    """All API tokens, oldest first."""
    tokens = ctx.store.catalog.settings_of(TOKEN)
    return [
        TokenLine(key, token["name"], token["role"], iso(token["since"]))
        for key, token in sorted(tokens.items(), key=lambda one: (one[1]["since"], one[0]))
    ]


def add_token(ctx: Context, name: str, role: Any, actor: str, now: int) -> MadeToken:
    """A new API token. Raises AdminError."""
    cleaned, role = clean_name(name, "The token's name", 64), _role(role)
    key, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    value = {"name": cleaned, "role": role, "digest": hashlib.sha256(secret.encode()).hexdigest(), "since": now}

    def operation(tx: Transaction) -> None:
        if len(tx.catalog.settings_of(TOKEN)) >= MAX_TOKENS:
            raise AdminError("too-many-tokens", f"There may be {MAX_TOKENS} API tokens; remove one first.", status=409)
        tx.emit(records.SettingChange(actor, TOKEN + key, value), now)

    ctx.store.write(operation)
    return MadeToken(key, cleaned, role, f"lts_{key}_{secret}")


def remove_token(ctx: Context, key: str, actor: str, now: int) -> None:
    def operation(tx: Transaction) -> None:
        if TOKEN + key not in tx.catalog.settings:
            raise AdminError("no-such-token", "There is no such token.", status=404)
        tx.emit(records.SettingChange(actor, TOKEN + key, None), now)

    ctx.store.write(operation)


def account_of_token(catalog: Catalog, text: str) -> Account | None:
    """Who calls with an API token, None for one that is not known."""
    kind, _, rest = text.partition("_")
    key, _, secret = rest.partition("_")
    token = catalog.settings.get(TOKEN + key) if kind == "lts" else None
    if not isinstance(token, dict):
        return None
    digest = hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
    if not hmac.compare_digest(digest, str(token["digest"])):
        return None
    return Account(str(token["name"]), str(token["role"]), f"token:{token['name']}")
