"""Parts of the store on their own: archives, rows by device, days, seats by the hour, what is given to the other."""

from __future__ import annotations

import lzma
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from lts.errors import DatabaseDamaged
from lts.protocol import DAY_SECONDS, SLOTS_PER_DAY
from lts.store.changes import feed
from lts.store.changes.feed import Change
from lts.store.changes.records import ChangeKind, DayClosingChange, encode_payload
from lts.store.file import database
from lts.store.history import archive, exchange
from lts.store.history.archive import pack, unpack
from lts.store.rows import deviceunits
from lts.store.tables import audit, closing, devices, meta, statistics
from lts.store.tables.statistics import Selection
from lts.store.writing.counters import Counters, SeatCounts
from lts.store.writing.transaction import Transaction
from tests.support.kit import NOON, Lab, item

HOUR = 3600


def changes(number: int, first: int = 1, uneven: bool = False) -> list[Change]:
    """Consecutive changes of one origin, of two kinds."""
    found = []
    for serial in range(first, first + number):
        kind = ChangeKind.TYPE if serial % 2 else ChangeKind.EVENT
        row: list[Any] = [serial, f"name {serial}"] if serial % 2 else ["actor", "name", {"n": [[1], [2, 3]]}]
        if uneven and serial == first:
            row.append([])
        found.append(Change(1, serial, NOON + serial * serial, kind, encode_payload(row), b""))
    return found


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize(("number", "first"), [(1, 1), (2, 1), (7, 50_001)])
def test_a_stretch_of_the_feed_comes_back_from_its_archive(number: int, first: int, *, uneven: bool) -> None:
    given = changes(number, first, uneven)
    data = pack(given)
    every = [(one.serial, one.time, int(one.kind), one.payload) for one in given]
    assert list(unpack(data)) == every
    assert list(unpack(data, only=[ChangeKind.TYPE])) == [row for row in every if row[2] == ChangeKind.TYPE]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"x" + data[1:],
        lambda data: data[:-9],
        lambda data: data[:6] + lzma.compress(b"\x80"),
        lambda data: data[:6] + lzma.compress(lzma.decompress(data[6:])[:-9]),
    ],
)
def test_a_damaged_archive_is_called_damaged(damage: Any) -> None:
    with pytest.raises(DatabaseDamaged, match="is damaged"):
        list(unpack(damage(pack(changes(7)))))


def test_a_lost_or_changed_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseDamaged, match=r"The archive a\.ltsa of the change feed is lost"):
        archive.read(tmp_path, "a.ltsa", b"")
    (tmp_path / "a.ltsa").write_bytes(b"x")
    with pytest.raises(DatabaseDamaged, match=r"The archive a\.ltsa of the change feed was changed"):
        archive.read(tmp_path, "a.ltsa", b"")
    assert archive.file_name(3, 1, 50_000) == "feed-3-000000000001-000000050000.ltsa"


def test_only_a_full_stretch_that_is_old_and_not_the_head_is_archived(
    server: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        server.ctx.note_event("test", {"n": number})
        server.time.forward(10)
    assert archive.STRETCH == 50_000
    with server.ctx.store.reader() as db:
        newest = server.ctx.store.serial
        before_last, last = feed.after(db, 1, newest - 2, 9)
        for stretch, before, found in (
            (newest, last.time + 1, 0), (newest - 1, last.time, 0), (newest - 1, last.time + 1, newest - 1),
            (newest - 2, before_last.time + 1, newest - 2), (newest - 2, before_last.time, 0),
        ):  # fmt: skip
            monkeypatch.setattr(archive, "STRETCH", stretch)
            assert len(archive.candidates(db, 1, before)) == found
        assert archive.candidates(db, 99, last.time + 1) == []


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (64, 127, [("units", 1, 1)]),
        (64, 64, [("d0", 1, 1)]),
        (65, 66, [("d1 + d2", 1, 1)]),
        (65, 127, [("units - d0", 1, 1)]),
        (127, 128, [("d63", 1, 1), ("units", 2, 1), ("d0", 2, 2)]),
        (127, 320, [("d63", 1, 1), ("units", 2, 4), ("d0", 5, 5)]),
    ],
)
def test_a_range_of_days_is_summed_from_as_few_columns_as_can_be(first: int, last: int, expected: Any) -> None:
    assert deviceunits.parts(first, last) == expected


def test_half_of_a_row_is_summed_from_the_fewer_days() -> None:
    assert [deviceunits.parts(0, last)[0][0].count(" + ") for last in (30, 31, 32)] == [30, 0, 0]


