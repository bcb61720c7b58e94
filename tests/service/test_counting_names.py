"""Names of types over their limits: what is counted under Other, and what is rejected."""

from __future__ import annotations

from typing import Any
from unittest import mock
from uuid import uuid4

import apsw
import pytest

from lts.errors import CannotStore
from lts.protocol import DAY_SECONDS, SLOT_SECONDS
from lts.rules.metering.usage import OTHER_TYPE, TOGETHER, digest_of
from lts.service.licensing import handshakes, licenses
from lts.service.licensing.licenses import Choice
from lts.service.maintenance import attention
from lts.service.metering import newnames
from lts.service.statistics import usage
from lts.store.changes import records
from lts.store.rows.dayrow import decode_day
from lts.store.tables import typenames
from tests.support.counted import SLOT, program, verified
from tests.support.kit import NOON, Lab, Vendor, entry, item

# names


@pytest.fixture
def few_names() -> Any:
    with mock.patch.object(newnames, "OF_DEVICE", 1), mock.patch.object(newnames, "OF_LICENSE", 3):
        yield


def by_type(server: Lab) -> dict[str, int]:
    return {name: units for (_, name), units in usage.usage(server.ctx).rows.items()}


def test_names_over_the_limit_count_each_by_itself_under_other(server: Lab, few_names: None) -> None:
    one = program(server)
    one.report(1, name="a")
    names = {"x": 5, "y": 7, "z": 9}
    first = server.report(one.lease, names, SLOT, None).results[0]
    assert (first.status, first.code) == ("counted", None)
    assert first.detail == 'Counted under "(other)", because of too many new type names today: x, y, z.'
    assert server.report(one.lease, {**names, "x": 6}, SLOT, None).results[0].status == "counted"
    server.time.forward(DAY_SECONDS)
    again = server.report(one.lease, {**names, "x": 6}, SLOT, None).results[0]
    assert (again.status, again.detail) == ("unchanged", None)
    assert by_type(server) == {"QR": 1, "a": 1, "(other)": 22}
    assert server.report(one.lease, {"x": 8}, SLOT, None).results[0].status == "counted"
    assert server.report(one.lease, {"x": 8}, None, None).results[0].detail is None
    assert by_type(server) == {"QR": 1, "a": 1, "(other)": 24, "x": 8}, "x stays in that row what it was"
    assert server.used() == 1 + 1 + 24 + 8
    assert usage.usage(server.ctx, grouping="device").total == server.used()
    assert verified(server)


def test_a_module_of_the_lease_has_its_name_when_there_is_no_room_for_others(server: Lab, few_names: None) -> None:
    modules = [f"module {n}" for n in range(5)]
    code = server.load(item("a", quota=10**6), item("b", modules=modules, quota=10**6))
    for n in range(5):
        server.report(server.authorize().lease, {f"stranger {n}": 1})
    with mock.patch.object(typenames, "MAX_NUMBERED", 0), mock.patch.object(newnames, "MOST_OF_ROW", 0):
        lease = server.authorize(code, modules=("module 0", "QR")).lease
        found = server.report(lease, dict.fromkeys(modules, 2), SLOT, None).results[0]
        assert (found.status, found.detail) == ("counted", None), "also a module that the lease was not asked for"
        found = server.report(lease, {"module 0": 3, "other": 1}, SLOT, None).results[0]
        assert (found.status, found.code) == ("rejected", 144)
    units = by_type(server)
    assert [units[name] for name in modules] == [2] * 5
    assert units["(other)"] == 2, "of five strangers three had room"


def test_modules_take_no_room_of_new_names(server: Lab, few_names: None) -> None:
    server.load(item(modules=["A", "B", "C", "D"]))
    lease = server.authorize(modules=("A", "B", "C", "D")).lease
    server.report(lease, {"A": 1, "B": 1, "C": 1, "D": 1, "x": 1, "y": 1})
    assert by_type(server) == {"A": 1, "B": 1, "C": 1, "D": 1, "x": 1, "(other)": 1}


