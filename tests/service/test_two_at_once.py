"""What two administrators, or one and the other server, decide at the same moment (docs/design/pair.md, Taking over):
the one comes whole before the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from lts.crypto import SigningKey
from lts.errors import AdminError, PeerError
from lts.rules import pair as rules
from lts.rules.licensing.vendorkey import fingerprint
from lts.service.core import pinned as pinned_module
from lts.service.core.files import write_private
from lts.service.core.pinned import PinnedFile
from lts.service.pair import meeting, peermessages
from lts.service.pair.node import Node
from lts.service.pair.peermessages import StateAnswer
from tests.service.conftest import with_one_item
from tests.support.duet import URLS, Duet, copy_of, in_step
from tests.support.wait import PATIENCE


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    """Main and standby in step, the main with a license."""
    with in_step(copy_of(with_one_item(), tmp_path / "duet")) as found:
        yield found


class Door:
    """A node's lock that says who comes to it."""

    def __init__(self, node: Node) -> None:
        self.lock = node.shared.changing
        self.came = threading.Semaphore(0)
        node.shared.changing = self  # type: ignore[assignment]

    def __enter__(self) -> None:
        self.came.release()
        self.lock.acquire()

    def __exit__(self, *of: object) -> None:
        self.lock.release()


class Side(threading.Thread):
    """A call beside this thread; `told` is what came of it: None, or the code of its refusal."""

    def __init__(self, call: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self._told: Future[str | None] = Future()
        self.start()

    def run(self) -> None:
        try:
            self._call()
            self._told.set_result(None)
        except (AdminError, PeerError) as error:
            self._told.set_result(str(error.code))
        except BaseException as error:  # noqa: BLE001  # told in the test's thread
            self._told.set_exception(error)

    @property
    def told(self) -> str | None:
        """See the class; raises what else the call raised."""
        return self._told.result(PATIENCE)


def test_of_two_promotions_at_once_the_second_is_refused_and_the_old_main_serves_no_more(duet: Duet) -> None:
    node, old = duet.standby.node, duet.main.server.ctx.identity.key.public.x
    before = max(epoch.number for epoch in node.ctx.store.epochs.values())
    door = Door(node)
    with door.lock:
        sides = [Side(node.promote) for _ in range(2)]
        assert all(door.came.acquire(timeout=PATIENCE) for _ in sides)
    assert {side.told for side in sides} == {None, "is-main"}
    assert (node.pinned.now.replaced, node.pinned.now.key, node.membership.promoted) == (old, None, True)
    assert max(epoch.number for epoch in node.ctx.store.epochs.values()) == before + 1
    duet.run(3)
    assert (duet.main.answers(), duet.standby.answers()) == (False, True)
    assert duet.main.node.pinned.now.retired


def test_a_key_that_a_promotion_forgot_meanwhile_is_not_approved(duet: Duet) -> None:
    node, other = duet.standby.node, SigningKey.generate().public
    node.pinned.change(offered=other.x)
    door = Door(node)
    with door.lock:
        node.promote()
        for _ in range(door.came._value):
            door.came.acquire()
        side = Side(lambda: node.approve(fingerprint(other.kid)))
        assert door.came.acquire(timeout=PATIENCE)
    assert side.told == "nothing-to-approve"
    assert node.pinned.now.key is None


def take_over(duet: Duet) -> None:
    """The standby serves, and the main is back and does not yet."""
    duet.main.close()
    duet.run(17)
    assert duet.standby.answers()
    duet.main.open()


@pytest.mark.parametrize("asked", [True, False], ids=["asked", "both serve"])
def test_who_is_promoted_does_not_give_way(duet: Duet, monkeypatch: pytest.MonkeyPatch, *, asked: bool) -> None:
    """`asked`: by the main that is back; else the main serves as well."""
    take_over(duet)
    node, main, give_way = duet.standby.node, duet.main.node, duet.standby.node.leadership.give_way
    sides: list[Side] = []

    def after_a_promotion(why: str) -> None:
        """The promotion comes between what was decided and what follows from it, where that can be."""
        sides.append(Side(node.promote))
        sides[0].join(0.3)
        give_way(why)

    monkeypatch.setattr(node.leadership, "give_way", after_a_promotion)
    if asked:
        assert duet.standby.endpoint is not None
        monkeypatch.setattr(duet.standby.endpoint._sessions, "hear", lambda *of: None)
        duet.standby.endpoint._give_way("", peermessages.encode(StateAnswer(main.statuses.state())))
    else:
        main.ctx.running.status = rules.SERVING
        node.leadership.heard(main.statuses.state())
    assert sides[0].told is None
    assert (node.role, node.ctx.running.status) == (rules.MAIN, rules.SERVING)


def test_who_was_retired_serves_no_more_whatever_comes_then(duet: Duet, monkeypatch: pytest.MonkeyPatch) -> None:
    node = duet.main.node
    with monkeypatch.context() as patch:
        patch.setattr(pinned_module, "write_private", full_disk)
        node.leadership.retire()
        node.leadership.resume()
        assert not duet.main.answers(), "the disk that is full keeps nobody from stopping"
        assert not PinnedFile(duet.main.folder / "data").now.retired
    node.leadership.retire()
    assert PinnedFile(duet.main.folder / "data").now.retired
    node.leadership.resume()
    assert not duet.main.answers()


def full_disk(path: Path, data: bytes) -> None:
    raise OSError("full")


def test_what_two_threads_remember_at_once_is_both_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = PinnedFile(tmp_path)
    writing, go_on = threading.Event(), threading.Event()

    def write(path: Path, data: bytes) -> None:
        if not writing.is_set():
            writing.set()
            assert go_on.wait(PATIENCE)
        write_private(path, data)

    monkeypatch.setattr(pinned_module, "write_private", write)
    first = Side(lambda: pinned.change(joined=True))
    assert writing.wait(PATIENCE)
    second = Side(lambda: pinned.change(promoted_at=URLS["main"]))
    second.join(0.3)
    go_on.set()
    assert (first.told, second.told) == (None, None)
    assert (pinned.now.joined, pinned.now.promoted_at) == (True, URLS["main"])
    assert PinnedFile(tmp_path).now == pinned.now


def test_the_key_of_the_main_that_was_replaced_is_never_forgotten(tmp_path: Path) -> None:
    pinned = PinnedFile(tmp_path)
    pinned.change(key="old", joined=True)
    for _ in range(2):
        meeting.replace_main(pinned, URLS["main"])
        assert (pinned.now.key, pinned.now.replaced) == (None, "old")
