"""Never do both servers answer clients while they are linked (docs/design/pair.md, Invariants): what a main, or a
standby, may not take for a reason to serve, and their threads woven by chance."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from lts.rules import pair
from lts.store.writing.transaction import Transaction
from tests.service.conftest import with_one_item
from tests.support.duet import Duet, copy_of, in_step
from tests.support.fulldisk import DEVICE, cannot_store, run
from tests.support.wait import ended
from tests.support.weave import Weave

SEEDS = (39, 50, 98, 109, 114, 129, 140, *range(5))
"""The first ones saw both answer before what the tests here say was mended."""


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    """Main and standby in step, the main with a license."""
    with in_step(copy_of(with_one_item(), tmp_path / "duet")) as found:
        yield found


def ask_in_vain(duet: Duet) -> None:
    """The main's disk is full, so that it takes no change of the standby, which does what it is asked; the yes is
    lost."""
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.main.set_disk(full=True)
    cannot_store(duet.main.server, lease)
    duet.standby.server.ctx.note_event("something", {})
    duet.main.fates["take-over"] = "answer lost"
    while "take-over" in duet.main.fates:
        duet.forward(0.5)
        for player in duet.players:
            player.beat()
            player.follow()
        duet.main.hand()
    assert (duet.main.answers(), duet.standby.answers()) == (False, True)


def test_a_main_that_followed_nothing_since_its_disk_is_full_serves_not_alone_once_it_asked(duet: Duet) -> None:
    """The yes is lost, the disk mended before the next word of the standby."""
    ask_in_vain(duet)
    duet.main.set_disk(full=False)
    duet.main.beat()
    assert not duet.main.answers()
    run(duet, 30.0)
    assert duet.standby.answers()


def test_a_main_whose_disk_hung_for_as_long_serves_not_alone_once_it_asked(duet: Duet) -> None:
    """Its follower waited for the disk, without a failure; the yes is lost."""
    for _ in range(40):
        duet.forward(0.5)
        for player in duet.players:
            player.beat()
        duet.standby.follow()
    duet.main.fates["take-over"] = "answer lost"
    assert duet.main.hand_over is not None
    assert not duet.main.hand_over._ask(pair.CANNOT_STORE)
    duet.main.beat()
    assert (duet.main.answers(), duet.standby.answers()) == (False, True)


def test_a_main_whose_disk_is_mended_with_the_link_serves_not_before_it_has_asked(duet: Duet) -> None:
    """The link was cut after the yes, for so long that the main would have served alone."""
    ask_in_vain(duet)
    duet.cut = True
    duet.run(40.0)
    duet.cut = False
    duet.main.set_disk(full=False)
    duet.main.hand()
    duet.main.beat()
    assert (duet.main.answers(), duet.standby.answers()) == (False, True)
    run(duet, 30.0)
    assert duet.standby.answers()


def test_a_main_whose_disk_is_mended_serves_alone_while_the_link_is_cut(duet: Duet) -> None:
    ask_in_vain(duet)
    duet.cut = True
    duet.run(40.0)
    duet.main.set_disk(full=False)
    duet.run(20.0)
    assert duet.main.answers()


@pytest.mark.parametrize("seconds", [8.0, 16.0, 40.0])
@pytest.mark.parametrize("serves", ["main", "standby"])
def test_a_server_that_stood_still_takes_the_silence_of_that_while_for_no_end_of_the_other(
    duet: Duet, serves: str, seconds: float
) -> None:
    if serves == "standby":
        ask_in_vain(duet)
        duet.main.set_disk(full=False)
        run(duet, 2.0)
    of, still = (duet.main, duet.standby) if serves == "main" else (duet.standby, duet.main)
    for _ in range(int(seconds * 2)):
        duet.forward(0.5)
        of.beat()
    still.beat()
    assert (of.answers(), still.answers()) == (True, False)
    run(duet, 5.0)
    assert of.answers()


@pytest.mark.parametrize("word", [False, True])
def test_what_lets_a_server_serve_lets_it_not_when_it_stood_still_since(duet: Duet, word: bool) -> None:
    """Between the status and what follows from it, or in writing the epoch."""
    node, real = duet.main.node, duet.main.server.ctx.store.write
    node.leadership.hold_back("a hand-over that is refused")
    if word:
        duet.forward(20.0)
        node.leadership.resume()
    else:

        def slowly(operation: Callable[[Transaction], object]) -> object:
            duet.forward(20.0)
            return real(operation)

        with mock.patch.object(node.ctx.store, "write", slowly):
            node.leadership.serve("start")
    assert not duet.main.answers()
    duet.main.beat()
    assert not duet.main.answers()
    run(duet, 5.0)
    assert duet.main.answers()


def test_an_epoch_that_takes_long_to_write_is_seen_as_a_standstill_by_the_thread_that_beats(duet: Duet) -> None:
    node, real = duet.main.node, duet.main.server.ctx.store.write
    turns = threading.Event(), threading.Event()

    def beats() -> None:
        for turn in turns:
            turn.wait()
            node.beat()

    def slowly(operation: Callable[[Transaction], object]) -> object:
        if threading.current_thread() is beating:
            return real(operation)
        for turn, seconds in zip(turns, (19.0, 1.0), strict=True):
            turn.set()
            beating.join(0.2)
            duet.forward(seconds)
        return real(operation)

    beating = threading.Thread(target=beats)
    beating.start()
    node.leadership.hold_back("a hand-over that is refused")
    with mock.patch.object(node.ctx.store, "write", slowly):
        node.leadership.serve("start")
    assert not duet.main.answers()
    ended(beating)
    assert not duet.main.answers()


def test_of_two_statuses_that_arrive_at_once_the_newer_counts(duet: Duet) -> None:
    """On two lines, each heard by a thread of its own."""
    main, older, newer = duet.main.node, duet.standby.node.statuses.state(), duet.standby.node.statuses.state()
    newer.status = pair.SERVING
    hearing = threading.Thread(target=main.leadership.heard, args=(newer,))
    real = pair.is_outdated

    def meanwhile(word: int, newest: int) -> bool:
        outdated = real(word, newest)
        if word == older.number:
            hearing.start()
            hearing.join(0.2)
        return outdated

    with mock.patch.object(pair, "is_outdated", meanwhile):
        main.leadership.heard(older)
        ended(hearing)
    assert main.peer.newest == newer.number
    assert main.peer.serves


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_order_the_threads_of_both_run_in_one_alone_answers(duet: Duet, seed: int) -> None:
    """`python -m tests.soak.weave` runs more."""
    weave = Weave(duet, seed)
    weave.run(35.0)
    weave.end()
