"""Type names that nobody used before: which get a number of their own, and which count under "(other)".

See docs/design/charging.md, Types. A program that puts what it should not into its types (a file's name, a time) must
not grow the tables without end; nothing that it counts may be lost for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from lts.protocol import DAY_SECONDS
from lts.rules.certificates import LicenseName
from lts.rules.notices import Notice
from lts.rules.usage import OTHER_TYPE, digest_of
from lts.store import audit, typenames
from lts.store.sql import Connection
from lts.store.transaction import Transaction

OF_DEVICE, OF_LICENSE = 50, 500
"""New names that get a number, of one device and of one license in a day (UTC)."""
MOST_OF_ROW = 2000
"""Names without a number that a device's day can hold: each report reads and writes them all."""
FOLDED = "types-folded"
_SHOWN_DAYS = 2
_NAMED = 3


class NewNames:
    """How many names got a number today; begins anew with the day, and with the process. For the writer alone."""

    def __init__(self) -> None:
        self._day = -1
        self._given: Counter[object] = Counter()
        self._open: tuple[Transaction, Counter[object]] | None = None
        """What the transaction that is open gave; it counts once that is durable."""
        self._told: set[LicenseName] = set()

    def number(self, tx: Transaction, name: str, device: bytes, license_name: LicenseName, now: int) -> int | bytes:
        """The number of a name, new or not; its digest when there is no room for another one."""
        known = tx.types.get(name)
        if known is not None:
            return known
        self._begin(now // DAY_SECONDS)
        given = self._given_in(tx)
        if (
            self._given[device] + given[device] >= OF_DEVICE
            or self._given[license_name] + given[license_name] >= OF_LICENSE
            or len(tx.types) >= typenames.MAX_TYPES
        ):
            typenames.number_of(tx, OTHER_TYPE, now)
            return digest_of(name)
        given.update((device, license_name))
        return typenames.number_of(tx, name, now)

    def _given_in(self, tx: Transaction) -> Counter[object]:
        if self._open is None or self._open[0] is not tx:
            self._open = tx, Counter()
            tx.afterwards(self._keep)
        return self._open[1]

    def _keep(self) -> None:
        if self._open is not None:
            self._given.update(self._open[1])
            self._open = None

    def is_news(self, license_name: LicenseName, now: int) -> bool:
        """Whether no administrator was shown today that names of a license count under "(other)"."""
        self._begin(now // DAY_SECONDS)
        return license_name not in self._told

    def was_shown(self, license_name: LicenseName) -> None:
        """The audit log has it: it is no news any more today."""
        self._told.add(license_name)

    def _begin(self, day: int) -> None:
        if day != self._day:
            self._day = day
            self._given.clear()
            self._told.clear()


def detail_of(names: Collection[str]) -> str:
    """What the client is told of an entry with names that were counted under "(other)"."""
    some = ", ".join(sorted(names)[:_NAMED]) + (", …" if len(names) > _NAMED else "")
    return f'Counted under "{OTHER_TYPE}", because of too many new type names today: {some}.'


def notices(db: Connection, now: int) -> list[Notice]:
    """Licenses of which names were counted under "(other)" lately, the newest first; `now` in UTC seconds."""
    wanted = audit.Wanted(actions=(FOLDED,), since=now - _SHOWN_DAYS * DAY_SECONDS)
    newest: dict[str, audit.Line] = {}
    for line in audit.lines(db, wanted, 0, 100):
        newest.setdefault(line.subject, line)
    return [_notice(line.subject, str(line.detail["device"]), str(line.detail["type"])) for line in newest.values()]


def _notice(license_id: str, device: str, name: str) -> Notice:
    sentence = (
        f"Devices of license {license_id} report more new type names than a day has room for; the units of further ones"
        f' count under "{OTHER_TYPE}". Ask who made the application whether its types are right: device {device}'
        f" reported {name}."
    )
    return Notice("types-folded", sentence, params={"license": license_id, "device": device, "type": name})
