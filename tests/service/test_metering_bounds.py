"""How long a lease is good for, what is kept of a refused request, and who is shown to hold what."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from lts.errors import AdminError, Refusal
from lts.protocol import DAY_SECONDS, SLOT_SECONDS, SLOTS_PER_DAY, iso, slot_of
from lts.rules.metering import clonetokens, workload
from lts.rules.metering.checks import Request
from lts.rules.metering.clonetokens import plain_state
from lts.rules.metering.usage import TOGETHER, digest_of
from lts.rules.pair import REFUSING
from lts.service.access import auditlog
from lts.service.core import refusals
from lts.service.core.refusals import Refusals
from lts.service.licensing import handshakes
from lts.service.metering import authorize, counting, explain, goneon, newnames, release
from lts.service.metering.explain import CapStatus
from lts.service.statistics import usage
from lts.store.tables import typenames
from lts.store.tables.devices import Device
from lts.web.admin.jsonpieces import as_json
from tests.support.kit import NOON, Lab, entry, item

TODAY = "2026-11-25"
DEVICE = "6F1C2B7E-8C1D-4A0E-9A57-0C6A2F7A1B11"


@pytest.mark.parametrize(
    ("way", "more", "lasts"),
    [
        ("scan", {}, 7 * DAY_SECONDS),
        ("scan", {"maxOfflineDays": 1}, DAY_SECONDS),
        ("device", {"activePeriod": "monthly"}, 30 * DAY_SECONDS),
        ("concurrentDevice", {}, None),
        ("concurrentDevice", {"maxOfflineDays": 2}, 2 * DAY_SECONDS),
    ],
)
def test_a_client_asks_again_half_way_but_within_a_day(
    server: Lab, way: str, more: dict[str, Any], lasts: int | None
) -> None:
    server.load(item("one", way, 5, **more))
    got = server.authorize()
    now = server.time.now
    ends = (now // SLOT_SECONDS + 2) * SLOT_SECONDS if lasts is None else now + lasts
    assert got.expires_at == ends
    assert got.renew_after == now + min((ends - now) // 2, DAY_SECONDS)


def test_what_is_kept_of_a_refused_request_is_short_and_holds_no_secret(server: Lab) -> None:
    code = server.load(item("one"))
    modules = tuple(f"{n:02}".ljust(101, "x") for n in range(21))
    with pytest.raises(Refusal):
        server.authorize(code, DEVICE, modules=modules, session_password="geheim", version="8")
    [kept] = server.ctx.refusals.latest()
    assert (kept.code, kept.handshake_code, kept.tried, kept.ways) == (124, code, (("one", 124),), ("scan",))
    assert kept.asked.modules == tuple(name[:100] for name in modules[:20])
    assert (kept.asked.device, kept.asked.version) == (DEVICE.lower(), "8")
    assert "geheim" not in str(kept)
    assert server.ctx.running.calls.of_last_hour(1, NOON) == (1, 1)
    server.authorize(code)
    assert server.ctx.running.calls.of_last_hour(1, NOON) == (1, 2)
    with pytest.raises(Refusal):
        server.authorize("nothing")
    assert server.ctx.refusals.latest()[0].handshake_code == "nothing"
    assert server.ctx.running.calls.of_last_hour(1, NOON) == (1, 2)


@pytest.mark.parametrize("way", ["device", "concurrentDevice"])
def test_twenty_holders_of_seats_are_shown_the_first_to_end_first(server: Lab, way: str) -> None:
    server.load(item("one", way, 21, graceQuota=0, overdraft=0, maxOfflineDays=1, activePeriod="daily"))
    begun = server.time.now
    for _ in range(21):
        server.authorize()
        server.time.forward(60)
    asked = Request(bytes(16), "reader", "server", handshake_code="216998-100")
    told = explain.explain(server.ctx, asked, server.time.now)
    [one] = told.items
    assert (told.code, one.code, one.quota, one.grace) == (120, 120, 21, 0)
    assert [holder.until for holder in one.holders or []] == [
        iso(begun + DAY_SECONDS + 60 * number) for number in range(20)
    ]
    assert one.next_free == iso(begun + DAY_SECONDS)


def test_an_item_without_seats_shows_no_holders(server: Lab) -> None:
    server.load(item("one"))
    asked = Request(bytes(16), "reader", "server", handshake_code="216998-100")
    told = explain.explain(server.ctx, asked, server.time.now)
    assert (told.code, told.detail, told.granted) == (0, "The request would be granted.", ["one"])
    assert not {"holders", "nextFree"} & set(as_json(told.items[0]))
    told = explain.explain(server.ctx, asked._replace(handshake_code="nothing"), server.time.now)
    assert (told.code, told.items) == (101, [])


def test_explain_takes_a_code_by_its_number_as_every_other_question_does(server: Lab) -> None:
    server.load(item("one"))
    handshakes.add(server.ctx, None, {"custom": "empty"}, "test", NOON)
    asked = Request(bytes(16), "reader", "server", handshake_code="#1", organization_id="216998")
    named = explain.explain(server.ctx, asked._replace(handshake_code="216998-100"), NOON)
    for organization in ("216998", None):
        told = explain.explain(server.ctx, asked._replace(organization_id=organization), NOON)
        assert told == named
        assert (told.handshake_code, told.granted) == ("216998-100", ["one"])
    assert explain.explain(server.ctx, asked._replace(handshake_code="#2"), NOON).code == 104
    with pytest.raises(AdminError) as caught:
        explain.explain(server.ctx, asked._replace(handshake_code="#3"), NOON)
    assert (caught.value.code, caught.value.status) == ("no-such-code", 404)
    with pytest.raises(Refusal) as refused:
        server.authorize("#1")
    assert refused.value.code == 101, "applications name codes by name alone"


@pytest.mark.parametrize(("way", "instances", "used"), [("scan", 1, 3), ("device", 1, 3), ("concurrentInstance", 2, 2)])
def test_a_full_cap_is_shown_as_such_with_the_cap_and_what_the_code_uses(
    server: Lab, way: str, instances: int, used: int
) -> None:
    more = {"deploymentTypes": ["server"]} if way == "concurrentInstance" else {}
    code = server.load(item("one", way, 1000, **more))
    handshakes.edit(server.ctx, code, {"items": [{"id": 1, "cap": 3}]}, "test", NOON)
    got = server.authorize(code, instances=instances)
    for _ in range(2 if way == "device" else 0):
        server.authorize(code)
    if way == "scan":
        server.report(got.lease, {"QR": 3})
    fault = "is reached" if used == 3 else "has no room for what is asked"
    sentence = f"The handshake code's cap on the license item {fault}: it uses {used} of 3"
    with pytest.raises(Refusal) as caught:
        server.authorize(code, instances=instances)
    assert (caught.value.code, caught.value.detail) == (120, f"{sentence} (item one).")
    told = explain.explain(server.ctx, Request(bytes(16), "reader", "server", code, instances=instances), NOON)
    [verdict] = told.items
    assert (told.code, told.detail) == (120, f"{sentence} (item one).")
    assert (verdict.code, verdict.detail, verdict.cap) == (120, f"{sentence}.", CapStatus(3, used))
    server.ctx.refusals.flush(server.ctx.store, NOON)
    [kept] = server.ctx.refusals.latest()
    assert (kept.detail, kept.caps) == (f"{sentence} (item one).", ((3, used),))
    assert Refusals(zlib.compress(refusals._encode([kept]))).latest() == [kept], "the next start tells the same"


@pytest.mark.parametrize(
    ("way", "asked", "instances", "grant"),
    [("scan", 3, 1, False), ("device", 3, 1, True), ("concurrentDevice", 3, 1, True),
     ("concurrentInstance", 3, 3, True)],
)  # fmt: skip
def test_a_lease_says_instances_and_grant_where_its_item_has_them(
    server: Lab, way: str, asked: int, instances: int, *, grant: bool
) -> None:
    server.load(item("one", way, 5))
    [given] = server.authorize(instances=asked).items
    assert (given.instances, given.grant > 0) == (instances, grant)
    assert grant or given.grant == 0


def test_the_quota_of_an_item_counts_leases_by_every_code(server: Lab) -> None:
    server.load(item("one", "concurrentDevice", 2, overdraft=0))
    handshakes.add(server.ctx, "216998", {"custom": "other", "items": [{"id": 1}]}, "test", NOON)
    held = [server.authorize(f"216998-{name}", DEVICE[:-1] + end) for name, end in (("other", "1"), ("100", "2"))]
    for code in ("216998-other", "216998-100"):
        with pytest.raises(Refusal) as caught:
            server.authorize(code)
        assert caught.value.code == 120
    for name, end, lease in (("other", "1", held[0]), ("100", "2", held[1])):
        again = server.authorize(f"216998-{name}", DEVICE[:-1] + end, clone_token=lease.clone_token)
        assert again.items[0].grant == lease.items[0].grant, "who holds a lease goes on while all fit in"


@pytest.mark.parametrize(("organization", "named"), [("216998", "216998-100"), ("nobody", None)])
def test_a_refusal_before_any_item_names_the_code_that_was_meant(
    server: Lab, organization: str, named: str | None
) -> None:
    handshakes.edit(server.ctx, server.load(item("one")), {"password": "secret"}, "test", NOON)
    with pytest.raises(Refusal) as caught:
        server.authorize("", DEVICE, organization_id=organization)
    [kept] = server.ctx.refusals.latest()
    assert (kept.code, kept.handshake_code, kept.tried, kept.ways) == (caught.value.code, named, (), ())
    assert caught.value.code == (102 if named else 121)
    server.ctx.refusals.flush(server.ctx.store, NOON)
    assert server.ctx.running.calls.of_last_hour(1, NOON) == ((1, 1) if named else None)
    found = usage.usage(server.ctx, code="216998-100", grouping="authorizations")
    assert found.rows == ({(TODAY, "102"): 1} if named else {})
    assert usage.usage(server.ctx, grouping="authorizations").total == 1, "counted, by whatever code"


def test_who_does_not_serve_neither_authorizes_nor_counts_nor_takes_back(
    server: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workload, "PIECE", 40)  # so that the second report is one in pieces
    monkeypatch.setattr(workload, "DAY", 5)
    server.load(item("one", "device", 5))
    lease = server.authorize(device=DEVICE).lease
    serial, server.ctx.running.status = server.ctx.store.serial, REFUSING
    many = [entry(slot_of(NOON) - 2 * n, {f"t{n % 3}": 1}) for n in range(6)]
    calls: list[Callable[[], object]] = [
        server.authorize, lambda: server.report(lease, {"QR": 1}), lambda: server.report_many(lease, list(many)),
        lambda: release.release(server.ctx, lease, NOON),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(Refusal) as caught:
            call()
        assert caught.value.code == 100
    assert server.ctx.store.serial == serial


@pytest.mark.parametrize(("contact", "slot"), [(NOON - 3600, NOON), (NOON, NOON), (NOON + 3600, NOON + 3600)])
def test_a_chain_goes_on_no_earlier_than_its_device_was_heard(
    monkeypatch: pytest.MonkeyPatch, contact: int, slot: int
) -> None:
    found: list[int] = []
    monkeypatch.setattr(clonetokens, "step", lambda _, token, at: found.append(at))
    authorize.token_step(Device(1, bytes(16), contact, plain_state(3, 1)), None, NOON)
    authorize.token_step(None, None, NOON)
    assert found == [slot_of(slot), slot_of(NOON)]


def test_a_run_bridges_an_hour_and_a_row_holds_two_thousand_names() -> None:
    """See docs/design/charging.md, Types."""
    assert (counting._GAP * SLOT_SECONDS, newnames.MOST_OF_ROW) == (3600, 2000)


@pytest.mark.parametrize(
    ("slot", "names", "held", "room"),
    [
        (99, "abcd", "", True),
        (100, "abc", "", True),
        (100, "abcd", "", False),
        (101, "abcd", "", False),
        (100, "ab", "1a 1b 1c", True),
        (100, "ad", "1a 1b 1c", False),
        (100, "abd", "1a 1b", True),
        (100, "a", "2a 2b 2c", False),
        (100, "abc", "-a -b -c", True),
        (100, "", "1a 1b 1c 1d", True),
    ],
)
def test_what_a_copy_counts_apart_has_room_for_so_many_names_a_day(
    monkeypatch: pytest.MonkeyPatch, slot: int, names: str, held: str, *, room: bool
) -> None:
    """`held` are names by branch ("-": counted together); branch 1 reports `names`, and counts apart from 100 on."""
    numbers = {name: number for number, name in enumerate("abc", 1)}
    kinds = {**numbers, "d": digest_of("d")}
    rows = [(TOGETHER if one[0] == "-" else int(one[0]), 1, kinds[one[1]]) for one in held.split()]
    monkeypatch.setattr(newnames, "MOST_OF_ROW", 3)
    monkeypatch.setattr(typenames, "series_of", lambda *_: rows)
    sender: Any = SimpleNamespace(device=1, code=1)
    tx: Any = SimpleNamespace(types=numbers)
    assert counting.has_room_apart(tx, sender, 1, 100, [entry(slot, dict.fromkeys(names, 1))]) == room


AHEAD = slot_of(NOON + 600) + 1
"""The first slot that a report may not name yet at NOON."""
WANTED = AHEAD * SLOT_SECONDS - 600 - NOON
"""By so many seconds a clock must be ahead to let it in."""


@pytest.mark.parametrize(
    ("gap", "slots", "ahead"),
    [
        (WANTED, [AHEAD], 1),
        (WANTED, [AHEAD, AHEAD + 1], 1),
        (WANTED - 1, [AHEAD], 0),
        (WANTED, [AHEAD + 1], 0),
        (1, [AHEAD - 1], 0),
        (0, [AHEAD], 0),
        (-WANTED, [AHEAD], 0),
        (WANTED, [AHEAD - 40 * SLOTS_PER_DAY], 0),
    ],
)
def test_a_report_that_the_other_clock_would_have_let_in_is_shown(
    server: Lab, gap: int, slots: list[int], ahead: int
) -> None:
    server.load(item("one"))
    lease = server.authorize(device=DEVICE).lease
    counted: list[int] = []
    server.ctx.running.partner = SimpleNamespace(
        clock_gap=gap,
        count_ahead=lambda: counted.append(1),
        settled=True,
        check=lambda: None,
        confirm=lambda _: "both",
    )
    server.report_many(lease, [entry(slot, {"QR": 1}) for slot in (slot_of(NOON), *slots)])
    assert len(counted) == ahead


def test_a_lease_over_two_items_ends_with_the_first_of_them(server: Lab) -> None:
    server.load(item("a", modules=["A"], maxOfflineDays=3), item("b", modules=["B"], maxOfflineDays=5))
    got = server.authorize(modules=("A", "B"))
    assert (len(got.items), got.expires_at) == (2, NOON + 3 * DAY_SECONDS)
    lease = server.ctx.leases.verify(got.lease)
    assert (len(bytes.fromhex(lease.head or "")), lease.serial) == (4, server.ctx.store.serial)


def test_nothing_is_used_of_an_item_or_by_a_code_at_first(server: Lab) -> None:
    code = server.load(item("one", quota=1, graceQuota=0))
    handshakes.edit(server.ctx, code, {"items": [{"id": 1, "cap": 1}]}, "test", NOON)
    lease = server.authorize(device=DEVICE).lease
    server.report(lease, {"QR": 1})
    with pytest.raises(Refusal) as caught:
        server.authorize()
    assert caught.value.code == 120


def test_seats_of_an_item_count_by_every_code(server: Lab) -> None:
    server.load(item("one", "device", 1, graceQuota=0))
    handshakes.add(server.ctx, "216998", {"custom": "other", "items": [{"id": 1}]}, "test", NOON)
    server.authorize("216998-other")
    with pytest.raises(Refusal) as caught:
        server.authorize("216998-100")
    assert caught.value.code == 120


def test_of_two_that_began_at_once_the_one_known_first_is_the_elder(server: Lab) -> None:
    server.load(item("one", "concurrentDevice", 1, overdraft=1))
    one, two = (server.authorize(device=DEVICE[:-1] + end) for end in "12")
    for lease in (one.lease, two.lease):
        server.report(lease, {})
    with pytest.raises(Refusal) as caught:
        server.authorize(device=DEVICE[:-1] + "2", clone_token=two.clone_token)
    assert caught.value.code == 120
    server.authorize(device=DEVICE[:-1] + "1", clone_token=one.clone_token)


def test_an_authorization_waits_until_the_other_server_has_it(server: Lab) -> None:
    server.load(item("one", "device", 5))
    found: list[int] = []
    partner = SimpleNamespace(settled=True, clock_gap=0, check=lambda: None, confirm=found.append)
    server.ctx.running.partner = partner
    lease = server.authorize(device=DEVICE).lease
    release.release(server.ctx, lease, NOON)
    assert found == [server.ctx.store.serial - 1, server.ctx.store.serial]


@pytest.mark.parametrize(("back", "told"), [(0, True), (1, False)])
def test_who_is_heard_of_ten_minutes_after_its_release_went_on(server: Lab, back: int, *, told: bool) -> None:
    """The newest entry counts, in whatever order they come."""
    server.load(item("one", "device", 5))
    lease = server.authorize(device=DEVICE).lease
    server.time.forward(-(server.time.now + 600) % SLOT_SECONDS)
    released = server.time.now
    release.release(server.ctx, lease, released)
    server.time.forward(3600)
    newest = (released + 600) // SLOT_SECONDS - back
    server.report_many(lease, [entry(newest - 1, {"QR": 1}), entry(newest, {"QR": 1}), entry(newest - 9, {"QR": 1})])
    lines = auditlog.export(server.ctx, "", (goneon.GONE_ON,), 0, server.time.now + 1)
    assert [line.detail["item"] for line in lines] == ["one"] * told
