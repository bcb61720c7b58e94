"""How alerts are sent: mail, levels, webhooks, calendar. Settings of the server, so that a standby sends them too.

The mail password and webhook secrets are encrypted with the vault's key, and are sent only where they belong.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from lts import plainfile
from lts.crypto import b64url, unb64url
from lts.errors import AdminError
from lts.rules.alerting.alerts import DEFAULT_LEVELS, clean_levels
from lts.rules.alerting.alertwords import BOTH
from lts.rules.licensing.catalog import Catalog
from lts.rules.values import meanwhile
from lts.rules.values.addresses import MailAddress, read_address, read_addresses
from lts.rules.values.readmodel import ReadModel
from lts.rules.values.text import clean_name
from lts.service.core.context import Context
from lts.store.changes import records
from lts.store.writing.transaction import Transaction

Json = dict[str, Any]
MAIL, LEVELS, WEBHOOK, CALENDAR = "mail", "alertLevels", "webhook:", "calendar"
SECURITIES = ("tls", "starttls", "none")
MOST_WEBHOOKS, _MAX_URL = 10, 1000
_SHOWN = 200
"""Characters of a path in a refusal."""
_PASSWORD, _SECRET = "mail-password", "webhook-secret"
_FIELDS = ("host", "port", "security", "caFile", "user", "from", "to", "cc", "bcc", "language")


@dataclass(frozen=True)
class MailSettings:
    """A sender and its receivers, the password in the clear."""

    host: str
    port: int
    security: str
    ca_file: str
    user: str
    password: str
    sender: MailAddress
    to: tuple[MailAddress, ...]
    cc: tuple[MailAddress, ...]
    bcc: tuple[MailAddress, ...]
    language: str

    @property
    def receivers(self) -> tuple[str, ...]:
        """All addresses, each once."""
        return tuple(dict.fromkeys(one.address for one in (*self.to, *self.cc, *self.bcc)))


@dataclass(frozen=True)
class Webhook:
    """An address that gets alerts by HTTP, and the secret that signs them."""

    id: str
    name: str
    url: str
    secret: str


class MailDetails(ReadModel, frozen=True):
    """The mail settings for a form: as they are stored, without the password; receivers in lists of one text each."""

    host: str
    port: int
    security: str
    ca_file: str
    user: str
    sender: str = msgspec.field(name="from")
    to: str
    cc: str
    bcc: str
    language: str
    has_password: bool


class WebhookLine(ReadModel, frozen=True):
    """A webhook without its secret."""

    id: str
    name: str
    url: str


class MadeWebhook(WebhookLine, frozen=True):
    """A new webhook with its secret, which is shown this once."""

    secret: str


def mail_of(ctx: Context) -> MailSettings | None:
    """The mail settings, None if mail is not set up."""
    stored = ctx.store.catalog.settings.get(MAIL)
    return _read_mail(ctx, stored) if isinstance(stored, dict) else None


def _read_mail(ctx: Context, stored: Json) -> MailSettings:
    sealed = stored.get("password")
    return MailSettings(
        stored["host"], stored["port"], stored["security"], stored["caFile"], stored["user"],
        ctx.vault.unseal(unb64url(sealed), _PASSWORD) if sealed else "",
        read_address(stored["from"], "from"),
        tuple(read_addresses(stored["to"], "to")), tuple(read_addresses(stored["cc"], "cc")),
        tuple(read_addresses(stored["bcc"], "bcc")), stored["language"],
    )  # fmt: skip


def describe_mail(catalog: Catalog) -> MailDetails | None:
    """None if mail is not set up."""
    stored = _without_password(catalog)
    return None if stored is None else msgspec.convert(stored, MailDetails)


def _without_password(catalog: Catalog) -> Json | None:
    """The mail settings as they are stored, but of the password only whether there is one."""
    stored = catalog.settings.get(MAIL)
    if not isinstance(stored, dict):
        return None
    open_fields = {name: value for name, value in stored.items() if name != "password"}
    return {**open_fields, "hasPassword": bool(stored.get("password"))}


def clean_mail(ctx: Context, given: Json) -> Json:
    """Mail settings as they are stored; a password that is not given stays. Raises AdminError naming the field."""
    unknown = set(given) - {*_FIELDS, "password"}
    if unknown:
        raise AdminError("unknown-field", f"Unknown field {sorted(unknown)[0]!r}.", field=sorted(unknown)[0])
    host = clean_name(_text(given.get("host"), "host"), "The mail server's name", 253)
    if any(char.isspace() or char in "/@\\" for char in host):
        raise AdminError("bad-host", "Give the mail server's name alone, such as mail.example.com.", field="host")
    port, security = given.get("port"), given.get("security", "starttls")
    if type(port) is not int or not 1 <= port <= 65535:
        raise AdminError("bad-port", "The port is a number from 1 to 65535; usual ones are 587, 465, 25.", field="port")
    if security not in SECURITIES:
        raise AdminError("bad-security", f"Choose one of {', '.join(SECURITIES)}.", field="security")
    language = given.get("language", "en")
    if not isinstance(language, str) or language not in BOTH:
        raise AdminError("bad-language", f"Choose one of {', '.join(BOTH)}.", field="language")
    lists = {name: read_addresses(_text(given.get(name), name), name) for name in ("to", "cc", "bcc")}
    if not any(lists.values()):
        raise AdminError("no-receivers", "Give at least one receiver.", field="to")
    ca_file = _ca_file(_text(given.get("caFile"), "caFile").strip())
    return {
        "host": host, "port": port, "security": security, "caFile": ca_file,
        "user": _line(given.get("user"), "user"), "from": read_address(given.get("from"), "from").typed,
        **{name: "; ".join(one.typed for one in found) for name, found in lists.items()},
        "language": language, **_password(ctx, given),
    }  # fmt: skip


def _line(value: object, field: str) -> str:
    text = _text(value, field)
    if len(text) > 256 or any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise AdminError("bad-field", f"{field} is a text of at most 256 characters in one line.", field=field)
    return text


def _text(value: object, field: str) -> str:
    text = "" if value is None else value
    if not isinstance(text, str):
        raise AdminError("bad-field", f"{field} must be a text.", field=field)
    return text


def _password(ctx: Context, given: Json) -> Json:
    if "password" not in given:
        stored = ctx.store.catalog.settings.get(MAIL)
        kept = stored.get("password") if isinstance(stored, dict) else None
        return {"password": kept} if kept else {}
    password = _line(given["password"], "password")
    return {"password": b64url(ctx.vault.seal(password, _PASSWORD))} if password else {}


def _ca_file(text: str) -> str:
    if text and not plainfile.is_seen(Path(text)):
        raise AdminError("no-ca-file", f"There is no file {text[:_SHOWN]!r} on the server's machine.", field="caFile")
    return text


def settings_for_test(ctx: Context, given: Json | None) -> MailSettings:
    """Settings that are typed but not stored yet, or the stored ones. Raises AdminError."""
    if given:
        return _read_mail(ctx, clean_mail(ctx, given))
    stored = mail_of(ctx)
    if stored is None:
        raise AdminError("no-mail", "Mail is not set up; fill in the sender first.", status=404)
    return stored


def change_mail(ctx: Context, given: Json | None, actor: str, now: int) -> None:
    """Set mail up, or switch it off (None). With `was`, what `describe_mail` returned to whoever changes it, refused if
    somebody else changed it meanwhile. Raises AdminError."""
    was = {} if given is None or meanwhile.WAS not in given else {"mail": given[meanwhile.WAS]}
    new = None if given is None else {name: value for name, value in given.items() if name != meanwhile.WAS}
    value = None if new is None else clean_mail(ctx, new)

    def operation(tx: Transaction) -> None:
        meanwhile.check(was, {"mail": _without_password(tx.catalog)}, {})
        tx.emit(records.SettingChange(actor, MAIL, value), now)

    ctx.store.write(operation)


def levels_of(catalog: Catalog) -> Mapping[str, tuple[int, ...]]:
    """Percent by what is watched."""
    stored = catalog.settings.get(LEVELS)
    own = {name: tuple(levels) for name, levels in stored.items()} if isinstance(stored, dict) else {}
    return {**DEFAULT_LEVELS, **own}


def change_levels(ctx: Context, given: object, actor: str, now: int, was: object = None) -> None:
    """Levels for some things that are watched; the others stay. `was` holds those that were read
    (lts.rules.values.meanwhile). Raises AdminError."""
    new = {name: list(levels) for name, levels in clean_levels(given).items()}

    def operation(tx: Transaction) -> None:
        before = {name: list(levels) for name, levels in levels_of(tx.catalog).items()}
        meanwhile.check(was, before, new)
        tx.emit(records.SettingChange(actor, LEVELS, before | new), now)

    ctx.store.write(operation)


def webhooks_of(ctx: Context) -> list[Webhook]:
    """All webhooks, oldest first."""
    stored = ctx.store.catalog.settings_of(WEBHOOK)
    return [
        Webhook(key, value["name"], value["url"], ctx.vault.unseal(unb64url(value["secret"]), _SECRET))
        for key, value in sorted(stored.items(), key=lambda one: (one[1]["since"], one[0]))
    ]


def webhook(ctx: Context, key: str) -> Webhook:
    found = next((hook for hook in webhooks_of(ctx) if hook.id == key), None)
    if found is None:
        raise AdminError("no-such-webhook", "There is no such webhook.", status=404)
    return found


def describe_webhooks(ctx: Context) -> list[WebhookLine]:
    return [WebhookLine(hook.id, hook.name, hook.url) for hook in webhooks_of(ctx)]


def add_webhook(ctx: Context, name: str, url: object, actor: str, now: int) -> MadeWebhook:
    """A new webhook. Raises AdminError."""
    cleaned, address = clean_name(name, "The webhook's name", 64), clean_webhook_url(url)
    key, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    value = {"name": cleaned, "url": address, "secret": b64url(ctx.vault.seal(secret, _SECRET)), "since": now}

    def operation(tx: Transaction) -> None:
        if sum(setting.startswith(WEBHOOK) for setting in tx.catalog.settings) >= MOST_WEBHOOKS:
            raise AdminError("too-many-webhooks", f"There are {MOST_WEBHOOKS} webhooks already.", status=409)
        tx.emit(records.SettingChange(actor, WEBHOOK + key, value), now)

    ctx.store.write(operation)
    return MadeWebhook(key, cleaned, address, secret)


def remove_webhook(ctx: Context, key: str, actor: str, now: int) -> None:
    def operation(tx: Transaction) -> None:
        if WEBHOOK + key not in tx.catalog.settings:
            raise AdminError("no-such-webhook", "There is no such webhook.", status=404)
        tx.emit(records.SettingChange(actor, WEBHOOK + key, None), now)

    ctx.store.write(operation)


def clean_webhook_url(text: object) -> str:
    """An http or https URL without a user. Raises AdminError."""
    url = text.strip() if isinstance(text, str) else ""
    url = url if len(url) <= _MAX_URL else ""  # taking one apart costs the square of its length
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        plain = (parts.path + parts.query).isascii() and not any(ord(char) <= 32 or ord(char) == 127 for char in url)
    except ValueError:
        host, plain = None, False
    if not plain or not host or parts.scheme not in ("http", "https") or parts.username is not None or parts.fragment:
        raise AdminError("bad-webhook-url", "Give a URL such as https://hooks.example.com/lts.", field="url")
    return url


def calendar_key(ctx: Context, actor: str, now: int, *, renew: bool = False) -> str:
    """The secret in the address of the calendar, made when it is first asked for."""
    stored = ctx.store.catalog.settings.get(CALENDAR)
    if isinstance(stored, dict) and not renew:
        return str(stored["key"])
    value = {"key": secrets.token_urlsafe(24)}
    ctx.store.write(lambda tx: tx.emit(records.SettingChange(actor, CALENDAR, value), now))
    return value["key"]
