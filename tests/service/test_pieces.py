"""A large report is worked off in pieces, and comes out as if it were one (docs/design/charging.md, Large reports)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from lts.errors import CannotStore
from lts.protocol import SLOTS_PER_DAY
from lts.rules.metering import workload
from lts.rules.metering.usage import OLDEST_DAYS, BadEntry, Entry
from lts.service.metering import pieces
from lts.service.metering.report import ReportOutcome
from lts.store.changes import records
from lts.store.changes.records import ChangeKind, decode_payload
from lts.store.rows import activityrow
from lts.store.writing.transaction import Transaction
from tests.support.cost import assert_no_dearer
from tests.support.counted import SLOT, program, verified
from tests.support.kit import Lab, entry, item

SMALL = 40


@pytest.fixture
def small_pieces() -> Iterator[None]:
    with mock.patch.object(workload, "PIECE", SMALL), mock.patch.object(workload, "DAY", 5):
        yield


def many(counts: int = 1) -> list[Entry | BadEntry]:
    """Entries over three days, in no order, some slots twice, some that cannot count."""
    backs = [n * 37 % (2 * SLOTS_PER_DAY) for n in range(100)]
    good = [entry(SLOT - back, {"QR": counts + n % 3, f"t{n % 7}": n % 4}) for n, back in enumerate(backs)]
    return [
        *good[:50],
        BadEntry("x", "reports[50].usage", "is nothing"),
        entry(SLOT - (OLDEST_DAYS + 1) * SLOTS_PER_DAY, {"QR": 1}),
        *good[50:],
        entry(SLOT - backs[3], {"QR": 9}),
        entry(SLOT - backs[3], {"QR": 8}),
        entry(SLOT + 100, {"QR": 1}),
        entry(SLOT, {}),
    ]


def told(answer: ReportOutcome) -> list[tuple[str | None, str, int | None]]:
    return [(result.slot_text, result.status, result.code) for result in answer.results]


def forget_devices(tx: Transaction) -> None:
    """As after a restore of a database that has them not."""
    tx.execute("DELETE FROM devices")
    tx.note_written_beside()


def operations(server: Lab) -> int:
    return server.ctx.store.writer.operations


def test_pieces_tell_what_the_whole_would(server: Lab, small_pieces: None) -> None:
    one = program(server)
    before = operations(server)
    in_pieces = server.report_many(one.lease, many(), one.token)
    assert operations(server) - before > 5
    assert {result.code for result in in_pieces.results if result.status == "rejected"} == {140, 142, 143}
    assert in_pieces.lease is not None
    used = server.used()
    two = server.authorize()
    with mock.patch.object(workload, "PIECE", 10**9):
        before = operations(server)
        whole = server.report_many(two.lease, many(), two.clone_token)
        assert operations(server) - before == 1
    assert told(in_pieces) == told(whole)
    assert server.used() - used == used - 1 > 100
    assert verified(server)


def test_sent_again_in_pieces_nothing_doubles_and_the_token_is_stepped_once(server: Lab, small_pieces: None) -> None:
    one = program(server)
    (given,) = server.rows("SELECT given FROM devices")[0]
    answer = server.report_many(one.lease, many(), one.token)
    assert server.rows("SELECT given, chain FROM devices") == [(given + 1, None)]
    used = server.used()
    again = server.report_many(one.lease, many(), answer.clone_token)
    assert {result.status for result in again.results} == {"unchanged", "rejected"}
    assert server.used() == used
    assert [row[0] for row in server.rows("SELECT sum(n) FROM tallies WHERE what = 1")] == [3], "reports, not pieces"


def test_a_report_cut_off_between_two_pieces_is_as_one_without_answer(server: Lab, small_pieces: None) -> None:
    one = program(server)
    count, calls = pieces._count_piece, 0

    def fail(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise CannotStore
        return count(*given)

    with mock.patch.object(pieces, "_count_piece", fail), pytest.raises(CannotStore):
        server.report_many(one.lease, many(), one.token)
    used = server.used()
    assert used > 1, "what came before is counted"
    answer = server.report_many(one.lease, many(), one.token)
    assert {result.status for result in answer.results} == {"counted", "unchanged", "rejected"}
    assert server.used() > used
    used = server.used()
    two = server.authorize()
    server.report_many(two.lease, many(), two.clone_token)
    assert server.used() - used == used - 1, "as who was not cut off"
    assert server.rows("SELECT count(*) FROM devices WHERE chain IS NULL") == [(2,)], "no second machine was seen"
    assert verified(server)


def test_a_new_device_may_begin_with_a_report_in_pieces(server: Lab, small_pieces: None) -> None:
    one = program(server)
    server.ctx.store.write(forget_devices)
    answer = server.report_many(one.lease, many(), one.token)
    assert {result.status for result in answer.results} >= {"counted", "rejected"}
    assert server.rows("SELECT count(*) FROM devices") == [(1,)]


def test_others_are_served_between_two_pieces(server: Lab, small_pieces: None) -> None:
    one = program(server)
    served: list[int] = []
    count = pieces._count_piece

    def count_and_let_in(*given: Any) -> Any:
        waiting.append(server.ctx.store.submit(lambda tx: served.append(operations(server))))
        return count(*given)

    waiting: list[Any] = []
    with mock.patch.object(pieces, "_count_piece", count_and_let_in):
        server.report_many(one.lease, many(), one.token)
    assert len(served) == len(waiting) > 4
    assert len(set(served)) == len(served), "each in a group of its own"


def test_the_last_piece_judges_by_the_counts_of_all(server: Lab, small_pieces: None) -> None:
    server.load(item(quota=50))
    one = server.authorize()
    entries: list[Entry | BadEntry] = [entry(SLOT - n, {"QR": 1}) for n in range(60)]
    answer = server.report_many(one.lease, entries, one.clone_token)
    assert answer.lease is None, "60 of 50 and its grace are used up"


def test_a_piece_holds_no_more_than_its_work() -> None:
    entries = [entry(SLOT - n % 3000, {f"t{m}": 1 for m in range(n % 40)}) for n in range(6000)]
    pieces = workload.cut(entries, 20)
    assert sorted(place for piece in pieces for place in piece) == list(range(6000))
    for piece in pieces:
        days = {entries[place].slot // SLOTS_PER_DAY for place in piece}
        assert sum(20 + len(entries[place].usage) for place in piece) + workload.DAY * len(days) <= workload.PIECE
    of_slot = [place for piece in pieces for place in piece if entries[place].slot == SLOT]
    assert of_slot == sorted(of_slot), "entries of one slot stay in their order"


def test_alternate_slots_are_a_run_for_each_series(server: Lab) -> None:
    server.load(item("one"), item("two", modules=["OCR"]))
    one = server.authorize(modules=("QR", "OCR"))
    entries: list[Entry | BadEntry] = [entry(SLOT - 2 * n, {"QR": 1 + n % 3, "OCR": 2}) for n in range(100)]
    entries += [entry(SLOT - 300, {"QR": 1}), entry(SLOT - 270, {})]
    server.report_many(one.lease, entries, one.clone_token)
    (payload,) = server.rows("SELECT payload FROM changes WHERE kind = 11 ORDER BY serial DESC LIMIT 1")[0]
    record = decode_payload(ChangeKind.REPORT, payload)
    assert isinstance(record, records.ReportChange)
    assert len(record.runs) == 2 * 3 + 2 + 1, "slots further apart than an hour are runs of their own"
    assert server.used(1) == sum(1 + n % 3 for n in range(100)) + 1
    assert server.used(2) == 200
    day = dict(server.rows("SELECT day, data FROM activity WHERE scope = 0 AND id = 2"))
    active = [n for number, data in sorted(day.items()) for n in activityrow.decode(data)[:SLOTS_PER_DAY]]
    assert sum(active) == 102
    assert verified(server)


@pytest.mark.parametrize("before", [0, 3])
def test_a_slot_named_often_is_stored_as_if_it_were_named_once(server: Lab, before: int) -> None:
    server.load(item(way="concurrentInstance", quota=10, graceQuota=0))
    one = server.authorize(instances=4)
    server.report_many(one.lease, [Entry(SLOT, "", {"QR": before}, before // 2)])
    entries: list[Entry | BadEntry] = [Entry(SLOT, str(n), {"QR": n, f"t{n % 7}": 1}, n) for n in range(1, 40)]
    entries += [Entry(SLOT, "", {}, 9), Entry(SLOT, "", {"t0": 1, "t1": 1, "QR": 39})]
    answer = server.report_many(one.lease, entries)
    (payload,) = server.rows("SELECT payload FROM changes WHERE kind = 11 ORDER BY serial DESC LIMIT 1")[0]
    record = decode_payload(ChangeKind.REPORT, payload)
    assert isinstance(record, records.ReportChange)
    assert sorted(run.counts for run in record.runs) == [[1]] * 7 + [[4], [39]], "a run for each type, one of presence"
    assert [one.status for one in answer.results] == ["counted"] * 39 + ["unchanged"] * 2
    assert server.report_many(one.lease, entries[::-1]).results[0].status == "unchanged"
    assert server.used() == 39 + 7
    assert verified(server)


def test_growing_counts_of_one_slot_cost_no_more_than_those_of_others(server: Lab) -> None:
    one = program(server)
    slots = iter(range(SLOT - 5000, SLOT - 10))

    def report(entries: list[Entry | BadEntry]) -> None:
        server.report_many(one.lease, entries)

    def apart() -> list[Entry | BadEntry]:
        return [entry(next(slots), {f"t{m}": 1 for m in range(30)}) for _ in range(100)]

    def together() -> list[Entry | BadEntry]:
        slot = next(slots)
        return [entry(slot, {f"t{m}": 1 + n for m in range(30)}) for n in range(100)]

    report(together())
    with mock.patch.object(time, "thread_time", time.process_time):  # the writer has its own thread
        assert_no_dearer(lambda: report(together()), lambda: report(apart()), 1.6)


def test_a_change_of_a_piece_stays_of_bounded_size(server: Lab) -> None:
    one = program(server)
    entries: list[Entry | BadEntry] = [entry(SLOT - 3 * n, {f"t{m}": 900 for m in range(40)}) for n in range(1500)]
    server.report_many(one.lease, entries, one.token)
    sizes = [size for (size,) in server.rows("SELECT length(payload) FROM changes WHERE kind = 11")]
    assert len(sizes) > 5
    assert max(sizes) < 16 * workload.PIECE
