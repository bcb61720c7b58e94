"""The portal behind a real nginx: under any prefix, by http and https, nothing leaves its place."""

from __future__ import annotations

import csv
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.portal.conftest import Site
from tests.portal.proxy import ODD_PATHS, WAYS, follow, nginx
from tests.support.kit import item
from tests.support.visitor import PAGES, Visitor
from tests.support.wait import PATIENCE

pytestmark = [pytest.mark.slow, pytest.mark.needs("nginx")]


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("way", list(WAYS))
def test_every_address_stays_under_the_prefix(
    site: Site, visit: Callable[..., Visitor], tmp_path: Path, way: str, tls: bool
) -> None:
    code = site.lab.load(item("one"))
    got = site.lab.authorize(code)
    site.lab.report(got.lease, {"QR": 5})
    with nginx(tmp_path / "nginx", site.listener.port, way, tls=tls) as base:
        root = f"{urlsplit(base).scheme}://{urlsplit(base).netloc}"
        for path in ODD_PATHS:
            for address in follow(base + path):
                assert address.startswith(base), address
        if way != "root":
            assert all(address.startswith(root) for address in follow(base.rstrip("/")))
        visitor = visit(base, ignore_https_errors=True, accept_downloads=True)
        asked: list[str] = []
        visitor.page.on("request", lambda request: asked.append(request.url))
        visitor.set_up(site.setup_code)
        for name in PAGES:
            visitor.open(name)
        with visitor.page.expect_download() as request:
            visitor.open("index").get_by_role("link", name="Download activation request").click()
        assert request.value.suggested_filename.endswith(".json")
        page = visitor.open("statistics")
        with page.expect_download() as table:
            page.get_by_role("link", name="CSV", exact=True).click()
        rows = list(csv.DictReader(Path(table.value.path()).read_text(encoding="utf-8-sig").splitlines()))
        assert [row["units"] for row in rows] == ["5"]
        cookies = visitor.context.cookies()
        assert cookies
        for cookie in cookies:
            assert cookie["httpOnly"]
            assert cookie["sameSite"] == "Strict"
            assert cookie["secure"] == tls
            assert cookie["path"] == f"{base[len(root) :]}api/v1/admin"
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("heading", name="Sign in").wait_for()
        assert all(url.startswith((base, "blob:", "data:")) for url in asked), asked
        visitor.leave()


def test_a_forged_host_gets_into_no_key(site: Site, tmp_path: Path) -> None:
    site.lab.load(item("one"))
    with nginx(tmp_path / "nginx", site.listener.port, "kept") as base:
        headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Authorization": "Bearer cli-token"}
        asked = urllib.request.Request(f"{base}api/v1/admin/handshakes?keys=true", headers=headers)
        with pytest.raises(
            urllib.error.HTTPError
        ) as refused:  # a call that a proxy forwards is nobody's on this machine
            urllib.request.urlopen(asked, timeout=PATIENCE)
        assert refused.value.code == 401