def test_names_that_were_not_stored_take_no_room(server: Lab, few_names: None) -> None:
    one = program(server)

    def fail(tx: Any) -> None:
        tx.emit(records.TypeChange(10**6, "nothing"), server.time.now)
        raise RuntimeError("after a change")

    def name_x(tx: Any) -> int | bytes:
        return newnames.number(tx, server.ctx.running.today, "x", bytes(16), ("Vendor", "9"), NOON)

    for _ in range(3):
        named = server.ctx.store.submit(name_x)
        failing = server.ctx.store.submit(fail)  # one group with it, whose operations run again one by one
        with pytest.raises(RuntimeError):
            failing.result()
        assert isinstance(named.result(), int)
        with mock.patch.object(typenames, "number_of", side_effect=apsw.FullError), pytest.raises(CannotStore):
            server.report(one.lease, {"a": 1}, SLOT, None)
    result = server.report(one.lease, {"a": 1}, SLOT, None).results[0]
    assert (result.status, result.detail) == ("counted", None)
    assert by_type(server) == {"QR": 1, "a": 1}


def test_one_license_has_room_for_so_many_new_names_a_day(server: Lab, few_names: None) -> None:
    server.load(item(quota=10**6))
    for n in range(4):
        server.report(server.authorize().lease, {f"name {n}": 1})
    assert by_type(server) == {"name 0": 1, "name 1": 1, "name 2": 1, "(other)": 1}
    told = [notice for notice in attention.notices(server.ctx, server.time.now) if notice.code == "types-folded"]
    assert [(notice.params["license"], notice.params["type"]) for notice in told] == [("100", "name 3")]
    assert told[0].detail.startswith("Devices of license 100 report more new type names than a day allows;")
    assert told[0].detail.endswith(f"device {told[0].params['device']} reported name 3.")
    server.report(server.authorize().lease, {"name 4": 1})
    assert len(server.rows("SELECT 1 FROM audit WHERE action = 'types-folded'")) == 1, "once a day"
    server.time.forward(3 * DAY_SECONDS)
    assert not [notice for notice in attention.notices(server.ctx, server.time.now) if notice.code == "types-folded"]


def test_two_vendors_with_one_license_id_are_both_shown(server: Lab, few_names: None) -> None:
    server.load(item(quota=10**6))
    other = Vendor("Other")
    server.ctx.trust.add(other.pub)
    file = other.file(server.ctx, item(product="other", quota=10**6), organization="2")
    licenses.import_license(server.ctx, file, Choice(), "test", server.time.now)
    for product, code in (("reader", "216998-100"), ("other", "2-100")):
        for n in range(4):
            server.report(server.authorize(code, product=product).lease, {f"{product} {n}": 1})
    told = [notice for notice in attention.notices(server.ctx, server.time.now) if notice.code == "types-folded"]
    assert [(one.params["license"], one.params["type"]) for one in told] == [("100", "other 3"), ("100", "reader 3")]


def test_names_charged_to_several_licenses_are_reported_for_that_of_the_first_item(
    server: Lab, few_names: None
) -> None:
    code = server.load(item("a", modules=["A"]))
    server.load(item("b", modules=["B"]), license_id="200")
    handshakes.edit(server.ctx, code, {"items": [{"id": 1}, {"id": 2}], "manualOrder": True}, "test", NOON)
    lease = server.authorize(code, modules=("A", "B")).lease
    with mock.patch.object(newnames, "OF_DEVICE", 0):
        assert server.report(lease, {"B": 2, "x": 1}).results[0].status == "counted"
    assert [one.params["license"] for one in attention.notices(server.ctx, NOON) if one.code == "types-folded"] == [
        "100"
    ]
    assert (server.used(1), server.used(2)) == (1, 2), "each charged to the item that covers it"


def test_a_day_without_room_for_a_name_rejects_the_entry_by_code(server: Lab, few_names: None) -> None:
    one = program(server)
    with mock.patch.object(newnames, "MOST_OF_ROW", 2):
        usages = [{"a": 1}, {"b": 1}, {"c": 1}, {"d": 1, "QR": 1}, {"c": 2}]
        entries: list[Any] = [entry(SLOT - n, sent) for n, sent in enumerate(usages)]
        found = server.report_many(one.lease, entries, None).results
    assert [(r.status, r.code) for r in found] == [("counted", None)] * 3 + [("rejected", 144), ("counted", None)]
    assert "the next one is d" in str(found[3].detail)
    assert by_type(server) == {"QR": 1, "a": 1, "(other)": 4}


