"""The demo's story comes out the same on whatever day, and at whatever hour, somebody starts it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

import pytest

from lts.cli.develop.demo import company
from lts.cli.develop.demo.past import Past
from lts.cli.develop.demo.pastclock import PastClock, begin_of
from lts.crypto import SigningKey
from lts.protocol import DAY_SECONDS, parse_iso
from lts.rules.licensing.itemstatus import ItemStatus
from lts.rules.values.paging import Page
from lts.server import opened
from lts.service.alerting import outbox
from lts.service.core.context import Context
from lts.service.licensing import itemlist
from lts.service.maintenance import attention, verify
from lts.service.statistics import devicelist, usage
from tests.support.kit import LABELS, config_for

STARTS = ("2026-11-23T00:10:00Z", "2027-01-03T23:59:59Z")
"""A Monday just after midnight, and the end of a Sunday: the weeks lie differently in the sixty days."""


class Told(NamedTuple):
    """A story that was played to its end, and the time of that (UTC seconds)."""

    ctx: Context
    past: Past
    until: int


@pytest.fixture(params=[STARTS[0], pytest.param(STARTS[1], marks=pytest.mark.slow)], scope="module")
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The sixty days up to a moment."""
    until = parse_iso(request.param)
    clock, config = PastClock(begin_of(until)), config_for(tmp_path_factory.mktemp("demo"))
    with opened(config, read_labels=lambda: LABELS, clock=clock.clock()) as here:
        past = Past(here.ctx, clock, SigningKey.generate(), until)
        assert list(past.days()) == list(range(company.DAYS + 1))
        assert here.ctx.clock.now() == until
        yield Told(here.ctx, past, until)


def items_of(told: Told) -> dict[str, ItemStatus]:
    """Items as the portal shows them, by id."""
    return {item.item_id: item for item in itemlist.describe(told.ctx, told.until)}


def test_items_end_in_different_states(told: Told) -> None:
    items = items_of(told)
    assert {name: item.state for name, item in items.items()} == {
        "stores-scans": "active", "handhelds": "active", "old-handhelds": "revoked", "packing-lines": "active",
        "returns-scans": "active", "labels": "active", "labels-next": "pending", "documents": "grace",
        "ocr-trial": "active",
    }  # fmt: skip
    share = {name: item.used / item.quota for name, item in items.items()}
    assert 0.4 < share["stores-scans"] < 0.6
    assert 0.8 <= share["returns-scans"] < 0.97
    assert share["labels"] >= 1.05
    lines = items["packing-lines"]
    assert 0 < (lines.overdraft_spent or 0) < (lines.overdraft or 0)


def test_what_needs_attention_is_the_story_alone(told: Told) -> None:
    found = {(notice.code, notice.params.get("item")) for notice in attention.notices(told.ctx, told.until)}
    assert found == {
        ("quota-nearly-used", "labels"), ("quota-nearly-used", "returns-scans"), ("item-in-grace", "documents"),
        ("item-ends", "ocr-trial"), ("url-local", None),
    }  # fmt: skip


def test_alerts_were_sent_in_their_time_and_none_is_about_the_clock(told: Told) -> None:
    messages = outbox.history(told.ctx, Page(size=100)).messages
    kinds = Counter(event.kind for message in messages for event in message.events)
    assert {"quota", "ends", "grace", "forecast", "failures"} <= kinds.keys()
    assert not {"clock-back", "clock-ahead", "labels-changed", "database-restored"} & kinds.keys()
    days = {message.time[:10] for message in messages}
    assert len(days) > 8


def test_every_report_was_counted_once_and_whole(told: Told) -> None:
    table = usage.usage(told.ctx, grouping="device")
    for player in told.past.players.values():
        counted = {name: units for (device, name), units in table.rows.items() if UUID(device) == player.uuid}
        assert counted == dict(player.reported), player.device.name


def test_the_tills_are_all_devices_of_their_code(told: Told) -> None:
    table = usage.usage(told.ctx, code=company.STORES, grouping="device")
    tills = {told.past.players[name].uuid for name in company.LIVE}
    assert {UUID(device) for device, _ in table.rows} == tills


def test_a_device_that_lost_its_license_is_idle_and_none_looks_copied(told: Told) -> None:
    rows = {
        row.device_id: row for row in devicelist.find(told.ctx, Page(size=50), None, False, False, told.until).devices
    }
    assert len(rows) == len(company.DEVICES)
    assert not any(row.clone.flagged for row in rows.values())
    idle = parse_iso(rows[str(told.past.players["handheld 3"].uuid)].last_contact)
    assert told.until - idle > 15 * DAY_SECONDS


def test_a_replay_of_the_feed_gives_every_row(told: Told) -> None:
    folder = told.ctx.store.path.parent
    assert verify.verify(folder, told.ctx.trust) == []
    assert len(told.ctx.store.served_days()) == company.DAYS + 1
