"""What a server holds, by names: equal on both servers of a pair."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from lts.protocol import SLOTS_PER_DAY
from lts.service.statistics import usage
from lts.store import sql
from lts.store.changes import feed
from lts.store.rows.dayrow import decode_day, units_by_slot
from lts.store.tables import codes, devices, licenses, seats
from tests.support.kit import Lab


def counts(lab: Lab) -> dict[tuple[str, int], int]:
    """Units by (device UUID, slot), over all codes, items and types."""
    found: dict[tuple[str, int], int] = {}
    with lab.ctx.store.reader() as db:
        for day, device, data in sql.each(db, "SELECT day, device, data FROM usage_days"):
            uuid = devices.uuids_of(db, [device]).get(device)
            assert uuid is not None
            for _, _, slot, count in units_by_slot(decode_day(data)):
                key = (str(UUID(bytes=uuid)), day * SLOTS_PER_DAY + slot)
                found[key] = found.get(key, 0) + count
    return found


def picture(lab: Lab) -> dict[str, Any]:
    """Totals, seats and settings by their names, which must be the same on both servers."""
    with lab.ctx.store.reader() as db:
        items = {key: name for s in licenses.newest(db) for name, key in s.items.items()}
        named = {
            code.key: f"{code.organization}-{code.custom}#{code.removed is not None}"
            for code in (codes.one(db, key) for key in codes.numbers(db))
        }
        types: dict[int, str] = dict(sql.rows(db, "SELECT id, name FROM types"))
        held = {}
        for device, uuid in sql.rows(db, "SELECT id, uuid FROM devices"):
            for item, seat in seats.of_device(db, device):
                came = tuple(sorted(named[code] for code in seat.codes))
                place = UUID(bytes=bytes(uuid)), items[item], seat.since > 0
                held[place] = (seat.grant, seat.end, seat.closed, seat.ended, seat.grace, came)
        hours = {
            (named[code], items[item], types[kind], hour): units
            for code, item, kind, hour, units in sql.rows(db, "SELECT * FROM usage_hours")
        }
        active = {
            (scope, items[key] if scope == 0 else named[key], day): bytes(data)
            for scope, key, day, data in sql.rows(db, "SELECT * FROM activity")
        }
        settings = codes.settings(db)
        written = [
            (code.organization, code.custom, code.removed is None, code.is_default, code.fields,
             [(items[item], cap) for item, cap in code.items])
            for code in (codes.one(db, key) for key in codes.numbers(db))
        ]  # fmt: skip
        tallies = {
            (named.get(code, code), what, hour): n for code, what, hour, n in sql.rows(db, "SELECT * FROM tallies")
        }
        files = sql.rows(db, "SELECT l.license_id, f.revision, f.jws FROM licenses l JOIN license_files f"
                         " ON f.license = l.id ORDER BY 1, 2")  # fmt: skip
        archived = sql.rows(db, "SELECT * FROM archived ORDER BY 1, 2")
        rounds = {items[item]: number for item, number in licenses.rounds(db).items()}
        chains = {
            bytes(uuid): tuple(row)
            for uuid, *row in sql.rows(db, "SELECT uuid, contact, given, lag, chain FROM devices")
        }
        vector = {(uuid, inc): feed.head(db, key) for key, uuid, inc in feed.origin_names(db) if feed.head(db, key)}
    by_device = usage.usage(lab.ctx, grouping="device").rows
    return {"seats": held, "hours": hours, "devices": by_device, "activity": active, "settings": settings,
            "files": files, "archived": archived, "rounds": rounds,
            "codes": sorted(written, key=str), "tallies": tallies, "chains": chains,
            "vector": vector}  # fmt: skip
