"""A main that is stopped in order lets the standby serve (docs/design/pair.md, Handing over). The numbers are of the
steps there; test_giving_way.py has a main that can store nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lts.rules import pair
from lts.service.pair import pairstatus
from tests.service.conftest import with_one_item
from tests.support.duet import Duet, copy_of
from tests.support.fulldisk import DEVICE, cannot_store, emptied_at_the_end, run, settled
from tests.support.picture import counts
from tests.support.wait import ended


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    """Main and standby in step, the main with a license."""
    with emptied_at_the_end(copy_of(with_one_item(), tmp_path / "duet")) as found:
        yield found


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
    """It continued alone, without a status of the standby that would have said so."""
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


def test_a_status_that_overtakes_the_answer_to_a_poll_keeps_nobody_from_handing_over(duet: Duet) -> None:
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


# the order of what one server says of itself


def test_an_older_status_that_arrives_later_changes_nothing(duet: Duet) -> None:
    before = duet.main.node.statuses.state()
    assert duet.standby.node.contact.heard(duet.main.node.statuses.state())
    assert not duet.standby.node.contact.heard(before)
    assert pair.is_outdated(pair.first_number(5) + 1, pair.first_number(5) + 2)
    assert not pair.is_outdated(pair.first_number(4) + 1, pair.first_number(5) + 2), "of another start: who knows"
    assert not pair.is_outdated(0, 0)


def test_a_main_continues_by_a_status_that_makes_its_late_request_ineffective(duet: Duet) -> None:
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


def test_a_status_from_before_the_request_lets_no_main_continue(duet: Duet) -> None:
    """The answer to a poll was under way when the standby was asked."""
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.main.set_disk(full=True)
    cannot_store(duet.main.server, lease)
    run(duet, 14.0)
    node = duet.main.node
    said = node.peer.last_answer
    node.hand_over.pending, node.hand_over.over = said, True
    node.leadership.hold_back("a test")
    node.leadership.resume(said)
    node.leadership.serve("start", said)
    assert not duet.main.answers()
    node.leadership.resume(said + 1)
    assert duet.main.answers()
