"""Two administrators with the same form open: nobody's work is undone, and the second learns of the first."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from lts.service.access import accounts
from lts.service.alerting import alertsettings
from lts.service.licensing import handshakes, serverurls
from tests.portal.conftest import Site
from tests.support.kit import item
from tests.support.visitor import Visitor

TOLD = "Somebody else has changed the same field meanwhile"
MAIL = {"host": "mail.example.com", "port": 587, "from": "a@example.com", "to": "b@example.com"}


@pytest.fixture
def other(site: Site, admin: Visitor, visit: Callable[..., Visitor]) -> Visitor:
    """A second browser, signed in."""
    visitor = visit(site.base)
    visitor.sign_in()
    visitor.allowed.append("409")
    return visitor


def save(page: Page) -> None:
    page.get_by_role("dialog").get_by_role("button", name="Save").click()


def test_a_form_of_a_code_sends_only_what_its_user_changed(site: Site, admin: Visitor, other: Visitor) -> None:
    code = site.lab.load(item("one"))
    site.lab.load(item("two"), license_id="200")
    first, second = other.open("handshake-codes"), admin.open("handshake-codes")
    first.get_by_role("button", name=f"Edit {code}").click()
    first.get_by_role("dialog").get_by_label("Note").fill("of the first")

    second.get_by_role("button", name=f"Edit {code}").click()
    dialog = second.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("renamed")
    dialog.get_by_label("Link another item").select_option(label="two · reader · 200")
    dialog.get_by_text("Bind to applications").click()
    dialog.get_by_label("Domains").fill("shop.example.com")
    save(second)
    dialog.wait_for(state="detached")

    save(first)
    first.get_by_role("dialog").wait_for(state="detached")
    found = next(c for c in handshakes.describe(site.lab.ctx) if c.id == 1)
    assert (found.custom, found.note, len(found.items)) == ("renamed", "of the first", 2)
    assert found.validation.domains == ["shop.example.com"]


def test_who_changes_the_same_of_a_code_is_refused_and_finds_it_on_opening_again(
    site: Site, admin: Visitor, other: Visitor
) -> None:
    code = site.lab.load(item("one"))
    page = other.open("handshake-codes")
    page.get_by_role("button", name=f"Edit {code}").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Note").fill("mine")
    handshakes.edit(site.lab.ctx, code, {"note": "of the other"}, "b", site.lab.time.now)
    save(page)
    expect(dialog.get_by_role("alert")).to_contain_text(TOLD)
    expect(dialog.get_by_label("Note")).to_have_value("mine")
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name=f"Edit {code}").click()
    expect(dialog.get_by_label("Note")).to_have_value("of the other")
    dialog.get_by_label("Note").fill("mine")
    save(page)
    dialog.wait_for(state="detached")
    assert handshakes.describe(site.lab.ctx)[0].note == "mine"


def test_server_urls_and_users_refuse_the_second_of_two_changes(site: Site, admin: Visitor) -> None:
    ctx, now, page = site.lab.ctx, site.lab.time.now, admin.page
    admin.allowed.append("409")
    site.lab.load(item("one"))
    accounts.add_user(ctx, "ana", "reader", "correct horse battery", "b", now)
    dialog = page.get_by_role("dialog")

    admin.open("handshake-codes").get_by_role("button", name="Set Server URL").first.click()
    dialog.get_by_label("Main server").fill("https://a.example.com/lts/")
    serverurls.change(ctx, ["https://b.example.com/lts/"], "b", now)
    save(page)
    expect(dialog.get_by_role("alert")).to_contain_text(TOLD)
    assert serverurls.describe(ctx).urls == ["https://b.example.com/lts/"]

    admin.open("security").get_by_role("button", name="Edit user ana").click()
    accounts.edit_user(ctx, "ana", {"role": "administrator"}, "b", now)
    dialog.get_by_label("New password").fill("quite another password")
    dialog.get_by_label("Repeat the password").fill("quite another password")
    save(page)
    dialog.wait_for(state="detached")
    assert accounts.describe_users(ctx)[-1].role == "administrator", "a new password leaves the role"


def test_mail_and_levels_refuse_the_second_of_two_changes(site: Site, admin: Visitor) -> None:
    ctx, now = site.lab.ctx, site.lab.time.now
    admin.allowed.append("409")
    alertsettings.change_mail(ctx, MAIL, "b", now)
    page = admin.open("usage-alerts")
    cards = page.locator("section.card")

    card = cards.filter(has=page.get_by_role("heading", name="Mail", exact=True))
    card.get_by_role("button", name="Change").click()
    card.get_by_label("Mail server").fill("other.example.com")
    alertsettings.change_mail(ctx, {**MAIL, "to": "c@example.com"}, "b", now)
    card.get_by_role("button", name="Save").click()
    expect(card.get_by_role("alert")).to_contain_text(TOLD)
    card.get_by_role("button", name="Cancel").click()
    expect(card).to_contain_text("c@example.com")

    card = cards.filter(has=page.get_by_role("heading", name="Thresholds", exact=True))
    card.get_by_role("button", name="Change").click()
    card.get_by_label("Scans").fill("50")
    alertsettings.change_levels(ctx, {"page": [60]}, "b", now)
    card.get_by_role("button", name="Save").click()
    card.get_by_role("button", name="Change").wait_for()
    levels = alertsettings.levels_of(ctx.store.catalog)
    assert (levels["scan"], levels["page"]) == ((50,), (60,))
    card.get_by_role("button", name="Change").click()
    card.get_by_label("Scans").fill("70")
    alertsettings.change_levels(ctx, {"scan": [80]}, "b", now)
    card.get_by_role("button", name="Save").click()
    expect(card).to_contain_text(TOLD)
    assert alertsettings.levels_of(ctx.store.catalog)["scan"] == (80,)
