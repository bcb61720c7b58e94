"""Every page, light and dark, in both languages and at a phone's width: accessible, and nothing on the console."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.portal.conftest import Site
from tests.support.furnish import furnish
from tests.support.kit import item
from tests.support.twins import twins
from tests.support.visitor import PAGES, Visitor

_WIDER = """() => document.documentElement.scrollWidth <= document.documentElement.clientWidth ? [] :
    ['the page', ...[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth)
        .map(e => e.outerHTML.slice(0, 100))]"""


@pytest.fixture
def furnished(site: Site) -> Site:
    furnish(site.lab)
    return site


@pytest.mark.slow
def test_every_page_is_accessible(furnished: Site, visit: Callable[..., Visitor]) -> None:
    visitor = visit(furnished.base)
    visitor.page.goto(f"{furnished.base}page/")
    visitor.page.get_by_role("heading", name="Welcome to LTS").wait_for()
    visitor.check_accessibility()
    visitor.set_up(furnished.setup_code)
    for name in PAGES:
        page = visitor.open(name)
        for closed in page.locator("details:not([open]) > summary").all():
            closed.click()
        opener = page.locator(".expander").first
        if opener.count():
            opener.click()
        visitor.check_accessibility()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    visitor.check_accessibility()


@pytest.mark.slow
def test_every_dialog_is_accessible(furnished: Site, visit: Callable[..., Visitor]) -> None:
    visitor = visit(furnished.base)
    visitor.begin(furnished.setup_code)
    for name, button in (
        ("handshake-codes", "Add code"), ("handshake-codes", "Edit 216998-100028117"),
        ("handshake-codes", "Remove 216998-100028117"), ("handshake-codes", "Set Server URL"),
        ("security", "Add user"), ("security", "Add API token"),
    ):  # fmt: skip
        page = visitor.open(name)
        page.get_by_role("button", name=button).first.click()
        page.get_by_role("dialog").wait_for()
        visitor.check_accessibility()
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="detached")


@pytest.mark.slow
def test_no_page_is_wider_than_a_phone(furnished: Site, visit: Callable[..., Visitor]) -> None:
    visitor = visit(furnished.base, viewport={"width": 360, "height": 740})
    visitor.begin(furnished.setup_code)
    for language in ("en", "zh"):
        page = visitor.open()
        page.evaluate("language => localStorage.setItem('lts-language', language)", language)
        page.reload()
        for name in PAGES:
            page = visitor.open(name)
            assert (page.locator("html").get_attribute("lang") or "").startswith(language)
            wider = page.evaluate(_WIDER)
            assert not wider, f"{language}, {name}: {wider}"


@pytest.mark.slow
def test_chinese_pages_hold_no_english_words(furnished: Site, visit: Callable[..., Visitor]) -> None:
    visitor = visit(furnished.base)
    visitor.begin(furnished.setup_code)
    visitor.open().get_by_role("button", name="简体中文").click()
    visitor.page.get_by_role("heading", name="首页").wait_for()
    assert visitor.page.locator("html").get_attribute("lang") == "zh-CN"
    for name in PAGES:
        page = visitor.open(name)
        heading = page.locator("h1").inner_text()
        assert re.search(r"[\u4e00-\u9fff]", heading), name
        menu = page.get_by_role("navigation").first.inner_text()
        assert not re.search(r"[A-Za-z]{3}", menu), menu


@pytest.mark.slow
def test_a_reader_sees_everything_and_no_button_that_changes(furnished: Site, visit: Callable[..., Visitor]) -> None:
    owner = visit(furnished.base)
    owner.begin(furnished.setup_code)
    page = owner.open("security")
    page.get_by_role("button", name="Add user").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Bea")
    dialog.get_by_label("New password").fill("another good words")
    dialog.get_by_label("Repeat the password").fill("another good words")
    dialog.get_by_role("button", name="Save").click()
    page.get_by_role("table", name="Users").get_by_text("Bea").wait_for()

    reader = visit(furnished.base)
    reader.sign_in("Bea", "another good words")
    for name in PAGES:
        page = reader.open(name)
        for word in ("Select File", "Add code", "Edit", "Remove", "Release seat", "Add user", "Set Server URL"):
            assert page.get_by_role("button", name=word).count() == 0, (name, word)
    assert "LTS2" not in reader.open("handshake-codes").content()


@pytest.mark.slow
def test_pages_of_an_empty_server_say_what_to_do_next(admin: Visitor) -> None:
    for name, words in (
        ("license-items", "Import the file that the vendor sent you"),
        ("handshake-codes", "Import a license file first"),
        ("statistics", "Usage appears here"),
        ("devices", "A device appears here"),
        ("standby", "Set up a standby"),
        ("why", "No request was refused"),
    ):
        admin.open(name)
        admin.page.get_by_text(words).first.wait_for()
        admin.check_accessibility()


@pytest.mark.slow
def test_an_address_of_no_page_shows_home_whatever_it_names(admin: Visitor) -> None:
    for name in ("no-such-page", "constructor", "toString"):
        assert admin.open(name).get_by_role("heading", name="Home").is_visible(), name


@pytest.mark.slow
def test_the_standby_page_shows_the_pair_and_a_take_over(visit: Callable[..., Visitor], tmp_path: Path) -> None:
    always: dict[str, Any] = {"startsAt": "2026-11-01T00:00:00Z", "expiresAt": None}
    with twins(tmp_path, item(**always)) as pair:
        pair.start()
        main = visit(f"http://127.0.0.1:{pair.main.port}/lts/")
        main.set_up(pair.main.admin("GET", "/setup-code")[1]["setupCode"])
        page = main.open("standby")
        page.get_by_text("In step", exact=True).wait_for()
        shown = page.locator("main").inner_text()
        assert pair.standby.pair()["fingerprint"] in shown
        assert pair.main.pair()["fingerprint"] in shown
        main.check_accessibility()

        other = visit(f"http://127.0.0.1:{pair.standby.port}/lts/")
        other.sign_in()
        page = other.open("standby")
        page.get_by_text("standing by").first.wait_for()
        other.allowed.append("503")  # while it takes over
        main.leave()
        pair.main.kill()
        page.get_by_text("The standby took over").wait_for()
        page.get_by_text("serves clients").first.wait_for()
        page.get_by_role("button", name="Promote").click()
        page.get_by_role("dialog").get_by_text("must never be started again").wait_for()
        other.check_accessibility()
        page.get_by_role("dialog").get_by_role("button", name="Promote").click()
        page.get_by_text("There is no standby yet").wait_for()
        page.get_by_text("with the former main's last delegation").wait_for()
        shown = page.locator("main").inner_text()
        assert "No contact yet" not in shown
        assert "renewed while they are in contact" not in shown
        other.leave()