def test_seats_count_to_the_second_in_the_hour_in_which_they_end() -> None:
    counts = SeatCounts()
    begin = NOON // HOUR * HOUR
    for end in (begin + 10, begin + 20, begin + HOUR, begin + 2 * HOUR):
        counts.add(1, (7,), end, 1)
    assert counts.live((1, 0), begin - 1) == 4
    assert counts.live((1, 0), begin) is None  # the ends of this hour are to be learned
    counts.learn(1, begin, [(code, begin + after, 1) for code in (0, 7) for after in (10, 20)])
    assert [counts.live((1, 7), begin + after) for after in (0, 9, 10, 19, 20, 21)] == [4, 4, 3, 3, 2, 2]
    counts.add(1, (7,), begin + 30, 2)
    counts.add(1, (7,), begin + 20, -1)
    assert [counts.live((1, 0), begin + after) for after in (0, 10, 29, 30)] == [5, 4, 4, 2]
    assert counts.live((1, 0), begin + HOUR) is None
    assert counts.live((1, 0), begin + 3 * HOUR) == 0
    assert counts.live((2, 0), begin) == 0


def test_what_a_failed_batch_added_is_taken_back_and_what_it_learned_forgotten() -> None:
    counters = Counters()
    counters.add(("item", 1, 0), 5)
    counters.add_seats(counters.seats, 1, (), NOON + 2 * HOUR, 1)
    counters.forget_undo()
    counters.add(("item", 1, 0), 2)
    counters.learn(("overdraft", 1, 0), 9)
    counters.add_seats(counters.seats, 1, (7,), NOON + 2 * HOUR, 3)
    counters.add_seats(counters.concurrent_seats, 1, (), NOON + 2 * HOUR, 4)
    counters.undo()
    assert dict(counters.sums) == {("item", 1, 0): 5}
    assert [counters.seats.live(key, NOON) for key in ((1, 0), (1, 7))] == [1, 0]
    assert counters.concurrent_seats.live((1, 0), NOON) == 0
    counters.undo()
    assert dict(counters.sums) == {("item", 1, 0): 5}


def test_sums_of_a_kind_are_forgotten_of_some_items_or_of_all() -> None:
    counters = Counters()
    for key in (("overdraft", 1, 0), ("overdraft", 2, 0), ("item", 1, 0)):
        counters.learn(key, 1)
    counters.forget("overdraft", [1])
    assert set(counters.sums) == {("overdraft", 2, 0), ("item", 1, 0)}
    counters.forget("overdraft")
    assert set(counters.sums) == {("item", 1, 0)}


def test_the_last_hundred_days_of_service_are_kept_without_those_of_a_wrong_clock(server: Lab) -> None:
    store = server.ctx.store
    for day in (*range(1000, 1101), 5000):
        store.write(partial(meta.keep_clock, highest=day * DAY_SECONDS, least=0, day=day))
    store.write(lambda tx: meta.keep_clock(tx, 7, 6, 1101))
    with store.reader() as db:
        assert meta.served_days(db) == set(range(1002, 1102))
        assert meta.highest_time(db) == 7


