"""A lease that was given can be used, however many modules it has; one that could not is not given."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from lts.protocol import MAX_REPORT_SLOTS, SLOT_SECONDS, iso
from lts.service.metering.authorize import MAX_NAMES_BYTES
from lts.web.messages import MAX_LEASE
from tests.support.kit import NOON, item
from tests.web.conftest import TOKEN, Answer, Web, problem

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
