"""Reports: each count once, on its own day, whatever is sent how often (docs/design/charging.md, Reports)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from lts.errors import Malformed, NotVerified
from lts.protocol import DAY_SECONDS, SLOT_SECONDS, SLOTS_PER_DAY, iso, slot_of
from lts.rules.metering.usage import BadEntry, Entry
from lts.service.licensing import handshakes
from lts.service.maintenance import verify
from lts.service.statistics import usage
from lts.store.tables import statistics
from tests.support.kit import NOON, FakeTime, Lab, Vendor, entry, item, lab

SLOT = slot_of(NOON)


def test_the_same_report_counts_once_in_parallel_and_after_a_restart(tmp_path: Path) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        lease = server.authorize(server.load(item())).lease
        first = server.report(lease, {"QR": 3})
        assert first.results[0].status == "counted"
        with ThreadPoolExecutor(8) as pool:
            again = list(pool.map(lambda _: server.report(lease, {"QR": 3}), range(8)))
        assert {answer.results[0].status for answer in again} == {"unchanged"}
    with lab(tmp_path, time, vendor) as server:
        assert server.report(lease, {"QR": 3}).results[0].status == "unchanged"
        assert server.report(lease, {"QR": 5}).results[0].status == "counted"
        assert server.report(lease, {"QR": 4}).results[0].status == "unchanged"
        assert server.used() == 5
        assert usage.usage(server.ctx).total == 5


def test_29_days_of_slots_in_one_call_land_each_on_its_day(server: Lab) -> None:
    code = server.load(item(quota=10**6, expiresAt=iso(NOON + 10 * DAY_SECONDS), graceDays=0))
    lease = server.authorize(code).lease
    server.time.forward(29 * DAY_SECONDS)
    first = SLOT
    entries: list[Entry | BadEntry] = [entry(first + i, {"QR": 1}) for i in range(29 * SLOTS_PER_DAY)]
    answer = server.report_many(lease, entries)
    assert {result.status for result in answer.results} == {"counted"}
    assert answer.lease is None, "the item has ended meanwhile"
    by_day = usage.usage(server.ctx, grouping="day")
    assert by_day.total == 29 * SLOTS_PER_DAY
    full = [units for units in by_day.rows.values() if units == SLOTS_PER_DAY]
    assert (len(by_day.groups), len(full)) == (30, 28)
    assert by_day.rows["2026-11-25", "QR"] == SLOTS_PER_DAY - SLOT % SLOTS_PER_DAY


def results(server: Lab, lease: str, *sent: Entry) -> str:
    """The first letter of each result."""
    return "".join(result.status[0] for result in server.report_many(lease, list(sent)).results)


def in_slot(counts: dict[str, int], instances: int | None = None, slot: int = SLOT) -> Entry:
    """An entry whose slot is named by a time within it."""
    return Entry(slot, iso(slot * SLOT_SECONDS + 60), counts, instances)


@pytest.mark.parametrize(
    ("before", "sent", "told", "total"),
    [
        ({}, [{"QR": 5}, {"QR": 3}], "cu", 5),
        ({}, [{"QR": 3}, {"QR": 5}, {"QR": 5}], "ccu", 5),
        ({}, [{"QR": 3}, {"EAN": 5}, {"QR": 4, "EAN": 1}, {"QR": 4, "EAN": 5}], "cccu", 9),
        ({}, [{"QR": 3}, {"EAN": 0}], "cu", 3),
        ({"QR": 9}, [{"QR": 5}, {"QR": 9}, {"QR": 10}, {"QR": 8}], "uucu", 10),
        ({"QR": 9}, [{"QR": 5}, {"EAN": 1}], "uc", 10),
        ({}, [{}, {}], "cu", 0),
        ({}, [{"QR": 1}, {}], "cu", 1),
        ({}, [{}, {"QR": 1}, {}], "ccu", 1),
    ],
)
def test_entries_of_one_slot_are_judged_one_after_another(
    server: Lab, before: dict[str, int], sent: list[dict[str, int]], told: str, total: int
) -> None:
    lease = server.authorize(server.load(item(quota=10**6))).lease
    if before:
        server.report(lease, before)
    other = in_slot({"QR": 2}, slot=SLOT - 1)
    assert results(server, lease, other, *map(in_slot, sent)) == f"c{told}"
    assert server.used() == total + 2
    assert results(server, lease, other, *map(in_slot, sent)) == "u" * (len(sent) + 1)
    assert verify.verify(server.config.data_dir, server.ctx.trust) == []


def test_signs_of_life_of_one_slot_are_judged_by_the_instances_before(server: Lab) -> None:
    code = server.load(item(way="concurrentInstance", quota=9))
    lease = server.authorize(code, instances=5).lease
    assert results(server, lease, *[in_slot({}, instances) for instances in (2, 1, 4, 4, None)]) == "cucuc"


def test_a_rejected_entry_leaves_the_others_as_they_are(server: Lab) -> None:
    lease = server.authorize(server.load(item())).lease
    bad = BadEntry(None, "reports[0]", "is nothing")
    good = [in_slot({"QR": 4}), in_slot({"QR": 9}, slot=SLOT + 40), in_slot({"QR": 4}), in_slot({"QR": 5})]
    sent: list[Entry | BadEntry] = [bad, *good]
    assert "".join(r.status[0] for r in server.report_many(lease, sent).results) == "rcruc"


def test_thousands_of_entries_of_one_slot_count_the_highest(server: Lab) -> None:
    lease = server.authorize(server.load(item(quota=10**9))).lease
    assert results(server, lease, *[in_slot({"QR": count}) for count in range(1, 5001)]) == "c" * 5000
    assert server.used() == 5000


def test_slots_ahead_and_too_old_are_rejected_and_the_rest_counts(server: Lab) -> None:
    lease = server.authorize(server.load(item())).lease
    slots = [SLOT + 1, SLOT + 7, SLOT + SLOTS_PER_DAY, slot_of(4_070_908_800), 0, SLOT - 30 * SLOTS_PER_DAY - 1]
    answer = server.report_many(lease, [entry(slot, {"QR": 1}) for slot in slots])
    assert [(r.status, r.code) for r in answer.results] == [
        ("counted", None), *[("rejected", 142)] * 3, *[("rejected", 143)] * 2,
    ]  # fmt: skip
    assert server.used() == 1


def test_types_go_to_the_item_that_covers_them_and_others_to_the_first(server: Lab) -> None:
    code = server.load(item("a", modules=["QR"]), item("b", modules=["OCR"]))
    lease = server.authorize(code, modules=("QR", "OCR")).lease
    server.report(lease, {"OCR": 2, "QR": 3, "else": 5})
    assert (server.used(1), server.used(2)) == (8, 2)


@pytest.mark.parametrize("full", ["QR", "OCR"])
def test_a_lease_over_two_items_is_renewed_only_while_neither_is_used_up(server: Lab, full: str) -> None:
    server.load(item("a", quota=10, graceQuota=0), item("b", "page", 10, graceQuota=0, modules=["OCR"]))
    lease = server.authorize(modules=("QR", "OCR")).lease
    answer = server.report(lease, {"QR": 9, "OCR": 9})
    assert answer.lease is not None
    assert server.report(answer.lease, {full: 10}).lease is None
    assert server.used(1) + server.used(2) == 19


def test_zero_is_unchanged_and_an_empty_usage_is_a_sign_of_life(server: Lab) -> None:
    lease = server.authorize(server.load(item())).lease
    assert server.report(lease, {"QR": 0}).results[0].status == "unchanged"
    assert server.report(lease, {}, SLOT - 1).results[0].status == "counted"
    assert server.report(lease, {}, SLOT - 1).results[0].status == "unchanged"
    assert server.used() == 0


def test_a_bad_entry_does_not_jam_the_others_but_all_bad_is_400(server: Lab) -> None:
    lease = server.authorize(server.load(item())).lease
    bad = BadEntry("2026-11-25T12:00:00Z", "reports[0].usage.QR", "not a number")
    answer = server.report_many(lease, [bad, entry(SLOT, {"QR": 1})])
    assert [(r.status, r.code) for r in answer.results] == [("rejected", 140), ("counted", None)]
    with pytest.raises(Malformed) as caught:
        server.report_many(lease, [bad])
    assert caught.value.field == "reports[0].usage.QR"


def test_a_report_for_a_removed_code_counts_where_it_belongs(server: Lab) -> None:
    server.load(item())
    second = handshakes.add(server.ctx, "216998", {"custom": "two", "items": [{"id": 1}]}, "test", NOON).name
    lease = server.authorize(second).lease
    handshakes.remove(server.ctx, second, "test", NOON)
    answer = server.report(lease, {"QR": 4})
    assert (answer.results[0].status, answer.lease) == ("counted", None)
    assert usage.usage(server.ctx, code=second).total == 4
    assert usage.usage(server.ctx, item="one").total == 4


def test_a_foreign_or_damaged_lease_is_refused(server: Lab, tmp_path: Path) -> None:
    lease = server.authorize(server.load(item())).lease
    for text in ("", "a.b.c", lease[:-4] + "AAAA", lease.replace(".", "..", 1), "é" * 10):
        with pytest.raises(NotVerified):
            server.report(text, {"QR": 1})
    (tmp_path / "b").mkdir()
    with lab(tmp_path / "b") as other:
        foreign = other.authorize(other.load(item())).lease
    with pytest.raises(NotVerified):
        server.report(foreign, {"QR": 1})
    assert server.used() == 0


def test_usage_by_device_hour_and_type_agree(server: Lab) -> None:
    code = server.load(item(modules=["QR", "OCR"]))
    for n in (1, 2, 3):
        lease = server.authorize(code).lease
        server.report(lease, {"QR": n, "OCR": 10 * n}, SLOT - 20 * n)
    totals = {by: usage.usage(server.ctx, code=code, grouping=by) for by in ("type", "hour", "day", "device")}
    assert {table.total for table in totals.values()} == {66}
    assert len(totals["hour"].groups) == 3
    assert len(totals["device"].groups) == 3
    assert totals["type"].rows == {("all", "QR"): 6, ("all", "OCR"): 60}


def test_concurrency_counts_a_device_once_over_codes(server: Lab) -> None:
    first = server.load(item(way="concurrentDevice", quota=5))
    second = handshakes.add(server.ctx, "216998", {"custom": "b", "items": [{"id": 1}]}, "test", NOON).name
    device = str(uuid4())
    for code in (first, second):
        server.report(server.authorize(code, device).lease, {"QR": 1})
    server.report(server.authorize(second).lease, {})
    with server.ctx.store.reader() as db:
        day = SLOT // SLOTS_PER_DAY
        assert statistics.activity(db, 0, (1,), day, day) == {day: statistics.Activity(2, 2)}
        assert statistics.activity(db, 1, (1,), day, day) == {day: statistics.Activity(1, 1)}


def test_a_report_ends_on_slot_boundaries_of_utc(server: Lab) -> None:
    assert NOON % SLOT_SECONDS, "a moment within a slot"
    lease = server.authorize(server.load(item())).lease
    midnight = (NOON // DAY_SECONDS) * DAY_SECONDS
    server.report_many(lease, [entry(slot_of(midnight) - 1, {"QR": 1}), entry(slot_of(midnight), {"QR": 2})])
    days = usage.usage(server.ctx, grouping="day")
    assert days.rows == {("2026-11-24", "QR"): 1, ("2026-11-25", "QR"): 2}
