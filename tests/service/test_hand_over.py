"""The main lets the standby serve: when it is stopped in order, and when it can store nothing (docs/design/pair.md,
Handing over). The numbers are of the steps there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from lts.errors import CannotStore, Refusal
from lts.rules import pair
from lts.service.pair import pairstatus
from lts.store.tables import meta
from lts.store.writing.transaction import Transaction
from tests.service.conftest import with_one_item
from tests.support.duet import Duet, copy_of, counts, in_step, picture
from tests.support.kit import Lab
from tests.support.wait import ended

DEVICE = str(UUID(int=77))
PATIENCE = 18.0
"""Seconds after which a main that can store nothing has handed over: 15, and the looks around."""


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    """Main and standby in step, the main with a license."""
    with in_step(copy_of(with_one_item(), tmp_path / "duet")) as found:
        yield found
        for player in found.players:
            player.set_disk(full=False)


def run(duet: Duet, seconds: float) -> None:
    """Time passes; while they are linked, the two never both answer."""
    passed = 0.0
    while passed < seconds:
        duet.run(0.5)
        passed += 0.5
        assert duet.cut or not (duet.main.answers() and duet.standby.answers())


def cannot_store(lab: Lab, lease: str) -> int:
    """The code of a report's refusal."""
    try:
        lab.report(lease, {"QR": 1})
    except (CannotStore, Refusal) as error:
        return int(error.code)
    return 200


def fill_the_disk(duet: Duet) -> str:
    """The main can store nothing for so long that the standby serves; a lease of before."""
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.main.set_disk(full=True)
    cannot_store(duet.main.server, lease)
    run(duet, PATIENCE)
    return lease


def settled(duet: Duet, units: int) -> None:
    """All mended: the main serves, both hold all that was told, once."""
    for player in duet.players:
        player.set_disk(full=False)
    duet.cut = False
    duet.open()
    for _ in range(2000):
        run(duet, 0.5)
        if duet.in_step():
            break
    assert duet.in_step()
    assert sum(counts(duet.main.server).values()) == units
    assert picture(duet.main.server) == picture(duet.standby.server)
    assert duet.main.faults() == duet.standby.faults() == []


# an orderly stop


def test_a_main_that_is_stopped_in_order_hands_over_without_a_gap_and_takes_it_back(duet: Duet) -> None:
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.main.server.report(lease, {"QR": 3})
    assert duet.main.stop()
    assert duet.standby.answers(), "at once: no time has passed"
    assert duet.standby.server.report(lease, {"QR": 5}).results[0].status == "counted"
    history = pairstatus.describe(duet.standby.node).history
    assert pair.HAND_OVER in [line.event for line in history]
    settled(duet, 5)


def test_what_was_taken_in_the_last_moment_is_on_the_standby_before_it_serves(duet: Duet) -> None:
    lease = duet.main.server.authorize(None, DEVICE).lease
    waiting = duet.main.server.ctx.store.submit(lambda tx: None)
    duet.main.server.report(lease, {"QR": 3})
    waiting.settle()
    assert duet.main.stop()
    assert list(counts(duet.standby.server).values()) == [3]


@pytest.mark.parametrize("path", ["hello", "take-over"])
@pytest.mark.parametrize("fate", ["request lost", "answer lost", "twice", "late"])
def test_a_stop_with_a_line_that_fails_costs_what_a_crash_costs_and_nothing_more(
    duet: Duet, path: str, fate: str
) -> None:
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.main.fates[path] = fate
    told = duet.main.stop()
    done = (path == "take-over" and fate in ("answer lost", "twice")) or fate == "twice"
    assert duet.standby.answers() == done
    assert told == (fate == "twice")
    run(duet, 16.0)
    assert duet.standby.answers()
    duet.standby.server.report(lease, {"QR": 5})
    settled(duet, 5)


def test_a_request_that_comes_late_is_not_done_once_the_standby_has_spoken_since(duet: Duet) -> None:
    duet.main.fates["take-over"] = "late"
    duet.main.stop()
    duet.main.open()
    run(duet, 2.0)
    assert duet.main.answers()
    duet.main.deliver_late()
    assert not duet.standby.answers()
    run(duet, 5.0)
    assert duet.main.answers()


