"""What a call costs that is about many items is charged, and holds up no others."""

from __future__ import annotations

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lts.config import RateLimits
from lts.httpd.dispatch import LONG
from lts.protocol import iso
from lts.rules.licensing.catalog import LIGHT_ITEMS
from lts.service.metering import authorize
from lts.web.client import limits
from lts.web.client.client_api import AUTHORIZE
from tests.support.kit import NOON, Lab, item
from tests.web.conftest import Served, Web

MANY = 100
FAR = "192.0.2.1"


def code_of(web: Web, count: int, product: str = "reader") -> str:
    """The code of a license with so many items."""
    items = [item(f"i{n}", "scan", 1000, product=product, modules=[f"M{n}"]) for n in range(count)]
    return web.lab.load(*items, license_id=f"{count}-{product}")


def begun(web: Web, code: str) -> Any:
    """An authorization that has begun."""
    data = json.dumps(web.asking(handshakeCode=code)).encode()
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": AUTHORIZE, "CONTENT_LENGTH": str(len(data)), "REMOTE_ADDR": FAR,
        "wsgi.input": io.BytesIO(data),
    }  # fmt: skip
    return web.app.begin(environ)


@pytest.mark.parametrize(("count", "large"), [(LIGHT_ITEMS, False), (LIGHT_ITEMS + 1, True)])
def test_an_authorization_of_many_items_leaves_its_group_and_weighs_as_much(web: Web, count: int, large: bool) -> None:
    pending = begun(web, code_of(web, count))
    assert (pending.takes_long, pending.write.weight) == (large, count if large else 0)
    assert pending.finish().status == 200


def test_the_items_of_another_product_do_not_count(web: Web) -> None:
    code = code_of(web, MANY, "another")
    pending = begun(web, code)
    assert (pending.takes_long, pending.write.weight) == (False, 0)
    assert pending.finish().status != 200


def test_a_report_weighs_as_much_as_its_lease_has_items(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = web.authorize(handshakeCode=code_of(web, MANY), modules=[f"M{n}" for n in range(MANY)]).json["lease"]
    few = web.authorize(deviceId="6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b99").json["lease"]
    weights: list[int] = []
    store = web.lab.ctx.store
    submit = store.submit

    def watched(work: Any, weight: int = 0) -> Any:
        weights.append(weight)
        return submit(work, weight)

    monkeypatch.setattr(store, "submit", watched)
    for one in (lease, few):
        assert web.report([{"slot": iso(NOON), "usage": {}}], one).status == 200
    assert weights == [MANY, 0]


def test_authorizations_of_many_items_count_as_several_requests(server: Lab) -> None:
    web = Web(server, RateLimits(device_requests_per_minute=1, device_burst=4, address_refusals_per_minute=1000))
    code = code_of(web, MANY)
    assert [web.authorize(handshakeCode=code).status for _ in range(2)] == [200, 429]
    few = Web(server, RateLimits(device_requests_per_minute=1, device_burst=4, address_refusals_per_minute=1000))
    assert [few.authorize().status for _ in range(5)] == [200] * 4 + [429]


def test_they_share_the_limit_of_large_reports_of_an_address(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WORK_BURST", 9)
    monkeypatch.setattr(limits, "WORK_PER_MINUTE", 1)
    web = Web(server, RateLimits(1000, 1000, 1000))
    code = code_of(web, MANY)

    def status(n: int, **more: Any) -> int:
        asked = {**web.asking(deviceId=f"6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b{n:02}"), **more}
        return web.call("POST", AUTHORIZE, asked, REMOTE_ADDR=FAR).status

    assert [status(n, handshakeCode=code) for n in range(10, 14)] == [200, 200, 200, 429]
    assert status(14) == 200, "one of few items is not held up"


def test_two_threads_finish_what_takes_long(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    code = code_of(served.web, MANY)
    names: set[str] = set()
    finish = authorize._finish

    def watched(*given: Any) -> Any:
        names.add(threading.current_thread().name + str(threading.get_ident()))
        return finish(*given)

    monkeypatch.setattr(authorize, "_finish", watched)

    def ask(n: int) -> int:
        asked = served.web.asking(handshakeCode=code, deviceId=f"6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b{n:02}")
        return served.ask("POST", AUTHORIZE, json.dumps(asked)).status

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(ask, range(10, 42))) == {200}
    assert 1 <= len(names) <= LONG
    assert all(name.startswith("lts-request") for name in names)
