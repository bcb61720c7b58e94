"""How long a lease is good for, what is kept of a refused request, and who is shown to hold what."""

from __future__ import annotations

from typing import Any

import pytest

from lts.errors import Refusal
from lts.protocol import DAY_SECONDS, SLOT_SECONDS, iso
from lts.rules.authorize import Request
from lts.service.metering import explain
from tests.support.kit import NOON, Lab, item

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
    assert kept.asked["modules"] == [name[:100] for name in modules[:20]]
    assert (kept.asked["device"], kept.asked["version"]) == (DEVICE.lower(), "8")
    assert "geheim" not in str(kept)
    assert server.ctx.calls.of_last_hour(1, NOON) == (1, 1)
    server.authorize(code)
    assert server.ctx.calls.of_last_hour(1, NOON) == (1, 2)
    with pytest.raises(Refusal):
        server.authorize("nothing")
    assert server.ctx.refusals.latest()[0].handshake_code == "nothing"
    assert server.ctx.calls.of_last_hour(1, NOON) == (1, 2)


@pytest.mark.parametrize("way", ["device", "concurrentDevice"])
def test_twenty_holders_of_seats_are_shown_the_first_to_end_first(server: Lab, way: str) -> None:
    server.load(item("one", way, 21, graceQuota=0, overdraft=0, maxOfflineDays=1, activePeriod="daily"))
    begun = server.time.now
    for _ in range(21):
        server.authorize()
        server.time.forward(60)
    asked = Request(bytes(16), "reader", "server", handshake_code="216998-100")
    told = explain.explain(server.ctx, asked, server.time.now)
    [one] = told["items"]
    assert (told["code"], one["code"], one["quota"], one["grace"]) == (120, 120, 21, 0)
    assert [holder["until"] for holder in one["holders"]] == [
        iso(begun + DAY_SECONDS + 60 * number) for number in range(20)
    ]
    assert one["nextFree"] == one["holders"][0]["until"]


def test_an_item_without_seats_shows_no_holders(server: Lab) -> None:
    server.load(item("one"))
    asked = Request(bytes(16), "reader", "server", handshake_code="216998-100")
    told = explain.explain(server.ctx, asked, server.time.now)
    assert (told["code"], told["detail"], told["granted"]) == (0, "The request would be granted.", ["one"])
    assert "holders" not in told["items"][0]
    told = explain.explain(server.ctx, asked._replace(handshake_code="nothing"), server.time.now)
    assert (told["code"], told["items"]) == (101, [])