def test_a_request_that_comes_late_is_not_done_where_the_main_was_heard_to_serve_since(duet: Duet) -> None:
    """It went on alone, without a word of the standby that would have told it so."""
    duet.main.fates["take-over"] = "late"
    duet.main.stop()
    duet.main.open()
    duet.main.node.leadership.serve("alone")
    duet.standby.follow()
    duet.main.deliver_late()
    assert not duet.standby.answers()


def test_a_request_to_give_way_that_comes_late_is_not_done_once_the_main_has_spoken_since(duet: Duet) -> None:
    duet.main.stop()
    duet.main.open()
    duet.main.fates["give-way"] = "late"
    settled(duet, 0)
    assert duet.main.stop()
    duet.main.deliver_late()
    assert duet.standby.answers(), "else nobody serves until the standby takes over"


@pytest.mark.parametrize("path", ["changes", "give-way"])
def test_what_an_earlier_start_of_the_main_asked_comes_too_late(duet: Duet, path: str) -> None:
    """By a main that serves, or takes back: the standby is to give way."""
    if path == "give-way":
        duet.main.stop()
        duet.main.open()
    duet.main.fates[path] = "late"
    duet.main.follow()
    while not duet.main.late:
        run(duet, 0.5)
    duet.main.close()
    duet.main.open()
    duet.settle()
    assert duet.main.stop()
    duet.main.deliver_late()
    assert duet.standby.answers()


def test_a_main_whose_standby_is_not_in_step_asks_nothing(duet: Duet) -> None:
    duet.main.node.acknowledgments.fall_out()
    assert not duet.main.stop()
    assert not duet.standby.answers()


def test_a_standby_that_lacks_something_says_no(duet: Duet) -> None:
    duet.main.server.authorize(None, DEVICE)
    with duet.main.server.ctx.store.reader():
        duet.main.node.acknowledgments.serial = 10**6
        duet.cut = True
        duet.main.server.ctx.note_event("something", {})
        duet.cut = False
        assert not duet.main.stop()
    assert not duet.standby.answers()


def test_a_standby_whose_disk_is_full_says_no_to_a_main_that_is_stopped(duet: Duet) -> None:
    duet.standby.set_disk(full=True)
    assert not duet.main.stop()
    run(duet, 20.0)
    assert not duet.standby.answers()
    settled(duet, 0)


def test_a_standby_or_an_acting_one_that_is_stopped_hands_nothing_over(duet: Duet) -> None:
    assert not duet.standby.stop()
    assert duet.main.answers()


def test_a_word_that_overtakes_the_answer_to_a_poll_keeps_nobody_from_handing_over(duet: Duet) -> None:
    real = duet.main.send

    def overtaken(path: str, headers: dict[str, str], body: bytes, timeout: float) -> object:
        answer = real(path, headers, body, timeout)
        duet.standby.follow()
        return answer

    assert duet.main.follower is not None
    duet.main.follower._line._send = overtaken  # type: ignore[assignment]
    duet.main.follow()
    assert duet.main.stop()


def test_a_main_that_is_stopped_right_after_it_took_back_hands_over_again(duet: Duet) -> None:
    duet.main.stop()
    duet.standby.server.authorize(None, DEVICE)
    duet.main.open()
    while not duet.main.answers():
        duet.run(0.5)
    duet.standby.follow()
    duet.standby.follow()
    assert duet.main.stop()


def test_the_answer_to_a_poll_that_was_under_way_takes_nothing_back(duet: Duet) -> None:
    real = duet.main.send

    def stopped(path: str, headers: dict[str, str], body: bytes, timeout: float) -> object:
        if path == "changes":
            assert duet.main.hand_over is not None
            assert duet.main.hand_over.leave()
        return real(path, headers, body, timeout)

    assert duet.main.follower is not None
    duet.main.follower._line._send = stopped  # type: ignore[assignment]
    duet.main.follow()
    assert duet.standby.answers()
    duet.main.follow()
    assert duet.standby.answers()


