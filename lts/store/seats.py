"""Seats of devices and servers, and the live leases of concurrent items, with the counts kept of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import apsw
import msgspec

from lts.rules.seats import ROUND, Seat, join
from lts.store import sql
from lts.store.counters import HOUR_SECONDS, Counters, SeatKey, hour_of
from lts.store.records import GrantsEnded, SeatRecord
from lts.store.transaction import Transaction

_GRACE, _CLOSED, _ENDED = 1, 2, 4
"""Bits of `flags`. A grant whose round is over counts as closed; `ended` says that nobody gave it back."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, ...]).decode


def _pack_codes(codes: tuple[int, ...]) -> int | bytes:
    """One code as an integer (the common case, no byte in the row), more as a blob."""
    return codes[0] if len(codes) == 1 else _encode(codes)


def _unpack_codes(stored: Any) -> tuple[int, ...]:
    return (stored,) if isinstance(stored, int) else _decode(stored)


def _seat(row: tuple[Any, ...]) -> Seat:
    grants, ends, flags, codes = row[:4]
    since, instances = row[4:] if len(row) > 4 else (0, 1)
    ended = bool(flags & _ENDED)
    closed = bool(flags & _CLOSED) and not ended
    return Seat(grants, ends, bool(flags & _GRACE), closed, _unpack_codes(codes), since, instances, ended)


def find(db: apsw.Connection, device: int, item: int, concurrent: bool) -> Seat | None:
    """The device's newest grant in an item, live or not."""
    query = (
        "SELECT grants, ends, flags, codes, since, instances FROM leases WHERE item = ?2 AND device = ?1"
        if concurrent
        else "SELECT grants, ends, flags, codes FROM seats WHERE device = ?1 AND item = ?2"
    )
    row = sql.first(db, query, (device, item))
    return None if row is None else _seat(row)


def of_device(db: apsw.Connection, device: int) -> Iterator[tuple[int, Seat]]:
    """(item key, newest grant) of a device, seats first, then concurrent leases."""
    for row in sql.each(db, "SELECT item, grants, ends, flags, codes FROM seats WHERE device = ?", (device,)):
        yield row[0], _seat(row[1:])
    for row in sql.each(
        db,
        "SELECT item, grants, ends, flags, codes, since, instances FROM leases WHERE device = ?",
        (device,),
    ):
        yield row[0], _seat(row[1:])


def newest_of(db: apsw.Connection, device: int) -> dict[int, Seat]:
    """A device's newest grant in each item; where the charge way changed there is one of each."""
    found: dict[int, Seat] = {}
    for item, seat in of_device(db, device):
        if item not in found or seat.grant > found[item].grant:
            found[item] = seat
    return found


def of_item(db: apsw.Connection, item: int, after: int, limit: int) -> Iterator[tuple[int, Seat]]:
    """(device key, newest grant) in an item, by device number; live or not."""
    for row in sql.each(
        db,
        "SELECT device, grants, ends, flags, codes FROM seats WHERE item = ?1 AND device > ?2 ORDER BY device LIMIT ?3",
        (item, after, limit),
    ):
        yield row[0], _seat(row[1:])


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
    before = find(tx.db, device, record.item, concurrent) if known else None
    if before is not None:
        seat = join(before, seat)
    seat = replace(seat, ended=seat.grant <= tx.rounds.get(record.item, 0) * ROUND)
    flags = _flags(seat)
    if concurrent:
        row = (record.item, device, seat.grant, seat.end, flags, _pack_codes(seat.codes), seat.since,
               seat.instances)  # fmt: skip
        tx.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        return
    tx.execute(
        "INSERT OR REPLACE INTO seats VALUES (?, ?, ?, ?, ?, ?)",
        (device, record.item, seat.grant, seat.end, flags, _pack_codes(seat.codes)),
    )
    _count(tx.counters, record.item, before, -1)
    _count(tx.counters, record.item, seat, 1)


def close(tx: Transaction, device: int, item: int, grant: int, time: int) -> None:
    """A release: the grant is closed for good, at its first release. Nothing happens when it is not the newest one.

    Two servers that are apart may both take a release; whichever comes first, the earlier time stands.
    """
    for concurrent, table in ((False, "seats"), (True, "leases")):
        seat = find(tx.db, device, item, concurrent)
        if seat is None or seat.grant != grant or (seat.closed and seat.end <= time):
            continue
        tx.execute(
            f"UPDATE {table} SET ends = ?, flags = (flags | ?) & ~ ? WHERE device = ? AND item = ?",  # noqa: S608 - one of two fixed names
            (min(seat.end, time), _CLOSED, _ENDED, device, item),
        )
        if not concurrent:
            _count(tx.counters, item, seat, -1)


