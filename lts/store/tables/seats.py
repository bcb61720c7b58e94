"""Seats of devices and servers, those of concurrent items among them, with the counts kept of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apsw
import msgspec

from lts.rules.metering.seats import ROUND, Seat, join
from lts.store import sql
from lts.store.changes.records import GrantsEndChange, SeatRecord
from lts.store.tables import licenses
from lts.store.writing.counters import HOUR_SECONDS, Counters, SeatCounts, hour_of
from lts.store.writing.snapshot import View
from lts.store.writing.transaction import Transaction

_GRACE, _CLOSED, _ENDED = 1, 2, 4
"""Bits of `flags`. A grant whose round is over counts as closed; `ended` says that nobody gave it back."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, ...]).decode


def _pack_codes(codes: tuple[int, ...]) -> int | bytes:
    """One code as an integer (the common case, no byte in the row), more as a blob."""
    return codes[0] if len(codes) == 1 else _encode(codes)


def _unpack_codes(stored: Any) -> tuple[int, ...]:
    return (stored,) if isinstance(stored, int) else _decode(stored)


def _seat(grants: int, ends: int, flags: int, codes: Any, since: int = 0, instances: int = 1) -> Seat:
    ended = flags & _ENDED != 0
    closed = flags & _CLOSED != 0 and not ended
    return Seat(grants, ends, flags & _GRACE != 0, closed, _unpack_codes(codes), since, instances, ended)


def find(db: apsw.Connection, device: int, item: int, concurrent: bool) -> Seat | None:
    """The device's newest grant in an item, live or not."""
    query = (
        "SELECT grants, ends, flags, codes, since, instances FROM leases WHERE item = ?2 AND device = ?1"
        if concurrent
        else "SELECT grants, ends, flags, codes FROM seats WHERE device = ?1 AND item = ?2"
    )
    row = sql.first(db, query, (device, item))
    return None if row is None else _seat(*row)


def of_view(view: View, device: int, item: int, concurrent: bool) -> Seat | None:
    """As `find`; what a decision has read in a transaction is not read again to store what it decided."""
    if not isinstance(view, Transaction):
        return find(view.db, device, item, concurrent)
    place = device, item, concurrent
    if view.seat_read is None or view.seat_read[0] != place:
        view.seat_read = place, find(view.db, *place)
    return view.seat_read[1]


def of_device(db: apsw.Connection, device: int) -> Iterator[tuple[int, Seat]]:
    """(item key, newest grant) of a device, seats first, then concurrent seats."""
    for row in sql.each(db, "SELECT item, grants, ends, flags, codes FROM seats WHERE device = ?", (device,)):
        yield row[0], _seat(*row[1:])
    for row in sql.each(
        db,
        "SELECT item, grants, ends, flags, codes, since, instances FROM leases WHERE device = ?",
        (device,),
    ):
        yield row[0], _seat(*row[1:])


def newest_of(db: apsw.Connection, device: int) -> dict[int, Seat]:
    """A device's newest grant in each item; where the charge way changed there is one of each."""
    found: dict[int, Seat] = {}
    for item, seat in of_device(db, device):
        if item not in found or seat.grant > found[item].grant:
            found[item] = seat
    return found


def put(tx: Transaction, device: int, record: SeatRecord, time: int, *, known: bool) -> None:
    """Join a grant's state to what is stored and keep the counts; `known` False: the device has none yet."""
    seat = Seat(
        record.grant,
        time + record.lasts,
        bool(record.flags & _GRACE),
        bool(record.flags & _CLOSED),
        record.codes,
        time - record.age if record.age >= 0 else 0,
        record.instances,
    )
    concurrent = record.age >= 0
    before = of_view(tx, device, record.item, concurrent) if known else None
    tx.seat_read = None
    if before is not None:
        seat = join(before, seat)
        if seat.instances < before.instances:
            tx.note_fewer((device, record.item), time)
    ended = seat.grant <= tx.rounds.get(record.item, 0) * ROUND
    if ended != seat.ended:
        seat = seat._replace(ended=ended)
    state = device, record.item, seat.grant, seat.end, _flags(seat), _pack_codes(seat.codes)
    if concurrent:
        tx.execute(_PUT_CONCURRENT, (*state, seat.since, seat.instances))
    else:
        tx.execute(_PUT_SEAT, state)
    _recount(tx.counters, concurrent, record.item, before, seat)


_PUT_SEAT = """INSERT INTO seats (device, item, grants, ends, flags, codes) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET (grants, ends, flags, codes) =
    (excluded.grants, excluded.ends, excluded.flags, excluded.codes)"""