def test_a_main_that_is_stopped_while_it_takes_back_waits_for_the_end_of_that(duet: Duet) -> None:
    duet.main.stop()
    duet.main.open()
    real, held = duet.main.send, []

    def asked(path: str, headers: dict[str, str], body: bytes, timeout: float) -> object:
        held.append((path, duet.main.node.hand_over.moving.locked()))
        return real(path, headers, body, timeout)

    assert duet.main.follower is not None
    assert duet.main.hand_over is not None
    duet.main.follower._line._send = asked  # type: ignore[assignment]
    duet.settle()
    assert ("give-way", True) in held
    duet.main.node.hand_over.moving.acquire()
    stopping = threading.Thread(target=duet.main.hand_over.leave)
    stopping.start()
    assert duet.main.answers()
    duet.main.node.hand_over.moving.release()
    ended(stopping)
    assert duet.standby.answers()


def test_the_standby_that_serves_for_a_stopped_main_waits_for_it_with_no_answer(duet: Duet) -> None:
    duet.main.server.authorize(None, DEVICE)
    duet.standby.node.acknowledgments.in_step = True
    assert duet.main.stop()
    assert not duet.standby.node.acknowledgments.in_step


# a main that can store nothing


def test_a_main_that_can_store_nothing_gives_way_and_takes_back_after_a_minute_without_a_failure(duet: Duet) -> None:
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.main.server.report(lease, {"QR": 3})
    duet.main.set_disk(full=True)
    assert cannot_store(duet.main.server, lease) == 150
    run(duet, 13.0)
    assert duet.main.answers()
    assert cannot_store(duet.main.server, lease) == 150
    run(duet, PATIENCE - 13.0)
    assert duet.standby.answers()
    assert cannot_store(duet.main.server, lease) == 100
    duet.standby.server.report(lease, {"QR": 5})
    run(duet, 100.0)
    assert duet.standby.answers(), "nothing is taken back by a server that can store nothing"
    duet.main.set_disk(full=False)
    run(duet, pair.STORED_SECONDS - 5)
    assert duet.standby.answers()
    run(duet, 10.0)
    assert duet.main.answers()
    settled(duet, 5)


def test_what_was_given_way_twice_is_taken_back_once_in_ten_minutes(duet: Duet) -> None:
    lease = duet.main.server.authorize(None, DEVICE).lease
    for wait in (pair.STORED_SECONDS, pair.TAKEN_BACK_SECONDS - PATIENCE):
        duet.main.set_disk(full=True)
        cannot_store(duet.main.server, lease)
        run(duet, PATIENCE)
        assert duet.standby.answers()
        duet.main.set_disk(full=False)
        run(duet, wait - 10)
        assert duet.standby.answers()
        run(duet, 20.0)
        assert duet.main.answers()
    settled(duet, 0)


def test_a_word_that_waited_for_the_end_of_a_hand_over_lets_no_main_serve(duet: Duet) -> None:
    """The standby said that it stands by, then that it serves; the disk is mended just then."""
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.main.set_disk(full=True)
    cannot_store(duet.main.server, lease)
    run(duet, 14.0)
    node, real = duet.main.node, duet.main.node.feed.note_merged

    def meanwhile() -> None:
        node.feed.note_merged = real  # type: ignore[method-assign]
        node.leadership.hold_back("a hand-over that another thread begins")
        duet.forward(0.5)
        assert duet.main.hand_over is not None
        assert duet.main.hand_over._ask(pair.CANNOT_STORE)
        duet.main.set_disk(full=False)

    node.feed.note_merged = meanwhile  # type: ignore[method-assign]
    duet.main.follow()
    assert (duet.main.answers(), duet.standby.answers()) == (False, True)


def test_one_failure_within_the_minute_begins_it_anew(duet: Duet) -> None:
    fill_the_disk(duet)
    duet.main.set_disk(full=False)
    run(duet, 50.0)
    duet.main.set_disk(full=True)
    run(duet, 2.0)
    duet.main.set_disk(full=False)
    run(duet, 50.0)
    assert duet.standby.answers()
    settled(duet, 0)


