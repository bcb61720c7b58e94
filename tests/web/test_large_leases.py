"""A lease that was given can be used, however many modules it has; one that could not is not given."""

from __future__ import annotations

import gzip
import json
from bisect import bisect_left
from dataclasses import replace
from typing import Any

import pytest

from lts.protocol import MAX_REPORT_SLOTS, SLOT_SECONDS, FeedPlace, Receipt, iso
from lts.rules.metering.asked import asked_by
from lts.rules.metering.authorize import Grant
from lts.rules.metering.checks import Request
from lts.rules.metering.seats import Seat
from lts.service.metering.authorize import MAX_NAMES_BYTES, Promise, make_lease, too_large
from lts.web.wire.messages import MAX_LEASE
from tests.support.kit import NOON, at, item
from tests.web.conftest import DEVICE, TOKEN, Answer, Web, problem

LENGTH = 60


def of_modules(web: Web, count: int, letter: str = "x") -> str:
    """The code of a license whose one item has so many modules with long names."""
    names = [f"module-{number:04}-".ljust(LENGTH, letter) for number in range(count)]
    return web.lab.load(item("large", "scan", 10**6, modules=names), license_id="200")


def packed(web: Web, path: str, body: dict[str, Any]) -> Answer:
    data = gzip.compress(json.dumps(body).encode())
    return web.call("POST", f"/api/v1/{path}", data, HTTP_CONTENT_ENCODING="gzip")


def entries(count: int) -> list[dict[str, Any]]:
    """Entries of which every second one is refused."""
    ahead = [iso(NOON + 86_400 + at * SLOT_SECONDS) for at in range(count)]
    return [{"slot": ahead[at] if at % 2 else iso(NOON - at * SLOT_SECONDS), "usage": {"x": 1}} for at in range(count)]


@pytest.mark.parametrize(("count", "letter"), [(400, "x"), (800, "x"), (1400, "x"), (500, "许")])
def test_a_lease_over_64_kib_is_read_back(web: Web, count: int, letter: str) -> None:
    lease = web.authorize(handshakeCode=of_modules(web, count, letter)).json["lease"]
    assert (len(lease) > 64 << 10) == (count != 400)
    first = web.report(entries(1), lease)
    assert first.json["results"][0]["status"] == "counted"
    renewed = first.json["lease"]
    assert packed(web, "report", {"lease": renewed, "reports": entries(2)}).json["lease"] is not None
    assert packed(web, "release", {"lease": renewed}).status == 204
    assert web.call("POST", "/api/v1/release", {"lease": lease}).status == 204


def test_the_largest_lease_is_read_back_with_the_longest_receipt_in_it(web: Web) -> None:
    count = MAX_NAMES_BYTES // (LENGTH + 3) - 10
    lease = web.authorize(handshakeCode=of_modules(web, count)).json["lease"]
    renewed = web.report(entries(MAX_REPORT_SLOTS), lease).json["lease"]
    assert len(lease) < len(renewed) <= MAX_LEASE
    assert web.report(entries(1), renewed).status == 200


def test_a_larger_lease_is_not_given_and_nothing_changes(web: Web) -> None:
    code = of_modules(web, MAX_NAMES_BYTES // LENGTH)
    before = web.lab.ctx.store.serial
    refused = web.authorize(handshakeCode=code)
    assert (refused.status, problem(refused)["code"], problem(refused)["field"]) == (413, 144, "modules")
    assert web.lab.ctx.store.serial == before
    why = web.call(
        "POST", "/api/v1/admin/explain", web.asking(handshakeCode=code), HTTP_AUTHORIZATION=f"Bearer {TOKEN}"
    )
    assert (why.json["code"], why.json["detail"]) == (144, problem(refused)["detail"])
    some = ["module-0000-".ljust(LENGTH, "x")]
    assert web.authorize(handshakeCode=code, modules=some).json["items"][0]["modules"] == some


def granted_of(web: Web, count: int, length: int, modules: int) -> tuple[Grant, ...]:
    """So many granted items with names of this length, each with so many modules. What else a lease says of an item is
    as long as it can be."""
    web.lab.load(item("large", "concurrentInstance"), license_id="200")
    one = next(i for i in web.lab.ctx.store.catalog.items.values() if i.terms.item_id == "large")
    seat = Seat(10**9, 2**40, instances=2**31 - 1)
    names = tuple(f"m{n}" for n in range(modules))
    return tuple(
        Grant(replace(one, terms=replace(one.terms, item_id=f"{n:x}".rjust(length, "i"))), names, False, seat, 2**40)
        for n in range(count)
    )


@pytest.mark.parametrize(("length", "modules"), [(1, 0), (1, 1), (20, 3), (64, 0), (3, 60)])
@pytest.mark.parametrize("asked", [0, 1000])
def test_the_most_items_that_are_given_fit_in_a_lease(web: Web, length: int, modules: int, asked: int) -> None:
    ctx, code = web.lab.ctx, web.lab.ctx.store.catalog.codes[web.code]
    request = Request(b"d" * 16, "p", "server", modules=tuple(f"{n:x}".rjust(40, "m") for n in range(asked)))
    every = granted_of(web, 2000, length, modules)
    fits = bisect_left(range(len(every)), x=True, key=lambda n: too_large(every[: n + 1], request, code) is not None)
    assert 0 < fits < len(every)
    runs = Receipt("h" * 43, "1r142 1r144 " * (MAX_REPORT_SLOTS // 2), "single")
    promise = Promise(DEVICE, code.key, code.name, asked_by(request, code), NOON)
    lease = make_lease(ctx, promise, every[:fits], FeedPlace("o" * 32, 2**53, "h" * 8), at(NOON), runs)
    assert len(ctx.leases.sign(lease)) <= MAX_LEASE
