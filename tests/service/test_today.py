"""What may happen, or be recorded, so often in a day counts once it is stored (lts.service.core.today)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import apsw
import pytest

from lts.errors import CannotStore
from lts.protocol import DAY_SECONDS
from lts.service.core.recentcalls import MINUTES, RecentCalls
from lts.service.core.today import Today
from lts.service.maintenance import attention
from lts.service.metering import goneon, release
from lts.store.changes.records import EventChange
from lts.store.writing.transaction import Transaction
from tests.support.kit import DAY, NOON, Lab, item


def first(server: Lab, today: Today, now: int = NOON, thing: str = "x") -> bool:
    def operation(tx: Transaction) -> bool:
        news = today.first(tx, thing, now)
        tx.emit(EventChange("test", thing, {}), now)
        return news

    return server.ctx.store.write(operation)


def full(server: Lab, *, disk: bool) -> None:
    def refuse(cursor: Any, statement: str, bindings: Any) -> bool:
        if statement == "COMMIT":
            raise apsw.FullError("database or disk is full")
        return True

    server.ctx.store.writer._db.exec_trace = refuse if disk else None


def test_what_was_not_stored_has_not_happened(server: Lab) -> None:
    today = Today()
    full(server, disk=True)
    with pytest.raises(CannotStore):
        first(server, today)
    full(server, disk=False)
    assert first(server, today)
    assert not first(server, today)


def test_two_of_one_group_are_counted_together_and_one_that_fails_counts_nothing(server: Lab) -> None:
    today = Today()

    def fail(tx: Transaction) -> None:
        today.add(tx, "x")
        tx.emit(EventChange("test", "x", {}), NOON)
        raise RuntimeError

    submitted = [server.ctx.store.submit(lambda tx: today.first(tx, "x", NOON)) for _ in range(2)]
    failing = server.ctx.store.submit(fail)
    with pytest.raises(RuntimeError):
        failing.result()
    assert [one.result() for one in submitted] == [True, False]
    assert server.ctx.store.write(lambda tx: today.count(tx, "x", NOON)) == 1


def test_a_late_call_from_yesterday_does_not_restart_the_day(server: Lab) -> None:
    today, before, after = Today(), DAY - 1, DAY
    assert first(server, today, before)
    assert first(server, today, after)
    for now in (before, after, before, after):
        assert not first(server, today, now)
    assert first(server, today, before - 3 * DAY_SECONDS), "a clock that was set back"


def test_a_day_that_was_not_stored_has_not_begun(server: Lab) -> None:
    today = Today()
    assert first(server, today, DAY - 1)
    full(server, disk=True)
    with pytest.raises(CannotStore):
        first(server, today, DAY + DAY_SECONDS)
    full(server, disk=False)
    assert not first(server, today, DAY - 1)


def test_each_released_item_that_is_used_is_reported_even_when_storing_failed_first(server: Lab) -> None:
    items = [item(name, way="device", quota=1, graceQuota=0, modules=[name]) for name in ("a", "b")]
    code = server.load(*items)
    device = str(uuid4())
    lease = server.authorize(code, device, modules=("a", "b")).lease
    release.release(server.ctx, lease, server.time.now)
    server.time.forward(3600)
    for name in ("a", "b"):
        server.authorize(code, modules=(name,))
    full(server, disk=True)
    with pytest.raises(CannotStore):
        server.report(lease, {"a": 1, "b": 1})
    full(server, disk=False)
    for count in (1, 2):
        server.report(lease, {"a": count, "b": count})
    lines = server.rows("SELECT detail ->> 'item' FROM audit WHERE action = 'used-after-release' ORDER BY 1")
    assert lines == [("a",), ("b",)], "each once"
    [told] = [one for one in attention.notices(server.ctx, server.time.now) if one.code == goneon.GONE_ON]
    assert told.params == {"device": device, "item": "a, b"}
    assert told.detail.startswith(f"Device {device} kept using license items a, b after its seat was given back,")


def test_the_audit_log_has_room_for_so_many_devices_a_day(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goneon, "MOST_A_DAY", 3)
    for n in (1, 2):
        server.ctx.store.write(
            lambda tx, n=n: goneon.note(tx, server.ctx.running.today, f"device {n}", ["a", "b"], NOON)  # type: ignore[misc]
        )
    assert server.rows("SELECT count(*) FROM audit WHERE action = 'used-after-release'") == [(3,)]


def test_calls_of_two_minutes_that_cross_forget_nothing() -> None:
    calls = RecentCalls()
    for minute in range(MINUTES):
        calls.note(1, minute * 60, failed=True)
    for _ in range(100):
        for second in (3539, 3540):
            calls.note(1, second, failed=False)
    assert calls.of_last_hour(1, 3540) == (MINUTES, MINUTES + 200)


def test_of_an_hour_in_which_another_server_or_process_was_in_charge_nothing_is_known() -> None:
    calls, begun = RecentCalls(), 100 * 3600
    for seconds in range(0, 3540, 60):
        assert calls.of_last_hour(1, begun + seconds) is None
    assert calls.of_last_hour(1, begun + 3540) == (0, 0)
    calls.note(1, begun + 3600, failed=True)
    assert calls.of_last_hour(1, begun + 3600) == (1, 1)
    later = begun + 3 * 3600
    assert calls.of_last_hour(1, later) is None, "it stood by meanwhile"
    calls.note(1, later, failed=False)
    assert calls.of_last_hour(1, later) == (0, 1)
    assert calls.of_last_hour(2, later) is None