def test_a_disk_that_takes_something_now_and_then_is_no_reason_to_give_way(duet: Duet) -> None:
    lease = duet.main.server.authorize(None, DEVICE).lease
    for _ in range(6):
        duet.main.set_disk(full=True)
        cannot_store(duet.main.server, lease)
        run(duet, 10.0)
        duet.main.set_disk(full=False)
        run(duet, 2.0)
        assert duet.main.answers()


def test_a_main_without_a_standby_in_step_goes_on_with_150(duet: Duet) -> None:
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.standby.close()
    run(duet, 8.0)
    duet.main.set_disk(full=True)
    assert cannot_store(duet.main.server, lease) == 150
    run(duet, 60.0)
    assert duet.main.answers()
    assert cannot_store(duet.main.server, lease) == 150


def test_two_full_disks_go_on_with_150_until_one_is_mended(duet: Duet) -> None:
    lease = duet.main.server.authorize(None, DEVICE).lease
    for player in duet.players:
        player.set_disk(full=True)
    cannot_store(duet.main.server, lease)
    for _ in range(60):
        run(duet, 1.0)
        assert duet.main.answers()
        assert cannot_store(duet.main.server, lease) == 150
    duet.standby.set_disk(full=False)
    run(duet, 8.0)
    assert duet.standby.answers()
    settled(duet, 0)


@pytest.mark.parametrize("path", ["hello", "take-over"])
@pytest.mark.parametrize("fate", ["request lost", "answer lost", "twice", "late"])
def test_whatever_becomes_of_the_request_one_serves_soon_and_never_both(duet: Duet, path: str, fate: str) -> None:
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.main.set_disk(full=True)
    cannot_store(duet.main.server, lease)
    duet.main.fates[path] = fate
    while path in duet.main.fates:
        run(duet, 0.5)
    if fate == "answer lost" and path == "take-over":
        assert duet.standby.answers(), "the standby serves"
        assert not duet.main.answers(), "and the main takes no answer for a yes"
    run(duet, 1.0)
    duet.main.deliver_late()
    assert not (duet.main.answers() and duet.standby.answers())
    run(duet, 8.0)
    assert duet.standby.answers()
    settled(duet, 0)


def test_the_link_is_cut_right_after_the_request(duet: Duet) -> None:
    """Step 3: no word comes. The standby serves, by the request or since it hears nothing; the main cannot."""
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.main.set_disk(full=True)
    cannot_store(duet.main.server, lease)
    duet.main.fates["take-over"] = "answer lost"
    while "take-over" in duet.main.fates:
        run(duet, 0.5)
    duet.cut = True
    duet.run(40.0)
    assert (duet.main.answers(), duet.standby.answers()) == (False, True)
    duet.standby.server.report(lease, {"QR": 5})
    duet.cut = False
    run(duet, 30.0)
    assert duet.standby.answers()
    settled(duet, 5)


@pytest.mark.parametrize("full", [False, True])
def test_a_main_restarted_meanwhile_takes_back_when_it_can_store(duet: Duet, full: bool) -> None:
    fill_the_disk(duet)
    duet.main.set_disk(full=False)
    run(duet, 5.0)  # it has all that the standby has
    duet.main.close()
    duet.main.set_disk(full=full)
    duet.main.open()
    for _ in range(20):
        run(duet, 0.5)
        assert duet.standby.answers() or not full, "it does not even begin to give way"
    assert (duet.main.answers(), duet.standby.answers()) == (not full, full)
    settled(duet, 0)


def test_a_main_that_comes_up_with_a_full_disk_lets_the_standby_serve(duet: Duet) -> None:
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.close()
    duet.main.set_disk(full=True)
    duet.open()
    run(duet, 10.0)
    assert duet.standby.answers()
    duet.standby.server.report(lease, {"QR": 5})
    settled(duet, 5)