def end_grants(tx: Transaction, record: GrantsEnded) -> None:
    """Apply a GRANTS_ENDED change: every grant of an earlier round is over, also one that arrives later from the
    other server. Costs what the item's open seats are."""
    for item, number in record.items:
        if number <= tx.rounds.get(item, 0):
            continue
        tx.rounds = {**tx.rounds, item: number}
        tx.execute("INSERT OR REPLACE INTO rounds VALUES (?, ?)", (item, number))
        open_ones = "item = ? AND grants <= ? AND flags & 2 = 0"
        for codes, ends, n in sql.rows(
            tx.db,
            f"SELECT codes, ends, count(*) FROM seats WHERE {open_ones} GROUP BY codes, ends",  # noqa: S608 - fixed
            (item, number * ROUND),
        ):
            for code in (0, *_unpack_codes(codes)):
                tx.counters.add_seat((item, code), ends, -n)
        for table in ("seats", "leases"):
            tx.execute(
                f"UPDATE {table} SET flags = flags | ? WHERE {open_ones}",  # noqa: S608 - fixed
                (_CLOSED | _ENDED, item, number * ROUND),
            )
    tx.forget_catalog()


def _count(counters: Counters, item: int, seat: Seat | None, n: int) -> None:
    if seat is None or seat.closed or seat.ended:
        return
    counters.add_seat((item, 0), seat.end, n)
    for code in seat.codes:
        counters.add_seat((item, code), seat.end, n)


def live(tx: Transaction, item: int, code: int, now: int) -> int:
    """Live seats of an item at `now` (UTC seconds); `code` 0 = over all codes."""
    key: SeatKey = (item, code)
    seats = tx.counters.seats
    count = seats.beyond_hour(key, now)
    if not seats.ending_in_hour(key, now):
        return count
    ending = seats.known_ends(key, now)
    if ending is None:
        seats.learn_ends(key, now, list(_ends_in_hour(tx.db, item, code, hour_of(now))))
        ending = seats.known_ends(key, now) or 0
    return count + ending


def _ends_in_hour(db: apsw.Connection, item: int, code: int, hour: int) -> Iterable[int]:
    begin = hour * HOUR_SECONDS
    for ends, codes in sql.each(
        db,
        "SELECT ends, codes FROM seats WHERE item = ? AND ends >= ? AND ends < ? AND flags & ? = 0",
        (item, begin, begin + HOUR_SECONDS, _CLOSED),
    ):
        if not code or code in _unpack_codes(codes):
            yield ends


def elders(db: apsw.Connection, item: int, device: int, since: int, now: int) -> int:
    """Instances of an item's live leases that are older than one of `device` begun at `since`."""
    return int(
        sql.value(
            db,
            "SELECT coalesce(sum(instances), 0) FROM leases WHERE item = ?1 AND ends > ?4 AND device <> ?2"
            " AND flags & 2 = 0 AND (since < ?3 OR (since = ?3 AND device < ?2))",
            (item, device, since, now),
        )
    )


def live_leases(db: apsw.Connection, item: int, code: int, now: int) -> int:
    """Instances of an item's live leases at `now`; `code` 0 = over all codes."""
    return sum(
        instances
        for codes, instances in sql.each(
            db,
            "SELECT codes, instances FROM leases WHERE item = ? AND ends > ? AND flags & 2 = 0",
            (item, now),
        )
        if not code or code in _unpack_codes(codes)
    )


def holders_by_code(db: apsw.Connection, code: int, now: int) -> set[int]:
    """Numbers of the devices that hold a live seat or concurrent lease by a code; reads all that are live."""
    query = "SELECT device, codes FROM {} WHERE ends > ? AND flags & 2 = 0"
    return {
        device
        for table in ("seats", "leases")
        for device, codes in sql.each(db, query.format(table), (now,))
        if code in _unpack_codes(codes)
    }


def load(db: apsw.Connection, counters: Counters) -> None:
    """Fill the seat counts from the table at start."""
    for item, codes, hour, n in sql.each(
        db,
        "SELECT item, codes, ends / ?, count(*) FROM seats WHERE flags & ? = 0 GROUP BY 1, 2, 3",
        (HOUR_SECONDS, _CLOSED),
    ):
        counters.seats.add((item, 0), hour * HOUR_SECONDS, n)
        for code in _unpack_codes(codes):
            counters.seats.add((item, code), hour * HOUR_SECONDS, n)


def _flags(seat: Seat) -> int:
    ended = _CLOSED | _ENDED if seat.ended and not seat.closed else 0
    return (_GRACE if seat.grace else 0) | (_CLOSED if seat.closed else 0) | ended


def record(item: int, seat: Seat, now: int, concurrent: bool) -> SeatRecord:
    """The feed's form of a grant's state at `now`; one begun later than that, by a clock that then stepped back, begins
    now."""
    flags = (_GRACE if seat.grace else 0) | (_CLOSED if seat.closed else 0)
    age = max(0, now - seat.since) if concurrent else -1
    return SeatRecord(item, seat.grant, seat.end - now, flags, seat.codes, age, seat.instances)
