"""`python3 -m tests --doc-pictures`: the guide's pictures, made again in docs/pictures/.

English, light, of what the text beside them speaks of and no more; over a furnished server and a real pair.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, FilePayload, FloatRect, Locator, Page, ViewportSize, sync_playwright

from lts.service.licensing import serverurls
from tests.portal.conftest import Site
from tests.support.furnish import furnish
from tests.support.kit import NOON, item, lab
from tests.support.programs import bring
from tests.support.twins import twins
from tests.support.visitor import Visitor, chromium

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pictures"
WIDE: ViewportSize = {"width": 1320, "height": 900}
SIZE: ViewportSize = {"width": 1240, "height": 900}
MARGIN = 12
MOST_BYTES = 80_000
URL, STANDBY_URL = "https://www.example.com/lts/", "https://standby.example.com/lts/"


def main() -> int:
    """Exit code 0 when every picture is made, and none is too large for a page of text."""
    bring(["chromium"])
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = chromium(playwright)
        _portal(browser, Path(folder) / "portal")
        _pair(browser, Path(folder) / "pair")
        browser.close()
    sizes = {path.name: path.stat().st_size for path in sorted(FOLDER.glob("*.png"))}
    for name, size in sizes.items():
        print(f"{name} {size // 1000} kB")
    return int(max(sizes.values()) > MOST_BYTES)


def _take(page: Page, name: str, *shown: Locator) -> None:
    """The rectangle around all that is to be seen, with a margin."""
    page.evaluate("document.activeElement?.blur()")
    page.wait_for_timeout(300)  # charts are drawn after their page has settled
    boxes = [box for one in shown if (box := one.bounding_box())]
    left = max(0, min(box["x"] for box in boxes) - MARGIN)
    top = max(0, min(box["y"] for box in boxes) - MARGIN)
    right = max(box["x"] + box["width"] for box in boxes) + MARGIN
    bottom = max(box["y"] + box["height"] for box in boxes) + MARGIN
    clip: FloatRect = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    page.screenshot(path=FOLDER / f"{name}.png", full_page=True, clip=clip)


def _card(page: Page, heading: str) -> Locator:
    return page.locator(".card").filter(has=page.get_by_role("heading", name=heading, exact=True))


def _visit(browser: Browser, base: str) -> Visitor:
    return Visitor(browser, base, color_scheme="light", viewport=SIZE)


def _portal(browser: Browser, folder: Path) -> None:
    folder.mkdir()
    with lab(folder) as here:
        code = furnish(here, days=29, odd=False)
        serverurls.change(here.ctx, [URL], "admin", NOON)
        site = Site(here)
        visitor = _visit(browser, site.base)
        page = visitor.page
        page.goto(f"{site.base}page/#/index.html?setup={site.setup_code}")
        page.get_by_label("New password").wait_for()
        _take(page, "first-visit", page.locator(".card, form").first)
        visitor.set_up(site.setup_code)
        page = visitor.open("index")
        _take(
            page,
            "home",
            page.get_by_role("link", name="Security"),
            page.get_by_role("button", name="Sign out"),
            _card(page, "This server"),
        )
        _import(visitor, here.vendor.file(here.ctx, item("scans-2027", quota=20_000), license_id="100031950"))
        page.set_viewport_size(WIDE)
        page = visitor.open("handshake-codes")
        _take(page, "handshake-codes", page.get_by_role("button", name="Set Server URL"), page.locator(".card").last)
        page.set_viewport_size(SIZE)
        page = visitor.open("statistics", f"?code={code}&days=30")
        _take(page, "statistics", _card(page, "Trend"))
        page = visitor.open("usage-alerts")
        _take(page, "usage-alerts", _card(page, "Mail"), _card(page, "Thresholds"))
        visitor.close()
        site.stop()


def _import(visitor: Visitor, file: bytes) -> None:
    page = visitor.open("license-items")
    chosen: FilePayload = {"name": "LTS_100031950.lic", "mimeType": "", "buffer": file}
    page.locator("input[type=file]").set_input_files(chosen)
    page.get_by_role("region", name="What will change").wait_for()
    _take(page, "import", _card(page, "Import a license file"))


def _pair(browser: Browser, folder: Path) -> None:
    with twins(folder, item(startsAt="2026-11-01T00:00:00Z", expiresAt=None)) as pair:
        pair.start()
        owner = _visit(browser, f"http://127.0.0.1:{pair.main.port}/lts/")
        owner.set_up(pair.main.admin("GET", "/setup-code")[1]["setupCode"])
        page = owner.open("standby")
        url = page.get_by_text(f"http://127.0.0.1:{pair.to_standby.port}/lts/")
        url.evaluate("(shown, text) => { shown.textContent = text }", STANDBY_URL)  # as a reader's will be
        _take(page, "standby", page.locator(".pair-grid"))
        page.goto("about:blank")
        owner.close()


if __name__ == "__main__":
    sys.exit(main())