def busy_for(duet: Duet, seconds: float) -> None:
    """The main's writer is busy with one group for so long, and stores it in the end."""
    begun, end = threading.Event(), threading.Event()

    def slowly(tx: Transaction) -> None:
        begun.set()
        end.wait(60)
        meta.try_storing(tx)

    writing = threading.Thread(target=lambda: duet.main.server.ctx.store.write(slowly))
    writing.start()
    assert begun.wait(60)
    assert duet.main.hand_over is not None
    for _ in range(int(seconds * 2)):
        duet.forward(0.5)
        duet.standby.beat()
        duet.standby.follow()
        duet.main.hand_over.look()
    end.set()
    ended(writing)
    duet.main.hand_over.look()


@pytest.mark.parametrize("serves", [True, False])
@pytest.mark.parametrize("seconds", [10.0, 20.0])
def test_one_long_group_is_a_dead_disk_only_after_the_time_to_take_over(
    duet: Duet, serves: bool, seconds: float
) -> None:
    if not serves:
        duet.main.node.leadership.hold_back("it catches up")
    busy_for(duet, seconds)
    assert duet.standby.answers() == (seconds > 15.0)
    settled(duet, 0)


def test_a_long_group_does_not_put_off_taking_back(duet: Duet) -> None:
    fill_the_disk(duet)
    duet.main.set_disk(full=False)
    run(duet, 50.0)
    busy_for(duet, 5.0)
    assert duet.standby.answers()
    run(duet, 10.0)
    assert duet.main.answers()


def test_a_disk_that_fails_between_asking_back_and_serving_is_handed_over_again(duet: Duet) -> None:
    duet.main.stop()
    duet.main.open()
    real = duet.main.send

    def fails(path: str, headers: dict[str, str], body: bytes, timeout: float) -> object:
        answer = real(path, headers, body, timeout)
        if path == "give-way":
            duet.main.set_disk(full=True)
        return answer

    assert duet.main.follower is not None
    duet.main.follower._line._send = fails  # type: ignore[assignment]
    run(duet, 10.0)
    assert duet.standby.answers()
    duet.main.follower._line._send = real
    settled(duet, 0)


def test_a_standby_that_restarts_while_it_serves_for_the_main_serves_again(duet: Duet) -> None:
    lease = fill_the_disk(duet)
    duet.standby.server.report(lease, {"QR": 4})
    duet.standby.close()
    run(duet, 1.0)
    duet.standby.open()
    run(duet, 10.0)
    assert duet.standby.answers()
    settled(duet, 4)


# what one server says of itself, in order


def test_an_older_word_that_comes_later_changes_nothing(duet: Duet) -> None:
    before = duet.main.node.statements.state()
    assert duet.standby.node.contact.heard(duet.main.node.statements.state())
    assert not duet.standby.node.contact.heard(before)
    assert pair.is_outdated(pair.first_word(5) + 1, pair.first_word(5) + 2)
    assert not pair.is_outdated(pair.first_word(4) + 1, pair.first_word(5) + 2), "of another start: who knows"
    assert not pair.is_outdated(0, 0)


def test_a_main_goes_on_by_a_word_that_makes_its_late_request_void(duet: Duet) -> None:
    """The standby has not yet heard that it does."""
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.main.set_disk(full=True)
    cannot_store(duet.main.server, lease)
    duet.main.fates["take-over"] = "late"
    while duet.main.answers():
        duet.forward(0.5)
        for player in duet.players:
            player.beat()
        duet.standby.follow()
        duet.main.hand()
        if duet.main.answers():
            duet.main.follow()
    assert duet.main.late
    duet.main.follow()
    assert duet.main.answers()
    duet.main.deliver_late()
    assert not duet.standby.answers()


def test_a_word_from_before_the_request_lets_no_main_serve_on(duet: Duet) -> None:
    """The answer to a poll was under way when the standby was asked."""
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.main.set_disk(full=True)
    cannot_store(duet.main.server, lease)
    run(duet, 14.0)
    node = duet.main.node
    said = node.peer.said
    node.hand_over.pending, node.hand_over.over = said, True
    node.leadership.hold_back("a test")
    node.leadership.resume(said)
    node.leadership.serve("start", said)
    assert not duet.main.answers()
    node.leadership.resume(said + 1)
    assert duet.main.answers()
