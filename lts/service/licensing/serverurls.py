"""What license keys name as the servers, and Set Server URL (docs/design/administering.md, License keys and server
URLs)."""

from __future__ import annotations

from typing import Any

from lts.errors import AdminError
from lts.rules.alerting.attention import url_notices
from lts.rules.alerting.notices import Notice
from lts.rules.licensing.catalog import Catalog
from lts.rules.licensing.serverurls import MAX_URLS, clean_url
from lts.rules.values import meanwhile
from lts.rules.values.readmodel import ReadModel
from lts.service.core.context import Context
from lts.store.changes import records
from lts.store.writing.transaction import Transaction

SERVER_URLS = "serverUrls"
"""Setting: URLs for license keys."""


def server_urls(ctx: Context, catalog: Catalog | None = None) -> list[str]:
    """URLs for clients, the main's first: set in the portal, else `publicUrl` or this server's own address, with the
    other server's of a pair."""
    urls = (catalog or ctx.store.catalog).settings.get(SERVER_URLS)
    if isinstance(urls, list) and urls:
        return [str(url) for url in urls]
    return [ctx.running.public_url if url == "self" else url for url in ctx.config.servers]


class ServerUrls(ReadModel, frozen=True):
    """The URLs in license keys, whether they were `set` in the portal, and their faults, by code."""

    urls: list[str]
    set: bool
    notices: list[str]


def describe(ctx: Context) -> ServerUrls:
    was_set = bool(ctx.store.catalog.settings.get(SERVER_URLS))
    return ServerUrls(server_urls(ctx), was_set, [notice.code for notice in notices(ctx)])


def notices(ctx: Context) -> list[Notice]:
    """The faults of the URLs in license keys."""
    return url_notices(server_urls(ctx))


def change(ctx: Context, urls: Any, actor: str, now: int, was: Any = None) -> None:
    """Set the main's URL and maybe the standby's; an empty list goes back to the configured ones. `was` holds the
    `urls` that were read (lts.rules.values.meanwhile). Raises AdminError."""
    if not isinstance(urls, list) or len(urls) > MAX_URLS:
        raise AdminError("bad-url", "urls is a list: the main's URL, then the standby's if there is one.", field="urls")
    cleaned = [clean_url(url) for url in urls]
    if len(set(cleaned)) != len(cleaned):
        raise AdminError("same-url", "Main and standby have the same URL.", field="urls")
    value = cleaned or None

    def operation(tx: Transaction) -> None:
        meanwhile.check(was, {"urls": server_urls(ctx, tx.catalog)}, {"urls": cleaned})
        if value != tx.catalog.settings.get(SERVER_URLS):
            tx.emit(records.SettingChange(actor, SERVER_URLS, value), now)

    ctx.store.write(operation)
