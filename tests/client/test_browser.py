"""The client library for web pages, in a real Chromium, on a page of another origin than the server's."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from lts.protocol import DAY_SECONDS, LicenseKey, iso
from lts.server import Server
from lts.service.licensing import handshakes
from lts.service.statistics import usage
from lts.web.static_files import FOLDER
from tests.support.kit import NOON, Lab, Vendor, item
from tests.support.ports import free_port
from tests.support.wait import wait_until

LIBRARY = (FOLDER / "client" / "lts-client.js").read_bytes()
_PAGE = b"""<!doctype html><meta charset=utf-8><title>App</title>
<script type=module>import * as lts from '/lts-client.js'; window.lts = lts</script>"""
MOST_BYTES = 12_000


class Elsewhere:
    """An origin of its own, with the application's page; other paths answer as a test says."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, str, bytes]] = {}
        here = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                files = {"/": (200, "text/html", _PAGE), "/lts-client.js": (200, "text/javascript", LIBRARY)}
                self._answer(*files.get(self.path, (404, "text/plain", b"")))

            def do_OPTIONS(self) -> None:
                self._answer(204, "text/plain", b"")

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(*here.answers[self.path])

            def _answer(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Access-Control-Allow-Headers", "Content-Type")
                if status in (301, 302, 307):
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def origin() -> Iterator[Elsewhere]:
    made = Elsewhere()
    yield made
    made.close()


@pytest.fixture
def profile(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    yield context
    context.close()


def opened(profile: BrowserContext, origin: Elsewhere) -> Page:
    page = profile.new_page()
    page.goto(origin.url)
    page.wait_for_function("window.lts")
    return page


def start(page: Page, server: Lab, key: str | None = None, **options: Any) -> str:
    """Open a client on the page as `client`, whose clock is the lab's; its device."""
    given = {"product": "reader", "deploymentType": "server", "vendorKey": server.vendor.key.public.x, "reportEvery": 0,
             "timeout": 60_000, "now": server.time.wall * 1000, **options}  # fmt: skip
    text = key or handshakes.license_key(server.ctx, "216998-100")
    device: str = page.evaluate(
        """async ([key, options]) => {
            window.time = options.now;
            window.client = await lts.LtsClient.open(key, { ...options, clock: () => window.time });
            return client.deviceId;
        }""",
        [text, given],
    )
    return device


def run(page: Page, code: str) -> Any:
    """An async function's body, with what it throws as {error, code, number, message}."""
    return page.evaluate(
        f"""async () => {{
            try {{ return await (async () => {{ {code} }})(); }}
            catch (e) {{
                const {{ name, code, number, message, advice }} = e;
                return {{ error: name, code, number, message, advice }};
            }}
        }}"""
    )


def test_it_is_small() -> None:
    import gzip

    assert len(gzip.compress(LIBRARY, 9)) < MOST_BYTES


def test_a_page_of_another_origin_is_authorized_and_counts_once(
    served: Lab, origin: Elsewhere, profile: BrowserContext
) -> None:
    served.load(item())
    page = opened(profile, origin)
    device = start(page, served)
    claims = run(page, "return await client.authorize()")
    assert claims["sub"] == device
    assert run(page, "return [client.allowed('QR'), client.allowed('OCR')]") == [True, False]
    run(
        page,
        "client.use('QR', 3); client.use('QR'); await client.flush(); client.use('other', 2); await client.flush();",
    )
    assert run(page, "return (await client.flush())[0].status") in ("counted", "unchanged")
    assert served.used() == 6
    run(page, "await client.release()")
    assert run(page, "return client.lease") is None


def test_identity_lease_and_unsent_usage_survive_a_reload_and_a_dead_server(
    server: Lab, origin: Elsewhere, profile: BrowserContext
) -> None:
    server.load(item())
    port = free_port()
    config = replace(server.config, port=port)
    running = Server(server.here, config)
    thread = threading.Thread(target=running.run)
    thread.start()
    page = opened(profile, origin)
    device = start(page, server)
    run(page, "await client.authorize()")
    running.stop()
    thread.join()
    run(page, "client.use('QR', 4); await client.saved()")
    page.reload()
    page.wait_for_function("window.lts")
    assert (
        start(page, server, LicenseKey((f"http://127.0.0.1:{port}/lts/",), None, "216998-100", None, None).encode())
        == device
    )
    assert run(page, "return client.allowed('QR')")
    assert run(page, "return (await client.authorize()).sub") == device  # the lease at hand goes on
    assert run(page, "await client.flush()")["error"] == "Unreachable"
    again = Server(server.here, config)
    thread = threading.Thread(target=again.run)
    thread.start()
    try:
        assert [one["status"] for one in run(page, "return await client.flush()")] == ["counted"]
        assert server.used() == 4
    finally:
        again.stop()
        thread.join()


def test_tabs_share_one_identity_and_one_outbox(served: Lab, origin: Elsewhere, profile: BrowserContext) -> None:
    served.load(item())
    tabs = [opened(profile, origin) for _ in range(3)]
    assert len({start(tab, served) for tab in tabs}) == 1
    for tab in tabs:
        run(tab, "await client.authorize(); for (let i = 0; i < 20; i++) client.use('QR'); await client.flush();")
    for tab in tabs:
        run(tab, "await client.flush()")
    assert served.used() == 60
    run(tabs[0], "for (let i = 0; i < 100; i++) { client.use('QR'); await new Promise((go) => setTimeout(go)); }")
    run(tabs[0], "client.use('QR', 5); await client.saved()")
    tabs[0].close()
    run(tabs[1], "await client.flush()")
    assert served.used() == 165


def test_ten_days_offline_work_until_the_lease_ends(served: Lab, origin: Elsewhere, profile: BrowserContext) -> None:
    served.load(item(quota=1000, maxOfflineDays=8))
    page = opened(profile, origin)
    start(page, served)
    run(page, "await client.authorize()")
    told = run(
        page,
        f"""const found = []; for (let day = 0; day < 10; day++) {{
            if (day) window.time += {DAY_SECONDS * 1000};
            try {{ client.use('QR', day + 1); found.push(0); }} catch (e) {{ found.push(e.number); }}
        }} await client.saved(); return found;""",
    )
    assert told == [0] * 8 + [-20111] * 2
    served.time.forward(9 * DAY_SECONDS)
    run(page, "await client.flush()")
    table = usage.usage(served.ctx, grouping="day")
    assert [table.rows[day, "QR"] for day in table.groups] == list(range(1, 9))
    assert table.groups[0] == iso(NOON)[:10]
    assert (
        run(page, "window.time -= 864e5 * 5; return client.now()") >= NOON + 9 * DAY_SECONDS
    )  # set back: gains nothing


def test_a_refusal_has_its_code_number_and_advice(served: Lab, origin: Elsewhere, profile: BrowserContext) -> None:
    served.load(item())
    page = opened(profile, origin)
    start(page, served, product="another")
    told = run(page, "await client.authorize()")
    assert (told["error"], told["code"], told["number"]) == ("Refused", 106, -20106)
    assert "product" in told["advice"]


def test_another_vendors_server_and_a_changed_lease_are_not_trusted(
    served: Lab, origin: Elsewhere, profile: BrowserContext
) -> None:
    served.load(item())
    page = opened(profile, origin)
    start(page, served, vendorKey=Vendor().key.public.x)
    assert run(page, "await client.authorize()")["error"] == "NotTrusted"
    assert run(page, "return client.lease") is None
    got = served.authorize()
    for at in (10, len(got.lease) // 2, len(got.lease) - 5):
        wrong = got.lease[:at] + ("A" if got.lease[at] != "A" else "B") + got.lease[at + 1 :]
        told = page.evaluate(
            "async ([l, c, k]) => lts.verifyLease(l, c, k).then(() => 'believed', (e) => e.name)",
            [wrong, list(got.certificates), served.vendor.key.public.x],
        )
        assert told == "NotTrusted"
    good = page.evaluate(
        "async ([l, c, k]) => (await lts.verifyLease(l, c, k)).claims.iss",
        [got.lease, list(got.certificates), served.vendor.key.public.x],
    )
    assert good == served.ctx.identity.uuid


@pytest.mark.parametrize(
    "answer",
    [(200, "text/html", b"<html>Log in to the hotel's network</html>"), (200, "application/json", b'{"lease": "half'),
     (302, "text/html", b""), (502, "text/html", b"bad gateway"), (200, "application/json", b"[]"),
     (200, "application/json", b"null"),
     (200, "application/json", b'{"serverTime": "2026-11-25T12:00:00Z", "chain": "x"}'),
     (200, "application/json", b'{"serverTime": "2026-11-25T12:00:00Z", "chain": "x", "lease": ""}')],
)  # fmt: skip
def test_answers_that_are_not_from_lts_are_said_to_be(
    server: Lab, origin: Elsewhere, profile: BrowserContext, answer: tuple[int, str, bytes]
) -> None:
    origin.answers = {"/api/v1/authorize": answer}
    page = opened(profile, origin)
    start(page, server, LicenseKey((origin.url,), None, "216998-100", None, None).encode())
    assert run(page, "return await client.authorize()")["error"] == "Unreachable"
    assert run(page, "return client.lease") is None


def test_the_standby_is_tried_when_the_main_is_gone(served: Lab, origin: Elsewhere, profile: BrowserContext) -> None:
    served.load(item())
    own = LicenseKey.decode(handshakes.license_key(served.ctx, "216998-100"))
    key = LicenseKey(("http://127.0.0.1:9/lts/", *own.servers), None, "216998-100", None, None).encode()
    page = opened(profile, origin)
    start(page, served, key)
    assert run(page, "return (await client.authorize()).hs") == "216998-100"


def test_blocked_storage_is_said_and_stops_nobody(served: Lab, origin: Elsewhere, profile: BrowserContext) -> None:
    served.load(item())
    page = opened(profile, origin)
    page.evaluate("() => { indexedDB.open = () => { throw new DOMException('blocked', 'SecurityError'); }; }")
    start(page, served)
    assert "each visit is a device of its own" in run(page, "return client.storageFault")
    run(page, "await client.authorize(); client.use('QR', 3); await client.flush();")
    assert served.used() == 3


@pytest.mark.parametrize("key", ["", "LTS2", "LTS2!!!", "LTS1abc", "LTS2" + "e30"])
def test_a_damaged_key_says_what_to_do(server: Lab, origin: Elsewhere, profile: BrowserContext, key: str) -> None:
    page = opened(profile, origin)
    told = run(page, f"await lts.LtsClient.open({json.dumps(key)}, {{ product: 'reader', allowPinned: true }})")
    assert (told["error"], told["code"]) == ("Refused", 101)
    assert "Copy it whole from the portal" in told["message"]


@pytest.mark.parametrize("key", ["…", "abc", "A" * 44])
def test_an_invalid_vendors_key_is_reported_before_any_server_is_asked(
    served: Lab, origin: Elsewhere, profile: BrowserContext, key: str
) -> None:
    served.load(item())
    page = opened(profile, origin)
    options = f"{{ product: 'reader', vendorKey: {json.dumps(key)} }}"
    text = handshakes.license_key(served.ctx, "216998-100")
    told = run(page, f"await lts.LtsClient.open({json.dumps(text)}, {options})")
    assert told["error"] == "NotTrusted"
    assert "no vendor's public key: 43 letters" in told["message"]


def test_without_a_vendors_key_the_first_server_is_pinned(
    served: Lab, origin: Elsewhere, profile: BrowserContext
) -> None:
    served.load(item())
    page = opened(profile, origin)
    told = run(page, "await lts.LtsClient.open('LTS2e30', { product: 'reader' })")
    assert (told["error"], told["code"]) == ("Refused", 101)
    start(page, served, vendorKey=None, allowPinned=True)
    run(page, "await client.authorize()")
    assert run(page, "return client.allowed('QR')")


def test_usage_is_reported_by_itself(served: Lab, origin: Elsewhere, profile: BrowserContext) -> None:
    served.load(item())
    page = opened(profile, origin)
    start(page, served, reportEvery=100)
    run(page, "await client.authorize(); client.use('QR', 2);")
    wait_until(lambda: served.used() == 2, "the usage is counted")
    run(page, "await client.close()")
