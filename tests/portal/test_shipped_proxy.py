"""nginx and Caddy as we ship them in front of a server: TLS, the prefix, limits, addresses, connections kept."""

from __future__ import annotations

import http.client
import json
import re
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from lts.client import Client, Unreachable
from lts.client.transport import HttpTransport
from lts.httpd.channel import Acceptor
from lts.service.licensing import handshakes, serverurls
from lts.service.pair import copytaker
from tests.portal.conftest import Site
from tests.portal.proxy import ODD_PATHS, follow
from tests.portal.shipped import FOLDER, FRONTS, HOST, Front, front
from tests.support.kit import Lab, item, lab
from tests.support.ports import free_port
from tests.support.visitor import PASSWORD, Visitor
from tests.support.wait import PATIENCE

pytestmark = [pytest.mark.slow, pytest.mark.needs("nginx", "caddy")]

LICENSE_LIMIT = 1 << 20
OTHERS_LIMIT = 2 << 20
ENORMOUS = 64 << 20
SOMEBODY = "127.0.0.2"
"""A client's address; the proxies reach the server from 127.0.0.1."""


class Answer:
    """What came back on a connection of its own, from a client at the address SOMEBODY. Who is cut off while it sends
    tries again: Caddy reads no more once the server has answered."""

    def __init__(self, front: Front, method: str, path: str, body: bytes | None = None, **headers: str) -> None:
        for left in reversed(range(10)):
            try:
                self._ask(front, method, path, body, headers)
                return
            except (ssl.SSLEOFError, ConnectionError):
                if front.name != "caddy" or not left:
                    raise

    def _ask(self, front: Front, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> None:
        context = ssl.create_default_context(cafile=str(front.ca_file))
        connection = http.client.HTTPSConnection(HOST, front.https, timeout=PATIENCE, context=context,
                                                 source_address=(SOMEBODY, 0))  # fmt: skip
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Content-Type": "application/json", **sent})
        answer = connection.getresponse()
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()
        connection.close()

    @property
    def json(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A server that trusts the proxy on its machine, with one license."""
    with lab(tmp_path) as here:
        here.load(item("one"))
        served = Site(here, trusted_proxies=("127.0.0.1",))
        yield served
        served.stop()


@pytest.fixture(params=FRONTS)
def proxy(request: pytest.FixtureRequest, site: Site, tmp_path: Path) -> Iterator[Front]:
    """Each shipped proxy before the server."""
    with front(request.param, tmp_path / "front", site.listener.port) as made:
        yield made


def license_of(here: Lab, size: int) -> bytes:
    """A new license, with blanks at its end up to that size."""
    return here.vendor.file(here.ctx, item("two"), license_id="200").ljust(size)


def client_of(here: Lab, proxy: Front, **more: Any) -> Client:
    """An application whose key names the proxy, and which trusts its certificate."""
    serverurls.change(here.ctx, [proxy.base], "test", here.time.now)
    return Client(handshakes.license_key(here.ctx, "216998-100"), product="reader", deployment_type="server",
                  vendor_key=here.vendor.key.public.x, clock=lambda: here.time.wall,
                  transport=HttpTransport(str(proxy.ca_file)), **more)  # fmt: skip


def choose(visitor: Visitor, path: Path, data: bytes) -> None:
    """Choose a license file on the page License Items."""
    path.write_bytes(data)
    visitor.open("license-items").get_by_label("License file").set_input_files(path)


def test_the_portal_signs_in_and_imports_up_to_the_limit(
    proxy: Front, site: Site, visit: Callable[..., Visitor], tmp_path: Path
) -> None:
    visitor = visit(proxy.base, ignore_https_errors=True)
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    page = visitor.set_up(site.setup_code)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    page = visitor.sign_in()
    assert all(cookie["secure"] for cookie in visitor.context.cookies())
    choose(visitor, tmp_path / "one too many.lic", license_of(site.lab, LICENSE_LIMIT + 1))
    page.get_by_role("alert").get_by_text("larger than 1 MiB").wait_for()
    choose(visitor, tmp_path / "at the limit.lic", license_of(site.lab, LICENSE_LIMIT))
    page.get_by_role("region", name="What will change").get_by_role("button", name="Import").click()
    page.get_by_role("table", name="Activated License Items").get_by_role("row").filter(has_text="two").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    assert all(url.startswith((proxy.base, "blob:", "data:")) for url in asked), asked


def test_a_client_authorizes_reports_and_gives_back(proxy: Front, site: Site, tmp_path: Path) -> None:
    here = site.lab
    with client_of(here, proxy, state=tmp_path / "client") as client:
        assert client.allowed("QR")
        client.use("QR", 3)
        assert [one["status"] for one in client.flush()] == ["counted"]
        client.release()
    assert here.used() == 3
    assert here.live() == 0


def test_http_is_sent_to_https_with_method_and_address_kept(proxy: Front) -> None:
    connection = http.client.HTTPConnection(HOST, proxy.http, timeout=PATIENCE)
    connection.request("POST", "/lts/page/?x=%2F1", b"{}")
    answer = connection.getresponse()
    assert answer.status == 308
    assert answer.headers["Location"] == f"{proxy.base}page/?x=%2F1"
    connection.close()


def test_the_address_without_slash_keeps_scheme_host_and_port(proxy: Front) -> None:
    answer = Answer(proxy, "GET", "/lts")
    assert answer.status == 308
    assert urljoin(f"https://{HOST}:{proxy.https}/lts", answer.headers["Location"]) == proxy.base


def test_every_redirect_stays_under_the_prefix(proxy: Front) -> None:
    for path in ODD_PATHS:
        for address in follow(proxy.base + path):
            assert address.startswith(proxy.base), address


def test_nothing_else_goes_to_the_server(proxy: Front) -> None:
    assert Answer(proxy, "GET", "/lts/api/v1/health").headers["X-Request-Id"]
    for path in ("/", "/lts2", "/ltsx/api/v1/health", "/api/v1/health"):
        assert Answer(proxy, "GET", path).headers["X-Request-Id"] is None, path


def test_a_report_at_the_limit_is_counted_and_one_over_it_is_refused_in_words(proxy: Front, site: Site) -> None:
    limit = site.lab.config.max_request_bytes
    got = site.lab.authorize()
    slot = {"slot": "2026-11-25T12:00:00Z", "usage": {"QR": 2}}
    report = json.dumps({"lease": got.lease, "chain": None, "reports": [slot]}).encode()
    counted = Answer(proxy, "POST", "/lts/api/v1/report", report.ljust(limit))
    assert (counted.status, counted.json["results"][0]["status"]) == (200, "counted")
    refused = Answer(proxy, "POST", "/lts/api/v1/report", report.ljust(limit + 1))
    assert (refused.status, refused.json["code"]) == (413, 144)
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert ("X-Request-Id" in refused.headers) == (proxy.name == "caddy")  # nginx has the same limit, Caddy none
    assert refused.headers["Access-Control-Allow-Origin"] == "*"  # a web page may read why
    assert site.lab.used() == 2


@pytest.mark.parametrize("path", ["authorize", "release", "admin/setup"])
def test_what_the_server_refuses_comes_in_its_own_words(proxy: Front, path: str) -> None:
    refused = Answer(proxy, "POST", f"/lts/api/v1/{path}", b" " * (OTHERS_LIMIT + 1), X_LTS_CSRF="sign-in")
    assert (refused.status, refused.json["code"]) == (413, 144)
    assert refused.json["requestId"] == refused.headers["X-Request-Id"]


def test_an_enormous_upload_is_answered_and_not_cut_off(site: Site, tmp_path: Path) -> None:
    """The sender reads 413, not a reset. Not so behind Caddy, which reads no more once it has answered."""
    with front("nginx", tmp_path / "front", site.listener.port) as proxy:
        refused = Answer(proxy, "POST", "/lts/api/v1/admin/licenses", bytes(ENORMOUS))
        assert (refused.status, refused.json["code"]) == (413, 144)
        assert Answer(proxy, "GET", "/lts/api/v1/health").status == 200


def address_of_session(proxy: Front, site: Site, forged: str) -> str:
    """Where the server thinks a sign-in comes from that claims to come from somewhere else."""
    body = json.dumps({"code": site.setup_code, "password": PASSWORD}).encode()
    done = Answer(proxy, "POST", "/lts/api/v1/admin/setup", body, X_LTS_CSRF="sign-in", X_Forwarded_For=forged)
    assert done.status == 200
    rows = site.lab.rows("SELECT address FROM sessions")
    assert len(rows) == 1
    return str(rows[0][0])


def test_a_trusted_proxy_is_believed_and_who_forges_its_header_is_not(proxy: Front, site: Site) -> None:
    assert address_of_session(proxy, site, "203.0.113.9") == SOMEBODY


@pytest.mark.parametrize("name", FRONTS)
def test_a_proxy_that_is_not_trusted_counts_as_the_client(server: Lab, tmp_path: Path, name: str) -> None:
    site = Site(server)
    with front(name, tmp_path / "front", site.listener.port) as proxy:
        assert address_of_session(proxy, site, "203.0.113.9") == "127.0.0.1"
    site.stop()


def test_what_is_for_this_machine_alone_is_not_for_the_proxy(proxy: Front) -> None:
    assert Answer(proxy, "GET", "/lts/metrics").status == 403
    assert Answer(proxy, "GET", "/lts/api/v1/admin/tokens", Authorization="Bearer cli-token").status == 401


def test_the_proxy_keeps_its_connection(proxy: Front, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted: list[Acceptor] = []
    accept = Acceptor.handle_accept

    def counted(acceptor: Acceptor) -> None:
        accepted.append(acceptor)
        accept(acceptor)

    monkeypatch.setattr(Acceptor, "handle_accept", counted)
    lease = site.lab.authorize().lease
    for _ in range(5):
        assert Answer(proxy, "GET", "/lts/api/v1/health").status == 200
        assert Answer(proxy, "POST", "/lts/api/v1/authorize", b"{}").status == 400
    assert Answer(proxy, "POST", "/lts/api/v1/release", json.dumps({"lease": lease}).encode()).status == 204
    assert Answer(proxy, "GET", "/lts/api/v1/health").status == 200
    assert len(accepted) == 1


def test_nginx_waits_as_long_as_a_standby_does_for_its_copy() -> None:
    waits = re.search(r"proxy_read_timeout (\d+)s;", (FOLDER / "nginx.conf").read_text(encoding="utf-8"))
    assert waits
    assert int(waits[1]) > copytaker.OFFER_SECONDS


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "this large; raise client_max_body_size"),
        ({"error_page 413": "#"}, "raise its limit (in nginx client_max_body_size)"),
    ],
    ids=["as shipped", "nginx's own page"],
)
def test_a_proxy_with_too_small_a_limit_is_named_by_the_portal(
    site: Site, visit: Callable[..., Visitor], tmp_path: Path, changes: dict[str, str], sentence: str
) -> None:
    changes = {"client_max_body_size 4m;": "client_max_body_size 1k;", **changes}
    with front("nginx", tmp_path / "front", site.listener.port, changes) as proxy:
        visitor = visit(proxy.base, ignore_https_errors=True)
        visitor.allowed.append("status of 413")
        visitor.set_up(site.setup_code)
        choose(visitor, tmp_path / "two.lic", license_of(site.lab, 100_000))
        visitor.page.get_by_role("alert").get_by_text(sentence).wait_for()
        visitor.leave()


@pytest.mark.parametrize("name", FRONTS)
def test_a_proxy_alone_says_that_the_server_is_gone(
    visit: Callable[..., Visitor], server: Lab, tmp_path: Path, name: str
) -> None:
    server.load(item("one"))
    site = Site(server, free_port())
    with front(name, tmp_path / "front", site.listener.port) as proxy:
        client = client_of(server, proxy)
        visitor = visit(proxy.base, ignore_https_errors=True)
        visitor.allowed.append("status of 502")
        visitor.set_up(site.setup_code)
        page = visitor.open("license-items")
        site.stop()
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Home").click()
        page.get_by_role("alert").get_by_text("cannot reach it. Is it running?").first.wait_for()
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Devices").click()  # not loaded before
        page.get_by_role("alert").get_by_text("This could not be loaded.").wait_for()
        with pytest.raises(Unreachable):
            client.authorize()
        again = Site(server, site.listener.port)
        page.get_by_role("button", name="Try again").click()
        page.get_by_role("heading", name="Devices").wait_for()
        assert client.authorize().items
        visitor.leave()
        again.stop()