_PUT_CONCURRENT = """INSERT INTO leases (device, item, grants, ends, flags, codes, since, instances)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET (grants, ends, flags, codes, since, instances) =
    (excluded.grants, excluded.ends, excluded.flags, excluded.codes, excluded.since, excluded.instances)"""


def close(tx: Transaction, device: int, item: int, grant: int, time: int) -> None:
    """A release: the grant is closed permanently, at its first release. Nothing happens if it is not the newest grant.

    Two servers without contact may both take a release; the earlier time counts, whatever the order of arrival.
    """
    tx.seat_read = None
    for concurrent, table in ((False, "seats"), (True, "leases")):
        seat = find(tx.db, device, item, concurrent)
        if seat is None or seat.grant != grant or (seat.closed and seat.end <= time):
            continue
        tx.execute(
            f"UPDATE {table} SET ends = ?, flags = (flags | ?) & ~ ? WHERE device = ? AND item = ?",  # noqa: S608 - one of two fixed names
            (min(seat.end, time), _CLOSED, _ENDED, device, item),
        )
        _count(tx.counters, concurrent, item, seat, -1)


def end_grants(tx: Transaction, record: GrantsEndChange) -> None:
    """Apply a GRANTS_END change: every grant of an earlier round is over, also one that arrives later from the
    other server. Costs what the item's open seats are."""
    tx.seat_read = None
    for item, number in record.items:
        if number <= tx.rounds.get(item, 0):
            continue
        tx.rounds = {**tx.rounds, item: number}
        tx.execute("INSERT OR REPLACE INTO rounds VALUES (?, ?)", (item, number))
        for counts, counted in _counted(tx.counters):
            open_ones = item, number * ROUND
            for codes, end, n in sql.rows(tx.db, _OPEN.format(*counted), open_ones):
                tx.counters.add_seats(counts, item, _unpack_codes(codes), end, -n)
            tx.execute(_END.format(*counted), (_CLOSED | _ENDED, *open_ones))
    tx.forget_catalog(licenses=licenses.of_items(tx.db, [item for item, _ in record.items]))


_OPEN = "SELECT codes, ends, {1} FROM {0} WHERE item = ? AND grants <= ? AND flags & 2 = 0 GROUP BY ends, codes"
_END = "UPDATE {0} SET flags = flags | ? WHERE item = ? AND grants <= ? AND flags & 2 = 0"


def _count(counters: Counters, concurrent: bool, item: int, seat: Seat | None, n: int) -> None:
    """Seats count by devices, concurrent seats by instances."""
    if seat is None or seat.closed or seat.ended:
        return
    counts, weight = (counters.concurrent_seats, n * seat.instances) if concurrent else (counters.seats, n)
    counters.add_seats(counts, item, seat.codes, seat.end, weight)


def _recount(counters: Counters, concurrent: bool, item: int, before: Seat | None, seat: Seat) -> None:
    """Count a seat as it is in place of how it was; mostly it was renewed, and nothing but its end is another one."""
    if before is None or before[2:] != seat[2:] or seat.closed or seat.ended:
        _count(counters, concurrent, item, before, -1)
        _count(counters, concurrent, item, seat, 1)
        return
    counts, weight = (counters.concurrent_seats, seat.instances) if concurrent else (counters.seats, 1)
    counters.move_seats(counts, item, seat.codes, before.end, seat.end, weight)


def _counted(counters: Counters) -> tuple[tuple[SeatCounts, tuple[str, str]], ...]:
    return (counters.seats, _SEATS), (counters.concurrent_seats, _CONCURRENT)


def live(view: View, item: int, code: int, now: int) -> int:
    """Live seats of an item at `now` (UTC seconds); `code` 0 = over all codes."""
    return _live(view, _SEATS, item, code, now)


def live_instances(view: View, item: int, code: int, now: int) -> int:
    """Instances of an item's live concurrent seats at `now` (UTC seconds); `code` 0 = over all codes."""
    return _live(view, _CONCURRENT, item, code, now)


_SEATS, _CONCURRENT = ("seats", "count(*)"), ("leases", "coalesce(sum(instances), 0)")
"""A table, and how its rows are counted. Queries use only the index by end."""
_IN_HOUR = """SELECT codes, ends, {1} FROM {0} WHERE item = ? AND ends >= ? AND ends < ? AND flags & 2 = 0
    GROUP BY ends, codes"""
_LIVE = "SELECT {1} FROM {0} WHERE item = ? AND ends > ? AND flags & 2 = 0"
_LIVE_BY_CODES = "SELECT codes, {1} FROM {0} WHERE item = ? AND ends > ? AND flags & 2 = 0 GROUP BY codes"


