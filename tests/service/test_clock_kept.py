"""What was answered of the clock is durable by then (docs/design/machine.md, Clock)."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from lts.background.jobs import Jobs
from lts.errors import CannotStore
from lts.protocol import DAY_SECONDS
from lts.service.core.context import Context
from lts.service.maintenance import clock
from lts.store.changes.records import EventChange
from lts.store.tables import audit, meta
from tests.service.conftest import refused
from tests.support.duet import Duet
from tests.support.kit import FakeTime, Lab, Vendor, item, lab

MONTH = 30 * DAY_SECONDS


def kept(ctx: Context) -> tuple[int, int]:
    """(highest, least) as they stand in the database."""
    with ctx.store.reader() as db:
        return meta.highest_time(db), meta.least_time(db)


def lines(ctx: Context) -> list[tuple[str, str]]:
    """(action, actor) of the audit log, as far as it is about the clock."""
    with ctx.store.reader() as db:
        found = audit.lines(db, audit.AuditFilter(), 0, 500)
    return [(line.action, line.actor) for line in found if line.action.startswith("clock-")]


def test_an_item_that_ended_by_an_accepted_clock_stays_ended_whoever_is_killed(tmp_path: Path) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        end = datetime.datetime.fromtimestamp(time.now + 10 * DAY_SECONDS, datetime.timezone.utc)
        server.load(item(expiresAt=end.strftime("%Y-%m-%dT%H:%M:%SZ")))
        server.ctx.clock.look()
        time.wall += MONTH
        server.ctx.clock.look()
        assert server.ctx.clock.state.pending
        before, after = clock.accept_clock(server.ctx, "Ann")
        assert (after - before, kept(server.ctx)[0]) == (MONTH, time.now)
        assert lines(server.ctx) == [("clock-accepted", "Ann")]
    time.wall -= MONTH
    with lab(tmp_path, time, vendor) as server:
        server.ctx.clock.begin(server.ctx.store.highest_time, server.ctx.store.least_time)
        assert refused(server.authorize) == 111


def test_a_highest_time_taken_back_is_so_with_its_line(server: Lab) -> None:
    server.time.wall += MONTH
    clock.accept_clock(server.ctx, "Ann")
    server.time.wall -= MONTH - 30
    clock.reset_clock(server.ctx, "Ann")
    assert kept(server.ctx) == (server.time.now, server.time.now - 7200)
    server.time.wall += 1
    clock.reset_clock(server.ctx, "Ann")
    assert kept(server.ctx)[0] == server.time.now, "by less than a minute too"


@pytest.mark.parametrize("judge", [clock.accept_clock, clock.reset_clock])
def test_what_cannot_be_stored_is_not_believed(server: Lab, judge: Callable[[Context, str], tuple[int, int]]) -> None:
    clock = server.ctx.clock
    clock.look()
    server.time.wall += MONTH
    clock.look()
    before, least = clock.state, clock.kept[1]
    writing = server.ctx.store.writer._db
    writing.exec_trace = full_disk
    with pytest.raises(CannotStore):
        judge(server.ctx, "Ann")
    writing.exec_trace = None
    assert (clock.state, clock.kept[1], lines(server.ctx)) == (before, least, [])
    judge(server.ctx, "Ann")
    assert (clock.state.pending, len(lines(server.ctx))) == (None, 1)


def test_a_jump_is_believed_once_that_is_stored_and_not_before(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    server.ctx.clock.look()
    server.time.wall += MONTH
    server.ctx.clock.look()
    pending: list[bool] = []
    keep_clock = meta.keep_clock

    def watched(*of: Any) -> None:
        keep_clock(*of)
        pending.append(server.ctx.clock.state.pending is not None)

    monkeypatch.setattr(meta, "keep_clock", watched)
    clock.accept_clock(server.ctx, "Ann")
    assert (pending, server.ctx.clock.state.pending) == ([True], None)


def full_disk(cursor: Any, statement: str, bindings: Any) -> bool:
    if statement == "COMMIT":
        raise apsw.FullError("database or disk is full")
    return True


def test_where_the_other_server_agrees_it_is_kept_at_once(duet: Duet) -> None:
    for player in duet.players:
        player.clock.skew += MONTH
        player.server.ctx.clock.look()
        assert player.server.ctx.clock.state.pending
    duet.run(1)
    for player in duet.players:
        assert player.server.ctx.clock.state.pending is None
        assert kept(player.server.ctx)[0] > player.clock.now - 60


def test_a_stop_keeps_the_time(server: Lab) -> None:
    jobs = Jobs(server.ctx, watch_seconds=3600)
    jobs.start()
    server.ctx.store.keep_clock(lambda: server.ctx.clock.kept)
    server.time.forward(50)
    server.ctx.clock.look()
    jobs.stop()
    assert kept(server.ctx) == (server.time.now, server.time.now - 7200)


def test_what_is_decided_before_a_server_of_a_pair_writes_comes_into_its_feed_whoever_is_killed(duet: Duet) -> None:
    duet.close()
    duet.main.open()
    ctx = duet.main.server.ctx
    before = ctx.store.positions()
    clock.reset_clock(ctx, "Ann")
    ctx.note_event("clock-back", {"seconds": 9000}, "Bob")
    assert (ctx.store.positions(), lines(ctx)) == (before, []), "nothing is written before it asked the other one"
    duet.main.close()
    duet.settle()
    for player in duet.players:
        assert sorted(lines(player.server.ctx)) == [("clock-back", "Bob"), ("clock-reset", "Ann")]
    duet.close()
    duet.settle()
    assert len(lines(duet.main.server.ctx)) == 2


def test_what_another_server_has_yet_to_write_is_not_written_twice(server: Lab) -> None:
    server.ctx.store.write(lambda tx: meta.put_note(tx, "another", EventChange("Ann", "clock-reset", {})))
    server.ctx.write_kept_events()
    server.ctx.write_kept_events()
    assert (lines(server.ctx), server.rows("SELECT 1 FROM meta WHERE name = 'notes'")) == ([], [])
