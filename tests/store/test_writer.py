"""Operations run durably in groups, whoever leads, whatever some of them do (docs/decisions/0003-write-path.md)."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from lts.errors import AdminError, CannotStore
from lts.service.licensing import handshakes
from lts.service.maintenance import verify
from lts.store.changes.records import EventChange
from lts.store.writer import GROUP_WEIGHT
from lts.store.writing.transaction import Transaction
from tests.support.kit import NOON, Lab, item


def note(name: str) -> Callable[[Transaction], str]:
    """An operation that leaves a change."""

    def operation(tx: Transaction) -> str:
        tx.emit(EventChange("test", name, {}), NOON)
        return name

    return operation


def refuse(tx: Transaction) -> None:
    raise AdminError("no", "No.")


def test_each_caller_gets_its_own_outcome(server: Lab) -> None:
    def call(n: int) -> str:
        if n % 7 == 3:
            with pytest.raises(AdminError):
                server.ctx.store.write(refuse)
            return str(n)
        return server.ctx.store.write(note(str(n)))

    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(call, range(500))) == [str(n) for n in range(500)]


def test_operations_nobody_waits_for_are_run_and_hold_up_nobody(server: Lab) -> None:
    before, rng, abandoned = server.ctx.store.serial, random.Random(1), []
    lock = threading.Lock()

    def call(n: int) -> None:
        waiting = server.ctx.store.submit(note(str(n)))
        if rng.random() < 0.5:
            with lock:
                abandoned.append(n)
            return
        assert waiting.result() == str(n)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(call, range(2000)))
    server.ctx.store.write(note("last"))
    assert abandoned
    assert server.ctx.store.serial == before + 2001


def test_a_result_may_be_asked_for_later_and_in_any_order(server: Lab) -> None:
    waiting = [server.ctx.store.submit(note(str(n))) for n in range(10)]
    assert [one.result() for one in reversed(waiting)] == [str(n) for n in reversed(range(10))]
    assert waiting[3].result() == "3"


def test_a_leader_that_is_interrupted_leaves_the_writer_working(server: Lab) -> None:
    def interrupted(tx: Transaction) -> None:
        raise KeyboardInterrupt

    before = server.ctx.store.serial
    other = server.ctx.store.submit(note("other"))
    with pytest.raises(KeyboardInterrupt):
        server.ctx.store.write(interrupted)
    with pytest.raises(CannotStore):
        other.result()
    server.ctx.store.write(note("after"))
    assert server.ctx.store.serial == before + 1


def test_nothing_is_taken_once_it_stops(server: Lab) -> None:
    server.ctx.store.close()
    with pytest.raises(CannotStore):
        server.ctx.store.write(note("late"))


def test_a_catalog_that_cannot_be_built_undoes_the_change_that_asked_for_it(
    server: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = server.load(item())
    before = (server.ctx.store.serial, server.ctx.store.catalog)

    def broken(*given: object) -> None:
        raise ValueError("made up")

    monkeypatch.setattr(server.ctx.store._memory, "build_catalog", broken)
    with pytest.raises(ValueError, match="made up"):
        handshakes.edit(server.ctx, code, {"note": "x"}, "test", NOON)
    assert (server.ctx.store.serial, server.ctx.store.catalog) == before
    monkeypatch.undo()
    handshakes.edit(server.ctx, code, {"note": "y"}, "test", NOON)
    assert verify.verify(server.config.data_dir, server.ctx.trust) == []


def test_what_weighs_much_waits_for_its_turn_and_holds_up_nobody_else(server: Lab) -> None:
    store, ran = server.ctx.store, []

    def doing(name: str) -> Callable[[Transaction], None]:
        return lambda tx: ran.append(name)

    heavy = [store.submit(doing(f"heavy {n}"), GROUP_WEIGHT) for n in range(5)]
    light = [store.submit(doing(f"light {n}")) for n in range(3)]
    light[0].result()
    assert ran == ["heavy 0", "light 0", "light 1", "light 2"]
    heavy[4].result()
    assert ran[4:] == [f"heavy {n}" for n in range(1, 5)]
    assert store.writer.queue_depth == 0
    for n in range(4):
        store.submit(doing(f"part {n}"), GROUP_WEIGHT // 2)
    store.write(doing("light"))
    assert ran[8:] == ["light"], "after a group with something heavy nobody else waits for another one"
    store.write(doing("next light"))
    assert ran[9:] == ["part 0", "part 1", "next light"], "what is heavy has its turn too"
    store.writer.stop()
    assert ran[12:] == ["part 2", "part 3"]