def _live(view: View, counted: tuple[str, str], item: int, code: int, now: int) -> int:
    if isinstance(view, Transaction):
        counts = view.counters.seats if counted is _SEATS else view.counters.concurrent_seats
        while (alive := counts.live((item, code), now)) is None:
            counts.learn(item, now, _ends_in_hour(view.db, counted, item, hour_of(now)))
        return alive
    if not code:
        return int(sql.value(view.db, _LIVE.format(*counted), (item, now)))
    found = sql.rows(view.db, _LIVE_BY_CODES.format(*counted), (item, now))
    return sum(n for codes, n in found if code in _unpack_codes(codes))


def _ends_in_hour(
    db: apsw.Connection, counted: tuple[str, str], item: int, hour: int
) -> Iterator[tuple[int, int, int]]:
    """(code, UTC seconds, how many) of an item's seats that end in an hour; code 0 for each of them."""
    begin = hour * HOUR_SECONDS
    for codes, end, n in sql.each(db, _IN_HOUR.format(*counted), (item, begin, begin + HOUR_SECONDS)):
        for code in (0, *_unpack_codes(codes)):
            yield code, end, n


def next_ends(db: apsw.Connection, item: int, concurrent: bool, now: int, limit: int) -> list[tuple[int, bytes]]:
    """(end in UTC seconds, device's UUID) of the first of an item's live seats to end."""
    table = "leases" if concurrent else "seats"
    query = f"""SELECT s.ends, d.uuid FROM {table} s JOIN devices d ON d.id = s.device
        WHERE s.item = ? AND s.ends > ? AND s.flags & 2 = 0 ORDER BY s.ends, d.uuid LIMIT ?"""  # noqa: S608 - one of two fixed names
    return [(end, bytes(uuid)) for end, uuid in sql.each(db, query, (item, now, limit))]


def elders(db: apsw.Connection, item: int, device: int, since: int, now: int) -> int:
    """Instances of an item's live concurrent seats that are older than one of `device` begun at `since`."""
    return int(
        sql.value(
            db,
            "SELECT coalesce(sum(instances), 0) FROM leases WHERE item = ?1 AND ends > ?4 AND device <> ?2"
            " AND flags & 2 = 0 AND (since < ?3 OR (since = ?3 AND device < ?2))",
            (item, device, since, now),
        )
    )


def holders_by_code(db: apsw.Connection, code: int, now: int) -> set[int]:
    """Numbers of the devices that hold a live seat, concurrent or not, by a code; reads all that are live."""
    query = "SELECT device, codes FROM {} WHERE item IN (SELECT id FROM items) AND ends > ? AND flags & 2 = 0"
    return {
        device
        for table in ("seats", "leases")
        for device, codes in sql.each(db, query.format(table), (now,))
        if code in _unpack_codes(codes)
    }


def last_heard_between(db: apsw.Connection, code: int, begin: int, end: int) -> set[int]:
    """Numbers of the devices that got a seat, concurrent or not, by a code, live or not, and were last seen from
    `begin` to before `end` (UTC seconds); reads every seat unless that is no time at all."""
    if end <= begin:
        return set()
    query = """SELECT device, codes FROM {} JOIN devices ON devices.id = device
        WHERE contact >= ? AND contact < ? AND (codes = ? OR typeof(codes) = 'blob')"""
    return {
        device
        for table in ("seats", "leases")
        for device, codes in sql.each(db, query.format(table), (begin, end, code))
        if code in _unpack_codes(codes)
    }


def load(db: apsw.Connection, counters: Counters) -> None:
    """Fill the seat counts from the tables at start."""
    query = "SELECT item, codes, ends / {2}, {1} FROM {0} WHERE flags & 2 = 0 GROUP BY 1, 2, 3"
    for counts, counted in _counted(counters):
        for item, codes, hour, n in sql.each(db, query.format(*counted, HOUR_SECONDS)):
            counts.add(item, _unpack_codes(codes), hour * HOUR_SECONDS, n)


def _flags(seat: Seat) -> int:
    ended = _CLOSED | _ENDED if seat.ended and not seat.closed else 0
    return (_GRACE if seat.grace else 0) | (_CLOSED if seat.closed else 0) | ended


def record(item: int, seat: Seat, now: int, concurrent: bool) -> SeatRecord:
    """The feed's form of a grant's state at `now`; one that began later, before the clock stepped back, begins now."""
    flags = (_GRACE if seat.grace else 0) | (_CLOSED if seat.closed else 0)
    age = max(0, now - seat.since) if concurrent else -1
    return SeatRecord(item, seat.grant, seat.end - now, flags, seat.codes, age, seat.instances)
