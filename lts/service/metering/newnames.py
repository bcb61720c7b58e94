"""Type names that nobody used before: which get a number of their own, and which count under "(other)"
(docs/design/charging.md, Types)."""

from __future__ import annotations

from collections.abc import Collection

from lts.protocol import DAY_SECONDS
from lts.rules.alerting.notices import Notice
from lts.rules.licensing.certificates import LicenseName
from lts.rules.metering.usage import OTHER_TYPE, digest_of
from lts.service.core.today import Today
from lts.store.changes.records import EventChange
from lts.store.sql import Connection
from lts.store.tables import audit, typenames
from lts.store.writing.transaction import Transaction

OF_DEVICE, OF_LICENSE = 50, 500
"""New names that get a number, of one device and of one license in a day (UTC)."""
MOST_OF_ROW = 2000
"""Names without a number that a device's day can hold: each report reads and writes them all."""
NEW, FOLDED = "new-type", "types-folded"
_SHOWN_DAYS = 2
_NAMED = 3


def number(tx: Transaction, today: Today, name: str, device: bytes, license_name: LicenseName, now: int) -> int | bytes:
    """The number of a name, new or not; its digest if there is no room for another name. `now` in UTC seconds."""
    known = tx.types.get(name)
    if known is not None:
        return known
    of_device, of_license = (NEW, device), (NEW, license_name)
    if (
        today.count(tx, of_device, now) >= OF_DEVICE
        or today.count(tx, of_license, now) >= OF_LICENSE
        or len(tx.types) >= typenames.MAX_NUMBERED
    ):
        typenames.number_of(tx, OTHER_TYPE, now)
        return digest_of(name)
    today.add(tx, of_device, of_license)
    return typenames.number_of(tx, name, now)


def note(
    tx: Transaction, today: Today, folded: Collection[str], device: str, license_name: LicenseName, now: int
) -> None:
    """Write into the audit log, once a day, that names of a license count under "(other)"; `device` (UUID) reported
    some, `folded`. `now` in UTC seconds."""
    if today.first(tx, (FOLDED, license_name), now):
        detail = {"subject": license_name[1], "vendor": license_name[0], "device": device, "type": min(folded)}
        tx.emit(EventChange("system", FOLDED, detail), now)


def detail_of(names: Collection[str]) -> str:
    """The detail for an entry with names that were counted under "(other)"."""
    some = ", ".join(sorted(names)[:_NAMED]) + (", …" if len(names) > _NAMED else "")
    return f'Counted under "{OTHER_TYPE}", because of too many new type names today: {some}.'


def notices(db: Connection, now: int) -> list[Notice]:
    """Licenses with names recently counted under "(other)", the newest first; `now` in UTC seconds."""
    wanted = audit.AuditFilter(actions=(FOLDED,), since=now - _SHOWN_DAYS * DAY_SECONDS)
    newest: dict[LicenseName, audit.Line] = {}
    for line in audit.lines(db, wanted, 0, 100):  # two vendors may have one license id
        newest.setdefault((str(line.detail.get("vendor")), line.subject), line)
    return [_notice(line.subject, str(line.detail["device"]), str(line.detail["type"])) for line in newest.values()]


def _notice(license_id: str, device: str, name: str) -> Notice:
    sentence = (
        f"Devices of license {license_id} report more new type names than a day allows; the units of further names"
        f' count under "{OTHER_TYPE}". Ask who made the application whether its types are right: device {device}'
        f" reported {name}."
    )
    return Notice(FOLDED, sentence, params={"license": license_id, "device": device, "type": name})
