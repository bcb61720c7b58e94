"""A company's server as it may look after a month: something on every page."""

from __future__ import annotations

import random

import pytest

from lts.errors import Refusal
from lts.protocol import DAY_SECONDS, iso, slot_of
from lts.rules.alerting.alert import Alert
from lts.rules.alerting.alertwords import BOTH
from lts.service.access import accounts
from lts.service.alerting import alerts, alertsettings
from lts.service.licensing import handshakes
from tests.support.kit import NOON, Lab, item

TYPES = ("QR", "Aztec", "Code 128", "EAN-13", "PDF417")
WEEKEND = (5, 6)


def furnish(lab: Lab, days: int = 4, *, odd: bool = True) -> str:
    """Items in every state, codes with and without protection, usage of `days` days, devices, refused requests, a user.

    `odd` adds a type that only a test would name. Returns the handshake code of the shops.
    """
    code = lab.load(
        item("scans-shops", quota=20_000, modules=list(TYPES), description="Scans of the shops"),
        item("seats-counter", "device", 10, maxOfflineDays=3, description="Counters"),
        item("servers", "concurrentDevice", 2, description="Servers of the warehouse"),
        item("scans-2025", expiresAt="2026-11-24T13:00:00Z", description="Scans, last year's contract"),
        item(
            "scans-old", expiresAt="2026-10-01T00:00:00Z", startsAt="2025-10-01T00:00:00Z", description="First contract"
        ),
        item(
            "next-year", startsAt="2027-01-01T00:00:00Z", expiresAt="2028-01-01T00:00:00Z", description="Next contract"
        ),
        item("trial", "page", 50, trial=True, expiresAt=iso(NOON + 9 * DAY_SECONDS), description="Trial of pages"),
        license_id="100028117",
    )
    lab.load(item("web-site", "domain", 1, description="Scanner on the web site"), license_id="200", organization="300")
    keys = {entry.terms.item_id: key for key, entry in lab.ctx.store.catalog.items.items()}
    handshakes.add(lab.ctx, "216998", {
        "custom": "web-shop", "note": "Scanner of the web shop", "password": "s3cret of the shop",
        "validation": {"domains": ["shop.example.com"]},
        "items": [{"id": keys["scans-shops"], "cap": 5000}, {"id": keys["seats-counter"], "cap": None}],
    }, "admin", NOON)  # fmt: skip
    dice = random.Random(7)
    for number in range(5):
        got = lab.authorize(code, modules=("QR",), charge_way="scan")
        for back in range(days):
            day = NOON // DAY_SECONDS - back
            if (day + 3) % 7 in WEEKEND:
                continue
            for hour in (9, 11, 12) if back == 0 else range(8, 18, 3):
                slot = slot_of(day * DAY_SECONDS + hour * 3600 - 600 * number)
                units = {name: dice.randint(0, 40 // (place + 1)) for place, name in enumerate(TYPES)}
                lab.report(got.lease, units, slot)
    if odd:
        lab.report(got.lease, {"<b>odd</b>": 1})
    for _ in range(8):
        lab.authorize(code, charge_way="device")
    for asked in ({"product": "label-printer"}, {"modules": ("OCR",)}, {"charge_way": "server"}):
        with pytest.raises(Refusal):
            lab.authorize(code, **asked)
    lab.ctx.refusals.flush(lab.ctx.store, NOON)
    accounts.add_user(lab.ctx, "Ana", "reader", "words of a reader", "admin", NOON)
    accounts.add_token(lab.ctx, "nightly report", "reader", "admin", NOON)
    mail = {"host": "mail.example.com", "port": 587, "security": "starttls", "from": "LTS <lts@example.com>",
            "to": "licenses@example.com", "cc": "", "user": "lts@example.com", "password": "no real one"}  # fmt: skip
    alertsettings.change_mail(lab.ctx, mail, "admin", NOON)
    alertsettings.add_webhook(lab.ctx, "chat of the operators", "https://hooks.example.com/lts", "admin", NOON)
    alerts.check(lab.ctx, NOON)
    return code


def every_event(language: str) -> list[Alert]:
    """One event of each kind that alerts are about, with figures."""
    params = {"item": "scans-shops", "license": "100028117", "used": 8123, "quota": 10_000, "grace": 500, "code": "1-a",
              "failed": 12, "all": 40, "days": 3, "expiresAt": NOON, "graceEnds": NOON, "day": 20782, "seconds": 9000,
              "newUuid": "8A5CE193-1DE1-8312-8219-BDC51352571D", "reason": "an index is wrong"}  # fmt: skip
    counted = {"quota": ("used", "quota"), "overdraft": ("used", "quota"), "forecast": ("used", "quota"),
               "failures": ("failed", "all")}  # fmt: skip
    events = []
    for kind in BOTH[language]:
        of_items = kind in ("quota", "overdraft", "forecast", "ends", "grace")
        dropped = {"used", "quota", "failed", "all"} - set(counted.get(kind, ())) | (set() if of_items else {"license"})
        told = {name: value for name, value in params.items() if name not in dropped}
        events.append(Alert(kind, 80, told))
    return events
