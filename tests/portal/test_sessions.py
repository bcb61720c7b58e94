"""Passwords, sessions and links in the portal, and what a session that ends leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Route, expect

from lts.service.access import accounts, sessions
from lts.service.licensing import handshakes
from tests.portal.conftest import Site
from tests.support.kit import end_all_sessions, item, lab
from tests.support.ports import free_port
from tests.support.visitor import PASSWORD, Visitor


def test_a_dead_session_asks_to_sign_in_and_loses_nothing_typed(site: Site, admin: Visitor) -> None:
    site.lab.load(item("one"))
    page = admin.open("handshake-codes")
    page.get_by_role("button", name="Add code").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("kept")
    dialog.get_by_label("Note").fill("typed for a long while")
    site.lab.ctx.store.write(end_all_sessions)
    admin.allowed.append("401")
    dialog.get_by_role("button", name="Save").click()
    again = page.get_by_role("dialog", name="Sign in again")
    again.get_by_label("Password").fill(PASSWORD)
    again.get_by_role("button", name="Sign in").click()
    page.get_by_role("row").filter(has_text="216998-kept").wait_for()
    assert handshakes.find(site.lab.ctx.store.catalog, "216998-kept").note == "typed for a long while"


def test_password_sessions_users_and_tokens(site: Site, admin: Visitor, visit: Callable[..., Visitor]) -> None:
    other = visit(site.base)
    other.sign_in()
    page = admin.open("security")
    expect(page.get_by_role("table", name="Sessions").get_by_role("row")).to_have_count(3)
    other.allowed.append("401")  # its page may ask by itself as soon as the session has ended
    page.get_by_role("button", name="End").click()
    expect(page.get_by_role("table", name="Sessions").get_by_role("row")).to_have_count(2)
    other.page.get_by_role("link", name="Devices").first.click()
    other.page.get_by_role("dialog", name="Sign in again").wait_for()

    page.get_by_role("button", name="Add API token").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("nightly")
    dialog.get_by_role("button", name="Make token").click()
    token = page.get_by_label("API token", exact=True).input_value()
    dialog.get_by_role("button", name="Done").click()
    dialog.wait_for(state="detached")  # what is behind it can be typed in from here on
    assert accounts.account_of_token(site.lab.ctx.store.catalog, token)
    assert token not in page.content()

    page.get_by_label("Current password").fill("not this one at all")
    page.get_by_label("New password").fill("quite another password")
    page.get_by_label("Repeat the password").fill("quite another passwort")
    page.get_by_role("button", name="Change the password").click()
    page.get_by_text("The two passwords differ").wait_for()
    page.get_by_label("Repeat the password").fill("quite another password")
    admin.allowed.append("403")
    page.get_by_role("button", name="Change the password").click()
    page.get_by_role("alert").wait_for()
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_role("button", name="Change the password").click()
    page.get_by_text("The password is changed").wait_for()
    assert accounts.is_set_up(site.lab.ctx.store.catalog)
    page.reload()
    admin.settled()  # this browser stays signed in
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    admin.sign_in(password="quite another password")


def test_signing_out_ends_what_is_still_being_read(site: Site, admin: Visitor) -> None:
    page = admin.open("security")
    held: list[Route] = []
    page.route("**/admin/home", lambda route: held.append(route))
    with page.expect_request("**/admin/home"):
        page.get_by_role("link", name="Home").first.click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    for request in held:  # now the server would refuse it
        request.continue_()
    page.unroute("**/admin/home")
    admin.sign_in()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_visit_without_the_code_asks_for_it(site: Site, visit: Callable[..., Visitor]) -> None:
    visitor = visit(site.base)
    page = visitor.page
    page.goto(f"{site.base}page/#/index.html")
    page.get_by_label("Set-up code").fill("AAAA-BBBB-CCCC-DDDD")
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("Repeat the password").fill(PASSWORD)
    visitor.allowed.append("403")
    page.get_by_role("button", name="Set the password").click()
    page.get_by_text("lts setup-code").first.wait_for()
    page.get_by_label("Set-up code").fill((sessions.setup_code(site.lab.ctx) or "").lower())
    page.get_by_role("button", name="Set the password").click()
    page.get_by_role("heading", name="Home").wait_for()


def test_a_deep_link_survives_signing_in_and_reloading(site: Site, admin: Visitor) -> None:
    code = site.lab.load(item("one"))
    got = site.lab.authorize(code)
    site.lab.report(got.lease, {"QR": 5})
    page = admin.open("statistics", f"?code={code}&days=7&by=device")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    page.goto(f"{site.base}page/#/statistics.html?code={code}&days=7&by=device")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Statistics").wait_for()
    admin.settled()
    expect(page.get_by_role("button", name="Device", exact=True).first).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Statistics of")).to_have_value(f"code:{code}")


def test_a_restart_keeps_the_session(tmp_path: Path, visit: Callable[..., Visitor]) -> None:
    with lab(tmp_path) as here:
        port = free_port()
        site = Site(here, port)
        visitor = visit(site.base)
        visitor.set_up(site.setup_code)
        visitor.leave()
        site.stop()
    with lab(tmp_path) as here:
        again = Site(here, port)
        visitor.page.goto(f"{again.base}page/#/security.html")
        visitor.settled()
        expect(visitor.page.get_by_role("heading", name="Security")).to_be_visible()
        visitor.leave()
        again.stop()
