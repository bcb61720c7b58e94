"""Bounds of the store's parts: what is written how often, how much is kept and named, how far a database is."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import apsw
import pytest

from lts.errors import CannotStore
from lts.protocol import DAY_SECONDS, iso
from lts.rules.licensing.catalog import Catalog
from lts.store import replay, store, writer
from lts.store.changes import feed
from lts.store.changes.epochs import Epoch
from lts.store.changes.feed import ChangeRow
from lts.store.changes.recent import Recent
from lts.store.changes.records import SHAPES, ChangeKind, EventChange, GrantChange, Record, SeatRecord, encode_payload
from lts.store.file import database, integrity, schema, summary, watermark
from lts.store.file.integrity import DatabaseFault
from lts.store.file.watermark import EMPTY, OLDER, OTHER, Watermark
from lts.store.history import exchange
from lts.store.store import Store
from lts.store.tables import devicelist, likeness, meta, pair, seats
from lts.store.tables.devicelist import DeviceFilter
from lts.store.writing.transaction import Transaction
from tests.support.kit import NOON, Lab, item


def note(server: Lab, number: int = 1) -> None:
    for n in range(number):
        server.ctx.note_event("test", {"n": n})


@pytest.mark.parametrize(
    ("highest", "least", "written"),
    [(59, 0, False), (60, 0, True), (-59, 0, False), (-60, 0, True), (0, 59, False), (0, 60, True), (0, -60, True),
     (59, 60, True), (60, 59, True)],
)  # fmt: skip
def test_the_clock_is_kept_once_a_minute(server: Lab, highest: int, least: int, *, written: bool) -> None:
    kept, begin = server.ctx.store, NOON // DAY_SECONDS * DAY_SECONDS + 1000
    kept.keep_clock(lambda: (begin, begin - 5))
    commits = kept.writer.commits
    kept.watch_clock(lambda: (begin + highest, begin - 5 + least))
    assert kept.writer.commits - commits == written
    with kept.reader() as db:
        found = meta.highest_time(db), meta.least_time(db)
    moved = (highest, least) if written else (0, 0)
    assert found == (begin + moved[0], begin - 5 + moved[1]) == (kept.highest_time, kept.least_time)


def twice(at: int) -> tuple[int, int]:
    return at, at


def test_a_new_day_is_kept_at_once_and_a_day_of_a_wrong_clock_is_forgotten(server: Lab) -> None:
    kept, day = server.ctx.store, NOON // DAY_SECONDS
    for at in (day * DAY_SECONDS - 1, day * DAY_SECONDS, (day + 9) * DAY_SECONDS, (day + 1) * DAY_SECONDS):
        kept.watch_clock(partial(twice, at))
    assert kept.served_days() == [day - 1, day, day + 1]
    with kept.reader() as db:
        assert meta.served_days(db) == {day - 1, day, day + 1}


def test_eight_readers_are_kept_open_for_the_next_ones(server: Lab) -> None:
    kept = server.ctx.store
    with ExitStack() as open_ones:
        found = [open_ones.enter_context(kept.reader()) for _ in range(10)]
    with ExitStack() as open_ones:
        again = [open_ones.enter_context(kept.reader()) for _ in range(10)]
    assert len({*map(id, found)} & {*map(id, again)}) == 8


def test_up_to_which_size_a_database_is_read_whole_before_the_start() -> None:
    assert (store.CHECKED_BYTES >> 20, store.CHECKED_AFTER_A_CRASH >> 20) == (64, 512)


@pytest.mark.parametrize(("beyond", "checked"), [(0, False), (1, True)])
def test_a_database_below_a_size_is_read_whole_when_it_is_opened(
    server: Lab, monkeypatch: pytest.MonkeyPatch, beyond: int, *, checked: bool
) -> None:
    path, looked = server.ctx.store.path, []
    server.ctx.store.close()
    monkeypatch.setattr(database, "_check", lambda *_: looked.append(1))
    database.open_writer(path, create=False, checked_bytes=path.stat().st_size + beyond).close()
    assert bool(looked) is checked


def operation(tx: Transaction) -> None:
    tx.emit(EventChange("test", "x", {}), NOON)


def test_a_group_takes_512_operations_and_all_are_counted(server: Lab) -> None:
    kept = server.ctx.store.writer
    assert (writer.GROUP, kept.queue_depth) == (512, 0)
    before = kept.groups, kept.commits, kept.operations, kept.failures
    waiting = [server.ctx.store.submit(operation) for _ in range(513)]
    assert kept.queue_depth == 513
    waiting[0].result()
    assert (kept.queue_depth, kept.busy) == (1, False)
    waiting[-1].result()
    after = kept.groups, kept.commits, kept.operations, kept.failures
    assert [b - a for a, b in zip(before, after, strict=True)] == [2, 2, 513, 0]


def test_a_group_under_way_is_busy_and_one_that_writes_nothing_is_no_commit(server: Lab) -> None:
    kept = server.ctx.store.writer
    before = kept.groups, kept.commits, kept.operations
    assert server.ctx.store.write(lambda tx: kept.busy) is True
    assert (kept.groups, kept.commits, kept.operations) == (before[0] + 1, before[1], before[2] + 1)


def row(origin: int, serial: int) -> ChangeRow:
    return origin, serial, 0, 1, b"", b""


def test_who_knows_everything_waits_for_news_and_who_lacks_something_does_not() -> None:
    recent = Recent()
    recent.listen({1: 4})
    recent.add([row(1, 5)])
    begin = time.monotonic()
    for known in ({}, {1: 4}, {1: 4, 2: 9}):
        recent.wait(known, 60)
    assert time.monotonic() - begin < 30
    for known in ({1: 5}, {1: 6, 2: 9}):
        begin = time.monotonic()
        recent.wait(known, 0.02)
        assert time.monotonic() - begin >= 0.02


def test_nothing_is_kept_of_changes_before_somebody_listens() -> None:
    recent = Recent()
    recent.add([row(1, 1)])
    recent.listen({1: 1})
    recent.add([row(1, 2)])
    assert recent.since({1: 1}, 9, 9) == [row(1, 2)]
    assert recent.since({}, 9, 9) is None


def test_a_database_is_described_in_words(server: Lab) -> None:
    with server.ctx.store.reader() as db:
        assert summary.words(db) == f"0 licenses, 0 handshake codes, 0 devices; last change {iso(NOON)}"
    server.load(item(way="device"))
    server.authorize()
    with server.ctx.store.reader() as db:
        assert summary.words(db) == f"1 license, 1 handshake code, 1 device; last change {iso(NOON)}"


def test_a_standing_is_compared_with_what_was_said_of_it(server: Lab) -> None:
    note(server, 5)
    with server.ctx.store.reader() as db:
        here = watermark.of(db)
        [(uuid, incarnation, serial, digest)] = here.positions
        before = feed.hash_at(db, 1, serial - 1)
        assert before is not None
        me, other = (uuid, incarnation), ("other", "one")
        assert here.has(*me)
        assert not here.has(uuid, "one")
        cases: list[tuple[tuple[Any, ...], int, str | None]] = [
            ((), 0, None),
            (((*me, serial, digest),), 0, None),
            (((*me, serial, before),), 0, OTHER),
            (((*me, serial - 1, before),), 0, None),
            (((*me, serial - 1, digest),), 0, OTHER),
            (((*me, serial + 1, digest),), 0, OLDER),
            (((*other, 1, digest),), 0, OTHER),
            (((*me, serial, digest), (*other, 1, digest)), 0, OLDER),
            ((), 1, OLDER),
            (((*me, serial, digest),), 1, OLDER),
            (((*me, serial, digest),), -1, None),
        ]
        for positions, later, expected in cases:
            said = Watermark(here.generation + later, positions, 0)
            assert watermark.lag(db, here, said) == expected, (positions, later)
        assert watermark.lag(db, EMPTY, here) == OLDER
        assert watermark.lag(db, EMPTY, EMPTY) is None


def test_what_is_shown_of_a_row_is_short() -> None:
    long = b"\xab" * 40, "x" * 50, 1, 2, 3, 4, 5
    assert replay._show(long) == f"({'ab' * 16}, {'x' * 40}, 1, 2, 3, 4)"


@pytest.mark.parametrize(("index", "remedy"), [(True, integrity.REBUILD), (False, integrity.RESTORE)])
def test_indexes_are_rebuilt_only_where_nothing_else_is_damaged(*, index: bool, remedy: str) -> None:
    assert integrity.remedy([DatabaseFault("a", index=True), DatabaseFault("b", index=index)]) == remedy


def test_the_feed_is_read_in_batches_with_its_heads(server: Lab) -> None:
    note(server, 6)
    server.time.forward(7)
    note(server)
    newest, me = server.ctx.store.serial, server.ctx.identity
    with server.ctx.store.reader() as db:
        for batch in (1, 2, 3, newest):
            assert [one.serial for one in feed.stored(db, 1, after_serial=2, batch=batch)] == [*range(3, newest + 1)]
        assert [one.serial for one in feed.stored(db, 1)] == [*range(1, newest + 1)]
        head = feed.head(db, 1)
        assert head is not None
        assert (head[0], head[2]) == (newest, NOON + 7)
        assert feed.serials(db) == ((me.uuid, me.incarnation, newest),)
        assert feed.newest_time(db, me.uuid, me.incarnation) == feed.highest_time(db) == NOON + 7
        assert feed.newest_time(db, me.uuid, "other") == 0
        assert feed.hash_at(db, 1, newest) == head[1]
        assert feed.hash_at(db, 1, newest + 1) is None
        assert [(turn.origin, turn.first, turn.last) for turn in feed.intakes(db)] == [(1, 1, None)]


def test_an_empty_database_says_that_it_is(tmp_path: Path) -> None:
    assert store.prepare(tmp_path, create=True) is False
    with database.open_reader(tmp_path / store.DATABASE) as db:
        assert (exchange.family(db), exchange.bare(db), feed.highest_time(db)) == ("", True, 0)
        assert summary.words(db) == "0 licenses, 0 handshake codes, 0 devices; no change"
        assert (meta.generation(db), meta.refusals(db)) == (0, b"")
    Store(tmp_path, ("uuid", "0" * 32), lambda *_: Catalog()).close()
    assert store.prepare(tmp_path, create=False) is True
    assert not list(tmp_path.glob("lts-schema*")), "nothing was upgraded"
    assert os.name != "posix" or (tmp_path / store.DATABASE).stat().st_mode & 0o777 == 0o600


def test_devices_whose_chain_has_forked_are_listed_in_pages(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(tx: Transaction) -> None:
        tx.note_written_beside()
        rows = [(n, UUID(int=n).bytes, NOON + n, n % 2, 0, b"x" if n < 9 else None, None) for n in range(1, 11)]
        tx.db.executemany("INSERT INTO devices VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    server.ctx.store.write(fill)
    chain = "lts.store.tables.devicelist.unpack_clone_state"
    monkeypatch.setattr(chain, lambda given, lag, blob: SimpleNamespace(forked=given == 1))
    forked = DeviceFilter(forked_only=True)
    with server.ctx.store.reader() as db:
        for wanted, descending, offset, limit, expected in (
            (forked, False, 0, 9, [1, 3, 5, 7]), (forked, True, 0, 9, [7, 5, 3, 1]), (forked, False, 1, 2, [3, 5]),
            (forked, False, 3, 2, [7]), (forked, False, 4, 2, []), (DeviceFilter(), False, 1, 2, [2, 3]),
            (DeviceFilter(), True, 0, 3, [10, 9, 8]), (DeviceFilter(), False, 9, 3, [10]),
        ):  # fmt: skip
            for sort in devicelist.SORTS:
                found = devicelist.find(db, wanted, sort, descending, offset, limit)
                assert [device.key for device in found] == expected, (sort, wanted, offset)
        assert (devicelist.count(db, forked), devicelist.count(db, DeviceFilter())) == (4, 10)
        low, high = UUID(int=3).bytes, UUID(int=5).bytes
        for some, number in (
            (DeviceFilter(low, high), 3),
            (DeviceFilter(low), 10),
            (DeviceFilter(high, low), 0),
            (DeviceFilter(low, low), 1),
        ):
            assert devicelist.count(db, some) == number


def test_marks_that_were_sent_before_the_upgrade_are_taken_the_lowest_of_each_device() -> None:
    db = apsw.Connection(":memory:")
    for script in (schema.V1, schema.V3):
        db.execute(script)
    one, two, three = (UUID(int=n).bytes for n in (1, 2, 3))
    for n, uuid in enumerate((one, two, three), 1):
        db.execute("INSERT INTO devices VALUES (?, ?, 0, 1, 0, NULL, NULL)", (n, uuid))
    told = [(one, 9), (one, 7), (one, None), (None, 3), (two, None), (one, 8), (UUID(int=4).bytes, 5)]
    for serial, (given, mark) in enumerate(told, 1):
        payload = encode_payload(GrantChange(1, given, 1, 1, 0, None, (), mark))
        db.execute("INSERT INTO changes VALUES (1, ?, 0, ?, ?, x'')", (serial, ChangeKind.GRANT, payload))
    likeness.fill(db)
    assert [row[0] for row in db.execute("SELECT mark FROM devices ORDER BY id")] == [7, None, None]
    db.execute("UPDATE devices SET mark = 7 WHERE id = 3")
    assert likeness.alike(db, [1, 2, 3, 4]) == {1: 1, 2: 0, 3: 1, 4: 0}
    db.close()


def test_the_highest_epoch_is_that_of_any_origin_but_one() -> None:
    epochs = {1: Epoch(5, True, 0, {}), 2: Epoch(3, False, 0, {}), 3: Epoch(5, False, 0, {})}
    assert [pair.highest_epoch(epochs, beside=origin) for origin in (0, 1, 2)] == [5, 5, 5]
    del epochs[3]
    assert [pair.highest_epoch(epochs, beside=origin) for origin in (0, 1, 2)] == [5, 3, 5]
    assert (pair.highest_epoch(epochs), pair.highest_epoch({}), pair.highest_epoch({1: epochs[2]}, beside=1)) == (
        5,
        0,
        0,
    )


@pytest.mark.parametrize("shape", SHAPES.values(), ids=[kind.name for kind in SHAPES])
def test_a_payload_is_a_row_that_nobody_changes(shape: type[Record]) -> None:
    assert (shape.__struct_config__.array_like, shape.__struct_config__.frozen) == (True, True)


@pytest.mark.parametrize(("age", "since"), [(60, NOON - 60), (0, NOON), (-1, 0)])
def test_a_lease_began_so_long_before_its_change(server: Lab, age: int, since: int) -> None:
    seat = SeatRecord(1, 7, 100, 0, (1, 2), age, 3 if age >= 0 else 1)
    server.ctx.store.write(lambda tx: tx.emit(GrantChange(1, b"d" * 16, 1, 1, 0, None, (seat,)), NOON))
    with server.ctx.store.reader() as db:
        found = seats.find(db, 1, 1, concurrent=age >= 0)
        assert found is not None
        assert (found.grant, found.end, found.since, found.instances) == (7, NOON + 100, since, seat.instances)
        assert (found.codes, found.grace, found.closed, found.ended) == ((1, 2), False, False, False)
        assert seats.find(db, 1, 1, concurrent=age < 0) is None
        assert seats.record(1, found, NOON, age >= 0) == seat
        assert seats.record(1, found, NOON - 100, age >= 0).age == min(age, 0), "a clock that then stepped back"
        assert seats.newest_of(db, 1) == {1: found}


def test_another_origin_numbers_things_from_a_range_of_its_own(server: Lab) -> None:
    assert server.rows("SELECT numbers FROM origins") == [(1,)]
    server.ctx.store.begin_feed(("other", "0000ff" + "9" * 26), "", NOON)
    assert server.rows("SELECT numbers FROM origins ORDER BY id") == [(1,), (0x100 << 24,)]
    assert [server.ctx.store.write(lambda tx: tx.numbering.new("codes")) for _ in range(2)] == [0x100 << 24] * 2


def test_a_snapshot_takes_the_catalog_that_there_is(server: Lab) -> None:
    server.load(item())
    with server.ctx.store.snapshot() as view:
        assert view.catalog is server.ctx.store.catalog


def test_another_origin_counts_once_there_is_a_change_of_it(server: Lab) -> None:
    name, payload = ("other", "ab" * 16), encode_payload(EventChange("test", "x", {}))

    def follow(tx: Transaction) -> None:
        mine, other = tx.feed.positions(), tx.feed.origin_number(*name)
        assert (other, tx.feed.others(), tx.feed.positions()) == (2, [], mine)
        for serial in (0, 2):
            with pytest.raises(ValueError, match="follows 0 of origin 2"):
                tx.follow(other, serial, NOON, ChangeKind.EVENT, payload)
        with pytest.raises(ValueError, match="follows"):
            tx.follow(tx.feed.origin, tx.feed.serial + 1, NOON, ChangeKind.EVENT, payload)
        digest = tx.follow(other, 1, NOON, ChangeKind.EVENT, payload)
        assert digest == feed.chain_hash(feed.first_hash(*name), 1, NOON, ChangeKind.EVENT, payload)
        assert (tx.feed.others(), tx.feed.head_of(other), tx.feed.positions()) == (
            [2],
            (1, digest),
            [*mine, (*name, 1, digest)],
        )

    server.ctx.store.write(follow)
    assert server.ctx.store.vector() == {1: server.ctx.store.serial, 2: 1}
    assert [one[2] for one in server.ctx.store.positions()] == [server.ctx.store.serial, 1]
    note(server)
    with server.ctx.store.reader() as db:
        newest = server.ctx.store.serial
        assert [(one.origin, one.first, one.last) for one in feed.intakes(db)] == [
            (1, 1, newest - 1), (2, 1, None), (1, newest, None),
        ]  # fmt: skip
        assert feed.strange_intakes(db) == []


def test_a_group_that_cannot_be_stored_is_one_failure_until_something_is(server: Lab) -> None:
    kept = server.ctx.store.writer
    told: list[Exception | None] = []

    def refuse(cursor: Any, statement: str, bindings: Any) -> bool:
        if statement == "COMMIT":
            raise apsw.FullError("database or disk is full")
        return True

    before = kept.failures, kept.commits, kept.operations, server.ctx.store.serial
    kept._on_fault = told.append
    kept._db.exec_trace = refuse
    waiting = [server.ctx.store.submit(operation) for _ in range(3)]
    for one in waiting:
        with pytest.raises(CannotStore):
            one.result()
    after = kept.failures, kept.commits, kept.operations, server.ctx.store.serial
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 0, 3, 0]
    assert (kept.faulty, len(told), kept.busy) == (True, 1, False)
    kept._db.exec_trace = None
    server.ctx.store.write(operation)
    server.ctx.store.write(operation)
    assert (kept.faulty, told[1:], server.ctx.store.serial) == (False, [None], before[3] + 2)
