"""Each unit counts once, whatever a sender says or leaves out about its token, and however many names it uses.

See docs/design/authorizing.md, Device clones, and docs/design/charging.md, Types.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from lts.errors import AdminError, Refusal
from lts.protocol import SLOT_SECONDS, SLOTS_PER_DAY
from lts.rules.metering.checks import Request
from lts.rules.metering.clonetokens import CloneState
from lts.rules.metering.usage import OTHER_TYPE
from lts.service.metering import clones, explain
from lts.service.statistics import devicelist, usage
from lts.service.statistics.devicelist import CloneStatus
from lts.store.changes import records
from lts.store.rows import activityrow
from lts.store.tables import devices, typenames
from tests.support.counted import DEVICE, SLOT, Program, program, verified
from tests.support.kit import NOON, FakeTime, Lab, Vendor, entry, item, lab


def told_apart(server: Lab) -> tuple[Program, Program]:
    """Two machines with one identity that have just taken turns, with a count of 1 in SLOT."""
    one = program(server)
    two = one.copy()
    for machine in (one, two, one, two, one):
        machine.report(1, SLOT)
    return one, two


# tokens that are lost, left out and copied


def test_a_foreign_request_without_token_doubles_nothing(server: Lab) -> None:
    one = program(server)
    entries = [entry(SLOT - n, {"QR": 10}) for n in range(100)]
    one.token = server.report_many(one.lease, list(entries), one.token).clone_token
    foreign = server.report(one.lease, {"QR": 10}, SLOT, None)
    assert foreign.results[0].status == "unchanged"
    again = server.report_many(one.lease, list(entries), one.token)
    assert {result.status for result in again.results} == {"unchanged"}
    assert server.used() == 1001
    one.token = again.clone_token
    server.report(one.lease, {"QR": 10}, SLOT, foreign.clone_token)
    again = server.report_many(one.lease, list(entries), one.token)
    assert server.used() == 1001, "slots from before the two were told apart"
    assert verified(server)


def test_a_device_that_lost_its_token_goes_on_where_it_was(server: Lab) -> None:
    one = program(server)
    assert one.report(5) == "counted"
    one.token = None
    assert one.report(7) == "counted"
    assert one.report(7) == "unchanged"
    assert server.used() == 1 + 7


def test_two_machines_that_take_turns_add_up_in_slots_that_begin_later(server: Lab) -> None:
    one = program(server)
    two = one.copy()
    for machine in (one, two, one, two, one):
        machine.report(5)
    assert server.used() == 1 + 5, "the slot began before they were told apart"
    server.time.forward(SLOT_SECONDS)
    assert [machine.report(3) for machine in (one, two, one, two)] == ["counted", "counted", "unchanged", "unchanged"]
    assert server.used() == 1 + 5 + 6
    assert [machine.report(6, SLOT) for machine in (two, one)] == ["counted", "unchanged"]
    assert server.used() == 1 + 6 + 6
    assert verified(server)


def test_a_machine_that_loses_its_token_among_clones_is_counted_once(server: Lab) -> None:
    one, two = told_apart(server)
    server.time.forward(SLOT_SECONDS)
    one.report(3)
    two.report(8)
    two.token = None
    assert two.report(8) == "unchanged"
    assert two.report(9) == "counted"
    one.report(4)
    assert server.used() == 1 + 1 + 4 + 9


def test_slots_named_ahead_before_two_were_distinguished_count_once(server: Lab) -> None:
    one = program(server)
    two = one.copy()
    ahead = SLOT + 2
    for machine, count in ((one, 3), (two, 5), (one, 3), (two, 5), (one, 3), (two, 5)):
        machine.report(count, ahead)
    assert server.used() == 1 + 3 + 5


def test_counts_of_clones_keep_their_sum_when_the_day_is_closed(server: Lab) -> None:
    one, two = told_apart(server)
    server.time.forward(SLOT_SECONDS)
    one.report(3)
    two.report(8)
    server.report(one.lease, {"QR": 9}, None, None)
    assert server.used() == 1 + 1 + 12
    server.ctx.store.write(lambda tx: tx.emit(records.DayClosingChange(SLOT // SLOTS_PER_DAY), server.time.now))
    assert verified(server)
    assert usage.usage(server.ctx, grouping="device").total == 14
    refused = server.report(one.lease, {"QR": 20}, SLOT, one.token).results[0]
    assert (refused.status, refused.code) == ("rejected", 143)
    assert server.used() == 14


# refusing and clearing


def refuse(server: Lab) -> tuple[Program, Program]:
    """Two machines, the younger of which was refused just now."""
    one, two = told_apart(server)
    two.report(1)
    one.authorize()
    with pytest.raises(Refusal) as caught:
        two.authorize()
    assert caught.value.code == 151
    return one, two


def test_more_copies_than_there_is_room_for_are_refused_and_nearly_all_that_they_use_counts(server: Lab) -> None:
    one = program(server)
    copies = [one.copy() for _ in range(66)]
    for _ in range(9):
        server.time.forward(SLOT_SECONDS)
        before = server.used()
        for machine in copies:
            machine.report(10)
    assert 620 <= server.used() - before <= 660
    with pytest.raises(Refusal) as caught:
        copies[35].authorize()
    assert caught.value.code == 151
    clones.clear(server.ctx, UUID(DEVICE), "admin", server.time.now)
    copies[35].authorize()
    assert verified(server)


def test_a_dry_run_says_of_a_refused_device_what_an_authorization_does(server: Lab) -> None:
    refuse(server)
    request = Request(UUID(DEVICE).bytes, "reader", "server", "216998-100")
    assert explain.explain(server.ctx, request, server.time.now).code == 151
    clones.clear(server.ctx, UUID(DEVICE), "admin", server.time.now)
    assert explain.explain(server.ctx, request, server.time.now).code == 0


def clone_of(server: Lab) -> CloneStatus:
    return devicelist.one(server.ctx, UUID(DEVICE), server.time.now).clone


def test_a_refused_clone_is_shown_in_the_same_moment_and_after_a_restart(tmp_path: Path) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        one, two = refuse(server)
        shown = CloneStatus(flagged=True, refused=True, copies=2)
        assert clone_of(server) == shown
    with lab(tmp_path, time, vendor) as server:
        assert clone_of(server) == shown
        one.server = two.server = server
        serial = server.ctx.store.serial
        for token in (two.token, None, "no token"):
            with pytest.raises(Refusal):
                server.authorize(None, DEVICE, clone_token=token)
        assert server.ctx.store.serial == serial, "later refusals change nothing"
        one.authorize()
        assert verified(server)


def test_the_first_refusal_leaves_its_trace_where_it_is_the_third_alternation_itself(server: Lab) -> None:
    one = program(server)
    two, three = one.copy(), one.copy()
    for machine in (one, two, three, one, two, three, two, one):
        machine.report(1)
    assert not clone_of(server).refused
    with pytest.raises(Refusal):
        three.authorize()
    assert clone_of(server) == CloneStatus(flagged=True, refused=True, copies=3)
    assert verified(server)


def test_an_administrator_clears_a_device_and_both_may_try_again(server: Lab) -> None:
    one, two = refuse(server)
    clones.clear(server.ctx, UUID(DEVICE), "anna", server.time.now)
    assert clone_of(server) == CloneStatus(flagged=False, refused=False, copies=1)
    with pytest.raises(AdminError) as caught:
        clones.clear(server.ctx, UUID(DEVICE), "anna", server.time.now)
    assert caught.value.code == "not-cloned"
    audited = server.rows("SELECT actor, action, subject FROM audit WHERE action = 'device-cleared'")
    assert audited == [("anna", "device-cleared", DEVICE)]
    two.authorize()
    assert one.report(4) == "counted"
    assert two.report(4) == "unchanged"
    assert verified(server)


def test_an_unknown_device_cannot_be_cleared(server: Lab) -> None:
    with pytest.raises(AdminError) as caught:
        clones.clear(server.ctx, uuid4(), "anna", server.time.now)
    assert (caught.value.code, caught.value.status) == ("no-such-device", 404)


# databases of 0.1


def of_0_1(server: Lab, branch: int, count: int, state: CloneState, name: str = "QR") -> None:
    """A report as 0.1 wrote it to its feed."""

    def operation(tx: Any) -> None:
        device = devices.find(tx.db, UUID(DEVICE).bytes)
        assert device is not None
        number = typenames.number_of(tx, name, NOON)
        runs = (records.Run(1, number, 0, [count]), records.Run(1, 0, 0, [1]))
        packed = devices.pack_clone_state(state)
        tx.emit(records.ReportChange(device.key, None, 1, branch, *packed, (), runs), NOON)

    server.ctx.store.write(operation)


def test_what_0_1_counted_apart_stays_and_is_not_counted_again(server: Lab) -> None:
    one = program(server)
    with server.ctx.store.reader() as db:
        found = devices.find(db, UUID(DEVICE).bytes)
    assert found is not None
    given = found.clone_state.given
    of_0_1(server, 0, 3, CloneState(given + 1, (given, 0), 0, 1, 0, 1))
    of_0_1(server, 2, 5, CloneState(given + 2, (given, given + 1), 0, 1, 0, 3, True))
    assert server.used() == 1 + 8
    assert clone_of(server) == CloneStatus(flagged=True, refused=True, copies=2)
    for count in (3, 5):
        assert server.report(one.lease, {"QR": count}, SLOT, None).results[0].status == "unchanged"
    assert server.report(one.lease, {"QR": 6}, SLOT, None).results[0].status == "counted"
    assert server.used() == 1 + 9
    assert verified(server)


def test_names_that_0_1_counted_as_one_are_not_counted_again(server: Lab) -> None:
    one = program(server)
    state = CloneState(3, (2,), 3)
    of_0_1(server, 0, 9, state, OTHER_TYPE)
    assert server.report(one.lease, {"b": 7, "c": 9}, SLOT, None).results[0].status == "unchanged"
    assert server.report(one.lease, {"b": 7, "QR": 2}, SLOT, None).results[0].status == "counted"
    assert server.used() == 1 + 9 + 2
    assert verified(server)


# activity


def test_activity_grows_past_what_four_bytes_hold(server: Lab) -> None:
    code = server.load(item(way="concurrentDevice", quota=5))
    day, slot = divmod(SLOT, SLOTS_PER_DAY)

    def nearly(tx: Any) -> None:
        tx.gathered.activity((0, 1, day))[slot] = 2**32 - 1
        tx.note_written_beside()

    server.ctx.store.write(nearly)
    for n in (0, 1):
        assert server.report(server.authorize(code).lease, {}).results[0].status == "counted"
        found = server.ctx.store.write(lambda tx: tx.gathered.activity((0, 1, day))[slot])
        assert found == 2**32 + n


def test_activity_takes_the_bytes_that_it_needs() -> None:
    counts = activityrow.decode(b"")
    counts[7] = 2**32 - 1
    assert len(activityrow.encode(counts)) == 4 * (SLOTS_PER_DAY + 1)
    for _ in range(2):
        assert activityrow.decode(activityrow.encode(counts)) == counts
        counts[7] += 1
