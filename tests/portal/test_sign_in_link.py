"""An address that signs in once, opened in a browser."""

from __future__ import annotations

from collections.abc import Callable

from lts.service.access import signinlink
from tests.portal.conftest import Site
from tests.support.visitor import Visitor

USED = "This sign-in link was used already"


def link_of(site: Site) -> str:
    """The address of a new link for the owner."""
    code = signinlink.make(site.lab.ctx, "admin", site.lab.time.now)
    return f"{site.base}page/#/index.html?sign-in={code}"


def test_the_address_opens_the_portal_signed_in_and_goes_out_of_sight(
    site: Site, admin: Visitor, visit: Callable[..., Visitor]
) -> None:
    address = link_of(site)
    newcomer = visit(site.base)
    page = newcomer.page
    page.goto(address)
    page.get_by_role("heading", name="Home").wait_for()
    newcomer.settled()
    assert page.url == f"{site.base}page/#/index.html"
    page.reload()
    page.get_by_role("heading", name="Home").wait_for()
    newcomer.settled()
    admin.leave()


def test_a_used_address_leads_to_the_sign_in_form_and_says_why(
    site: Site, admin: Visitor, visit: Callable[..., Visitor]
) -> None:
    address = link_of(site)
    first, second = visit(site.base), visit(site.base)
    first.page.goto(address)
    first.page.get_by_role("heading", name="Home").wait_for()
    second.allowed.append("403")
    second.page.goto(address)
    second.page.get_by_text(USED).wait_for()
    second.check_accessibility()
    second.sign_in()
    assert second.page.get_by_text(USED).count() == 0
    first.settled()
    second.page.goto(address)
    second.page.get_by_role("heading", name="Home").wait_for()
    second.settled()
    assert second.page.get_by_text(USED).count() == 0, "whoever is signed in needs no link"


def test_an_address_opened_over_the_sign_in_form_signs_in(
    site: Site, admin: Visitor, visit: Callable[..., Visitor]
) -> None:
    newcomer = visit(site.base)
    newcomer.page.goto(f"{site.base}page/#/index.html")
    newcomer.page.get_by_label("Password").wait_for()
    newcomer.page.goto(link_of(site))  # changes the part after the # alone
    newcomer.page.get_by_role("heading", name="Home").wait_for()
    newcomer.settled()