def test_a_name_with_a_count_of_zero_is_no_new_name(server: Lab, few_names: None) -> None:
    one = program(server)
    with mock.patch.object(newnames, "MOST_OF_ROW", 2):
        usages = [{"a": 1}, {"b": 1}, {"c": 1}, {"d": 1}, {"d": 0}, {"d": 0, "QR": 1}, {"c": 0, "QR": 1}]
        entries: list[Any] = [entry(SLOT - n, sent) for n, sent in enumerate(usages)]
        found = server.report_many(one.lease, entries, None).results
    assert [(r.status, r.code) for r in found[3:]] == [
        ("rejected", 144), ("unchanged", None), ("counted", None), ("counted", None),
    ]  # fmt: skip
    assert [r.detail for r in found[4:]] == [None] * 3, "no name was counted under (other)"
    assert by_type(server) == {"QR": 3, "a": 1, "(other)": 2}


@pytest.mark.parametrize("name", ["\u200b", "\u200d\u2060", " ", "\u3164", "\ufeff\u00a0"])
def test_a_new_name_with_nothing_to_see_rejects_its_entry_alone(server: Lab, name: str) -> None:
    one = program(server)
    sent: list[Any] = [entry(SLOT, {name: 1, "QR": 2}), entry(SLOT - 1, {"QR": 1}), entry(SLOT - 2, {name: 0})]
    found = server.report_many(one.lease, sent, None).results
    assert [(r.status, r.code) for r in found] == [("rejected", 140), ("counted", None), ("unchanged", None)]
    assert "no visible character" in str(found[0].detail)
    assert by_type(server) == {"QR": 2}
    server.ctx.store.write(lambda tx: typenames.number_of(tx, name, NOON))
    assert server.report(one.lease, {name: 3}, SLOT, None).results[0].status == "counted", "it was there before"
    assert by_type(server) == {"QR": 2, name: 3}


@pytest.mark.parametrize("name", ["\u2060a", "\U0001f468\u200d\U0001f469", "-", "\u0301"])
def test_a_name_with_something_to_see_counts(server: Lab, name: str) -> None:
    assert server.report(program(server).lease, {name: 1}, SLOT, None).results[0].status == "counted"


def test_a_name_that_another_server_had_no_room_for_counts_once_after_the_merge(server: Lab) -> None:
    one = program(server)
    server.report(one.lease, {"x": 5, "w": 1}, SLOT, None)

    def other_server(tx: Any) -> None:
        origin = tx.feed.origin_number(str(uuid4()), "f" * 32)
        tx.feed.writing = origin, 1
        runs = tuple(records.Run(1, digest_of(name), 0, [count]) for name, count in (("x", 7), ("v", 2)))
        typenames.number_of(tx, OTHER_TYPE, NOON)
        tx.memory.apply(tx, records.ReportChange(1, None, 1, TOGETHER, 9, 1, None, (), runs), NOON)
        tx.note_written_beside()

    server.ctx.store.write(other_server)
    assert by_type(server) == {"QR": 1, "w": 1, "(other)": 9}
    assert server.used() == 1 + 10
    assert server.report(one.lease, {"x": 7}, SLOT, None).results[0].status == "unchanged"


def test_a_copied_device_s_day_stays_bounded_and_counts_no_name_twice(server: Lab) -> None:
    one = program(server)
    two = one.copy()
    for machine in (one, two, one, two, one):
        machine.report(1, SLOT)
    server.time.forward(SLOT_SECONDS)
    now = SLOT + 1
    used = server.used()
    with mock.patch.object(newnames, "MOST_OF_ROW", 20):
        for machine, first in ((one, 5), (two, 3), (one, 5), (two, 9)):
            names = {f"n{n}": first + n % 2 for n in range(15)}
            machine.token = server.report(machine.lease, names, now, machine.token).clone_token
    names_apart = [key for key in series(server) if key[0] != TOGETHER and key[2]]
    assert len(names_apart) <= 20
    assert server.used() - used == sum(9 + n % 2 for n in range(15)), "the second one's counts are no more than told"
    one.report(12, now, "n0")
    assert server.used() - used == sum(9 + n % 2 for n in range(15)) + 3, "the first one goes on"
    assert verified(server)


def series(server: Lab) -> list[Any]:
    (day,) = server.rows("SELECT data FROM usage_days ORDER BY day DESC LIMIT 1")
    return list(decode_day(day[0]))
