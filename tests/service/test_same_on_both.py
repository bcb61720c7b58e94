"""What both servers of a pair show the same: the last refused requests, and rows in one order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from uuid import UUID

import pytest

from lts.errors import Refusal
from lts.protocol import DAY_SECONDS, slot_of
from lts.service.core.context import request_id
from lts.service.licensing import handshakes, itemlist, licenses
from lts.service.licensing.licenses import Choice
from lts.service.maintenance import attention, heads
from lts.service.statistics import usage
from lts.store.changes import feed
from lts.store.tables import audit, devicelist, meta
from lts.web.wire import problems
from tests.support.duet import Duet, copy_of, in_step, template
from tests.support.kit import NOON, ORGANIZATION, Lab, item


@cache
def _template() -> Duet:
    seats = item("seats", "device", 50, product="seats", modules=["S"])
    return template(Path(mkdtemp(prefix="duet-")), seats, item("scans", "scan", 10_000))


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    """Main and standby in step, the main with licenses."""
    with in_step(copy_of(_template(), tmp_path / "duet")) as found:
        yield found


def refuse(lab: Lab, name: str) -> None:
    token = request_id.set(problems.new_id())
    with pytest.raises(Refusal):
        lab.authorize(name)
    request_id.reset(token)


def names(lab: Lab) -> list[str | None]:
    return [one.handshake_code for one in lab.ctx.refusals.latest()]


def test_the_last_refusals_outlive_a_restart_and_a_take_over_and_come_back(duet: Duet) -> None:
    refuse(duet.main.server, "216998-a")
    duet.turn()
    assert names(duet.standby.server) == ["216998-a"]
    duet.main.close()
    duet.run(17)
    assert duet.standby.answers()
    refuse(duet.standby.server, "216998-b")
    duet.settle()
    assert names(duet.main.server) == names(duet.standby.server) == ["216998-b", "216998-a"]
    duet.close()
    duet.open()
    assert names(duet.main.server) == names(duet.standby.server) == ["216998-b", "216998-a"]
    latest = duet.main.server.ctx.refusals.latest()[0]
    assert (latest.code, latest.asked.product) == (101, "reader")


def test_a_crash_costs_no_more_than_the_seconds_since_the_last_flush(duet: Duet) -> None:
    ctx = duet.main.server.ctx
    refuse(duet.main.server, "216998-a")
    ctx.refusals.flush(ctx.store, NOON)
    refuse(duet.main.server, "216998-late")
    with ctx.store.reader() as db:
        kept = meta.refusals(db)
    assert [one.handshake_code for one in type(ctx.refusals)(kept).latest()] == ["216998-a"]


def test_five_hundred_are_kept_and_each_is_sent_once(duet: Duet) -> None:
    main, standby = duet.main.server, duet.standby.server
    for number in range(520):
        refuse(main, f"216998-no-{number}")
    duet.turn()
    duet.turn()
    assert len(main.ctx.refusals.latest()) == len(standby.ctx.refusals.latest()) == 500
    assert main.ctx.refusals.latest() == standby.ctx.refusals.latest()
    assert main.ctx.refusals.since(520) == (520, [])
    assert standby.ctx.refusals.since(0)[1] == [], "nothing is sent back"


def test_what_was_kept_and_cannot_be_read_keeps_no_server_from_starting(duet: Duet) -> None:
    duet.main.server.ctx.store.write(lambda tx: meta.keep_refusals(tx, b"nonsense"))
    duet.main.close()
    duet.main.open()
    assert duet.main.server.ctx.refusals.latest() == []


def test_heads_are_signed_on_after_a_moment_of_wrong_clock(duet: Duet) -> None:
    ctx = duet.main.server.ctx
    for now in (NOON, NOON + 9000 * DAY_SECONDS, NOON + 60, NOON + 120, NOON + DAY_SECONDS):
        ctx.note_event("something", {})
        heads.sign_head(ctx, now)
    with ctx.store.reader() as db:
        signed = [head.time for head in feed.heads(db) if head.origin == ctx.store.origin]
    assert signed[-4:] == [NOON, NOON + 9000 * DAY_SECONDS, NOON + 60, NOON + DAY_SECONDS]
    assert duet.main.faults() == []


def clock_notice(lab: Lab) -> dict[str, str | int] | None:
    found = [notice for notice in attention.troubles(lab.ctx) if notice.code == "pair-clocks"]
    return dict(found[0].params) if found else None


def test_a_gap_of_the_clocks_is_reported_with_the_reports_that_it_cost(duet: Duet) -> None:
    lease = duet.main.server.authorize(None, str(UUID(int=1))).lease
    duet.standby.clock.skew = 290
    duet.run(3)
    assert clock_notice(duet.main.server) is None
    duet.standby.clock.skew = 2000
    duet.run(3)
    assert clock_notice(duet.main.server) == clock_notice(duet.standby.server) == {"seconds": 2000, "reports": 0}
    present = slot_of(duet.main.clock.now)
    for slot in (present, present + 9, present + 5000):
        duet.main.server.report(lease, {"QR": 1}, slot)
    duet.run(3)
    assert clock_notice(duet.main.server) == clock_notice(duet.standby.server) == {"seconds": 2000, "reports": 1}
    duet.standby.clock.skew = 0
    duet.run(3)
    assert clock_notice(duet.main.server) is None
    duet.standby.clock.skew = 2000
    duet.run(3)
    assert clock_notice(duet.main.server) == {"seconds": 2000, "reports": 0}


def rows(lab: Lab) -> dict[str, Any]:
    """What is listed, by names that mean the same on both."""
    ctx = lab.ctx
    with ctx.store.reader() as db:
        lines = [(a.time, a.server, a.action, a.subject) for a in audit.lines(db, audit.AuditFilter(), 0, 500)]
        devices = [d.uuid for d in devicelist.find(db, devicelist.DeviceFilter(), "contact", True, 0, 500)]
    return {
        "audit": lines,
        "devices": devices,
        "codes": [code.name for code in handshakes.describe(ctx)],
        "items": [(one.license_id, one.item_id) for one in itemlist.describe(ctx, NOON)],
        "overview": usage.overview(ctx, NOON).all,
        **{by: astuple(usage.usage(ctx, grouping=by))[1:3] for by in ("type", "device", "day", "reports")},
    }


@pytest.mark.parametrize("anew", [False, True], ids=["served on", "with origins of which the other knew nothing"])
def test_rows_have_one_order_on_both_after_both_served(duet: Duet, anew: bool) -> None:
    """Each numbers the origins as it comes to know them: its own first."""
    duet.cut = True
    if anew:
        duet.close()
        duet.open()
    duet.run(20)
    for player in duet.players:
        lab, other = player.server, {"main": "x", "standby": "a"}[player.name]
        file = duet.vendor.file(duet.main.server.ctx, item(f"late-{other}", "scan", 5), license_id=f"3{other}")
        licenses.import_license(lab.ctx, file, Choice(), player.name, NOON)
        same = duet.vendor.file(duet.main.server.ctx, item("same", "scan", 5), license_id="77")
        for n, data in enumerate((file, same)):
            licenses.import_license(lab.ctx, data, Choice(), player.name, NOON + n)
        for custom in (other, "new"):
            handshakes.add(lab.ctx, ORGANIZATION, {"custom": custom, "items": [{"id": 2}]}, player.name, NOON)
        for n in (1, 2, 3) if player.name == "main" else (3, 5, 1):
            lease = lab.authorize("216998-new", str(UUID(int=n))).lease
            lab.report(lease, {f"type {other}": 2, "both": 1, f"more {n}": 1})
    duet.settle()
    named = [player.server.ctx.store.origin_names() for player in duet.players]
    assert (named[0] != named[1]) == anew
    one, two = rows(duet.main.server), rows(duet.standby.server)
    for part in one:
        ordered = list(one[part].items()) if isinstance(one[part], dict) else one[part]
        assert ordered == (list(two[part].items()) if isinstance(two[part], dict) else two[part]), part
