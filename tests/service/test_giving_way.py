"""A main that can store nothing lets the standby serve, and takes back (docs/design/pair.md, Handing over). The numbers
are of the steps there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lts.rules import pair
from lts.store.tables import meta
from lts.store.writing.transaction import Transaction
from tests.service.conftest import with_one_item
from tests.support.duet import Duet, copy_of
from tests.support.fulldisk import DEVICE, PATIENCE, cannot_store, emptied_at_the_end, fill_the_disk, run, settled
from tests.support.wait import ended


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    """Main and standby in step, the main with a license."""
    with emptied_at_the_end(copy_of(with_one_item(), tmp_path / "duet")) as found:
        yield found


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


@pytest.mark.slow
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


def test_a_status_that_waited_for_the_end_of_a_hand_over_lets_no_main_serve(duet: Duet) -> None:
    """The standby's status was standing by, then serving; the disk works again just then."""
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


def test_one_failure_within_the_minute_restarts_it(duet: Duet) -> None:
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
