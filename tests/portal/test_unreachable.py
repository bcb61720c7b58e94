"""What the portal shows when a call or a file does not arrive: words, and a way on that works once it does."""

from __future__ import annotations

from playwright.sync_api import Route

from tests.portal.conftest import Site
from tests.support.kit import item
from tests.support.visitor import Visitor


def fail_once(visitor: Visitor, pattern: str) -> None:
    """The next request of this kind finds nobody."""
    visitor.allowed.append("net::ERR_CONNECTION_REFUSED")
    visitor.page.route(pattern, lambda route: route.abort("connectionrefused"), times=1)


def test_the_first_call_says_what_failed_and_is_tried_again(site: Site, admin: Visitor) -> None:
    page = admin.open()
    fail_once(admin, "**/api/v1/admin/session")
    page.reload()
    page.get_by_role("alert").get_by_text("The server cannot be reached. Is it running?").wait_for()
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("heading", name="Home").wait_for()

    def answer_of_a_proxy(route: Route) -> None:
        route.fulfill(status=503, content_type="text/html", body="<h1>Service Unavailable</h1>")

    admin.allowed.append("status of 503")
    page.route("**/api/v1/admin/session", answer_of_a_proxy, times=1)
    page.reload()
    page.get_by_role("alert").get_by_text("The proxy in front of the server answers").wait_for()


def test_charts_are_drawn_once_their_library_arrives(site: Site, admin: Visitor) -> None:
    got = site.lab.authorize(site.lab.load(item("one")))
    site.lab.report(got.lease, {"QR": 5})
    fail_once(admin, "**/vendor/**/chart.js")
    with admin.page.expect_response(lambda answer: "/chart.js?again=" in answer.url) as arrived:
        admin.open("statistics")
        admin.open("index")
        admin.open("statistics")
    assert arrived.value.ok


def test_a_language_that_cannot_be_loaded_says_so_and_comes_with_the_next_try(admin: Visitor) -> None:
    page = admin.open()
    fail_once(admin, "**/i18n/zh.js*")
    admin.allowed.append("Failed to fetch dynamically imported module")
    page.get_by_role("button", name="简体中文").click()
    page.get_by_role("alert").get_by_text("This could not be loaded.").wait_for()
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("heading", name="首页").wait_for()
