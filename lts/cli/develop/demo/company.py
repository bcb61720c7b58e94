"""The company of the demo: what it bought, its devices, how they work during a week, and what goes wrong.

Only data; days are counted from the first of the history, times are UTC. lts.cli.develop.demo.past plays it. The
figures are chosen so that items end in different states: see `CONTRACTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
DAYS = 60
TUESDAY, THURSDAY, SATURDAY = 1, 3, 5
ORGANIZATION, VENDOR_NAME = "216998", "Demo Vendor"
STORES, WAREHOUSE, OFFICE = f"{ORGANIZATION}-stores", f"{ORGANIZATION}-warehouse", f"{ORGANIZATION}-office"
READER, PRINTER, SCANNER = "barcode-reader", "label-printer", "document-scanner"
REVOKED_DAY, REVOKED_ITEM = 41, "old-handhelds"


@dataclass(frozen=True)
class Contract:
    """A license file and the handshake code that its items go into, on a day. Times of items are days."""

    license_id: str
    code: str
    note: str
    day: int
    items: tuple[Json, ...]


def _item(name: str, description: str, way: str, quota: int, product: str = READER, **more: Any) -> Json:
    return {"itemId": name, "description": description, "chargeWay": way, "quota": quota, "product": product,
            "startsAt": 0, "expiresAt": 365, **more}  # fmt: skip


CONTRACTS = (
    Contract("100028117", STORES, "Tills of the stores", 0, (
        _item("stores-scans", "Scans at the tills", "scan", 150_000, productVersions=["8"],
              modules=["1D barcode", "QR Code"]),  # plenty left
    )),
    Contract("100028118", WAREHOUSE, "Handhelds, packing lines, returns", 0, (
        _item("handhelds", "Handhelds of the warehouse", "device", 3, productVersions=["8"], activePeriod="monthly",
              modules=["1D barcode", "Data Matrix"]),  # two of three seats taken: over the alert level of 60 %
        _item(REVOKED_ITEM, "Handhelds of the first series", "device", 1, productVersions=["7"],
              activePeriod="monthly", modules=["1D barcode"]),
        _item("packing-lines", "Packing lines, one at a time", "concurrentDevice", 1, productVersions=["8"],
              maxOfflineDays=1, overdraft=2_000, modules=["Data Matrix"]),
        _item("returns-scans", "Scans at the returns desk", "scan", 15_200, productVersions=["8"],
              modules=["1D barcode", "QR Code"]),  # nearly used
    )),
    Contract("100028119", OFFICE, "Labels and documents", 9, (
        _item("labels", "Labels of this year", "page", 8_000, PRINTER, productVersions=["3"], modules=["Label"],
              deploymentTypes=["desktop"]),  # used up, grace included
        _item("labels-next", "Labels of next year", "page", 12_000, PRINTER, productVersions=["3"], modules=["Label"],
              deploymentTypes=["desktop"], startsAt=DAYS + 12, expiresAt=DAYS + 377),
        _item("documents", "Scanned documents", "page", 40_000, SCANNER, productVersions=["5"], modules=["Scan"],
              expiresAt=DAYS - 3, graceDays=14),  # ended, works in grace
        _item("ocr-trial", "Trial of text recognition", "page", 5_000, SCANNER, productVersions=["5"], modules=["OCR"],
              trial=True, startsAt=DAYS - 26, expiresAt=DAYS + 4),  # ends soon
    )),
)  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """A device: what its application asks for, and how it is used between two hours of a working day.

    `types` are the most units of a slot by type at first, `busy` is in how many of the 20 slots of an hour it is
    used, `saturday` the share of a weekday's use.
    """

    name: str
    code: str
    product: str
    version: str
    way: str
    types: Mapping[str, int]
    busy: int
    hours: tuple[int, int] = (8, 17)
    modules: tuple[str, ...] = ()
    saturday: float = 0
    joins: int = 0


_TILL = {"1D barcode": 14, "QR Code": 4}
DEVICES = (
    Machine("till 1", STORES, READER, "8.2.5", "scan", _TILL, 4, (8, 20), saturday=1.3),
    Machine("till 2", STORES, READER, "8.2.5", "scan", _TILL, 4, (8, 20), saturday=1.2),
    Machine("till 3", STORES, READER, "8.3.0", "scan", _TILL, 3, (9, 19), saturday=1.4, joins=16),
    Machine("handheld 1", WAREHOUSE, READER, "8.2.5", "device", {"1D barcode": 8, "Data Matrix": 6}, 3, (6, 18)),
    Machine("handheld 2", WAREHOUSE, READER, "8.2.5", "device", {"1D barcode": 9, "Data Matrix": 3}, 3, (6, 14)),
    Machine("handheld 3", WAREHOUSE, READER, "7.9.1", "device", {"1D barcode": 7}, 2, (6, 14)),
    Machine("packing line 1", WAREHOUSE, READER, "8.1.0", "concurrentDevice", {"Data Matrix": 9}, 6, (7, 17)),
    Machine("packing line 2", WAREHOUSE, READER, "8.1.0", "concurrentDevice", {"Data Matrix": 9}, 6, (9, 17), joins=21),
    Machine("returns desk", WAREHOUSE, READER, "8.2.5", "scan", {"1D barcode": 12, "QR Code": 7}, 3, (9, 17)),
    Machine("label printer", OFFICE, PRINTER, "3.4.0", "page", {"Label": 40}, 1, (8, 18), joins=9),
    Machine("document desk", OFFICE, SCANNER, "5.0.2", "page", {"Scan": 30}, 2, (8, 17), ("Scan",), joins=9),
    Machine("accounting", OFFICE, SCANNER, "5.1.0", "page", {"OCR": 18}, 2, (9, 16), ("OCR",), joins=35),
)  # fmt: skip
LIVE = ("till 1", "till 2", "till 3")
"""Those that call over HTTP at the end: all devices of their handshake code."""


def load(device: Machine, day: int, weekday: int) -> float:
    """How much of its first working day's use a device has on a day; 0 = it is not switched on. `weekday` 0 = Monday.

    The company grows by half in the sixty days; Mondays are slow and Fridays busy.
    """
    if day < device.joins:
        return 0
    growth = 1 + 0.5 * day / DAYS
    return growth * (0.85, 0.95, 1.0, 1.05, 1.2, device.saturday, 0)[weekday]


@dataclass(frozen=True)
class Mishap:
    """Requests that are refused: `changes` to what a device asks, `times` on each day that `on` chooses (number of the
    day, weekday)."""

    device: str
    changes: Json
    on: Callable[[int, int], bool]
    times: int = 1


_LAST = DAYS - 3
MISHAPS = (
    Mishap("handheld 2", {"modules": ("OCR",)}, lambda day, weekday: weekday == THURSDAY or day >= _LAST),
    Mishap("till 3", {"handshake_code": f"{ORGANIZATION}-store"}, lambda day, _: day % 11 == 5 or day >= _LAST),
    Mishap("returns desk", {"product": "receipt-printer"}, lambda day, _: day % 9 == 6),
    Mishap("accounting", {"deployment_type": "mobile", "product": PRINTER, "version": "3.4.0", "modules": ()},
           lambda day, _: day % 13 == 8),
    Mishap("till 2", {"version": "9.0.1"}, lambda day, weekday: 40 <= day < 47 and weekday == TUESDAY,
           25),  # an update that arrived before its license
    Mishap("till 1", {"version": "9.0.1"}, lambda day, _: day >= _LAST),
)  # fmt: skip
