"""`python3 -m tests --screenshots`: pictures of every page into screenshots/, which git ignores.

In English and Chinese, light and dark, on a desktop and on a phone, over a furnished server and a real pair.
"""

from __future__ import annotations

import sys
import tempfile
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Cookie, FilePayload, ViewportSize, sync_playwright

from lts.rules.alerting.alertmail import AlertingServer, render
from tests.portal.conftest import Site
from tests.support.furnish import every_event, furnish
from tests.support.kit import NOON, item, lab
from tests.support.programs import bring
from tests.support.twins import twins
from tests.support.visitor import PAGES, Visitor, chromium

FOLDER = Path(__file__).resolve().parents[2] / "screenshots"
SIZES: dict[str, ViewportSize] = {"desktop": {"width": 1360, "height": 850}, "phone": {"width": 390, "height": 844}}
LANGUAGES = {"en": "en-GB", "zh": "zh-CN"}
SCHEMES = ("light", "dark")


def main() -> int:
    """Exit code 0 when every picture is made."""
    bring(["chromium"])
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = chromium(playwright)
        _portal(browser, Path(folder) / "portal")
        _pair(browser, Path(folder) / "pair")
        _mails(browser)
        browser.close()
    print(f"{len(list(FOLDER.rglob('*.png')))} pictures in {FOLDER}")
    return 0


def _visitors(browser: Browser, base: str) -> list[tuple[Path, Visitor]]:
    found = []
    for language, scheme, size in product(LANGUAGES, SCHEMES, SIZES):
        place = FOLDER / f"{language}-{scheme}-{size}"
        place.mkdir(exist_ok=True)
        visitor = Visitor(browser, base, language=LANGUAGES[language], color_scheme=scheme, viewport=SIZES[size])
        found.append((place, visitor))
    return found


def _sign_in(visitor: Visitor, cookies: list[Cookie]) -> None:
    """Be signed in as the user to whom these were given."""
    visitor.context.add_cookies(
        [{"name": one["name"], "value": one["value"], "domain": one["domain"], "path": one["path"]} for one in cookies]
    )


def _take(visitor: Visitor, path: Path) -> None:
    visitor.page.wait_for_timeout(250)  # charts are drawn after their page has settled
    visitor.page.screenshot(path=path, full_page=True)


def _portal(browser: Browser, folder: Path) -> None:
    folder.mkdir()
    with lab(folder) as here:
        code = furnish(here, days=29)
        site = Site(here)
        for place, visitor in _visitors(browser, site.base):
            page = visitor.page
            page.goto(f"{site.base}page/")
            page.locator("h1").wait_for()
            _take(visitor, place / "0-first-visit.png")
        owner = Visitor(browser, site.base)
        owner.set_up(site.setup_code)
        cookies = owner.context.cookies()
        owner.close()
        for place, visitor in _visitors(browser, site.base):
            visitor.page.goto(f"{site.base}page/")
            visitor.page.locator("h1").wait_for()
            _take(visitor, place / "0-sign-in.png")
            _sign_in(visitor, cookies)
            visitor.page.reload()
            for number, name in enumerate(PAGES, 1):
                visitor.open(name)
                _take(visitor, place / f"{number}-{name}.png")
            visitor.open("statistics", f"?code={code}&days=30&metric=devices&by=authorizations")
            _take(visitor, place / "4-statistics-code.png")
            visitor.open("license-items").locator(".expander").first.click()
            file = here.vendor.file(here.ctx, item("more", quota=5), license_id="300")
            chosen: FilePayload = {"name": "LTS_300.lic", "mimeType": "", "buffer": file}
            visitor.page.locator("input[type=file]").set_input_files(chosen)
            visitor.page.locator(".preview").wait_for()
            _take(visitor, place / "2-license-items-import.png")
            visitor.open("handshake-codes").locator("td .button:has(path[d^='M4 20l1-5'])").last.click()
            visitor.page.get_by_role("dialog").wait_for()
            visitor.page.wait_for_timeout(250)
            visitor.page.screenshot(path=place / "3-handshake-codes-edit.png")
            visitor.open("why").locator(".expander").first.click()
            _take(visitor, place / "8-why-verdicts.png")
            visitor.close()
            print(f"{place.name} …", flush=True)
        site.stop()


def _pair(browser: Browser, folder: Path) -> None:
    with twins(folder, item(startsAt="2026-11-01T00:00:00Z", expiresAt=None)) as pair:
        pair.start()
        base = f"http://127.0.0.1:{pair.main.port}/lts/"
        owner = Visitor(browser, base)
        owner.set_up(pair.main.admin("GET", "/setup-code")[1]["setupCode"])
        for place, visitor in _visitors(browser, base):
            _sign_in(visitor, owner.context.cookies())
            visitor.open("standby")
            _take(visitor, place / "7-standby-pair.png")
            visitor.leave()
            visitor.close()
        owner.leave()
        owner.close()


def _mails(browser: Browser) -> None:
    for language, size in product(LANGUAGES, SIZES):
        events = every_event(language)
        page = browser.new_page(viewport=SIZES[size])
        page.set_content(
            render(events, language, AlertingServer("8A5CE193", "https://lts.example.com/lts/"), NOON).html
        )
        page.screenshot(path=FOLDER / f"{language}-light-{size}" / "6-mail.png", full_page=True)
        page.close()


if __name__ == "__main__":
    sys.exit(main())
