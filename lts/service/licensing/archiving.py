"""Archiving a license: hidden, authorizing nobody, its seats ended; nothing is deleted, and its file takes it back
(docs/design/license-files.md, Archive)."""

from __future__ import annotations

from msgspec.structs import replace

from lts.errors import AdminError
from lts.rules.licensing.catalog import ARCHIVED, Catalog, LicenseItem
from lts.rules.metering.terms import CONCURRENT_WAYS, SEAT_WAYS
from lts.rules.values.readmodel import ReadModel
from lts.service.core.context import Context
from lts.service.licensing import itemlist, licenses
from lts.store.changes import records
from lts.store.tables import licenses as stored
from lts.store.writing.transaction import Transaction


class LicenseUse(ReadModel, frozen=True):
    """What archiving a license ends: its items, live seats (or instances), and the handshake codes that hold it."""

    license_id: str
    organization_id: str
    items: int
    seats: int
    handshake_codes: list[str]
    archived: bool


def license_use(ctx: Context, license_id: str, organization_id: str | None, now: int) -> LicenseUse:
    """What archiving a license would end. The organization is needed where two have a license of this id. Raises
    AdminError."""
    items = _find(ctx.store.catalog, license_id, organization_id)
    every = itemlist.describe(ctx, now, [item.key for item in items])
    return LicenseUse(
        license_id,
        items[0].organization_id,
        len(items),
        sum(item.used for item in every if item.charge_way in SEAT_WAYS | CONCURRENT_WAYS),
        sorted({name for item in every for name in item.handshake_codes}),
        items[0].state == ARCHIVED,
    )


def archive(ctx: Context, license_id: str, organization_id: str | None, actor: str, now: int) -> LicenseUse:
    """Archive a license; returns what it ended, like `license_use`. Raises AdminError, also if it is archived
    already."""
    use = license_use(ctx, license_id, organization_id, now)

    def operation(tx: Transaction) -> None:
        items = _find(tx.catalog, license_id, organization_id)
        first = items[0]
        if first.state == ARCHIVED:
            raise AdminError("archived-before", f"License {license_id} is archived already.", status=409)
        revision, toggle = stored.archive_toggle(tx.db, first.vendor, license_id)
        tx.emit(records.ArchiveChange(actor, first.vendor, license_id, revision, toggle + 1), now)
        licenses.end_grants(tx, [item.key for item in items], now)

    ctx.store.write(operation)
    return replace(use, archived=True)


def _find(catalog: Catalog, license_id: str, organization_id: str | None) -> list[LicenseItem]:
    """All items of a license, revoked ones too. Raises AdminError."""
    found = [
        item
        for item in catalog.items.values()
        if item.license_id == license_id and organization_id in (None, item.organization_id)
    ]
    if not found:
        raise AdminError("no-such-license", f"There is no license {license_id!r} on this server.", status=404)
    owners = sorted({item.organization_id for item in found})
    if len({item.vendor for item in found}) > 1:
        raise AdminError(
            "which-organization",
            f"Licenses of several vendors have this id; name the organization too, one of {', '.join(owners[:10])}.",
            field="organizationId",
        )
    return found