def test_a_day_is_closed_in_pieces_of_a_hundred_rows(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    assert closing.ROWS == 100
    monkeypatch.setattr(closing, "ROWS", 2)
    server.load(item("one"))
    yesterday = NOON // DAY_SECONDS - 1
    for _ in range(5):
        server.report(server.authorize().lease, {"QR": 1}, yesterday * SLOTS_PER_DAY)
    pieces = []
    while True:
        with server.ctx.store.reader() as db:
            piece = closing.next_piece(db, yesterday)
        if piece is None:
            break
        pieces.append(piece)
        server.ctx.store.write(partial(Transaction.emit, record=piece, time=NOON))
    assert [(one.day, one.piece) for one in pieces] == [
        (yesterday, (0, 3)), (yesterday, (3, 5)), (yesterday, (5, 0)),
    ]  # fmt: skip
    with server.ctx.store.reader() as db:
        assert closing.newest_day(db, yesterday) == yesterday
        assert closing.newest_day(db, yesterday - 1) == -1
        assert closing.next_piece(db, yesterday + 1) == DayClosingChange(yesterday + 1)
        assert closing.next_piece(db, yesterday - 1) is None


def test_the_other_server_is_given_what_it_lacks_up_to_a_number_and_a_size(
    server: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        server.ctx.note_event("test", {"n": number})
    newest, folder = server.ctx.store.serial, Path("nowhere")
    with server.ctx.store.reader() as db:
        every, whole = exchange.since(db, folder, {}, newest)
        assert ([one[1] for one in every], whole) == (list(range(1, newest + 1)), True)
        for have, limit, given, done in (
            (newest - 2, 9, 2, True), (newest, 9, 0, True), (newest - 2, 2, 2, True), (newest - 2, 1, 1, False),
        ):  # fmt: skip
            found, whole = exchange.since(db, folder, {1: have}, limit)
            assert ([one[1] for one in found], whole) == (list(range(have + 1, have + given + 1)), done)
        sizes = [len(one[4]) for one in every]
        for size, number in ((sizes[0] - 1, 1), (sizes[0], 2)):
            monkeypatch.setattr(exchange, "MAX_BYTES", size)
            assert len(exchange.since(db, folder, {}, newest)[0]) == number
        assert exchange.bare(db)
        assert exchange.family(db).startswith(server.ctx.identity.uuid)
    server.load(item())
    with server.ctx.store.reader() as db:
        assert not exchange.bare(db)


def test_lines_of_the_audit_log_are_found_by_text_action_and_time(server: Lab) -> None:
    for number in range(4):
        server.ctx.note_event(f"action-{number % 2}", {"subject": f"Subject {number}"}, actor="Jane")
        server.time.forward(1)

    def found(**wanted: Any) -> list[str]:
        with server.ctx.store.reader() as db:
            lines = audit.lines(db, audit.AuditFilter(**wanted), 0, 100)
            assert audit.count(db, audit.AuditFilter(**wanted)) == len(lines)
        return [line.subject[-1] for line in lines if line.actor == "Jane"]

    assert found() == ["3", "2", "1", "0"]
    assert found(text="SUBJECT 2") == ["2"]
    assert found(text="jane", actions=("action-1",)) == ["3", "1"]
    assert found(since=NOON + 1, until=NOON + 3) == ["2", "1"]
    assert found(text="nothing") == []
    with server.ctx.store.reader() as db:
        newest = audit.newest(db, ("action-0", "action-1"), server.ctx.identity.uuid, NOON + 3)
        assert [line.subject for line in newest] == ["Subject 3"]
        assert audit.newest(db, ("action-0",), "another", 0) == []


def test_activity_of_an_hour_is_the_peak_of_its_twenty_slots(server: Lab) -> None:
    server.load(item("one"))
    day = NOON // DAY_SECONDS
    for slots in ((0, 19), (19, 20), (479,)):
        got = server.authorize()
        for slot in slots:
            server.report(got.lease, {"QR": 1}, (day - 1) * SLOTS_PER_DAY + slot)
    with server.ctx.store.reader() as db:
        by_hour = statistics.activity(db, 1, (1,), day - 1, day - 1, by_hour=True)
        by_day = statistics.activity(db, 1, (1, 1), day - 1, day - 1)
        assert {hour - (day - 1) * 24: one.peak for hour, one in by_hour.items()} == {0: 2, 1: 1, 23: 1}
        assert {one: (found.devices, found.peak) for one, found in by_day.items()} == {day - 1: (6, 2)}
        for first, last, total in ((day - 1, day - 1, 5), (day, day, 0), (day - 2, day - 2, 0)):
            chosen = Selection(None, None, first, last)
            for grouping in ("hour", "day", "type"):
                assert sum(statistics.units_by(db, chosen, grouping).values()) == total
            assert sum(statistics.units_by_device(db, chosen).values()) == total
        assert statistics.first_day(db, Selection((1,), (1,), day, day)) == day - 1
        assert statistics.first_day(db, Selection((2,), None, 0, day)) is None
        assert statistics.first_days(db) == {1: day - 1}


def test_an_error_that_says_not_an_error_is_reported_in_other_words(tmp_path: Path) -> None:
    with pytest.raises(DatabaseDamaged, match="refuses it") as caught, database.translating_errors(tmp_path / "a.db"):
        raise apsw.IOError("not an error")
    assert "not an error" not in caught.value.detail


@pytest.mark.parametrize(
    "written",
    [
        [9, [8, 7], 5, -1, None, 1, False, 0],
        [9, [8, 7], 5, 1, 0, 3, True, 2],
        [9, [8, 7], 5, 1, None, 3, True, 2, [4, 4], 0],
        [9, [0], 0, 0, None, 0, False, 9, [], 1],
        [9, [8, 7], 5, -1, None, 1, False, 0, [], 0, 8],
    ],
)
def test_the_tokens_of_a_device_are_written_as_the_version_wrote_them_that_knew_so_much(written: list[Any]) -> None:
    packed = (9, 0, msgspec.msgpack.encode(written))
    state = devices.unpack_clone_state(*packed)
    assert msgspec.json.decode(msgspec.json.encode(state))[: len(written)] == written
    assert devices.pack_clone_state(state) == packed
