"""The Usage Alerts page, with a real mail server behind the test button."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from lts.rules.alerting.alertmail import AlertingServer, render
from lts.service.alerting import alerts, alertsettings, outbox
from lts.service.alerting.smtp import MailSender
from tests.portal.conftest import Site
from tests.support.furnish import every_event
from tests.support.kit import NOON, item
from tests.support.postoffice import hook_receiver, post_office
from tests.support.visitor import Visitor


def test_mail_is_set_up_tried_and_shown(site: Site, admin: Visitor) -> None:
    code = site.lab.load(item(quota=100))
    got = site.lab.authorize(code)
    site.lab.report(got.lease, {"QR": 61})
    admin.page.clock.install()
    page = admin.open("usage-alerts")
    page.get_by_text("No mail is sent yet").wait_for()
    page.get_by_role("button", name="Set up mail").click()
    admin.check_accessibility()
    with post_office(auth="PLAIN") as office:
        page.get_by_label("Mail server").fill("127.0.0.1")
        page.get_by_label("Security").select_option("none")
        page.get_by_label("Port").fill(str(office.port))
        page.get_by_label("From").fill("Лицензии <lts@x.test>")
        page.get_by_label("To", exact=True).fill("nobody")
        admin.allowed += ["400", "424"]
        page.get_by_role("button", name="Send test mail").click()
        expect(page.get_by_role("alert")).to_contain_text("'nobody' is not a mail address")
        page.get_by_label("To", exact=True).fill("ops@x.test, boss@x.test")
        page.get_by_role("button", name="Send test mail").click()
        expect(page.get_by_role("alert")).to_contain_text("530 5.7.0 Authentication required")
        page.get_by_label("User").fill("lts@x.test")
        page.get_by_label("Password").fill("geheim é 7")
        page.get_by_role("button", name="Send test mail").click()
        page.get_by_text("A test mail went to ops@x.test, boss@x.test").wait_for()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("button", name="Save")).to_have_count(0)  # the form closes when it is saved
        assert "geheim" not in page.content()
        assert office.receivers == [["ops@x.test", "boss@x.test"]]

        # what is news is told, and stands in the history of a page that stayed open
        alerts.check(site.lab.ctx, NOON + 600)
        outbox.deliver(site.lab.ctx, NOON + 600, MailSender())
        assert len(office.mails) == 2
        page.clock.fast_forward(61_000)
        history = admin.settled().get_by_role("table", name="History")
        expect(history).to_contain_text("License item one of license 100 has used 61 % of its quota")
        expect(history).to_contain_text("sent")
        admin.check_accessibility()

        # saved again untouched, the password stays
        page.get_by_role("button", name="Change").first.click()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("button", name="Save")).to_have_count(0)
        page.get_by_role("button", name="Send test mail").first.click()
        page.get_by_text("A test mail went to").wait_for()
    page.get_by_role("button", name="Stop sending mail").click()
    page.get_by_text("No mail is sent yet").wait_for()
    assert alertsettings.mail_of(site.lab.ctx) is None


def test_what_waits_says_why(site: Site, admin: Visitor) -> None:
    code = site.lab.load(item(quota=100))
    site.lab.report(site.lab.authorize(code).lease, {"QR": 80})
    mail = {"host": "127.0.0.1", "port": 1, "security": "none", "from": "lts@x.test", "to": "ops@x.test"}
    alertsettings.change_mail(site.lab.ctx, mail, "test", NOON)
    alerts.check(site.lab.ctx, NOON)
    outbox.deliver(site.lab.ctx, NOON, MailSender())
    history = admin.open("usage-alerts").get_by_role("table", name="History")
    expect(history).to_contain_text("waiting")
    expect(history).to_contain_text("127.0.0.1:1 cannot be reached")
    expect(history).to_contain_text("tried 1 time, again at")


def test_levels_are_changed_and_switched_off(site: Site, admin: Visitor) -> None:
    page = admin.open("usage-alerts")
    card = page.locator("section", has=page.get_by_role("heading", name="Thresholds"))
    card.get_by_role("button", name="Change").click()
    card.get_by_label("Scans").fill("50, x")
    card.get_by_role("button", name="Save").click()
    expect(card.get_by_role("alert").first).to_contain_text("whole percentages")
    card.get_by_label("Scans").fill("90 % ; 50")
    card.get_by_label("Pages").fill("")
    card.get_by_role("button", name="Save").click()
    expect(card).to_contain_text("50, 90 %")
    expect(card).to_contain_text("off")
    levels = alertsettings.levels_of(site.lab.ctx.store.catalog)
    assert (levels["scan"], levels["page"]) == ((50, 90), ())


def test_a_webhook_is_added_tried_and_removed(site: Site, admin: Visitor) -> None:
    page = admin.open("usage-alerts")
    with hook_receiver() as hooks:
        page.get_by_role("button", name="Add webhook").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Name").fill("chat")
        dialog.get_by_label("URL").fill(hooks.url)
        dialog.get_by_role("button", name="Save").click()
        secret = page.get_by_label("Secret", exact=True).input_value()
        dialog.get_by_role("button", name="Done").click()
        dialog.wait_for(state="detached")
        page.get_by_role("button", name="Test", exact=True).click()
        page.get_by_text("chat accepted the test message").wait_for()
        assert len(hooks.got) == 1
        assert secret not in page.content()
        hooks.status = 500
        admin.allowed.append("424")
        page.get_by_role("button", name="Test", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("answered 500")
    page.get_by_role("button", name="Remove webhook chat").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Remove webhook chat").wait_for(state="detached")


def test_the_calendar_is_read_by_its_address_alone(site: Site, admin: Visitor) -> None:
    site.lab.load(item("scans, all; of them", quota=100))
    page = admin.open("usage-alerts")
    page.get_by_role("button", name="Show the address").click()
    address = page.get_by_label("Address of the calendar", exact=True).input_value()
    assert address.startswith(site.base)
    assert page.context.browser is not None
    stranger = page.context.browser.new_context()
    found = stranger.request.get(address)
    assert found.headers["content-type"] == "text/calendar; charset=utf-8"
    lines = found.body().decode().split("\r\n")
    assert "DTSTART;VALUE=DATE:20271125" in lines
    assert any(line.startswith("SUMMARY:License item ends: scans\\, all\\; of them") for line in lines)
    assert all(len(line.encode()) <= 75 for line in lines)
    assert stranger.request.get(address[:-8] + "x.ics").status == 404
    page.get_by_role("button", name="Make a new address").click()
    expect(page.get_by_label("Address of the calendar", exact=True)).not_to_have_value(address)
    assert stranger.request.get(address).status == 404
    stranger.close()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_mail_looks_as_it_should(visit: Callable[..., Visitor], site: Site, language: str, tmp_path: Path) -> None:
    events = every_event(language)
    mail = render(events, language, AlertingServer("UUID", "https://lts.example.com/lts/"), NOON)
    for written in (mail.text, mail.html):  # every figure that a sentence names is there
        assert "{" not in written
        assert "–" not in written
    reader = visit(site.base, java_script_enabled=False)
    page = tmp_path / "mail.html"
    page.write_text(mail.html, encoding="utf-8")
    reader.page.goto(page.as_uri())
    assert reader.page.locator("table[role=img]").count() == 4
    assert reader.page.locator("img, script, link").count() == 0
