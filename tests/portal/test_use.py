"""What administrators do on the pages, and what must not happen to them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from lts.errors import Refusal
from lts.protocol import LicenseKey, slot_of
from lts.rules.metering.likeness import Caller
from lts.service.licensing import handshakes
from lts.service.licensing.licenses import Choice
from tests.portal.conftest import Site
from tests.support.codeorder import order_of
from tests.support.kit import NOON, item
from tests.support.visitor import Visitor

SCRIPT = "<img src=x onerror=alert(1)>"


QUOTES = "\"'><script>alert(2)</script>"


def test_a_code_is_added_with_items_caps_binding_and_password(site: Site, admin: Visitor) -> None:
    site.lab.load(item("one"), item("two"))
    page = admin.open("handshake-codes")
    page.get_by_role("button", name="Add code").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("web shop")
    dialog.get_by_label("Note").fill("for the shop")
    dialog.get_by_label("Link another item").select_option(label="two · reader · 100")
    dialog.get_by_label("Cap of two").fill("x")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("whole number")
    dialog.get_by_label("Cap of two").fill("40")
    dialog.get_by_text("Bind to applications").click()
    dialog.get_by_label("Domains").fill("shop.example.com\nwww.example.org")
    dialog.get_by_label("Set one").check()
    dialog.get_by_label("Session password").fill("s3cret of the shop")
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="detached")
    row = page.get_by_role("row").filter(has_text="216998-web shop")
    row.wait_for()
    expect(row).to_contain_text("at most 40")
    expect(row).to_contain_text("session password")
    key = LicenseKey.decode(page.get_by_label("License key of 216998-web shop", exact=True).input_value())
    assert (key.handshake_code, key.session_password) == ("216998-web shop", "s3cret of the shop")
    code = next(code for code in handshakes.describe(site.lab.ctx) if code.custom == "web shop")
    assert code.validation.domains == ["shop.example.com", "www.example.org"]

    # saved again untouched: the password stays, and the form never got it
    page.get_by_role("button", name="Edit 216998-web shop").click()
    expect(dialog.get_by_label("Keep the current one")).to_be_checked()
    assert "s3cret" not in dialog.inner_html()
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="detached")
    assert handshakes.license_key(site.lab.ctx, "216998-web shop") == key.encode()


def test_the_order_of_use_is_set_by_keyboard_by_buttons_and_by_drag(site: Site, admin: Visitor) -> None:
    code = site.lab.load(item("one"), item("two"), item("three"))
    first = order_of(site, code)
    page = admin.open("handshake-codes")

    def edit(change: Callable[[], None]) -> list[str]:
        page.get_by_role("button", name=f"Edit {code}").click()
        change()
        page.get_by_role("dialog").get_by_role("button", name="Save").click()
        page.get_by_role("dialog").wait_for(state="detached")
        return order_of(site, code)

    def by_keyboard() -> None:
        grip = page.get_by_role("button", name=f"{first[2]}, position 3 of 3")
        grip.focus()
        page.keyboard.press("ArrowUp")
        page.get_by_role("button", name=f"{first[2]}, position 2 of 3").wait_for()
        page.keyboard.press("ArrowUp")

    assert edit(by_keyboard) == [first[2], first[0], first[1]]
    assert edit(lambda: page.get_by_role("button", name=f"Move {first[2]} down").click()) == [
        first[0],
        first[2],
        first[1],
    ]

    def by_drag() -> None:
        rows = page.get_by_role("dialog").locator(".sortable li")
        rows.nth(2).drag_to(rows.nth(0))

    assert edit(by_drag) == [first[1], first[0], first[2]]
    with site.lab.ctx.store.reader() as db:
        assert db.execute("SELECT count(*) FROM codes").get == 1
    assert handshakes.describe(site.lab.ctx)[0].manual_order

    def automatic() -> None:
        page.get_by_label("Use them in the automatic order").check()

    assert edit(automatic) == first


def test_a_form_closes_only_when_the_page_shows_what_it_saved(site: Site, admin: Visitor) -> None:
    """Who opens it again at once would find, and save, what was there before."""
    code = site.lab.load(item("one"))
    page = admin.open("handshake-codes")
    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name=f"Edit {code}").click()
    dialog.get_by_label("Note").fill("for the shop")
    held: list[Route] = []
    page.route("**/api/v1/admin/handshakes?*", lambda route: held.append(route), times=1)
    with page.expect_request("**/api/v1/admin/handshakes?*"):
        dialog.get_by_role("button", name="Save").click()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert dialog.count() == 1
    held[0].continue_()
    dialog.wait_for(state="detached")
    page.get_by_role("button", name=f"Edit {code}").click()
    expect(dialog.get_by_label("Note")).to_have_value("for the shop")


def test_default_and_removal_are_asked_first(site: Site, admin: Visitor) -> None:
    first = site.lab.load(item("one"))
    handshakes.add(site.lab.ctx, "216998", {"custom": "second"}, "test", site.lab.time.now)
    page = admin.open("handshake-codes")
    admin.allowed.append("400")
    page.get_by_role("button", name=f"Remove {first}").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("default code")
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    page.get_by_role("button", name="Make 216998-second the default").click()
    page.get_by_role("dialog").get_by_role("button", name="Make default").click()
    page.get_by_role("dialog").wait_for(state="detached")
    page.get_by_role("button", name=f"Make {first} the default").wait_for()
    page.get_by_role("button", name=f"Remove {first}").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").wait_for(state="detached")
    expect(page.get_by_role("table", name="Handshake Codes").get_by_role("row")).to_have_count(2)
    assert list(site.lab.ctx.store.catalog.codes) == ["216998-second"]


def test_server_urls_warn_of_localhost_and_http_and_go_into_every_key(site: Site, admin: Visitor) -> None:
    site.lab.load(item("one"))
    page = admin.open("handshake-codes")
    expect(page.locator("main")).to_contain_text("address of this machine only")
    page.get_by_role("button", name="Set Server URL").first.click()
    dialog = page.get_by_role("dialog")
    main, standby = dialog.get_by_label("Main server"), dialog.get_by_label("Standby server")
    for url, warning in (
        ("http://localhost:48080/lts/", "this machine only"),
        ("https://127.0.0.1/lts/", "this machine only"),
        ("http://lts.example.com/lts/", "plain http"),
    ):
        main.fill(url)
        expect(dialog.get_by_role("status")).to_contain_text(warning)
    main.fill("https://LTS.example.com/lts")
    expect(dialog.get_by_role("status")).to_have_count(0)
    standby.fill("https://lts.example.com/lts/")
    admin.allowed.append("400")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("same URL")
    standby.fill("https://standby.example.com/lts/")
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="detached")
    expect(page.locator("main")).not_to_contain_text("address of this machine only")
    key = LicenseKey.decode(page.get_by_label("License key of 216998-100", exact=True).input_value())
    assert key.servers == ("https://lts.example.com/lts/", "https://standby.example.com/lts/")


@pytest.mark.slow
def test_script_in_whatever_clients_and_vendors_send_is_text(site: Site, admin: Visitor) -> None:
    lab = site.lab
    code = lab.load(item("one " + SCRIPT, description=QUOTES, modules=["QR", SCRIPT], product="reader"))
    got = lab.authorize(code)
    lab.report(got.lease, {SCRIPT: 3, QUOTES: 2, "javascript:alert(3)": 1, "__proto__": 4, "constructor": 5})
    refused = {"handshakeCode": code, "deviceId": "6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b11", "product": SCRIPT,
               "deploymentType": "server", "clientName": QUOTES}  # fmt: skip
    answer = admin.page.request.post(f"{site.base}api/v1/authorize", data=refused)
    assert answer.json()["code"] == 106
    handshakes.edit(lab.ctx, code, {"note": SCRIPT}, SCRIPT, lab.time.now)
    seen = ""
    for name in ("index", "license-items", "handshake-codes", "statistics", "devices", "why", "audit-log", "security"):
        page = admin.open(name)
        for opener in page.locator(".expander").all()[:3]:
            opener.click()
        for legend in page.locator("details > summary").all():
            legend.click()
        seen += page.locator("main").inner_text()
        assert page.locator("main img, main script").count() == 0, name
        assert page.locator("a[href^='javascript:']").count() == 0, name
    assert seen.count(SCRIPT) >= 5
    lab.report(got.lease, {"QR": 1}, slot_of(lab.time.now) - 480)
    page = admin.open("statistics")
    table = page.get_by_role("table", name="Figures")
    for name, units in (("__proto__", "4"), ("constructor", "5")):
        column = [cell.inner_text() for cell in table.get_by_role("columnheader").all()].index(name)
        cells = [row.locator("th, td").nth(column).inner_text() for row in table.get_by_role("row").all()[1:]]
        assert cells == [units, "0", units], name
    legend = page.get_by_role("table", name="Selected period").get_by_role("row").filter(has_text="constructor")
    expect(legend).to_contain_text("5")


def test_names_of_any_script_are_one_name_however_typed(site: Site, admin: Visitor) -> None:
    site.lab.load(item("one"))
    page = admin.open("handshake-codes")
    dialog = page.get_by_role("dialog")
    admin.allowed.append("409")
    for name in ("café", "قارئ", "🦉 owl", "x\u200dy 👩\u200d🔬"):
        page.get_by_role("button", name="Add code").click()
        dialog.get_by_label("Name", exact=True).fill(name)
        dialog.get_by_role("button", name="Save").click()
        dialog.wait_for(state="detached")
        page.get_by_text(f"216998-{name}", exact=True).wait_for()
        page.get_by_role("button", name="Add code").click()
        dialog.get_by_label("Name", exact=True).fill(name.replace("é", "e\u0301"))
        dialog.get_by_role("button", name="Save").click()
        expect(dialog).to_contain_text("exists already")
        dialog.get_by_role("button", name="Cancel").click()
        dialog.wait_for(state="detached")


def test_names_that_nobody_can_see_are_refused_beside_the_field(site: Site, admin: Visitor) -> None:
    site.lab.load(item("one"))
    page = admin.open("handshake-codes")
    dialog = page.get_by_role("dialog")
    admin.allowed.append("400")
    for name in ("\u200b\u200b", "a\u202eb", "x\u0007", "  "):
        page.get_by_role("button", name="Add code").click()
        dialog.get_by_label("Name", exact=True).fill(name)
        dialog.get_by_role("button", name="Save").click()
        dialog.get_by_role("alert").first.wait_for()
        assert len(site.lab.ctx.store.catalog.codes) == 1
        dialog.get_by_role("button", name="Cancel").click()
        dialog.wait_for(state="detached")


def test_a_seat_is_released_and_the_page_says_until_when_its_lease_runs(site: Site, admin: Visitor) -> None:
    code = site.lab.load(item("seats", "device", 1))
    site.lab.authorize(code, device="6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b11")
    page = admin.open("devices")
    page.get_by_role("searchbox").fill("6F1C2B7E-8c")
    page.get_by_role("button", name="Details of 6f1c2b7e").click()
    page.get_by_role("button", name="Release seat").click()
    page.get_by_role("dialog").get_by_role("button", name="Release seat").click()
    page.get_by_role("dialog").wait_for(state="detached")
    expect(page.get_by_text("may run until")).to_contain_text("UTC")
    site.lab.authorize(code)  # the seat is free
    page = admin.open("audit-log")
    expect(page.get_by_role("table")).to_contain_text("released a seat")


def test_a_device_that_looks_copied_is_cleared_and_the_audit_log_tells(site: Site, admin: Visitor) -> None:
    code, device = site.lab.load(item("seats", "device", 5)), "6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b11"
    tokens: list[str | None] = [None, None]
    for turn in range(6):  # two machines take turns, each with the clone token that it was given
        with contextlib.suppress(Refusal):
            tokens[turn % 2] = site.lab.authorize(code, device, clone_token=tokens[turn % 2]).clone_token
    with pytest.raises(Refusal):
        site.lab.authorize(code, device, clone_token=tokens[1])
    page = admin.open("devices")
    row = page.get_by_role("table", name="Devices").locator("tbody tr").filter(has_text="6f1c2b7e")
    expect(row).to_contain_text("copied, copies refused")
    page.get_by_role("button", name="Details of 6f1c2b7e").click()
    page.get_by_role("button", name="Clear the mark").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Counts do not change")
    admin.check_accessibility()
    dialog.get_by_role("button", name="Clear the mark").click()
    expect(page.get_by_text("The mark is cleared")).to_be_visible()
    expect(row).not_to_contain_text("copied")
    expect(page.get_by_role("button", name="Clear the mark")).to_have_count(0)
    site.lab.authorize(code, device, clone_token=tokens[1])  # it is refused no more
    told = admin.open("audit-log").get_by_role("row").filter(has_text="cleared a device that looked copied")
    expect(told).to_have_count(1)
    expect(told).to_contain_text("6f1c2b7e")


def test_why_shows_the_verdict_of_each_item(site: Site, admin: Visitor) -> None:
    late = item("late", startsAt="2026-12-24T00:00:00Z")
    code = site.lab.load(item("small", modules=["QR"]), late, item("other", product="writer"))
    body = {"handshakeCode": code, "deviceId": "6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b11", "product": "reader",
            "version": "3", "deploymentType": "server", "modules": ["Aztec"]}  # fmt: skip
    answer = admin.page.request.post(f"{site.base}api/v1/authorize", data=body).json()
    page = admin.open("why")
    page.get_by_role("searchbox").fill(answer["requestId"])
    row = page.get_by_role("row").filter(has_text=str(answer["code"]))
    row.get_by_role("button").click()
    detail = page.locator(".detail")
    expect(detail).to_contain_text("small")
    expect(detail).to_contain_text("late")
    expect(detail).to_contain_text("Module not licensed")
    expect(detail).to_contain_text("For another product")
    expect(detail).not_to_contain_text("Link an item for this product")
    expect(detail).to_contain_text(answer["requestId"])


def test_why_distinguishes_a_full_cap_from_a_quota_that_is_used_up(site: Site, admin: Visitor) -> None:
    code = site.lab.load(item("small", "device", 50))
    handshakes.edit(site.lab.ctx, code, {"items": [{"id": 1, "cap": 0}]}, "test", NOON)
    body = {"handshakeCode": code, "deviceId": "6f1c2b7e-8c1d-4a0e-9a57-0c6a2f7a1b11", "product": "reader",
            "version": "3", "deploymentType": "server"}  # fmt: skip
    answer = admin.page.request.post(f"{site.base}api/v1/authorize", data=body).json()
    page = admin.open("why")
    page.get_by_role("searchbox").fill(answer["requestId"])
    row = page.get_by_role("row").filter(has_text="120")
    expect(row).to_contain_text("The code's cap leaves no room: it uses 0 of 0")
    expect(row).to_contain_text("Raise the code's cap on the item")
    row.get_by_role("button").click()
    expect(page.locator(".detail")).to_contain_text("The handshake code's cap on the license item is reached")
    expect(page.get_by_role("table")).not_to_contain_text("Quota used up")


def test_the_statistics_page_by_keyboard_alone(site: Site, admin: Visitor) -> None:
    code = site.lab.load(item("one"), choice=Choice())
    got = site.lab.authorize(code)
    site.lab.report(got.lease, {"QR": 5})
    page = admin.open("statistics")
    day = page.get_by_role("table", name="Figures").get_by_role("button", name="25 Nov 2026")
    page.get_by_role("button", name="The day before").click()
    page.get_by_text("Nothing was reported for that day").wait_for()
    day.focus()
    page.keyboard.press("Enter")
    page.get_by_text("Figures of the hours").wait_for()
    assert re.search(r"day=2026-11-25", page.url)


def test_types_of_whole_numbers_are_sorted_by_their_units(site: Site, admin: Visitor) -> None:
    got = site.lab.authorize(site.lab.load(item("one")))
    site.lab.report(got.lease, {"39": 2, "QR": 5, "128": 1, "a": 2})
    page = admin.open("statistics")
    for name in ("All history", "Selected period", "One day"):
        rows = page.get_by_role("table", name=name, exact=True).get_by_role("rowheader")
        expect(rows).to_have_text(["QR", "39", "a", "128"])
    expect(page.locator(".keys li")).to_have_text([re.compile(name) for name in ("QR", "39", "a", "128")])


def test_what_an_invalid_address_says_is_skipped(site: Site, admin: Visitor) -> None:
    got = site.lab.authorize(site.lab.load(item("one")))
    site.lab.report(got.lease, {"QR": 5})
    page = admin.open("statistics", "?day=9999-99-99&from=2026-02-30&to=x&days=0&by=y&metric=z&split=w")
    page.get_by_text("Figures of the hours").wait_for()
    expect(page.get_by_role("heading", name="25 Nov 2026")).to_be_visible()
    page = admin.open("devices", "?item=one&alike=two")
    expect(page.get_by_role("table", name="Devices")).to_contain_text("no seat")


def test_devices_that_look_alike_are_counted_shown_together_and_freed(site: Site, admin: Visitor) -> None:
    code = site.lab.load(item("seats", "device", 5))
    for caller in (Caller("192.0.2.7", "Browser"),) * 3 + (Caller("192.0.2.8", "Browser"),):
        site.lab.authorize(code, caller=caller)
    page = admin.open("devices")
    rows = page.get_by_role("table", name="Devices").locator("tbody tr")
    expect(rows).to_have_count(4)
    expect(page.get_by_role("link", name="2 others look alike")).to_have_count(3)
    page.get_by_role("link", name="2 others look alike").first.click()
    expect(rows).to_have_count(3)
    expect(page.get_by_role("status").first).to_contain_text("opened a private window")
    admin.check_accessibility()
    page.get_by_role("button", name="Details of").first.click()
    page.get_by_role("button", name="Release seat").click()
    page.get_by_role("dialog").get_by_role("button", name="Release seat").click()
    page.get_by_role("dialog").wait_for(state="detached")
    expect(page.get_by_text("may run until")).to_contain_text("UTC")
    page.get_by_role("link", name="Show all devices").click()
    expect(rows).to_have_count(4)
    page.go_back()
    expect(rows).to_have_count(3)
