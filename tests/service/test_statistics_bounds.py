"""Days, searches and tables of the statistics: the first and the last that count."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from lts.errors import AdminError, Refusal
from lts.protocol import DAY_SECONDS, SLOTS_PER_DAY, slot_of
from lts.rules.values.paging import Page
from lts.service.access import auditlog
from lts.service.licensing import archiving, handshakes
from lts.service.maintenance import clock, days
from lts.service.metering import counting
from lts.service.metering.release import release_seat
from lts.service.statistics import devicelist, usage
from lts.service.statistics.usage import DayLine, SubjectCode, SubjectItem, Subjects
from lts.store.changes import records
from lts.store.writing.transaction import Transaction
from lts.web.admin.jsonpieces import as_json
from tests.support.kit import NOON, Lab, item

DEVICE = "6F1C2B7E-8C1D-4A0E-9A57-0C6A2F7A1B11"
OTHER = "6F1C2B7E-8C1D-4A0E-9A57-0C6A2F7A1B12"
TODAY = "2026-11-25"


@pytest.mark.parametrize(
    ("text", "day"),
    [("1970-01-01", 0), ("2026-11-25", 20782), ("2026-02-30", None), ("2026-1-1", None), ("20261125", None),
     ("2026-11-25T", None), ("2026-W48-3", None)],
)  # fmt: skip
def test_a_day_is_written_in_one_way(text: str, day: int | None) -> None:
    if day is not None:
        assert (usage.day_number(text, "from"), usage.day_text(day)) == (day, text)
        return
    with pytest.raises(AdminError) as caught:
        usage.day_number(text, "from")
    assert (caught.value.code, caught.value.field) == ("bad-day", "from")


@pytest.fixture
def used(server: Lab) -> str:
    """A code of which 3 units were counted yesterday, and 4 today."""
    code = server.load(item("one"))
    yesterday = slot_of(NOON) // SLOTS_PER_DAY * SLOTS_PER_DAY - 1
    got = server.authorize(code, device=DEVICE)
    server.report(got.lease, {"QR": 3}, yesterday)
    server.report(got.lease, {"QR": 4}, yesterday + 1)
    return code


@pytest.mark.parametrize(
    ("asked", "total"),
    [
        ({}, 7),
        ({"first": TODAY}, 4),
        ({"last": "2026-11-24"}, 3),
        ({"first": "2026-11-24", "last": "2026-11-24"}, 3),
        ({"first": "2026-11-26"}, 0),
        ({"item": "one"}, 7),
        ({"item": "#1"}, 7),
        ({"item": "1"}, 7),
        ({"grouping": "reports"}, 2),
        ({"grouping": "authorizations"}, 1),
    ],
)
def test_a_range_of_days_has_its_first_and_its_last(server: Lab, used: str, asked: Any, total: int) -> None:
    assert usage.usage(server.ctx, **asked).total == total


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"first": TODAY, "last": "2026-11-24"}, "bad-range"),
        ({"item": "two"}, "no-such-item"),
        ({"item": "#2"}, "no-such-item"),
        ({"organization": "nobody"}, "no-such-organization"),
        ({"code": "nothing"}, "no-such-code"),
        ({"grouping": "week"}, "bad-grouping"),
        ({"item": "one", "grouping": "reports"}, "per-code-only"),
    ],
)
def test_what_there_are_no_statistics_of_is_named(server: Lab, used: str, asked: Any, code: str) -> None:
    with pytest.raises(AdminError) as caught:
        usage.usage(server.ctx, **asked)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("organization", "sentence"),
    [(None, "There is no license item 'two'."), ("216998", "There is no license item 'two' of organization 216998.")],
)
def test_an_item_that_is_missing_is_named_with_its_organization(
    server: Lab, used: str, organization: str | None, sentence: str
) -> None:
    with pytest.raises(AdminError) as caught:
        usage.usage(server.ctx, item="two", organization=organization)
    assert caught.value.detail == sentence


@pytest.mark.parametrize(
    ("grouping", "groups"),
    [("type", ("all",)), ("day", ("2026-11-24", TODAY)), ("hour", ("2026-11-24T23:00Z", "2026-11-25T00:00Z")),
     ("device", (DEVICE.lower(),))],
)  # fmt: skip
def test_units_are_grouped_by_what_people_read(server: Lab, used: str, grouping: str, groups: tuple[str, ...]) -> None:
    found = usage.usage(server.ctx, code=used, grouping=grouping)
    assert tuple(group.lower() for group in found.groups) == tuple(group.lower() for group in groups)


def test_an_overview_shows_who_was_active_of_a_code_or_an_item_alone(server: Lab, used: str) -> None:
    of_code = usage.overview(server.ctx, NOON, code=used)
    assert (of_code.first_day, of_code.first, of_code.last) == ("2026-11-24", "2026-11-24", TODAY)
    assert (of_code.types, of_code.all, of_code.period) == (["QR"], {"QR": 7}, {"QR": 7})
    assert [(one.day, one.devices, one.reports) for one in of_code.days] == [
        ("2026-11-24", 1, 0), (TODAY, 1, 2),
    ]  # fmt: skip
    of_item = usage.overview(server.ctx, NOON, item="one")
    assert [(one.devices, one.reports, one.refused) for one in of_item.days] == [(1, None, None)] * 2
    of_both = usage.overview(server.ctx, NOON, code=used, item="one")
    assert [(one.devices, one.concurrent) for one in of_both.days] == [(None, None)] * 2
    [hour] = usage.hours(server.ctx, "2026-11-24", code=used).hours
    assert (hour.hour, hour.devices, hour.concurrent) == (23, None, 1)


@pytest.mark.parametrize(
    ("text", "found"),
    [("", 2), ("6f1c", 2), ("{6F1C2B7E-8C1D", 2), (DEVICE, 1), (f"{{{OTHER}}}", 1), ("7", 0),
     (DEVICE + "0", "bad-device"), ("6f1g", "bad-device")],
)  # fmt: skip
def test_devices_are_found_by_the_beginning_of_their_uuid(server: Lab, used: str, text: str, found: int | str) -> None:
    server.authorize(used, device=OTHER)
    if isinstance(found, int):
        assert devicelist.find(server.ctx, Page(text=text), None, False, False, NOON).found == found
        return
    with pytest.raises(AdminError) as caught:
        devicelist.find(server.ctx, Page(text=text), None, False, False, NOON)
    assert (caught.value.code, caught.value.field) == (found, "q")


@pytest.mark.parametrize(("after", "noticed"), [(29, True), (30, False)])
def test_days_that_clients_still_report_of_are_noticed_when_closed(server: Lab, after: int, *, noticed: bool) -> None:
    server.ctx.store.write(lambda tx: tx.emit(records.DayClosingChange(NOON // DAY_SECONDS), NOON))
    found = days.notices(server.ctx, NOON + after * DAY_SECONDS)
    assert [one.params["day"] for one in found] == [TODAY] * noticed


def test_nothing_closed_is_nothing_to_notice(server: Lab) -> None:
    assert days.notices(server.ctx, NOON) == []


@pytest.mark.parametrize(("ran", "closed"), [(35, -1), (36, 0), (40, 4)])
def test_the_last_35_days_on_which_the_server_ran_stay_open(server: Lab, ran: int, closed: int) -> None:
    server.load(item("one"))
    got = server.authorize(device=DEVICE)
    first = NOON // DAY_SECONDS - 29
    for day in range(30):
        server.report(got.lease, {"QR": 1}, (first + day) * SLOTS_PER_DAY)
    days.close_old_days(server.ctx, [*range(first, first + ran), first + 10**6], NOON + 60 * DAY_SECONDS)
    assert server.ctx.store.catalog.closed_day == (-1 if closed < 0 else first + closed)


@pytest.mark.parametrize(
    ("slots", "runs"),
    [
        ({}, []),
        ({7: 1}, [(3, [1])]),
        ({7: 1, 8: 2, 9: 3}, [(3, [1, 2, 3])]),
        ({9: 3, 7: 1}, [(3, [1, 0, 3])]),
        ({9: 3, 8: 2, 5: 1}, [(5, [1, 0, 0, 2, 3])]),
    ],
)
def test_counts_go_to_the_feed_in_runs_of_slots(slots: dict[int, int], runs: list[tuple[int, list[int]]]) -> None:
    assert counting._split(slots, 10) == runs


def test_a_longer_gap_begins_another_run() -> None:
    gap = counting._GAP
    assert counting._split({0: 1, gap + 1: 2}, 100) == [(100, [1, *[0] * gap, 2])]
    assert counting._split({0: 1, gap + 2: 2}, 100) == [(100, [1]), (98 - gap, [2])]


def test_a_seat_that_nobody_holds_cannot_be_freed(server: Lab) -> None:
    server.load(item("one", "device", 2))
    server.authorize(device=DEVICE)
    for device, key in ((OTHER, 1), (DEVICE, 2)):
        with pytest.raises(AdminError) as caught:
            release_seat(server.ctx, device, key, "admin", NOON)
        assert (caught.value.code, caught.value.status) == ("no-live-seat", 404)
    assert release_seat(server.ctx, DEVICE, 1, "admin", NOON) == NOON + 365 * DAY_SECONDS
    [line] = auditlog.export(server.ctx, "", ("seat-released",), 0, NOON + 1)
    assert (line.actor, line.subject, line.detail) == ("admin", DEVICE, {"item": "one", "subject": DEVICE})
    with pytest.raises(AdminError):
        release_seat(server.ctx, DEVICE, 1, "admin", NOON)


def test_the_audit_log_shows_its_newest_lines_first(server: Lab) -> None:
    for number in range(60):
        server.ctx.note_event("test-event", {"number": number})
        server.time.forward(1)
    found = auditlog.search(server.ctx, Page(), ("test-event",), 0, NOON + 1000)
    assert [line.detail["number"] for line in found.lines] == list(range(59, 59 - auditlog.SHOWN, -1))
    assert (found.found, auditlog.SHOWN) == (60, 50)
    assert len(auditlog.export(server.ctx, "", ("test-event",), NOON + 10, NOON + 20)) == 10


def test_a_removed_code_is_found_in_its_own_organization_alone(server: Lab, used: str) -> None:
    server.load(item("theirs", product="other"), organization="2", license_id="200")
    handshakes.add(server.ctx, "2", {"custom": "gone"}, "test", NOON)
    handshakes.remove(server.ctx, "2-gone", "test", NOON)
    for code in ("#2", "2-gone"):
        assert (
            usage.usage(server.ctx, code=code).total == usage.usage(server.ctx, code=code, organization="2").total == 0
        )
        with pytest.raises(AdminError) as caught:
            usage.usage(server.ctx, code=code, organization="216998")
        assert caught.value.code == "no-such-code"


def test_a_day_of_refusals_alone_had_no_device(server: Lab) -> None:
    code = server.load(item("one"))
    with pytest.raises(Refusal):
        server.authorize(code, modules=("none",))
    server.ctx.refusals.flush(server.ctx.store, NOON)
    assert usage.overview(server.ctx, NOON, code=code).days == [DayLine(TODAY, {}, 0, 0, 0, 0, {"124": 1})]


def test_fifty_devices_are_shown_at_once_the_last_heard_first(server: Lab) -> None:
    server.load(item("one"))

    def come(tx: Transaction) -> None:
        for number in range(51):
            tx.emit(
                records.GrantChange(tx.numbering.next_device, bytes([number] * 16), 1, 1, 0, None, (), None),
                NOON + number,
            )

    server.ctx.store.write(come)
    found = devicelist.find(server.ctx, Page(), None, False, False, NOON)
    assert [one.device_id[:2] for one in found.devices] == [f"{number:02x}" for number in range(50, 0, -1)]
    assert found.found == 51


@pytest.mark.parametrize(("back", "still"), [(36, True), (35, True), (34, False), (0, False), (-400, False)])
def test_a_clock_that_is_reset_opens_what_ended_within_35_days(server: Lab, back: int, *, still: bool) -> None:
    """A day that ended before them was closed in its time; of the others nothing was counted here."""
    today = NOON // DAY_SECONDS
    server.ctx.store.write(lambda tx: tx.emit(records.DayClosingChange(today - back), NOON))
    clock.reset_clock(server.ctx, "test")
    assert server.ctx.store.catalog.closed_day == (today - back if still else -1)


def test_types_are_listed_by_their_units_and_then_by_name(server: Lab) -> None:
    code = server.load(item("one", quota=100))
    server.report(server.authorize(code, device=DEVICE).lease, {"c": 2, "b": 5, "a": 2})
    found = usage.overview(server.ctx, NOON, code=code)
    for told in (found.all, found.period, usage.hours(server.ctx, TODAY, code=code).units):
        assert list(told.items()) == [("b", 5), ("a", 2), ("c", 2)]


@pytest.mark.parametrize(
    ("after", "asked", "days_of"),
    [
        (0, {}, ("2026-11-24", TODAY)),
        (10, {}, ("2026-11-24", "2026-12-05")),
        (-10, {}, ("2026-11-15", TODAY)),
        (0, {"first": "2026-11-20", "last": "2026-11-22"}, ("2026-11-20", "2026-11-22")),
        (0, {"item": "one", "code": "#1", "last": "2026-11-24"}, ("2026-11-24", "2026-11-24")),
    ],
)
def test_statistics_cover_the_first_day_to_today(
    server: Lab, used: str, after: int, asked: Any, days_of: tuple[str, str]
) -> None:
    """Also where the clock was set back since; `after` days from today."""
    found = usage.overview(server.ctx, NOON + after * DAY_SECONDS, **asked)
    assert (found.first, found.last, found.first_day) == (*days_of, "2026-11-24")


def test_there_are_statistics_of_codes_that_are_removed_and_of_items_that_are_archived(server: Lab, used: str) -> None:
    handshakes.add(server.ctx, "216998", {"custom": "a"}, "test", NOON)
    handshakes.remove(server.ctx, "216998-a", "test", NOON)
    archiving.archive(server.ctx, "100", None, "test", NOON)
    assert usage.subjects(server.ctx) == Subjects(
        [
            SubjectCode(1, "216998-100", "216998", removed=False),
            SubjectCode(2, "216998-a", "216998", removed=True),
        ],
        [SubjectItem(1, "one", "100", "", archived=True)],
    )


@pytest.mark.parametrize(
    ("until", "released", "live", "gone"),
    [(1, False, True, False), (86_400, False, False, False), (1, True, False, True)],
)
def test_a_seat_says_whether_it_is_live_or_was_released(
    server: Lab, until: int, released: bool, live: bool, gone: bool
) -> None:
    server.load(item("one", "device", 2, activePeriod="daily"))
    server.authorize(device=DEVICE, instances=1)
    if released:
        release_seat(server.ctx, DEVICE, 1, "admin", NOON)
    [seat] = devicelist.one(server.ctx, UUID(DEVICE), NOON + until).seats
    told = {name: as_json(seat)[name] for name in ("itemId", "chargeWay", "handshakeCodes", "grace", "instances")}
    assert told == {
        "itemId": "one",
        "chargeWay": "device",
        "handshakeCodes": ["216998-100"],
        "grace": False,
        "instances": 1,
    }
    assert (seat.live, seat.released) == (live, gone)
