"""Devices for administrators: find them, see their seats and last contact, and whether they look cloned."""

from __future__ import annotations

from uuid import UUID

from lts.errors import AdminError
from lts.protocol import iso
from lts.rules.licensing.catalog import Catalog
from lts.rules.metering.seats import Seat
from lts.rules.values.paging import Page
from lts.rules.values.readmodel import ReadModel
from lts.service.core.context import Context
from lts.store.sql import Connection
from lts.store.tables import devicelist, devices, likeness, seats
from lts.store.tables.devicelist import SORTS, DeviceFilter
from lts.store.tables.devices import Device

_HEX = frozenset("0123456789abcdef")
SHOWN = 50


class SeatStatus(ReadModel, frozen=True):
    """A device's seat in the item of a number; `item_id` is # and that number, and the charge way None, of an item that
    is not known here. `until` is its end (RFC 3339)."""

    item: int
    item_id: str
    charge_way: str | None
    handshake_codes: list[str]
    until: str
    live: bool
    released: bool
    grace: bool
    instances: int


class CloneStatus(ReadModel, frozen=True):
    """Whether a device looks copied, whether it is refused for that, and how many copies are known."""

    flagged: bool
    refused: bool
    copies: int


class DeviceStatus(ReadModel, frozen=True):
    """A device with its seats; `alike` is how many others look like it."""

    device_id: str
    last_contact: str
    clone: CloneStatus
    alike: int
    seats: list[SeatStatus]


class DevicePage(ReadModel, frozen=True):
    """A page of devices; `found` counts those of all pages. `time` is that of the server."""

    devices: list[DeviceStatus]
    found: int
    time: str


def find(
    ctx: Context,
    page: Page,
    item: int | None,
    live_only: bool,
    forked_only: bool,
    now: int,
    alike: UUID | None = None,
) -> DevicePage:
    """A page of devices; `page.text` is the beginning of a UUID, `alike` the device that they look like. Raises
    AdminError."""
    sort = page.sort or "contact"
    if sort not in SORTS:
        raise AdminError("bad-sort", f"Sort by one of {', '.join(SORTS)}.", field="sort")
    low, high = _range(page.text)
    with ctx.store.reader() as db:
        like = None if alike is None else _known(db, alike).key
        wanted = DeviceFilter(low, high, item, live_only, forked_only, now, like)
        found = devicelist.find(db, wanted, sort, page.descending or not page.sort, page.offset, page.size or SHOWN)
        total = devicelist.count(db, wanted)
        rows = _describe(db, ctx.store.catalog, found, now)
    return DevicePage(rows, total, iso(now))


def _range(text: str) -> tuple[bytes | None, bytes | None]:
    """First and last UUID that begin as typed, (None, None) for all. Raises AdminError."""
    digits = text.lower().replace("-", "").replace("{", "").replace("}", "").strip()
    if not digits:
        return None, None
    if len(digits) > 32 or set(digits) - _HEX:
        raise AdminError(
            "bad-device", "Search by the beginning of a device's UUID: digits and letters a to f.", field="q"
        )
    return bytes.fromhex(digits.ljust(32, "0")), bytes.fromhex(digits.ljust(32, "f"))


def one(ctx: Context, uuid: UUID, now: int) -> DeviceStatus:
    """A device with its seats. Raises AdminError 404."""
    with ctx.store.reader() as db:
        return _describe(db, ctx.store.catalog, [_known(db, uuid)], now)[0]


def _known(db: Connection, uuid: UUID) -> Device:
    device = devices.find(db, uuid.bytes)
    if device is None:
        raise AdminError("no-such-device", f"There is no device {uuid}.", status=404)
    return device


def _describe(db: Connection, catalog: Catalog, found: list[Device], now: int) -> list[DeviceStatus]:
    alike = likeness.alike(db, [device.key for device in found])
    return [_row(db, catalog, device, alike[device.key], now) for device in found]


def _row(db: Connection, catalog: Catalog, device: Device, alike: int, now: int) -> DeviceStatus:
    state = device.clone_state
    copies = len(state.tips) if state.forked else 1
    return DeviceStatus(
        device_id=str(UUID(bytes=device.uuid)),
        last_contact=iso(device.contact),
        clone=CloneStatus(state.forked, state.refused, copies),
        alike=alike,
        seats=[_seat(catalog, key, seat, now) for key, seat in seats.newest_of(db, device.key).items()],
    )


def _seat(catalog: Catalog, key: int, seat: Seat, now: int) -> SeatStatus:
    item = catalog.items.get(key)
    codes = [catalog.codes_by_key[code].name for code in seat.codes if code in catalog.codes_by_key]
    return SeatStatus(
        item=key, item_id=item.terms.item_id if item else f"#{key}",
        charge_way=item.terms.charge_way if item else None, handshake_codes=codes, until=iso(seat.end),
        live=seat.live(now), released=seat.closed or seat.ended, grace=seat.grace, instances=seat.instances,
    )  # fmt: skip
