"""A dry run of an authorization: what each item says, who holds the seats, when one frees."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from lts.errors import Refusal
from lts.protocol import iso
from lts.rules import authorize as rules
from lts.rules.authorize import Request
from lts.rules.catalog import Code, LicenseItem
from lts.rules.seats import SEAT_WAYS, grace_units
from lts.service.context import Context
from lts.service.standing import standing_of
from lts.store import devices, seats
from lts.store.transaction import Transaction

HOLDERS_SHOWN = 20


def explain(ctx: Context, request: Request, now: int) -> dict[str, Any]:
    """The verdict of every item of the code on a request, as JSON. Changes nothing, raises nothing for a refusal."""
    item_now = ctx.clock.item_time(now)

    def operation(tx: Transaction) -> dict[str, Any]:
        try:
            code = rules.find_code(tx.catalog, request)
            rules.admit(code, request)
        except Refusal as refusal:
            return {"code": refusal.code, "detail": refusal.detail, "items": []}
        return _verdicts(tx, code, request, now, item_now)

    return ctx.store.write(operation)


def _verdicts(tx: Transaction, code: Code, request: Request, now: int, item_now: int) -> dict[str, Any]:
    device = devices.find(tx.db, request.device)
    look_up = standing_of(tx, code, device.key if device else None, now)
    decision = rules.decide(code, request, look_up, now, item_now)
    return {
        "handshakeCode": code.name,
        "code": decision.code,
        "detail": decision.refusal().detail if decision.code else "The request would be granted.",
        "granted": [g.item.item.item_id for g in decision.granted],
        "items": [
            {
                "itemId": entry.item.item_id,
                "licenseId": entry.license_id,
                "code": verdict,
                "detail": rules.explain(verdict, None),
                "quota": entry.item.quota,
                "grace": grace_units(entry.item),
                **_holders(tx, entry, now),
            }
            for entry, verdict in decision.tried
        ],
    }


def _holders(tx: Transaction, entry: LicenseItem, now: int) -> dict[str, Any]:
    if entry.item.charge_way not in SEAT_WAYS:
        return {"used": tx.counters.sums.get(("item", entry.key, 0), 0)}
    held = [(seat.end, device) for device, seat in seats.of_item(tx.db, entry.key, 0, 10_000) if seat.live(now)]
    held.sort()
    shown = []
    for end, device in held[:HOLDERS_SHOWN]:
        uuid = devices.uuid_of(tx.db, device)
        shown.append({"device": str(UUID(bytes=uuid)) if uuid else "", "until": iso(end)})
    return {
        "used": seats.live(tx, entry.key, 0, now),
        "holders": shown,
        "nextFree": shown[0]["until"] if shown else None,
    }
