"""What many names of a device's day cost (docs/design/charging.md, Large reports and Types). Work is counted."""

from __future__ import annotations

from typing import Any
from unittest import mock

import msgspec
import pytest

from lts.protocol import SLOTS_PER_DAY
from lts.rules.metering.usage import FIRST_APART, TOGETHER
from lts.service.maintenance import verify
from lts.store.changes import records
from lts.store.rows.dayrow import decode_day, encode_day
from lts.store.tables import devices, usage
from lts.store.writing.transaction import Transaction
from tests.support.counted import SLOT, Program, program, verified
from tests.support.kit import Lab, entry

DAYS = 5
NAMES = 200


def filled(server: Lab, *, names: int = NAMES) -> Program:
    """A device whose days have counts of many names, each at both ends of the day."""
    one = program(server)
    first = SLOT // SLOTS_PER_DAY * SLOTS_PER_DAY
    entries: list[Any] = [
        entry(first - SLOTS_PER_DAY * day + slot, {f"n{n}": 70_000 for n in range(names)})
        for day in range(1, DAYS + 1)
        for slot in (0, 479)
    ]
    answer = server.report_many(one.lease, entries, one.token)
    assert {result.status for result in answer.results} == {"counted"}
    one.token = answer.clone_token
    return one


def a_day_each(units: int) -> list[Any]:
    return [entry(SLOT - SLOTS_PER_DAY * day, {"QR": units}) for day in range(1, DAYS + 1)]


def test_a_row_in_which_nothing_grew_is_neither_encoded_nor_written(server: Lab) -> None:
    one = filled(server)
    with mock.patch.object(usage, "encode_day", wraps=encode_day) as encoded:
        for units, written in ((2, DAYS), (2, DAYS), (1, DAYS), (3, 2 * DAYS)):
            answer = server.report_many(one.lease, a_day_each(units), one.token)
            one.token = answer.clone_token
            assert encoded.call_count == written, units
            one.report(1, SLOT - 200)
            assert encoded.call_count == written, "a sign of life that was told before"
    assert verified(server)


def test_a_count_of_a_copy_is_written_where_the_units_do_not_grow(server: Lab) -> None:
    program(server)

    def count(branch: int, units: int) -> int:
        run = records.Run(1, 1, 0, [units])
        record = records.ReportChange(1, None, 1, branch, *devices.UNMOVED, (), (run,), 0)
        grown = server.ctx.store.write(lambda tx: tx.emit(record, server.time.now))
        return len(grown.units)

    assert count(TOGETHER, 5) == 1
    with mock.patch.object(usage, "encode_day", wraps=encode_day) as encoded:
        assert [count(FIRST_APART, units) for units in (3, 3, 2)] == [0, 0, 0], "the 5 may hold them"
        assert encoded.call_count == 1
    row = decode_day(server.rows("SELECT data FROM usage_days ORDER BY day DESC LIMIT 1")[0][0])
    assert row[FIRST_APART, 1, 1].get(SLOT % SLOTS_PER_DAY) == 3
    assert verified(server)


def test_counts_far_apart_take_no_room_in_between(server: Lab) -> None:
    filled(server)
    sizes = [size for (size,) in server.rows("SELECT length(data) FROM usage_days ORDER BY day DESC LIMIT 5 OFFSET 1")]
    assert len(sizes) == 5
    assert max(sizes) < NAMES * 45, "two counts a name"
    assert verified(server)


def write_as_before(tx: Transaction) -> int:
    """Every slot between the first and the last one of a series, as LTS 0.1 wrote it."""
    rows = list(tx.db.execute("SELECT day, device, code, data FROM usage_days"))
    changed = 0
    for *key, data in rows:
        before = []
        for (branch, item, kind), series in decode_day(data).items():
            width, low, high = 0, 0, 0
            if series.counts is not None:
                width, low, high = series.counts.itemsize, series.low, series.high + 1
                before.append((branch, item, kind, width, low, series.counts[low:high].tobytes()))
            else:
                before.append((branch, item, kind, 0, 0, series.bits.to_bytes(60, "little").rstrip(b"\0")))
        packed = msgspec.msgpack.encode(before)
        changed += packed != data
        tx.execute("UPDATE usage_days SET data = ? WHERE day = ? AND device = ? AND code = ?", (packed, *key))
    tx.note_written_beside()
    return changed


def test_rows_as_0_1_wrote_them_go_on_and_are_what_the_feed_says(server: Lab) -> None:
    one = filled(server, names=3)
    used = server.used()
    assert server.ctx.store.write(write_as_before) >= DAYS
    assert verified(server)
    answer = server.report_many(one.lease, a_day_each(2), one.token)
    assert {result.status for result in answer.results} == {"counted"}
    assert server.used() == used + 2 * DAYS
    assert verified(server)


def test_an_edited_count_of_such_a_row_is_named(server: Lab) -> None:
    filled(server, names=3)

    def edit(tx: Transaction) -> None:
        ((day, data),) = tx.db.execute("SELECT day, data FROM usage_days ORDER BY day LIMIT 1")
        row = decode_day(data)
        next(series for series in row.values() if series.counts is not None).raise_to(100, 1)
        tx.execute("UPDATE usage_days SET data = ? WHERE day = ?", (encode_day(row), day))
        tx.note_written_beside()

    server.ctx.store.write(edit)
    faults = verify.verify(server.ctx.store.path.parent, server.ctx.trust)
    assert {fault.partition(":")[0] for fault in faults} == {"usage_days"}


@pytest.mark.parametrize(
    "row",
    [
        b"", b"\xc1", b"no row", 7, "text",
        *(msgspec.msgpack.encode([(0, 1, 1, width, first, data)])
          for width, first, data in ((1, 1 << 60, b"x"), (1, -3, b"x"), (0, -3, b"x"), (3, 0, b"x"), (9, 0, b""),
                                     (9, 0, b"\xff\xff\1"), (12, 0, b"xyz"), (99, 0, b"x"), (4, 500, b"xxxx"))),
    ],
)  # fmt: skip
def test_an_invalid_row_is_named(server: Lab, row: Any) -> None:
    program(server)

    def edit(tx: Transaction) -> None:
        tx.execute("UPDATE usage_days SET data = ?", (row,))
        tx.note_written_beside()

    server.ctx.store.write(edit)
    faults = verify.verify(server.ctx.store.path.parent, server.ctx.trust)
    assert {fault.partition(":")[0] for fault in faults} == {"usage_days"}
