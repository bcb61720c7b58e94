"""What administrators do on the pages, and what must not happen to them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from lts.errors import Refusal
from lts.protocol import LicenseKey, slot_of
from lts.rules import licensefile
from lts.rules.likeness import Caller
from lts.service.access import accounts, sessions
from lts.service.licensing import handshakes, licenses
from lts.service.licensing.licenses import Choice
from lts.vendor import issuing
from tests.portal.conftest import Site
from tests.support.kit import end_all_sessions, item, lab
from tests.support.ports import free_port
from tests.support.visitor import PASSWORD, Visitor

SCRIPT = "<img src=x onerror=alert(1)>"
QUOTES = "\"'><script>alert(2)</script>"


def order_of(site: Site, name: str) -> list[str]:
    """Item ids of a code, in order of use."""
    code = next(code for code in handshakes.describe(site.lab.ctx) if code["name"] == name)
    return [entry["itemId"] for entry in code["items"]]


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
    code = next(code for code in handshakes.describe(site.lab.ctx) if code["custom"] == "web shop")
    assert code["validation"]["domains"] == ["shop.example.com", "www.example.org"]

    # saved again untouched: the password stays, and the form never got it
    page.get_by_role("button", name="Edit 216998-web shop").click()
    expect(dialog.get_by_label("Keep the present one")).to_be_checked()
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
        grip = page.get_by_role("button", name=f"{first[2]}, place 3 of 3")
        grip.focus()
        page.keyboard.press("ArrowUp")
        page.get_by_role("button", name=f"{first[2]}, place 2 of 3").wait_for()
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
    assert handshakes.describe(site.lab.ctx)[0]["manualOrder"]

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


def test_a_dropped_file_is_previewed_and_its_items_go_where_one_says(
    site: Site, admin: Visitor, tmp_path: Path
) -> None:
    lab = site.lab
    code = lab.load(item("one"))
    page = admin.open("license-items")
    text = lab.vendor.file(lab.ctx, item("two", quota=5), license_id="200").decode()
    transfer = page.evaluate_handle(
        "text => { const t = new DataTransfer(); t.items.add(new File([text], 'renewal.lic.txt')); return t; }", text
    )
    page.locator(".drop").dispatch_event("drop", {"dataTransfer": transfer})
    preview = page.get_by_role("region", name="What will change")
    preview.get_by_label("Add to a handshake code that exists").check()
    preview.get_by_label("Handshake code", exact=True).select_option(code)
    preview.get_by_role("button", name="Import").click()
    page.get_by_text("License 200 is imported").wait_for()
    assert set(order_of(site, code)) == {"one", "two"}

    page.locator(".drop").dispatch_event("drop", {"dataTransfer": transfer})
    page.get_by_text("imported already").wait_for()

    # no license at all: the sentence says what to do, and nothing is stored
    wrong = tmp_path / "picture.png"
    wrong.write_bytes(b"\x89PNG\r\n" + b"\0" * 5000)
    admin.allowed.append("400")
    page.get_by_label("License file").set_input_files(wrong)
    page.get_by_role("alert").wait_for()
    large = tmp_path / "large.lic"
    large.write_bytes(b"0" * (3 << 20))
    page.get_by_label("License file").set_input_files(large)
    expect(page.get_by_role("alert")).to_contain_text("1 MiB")


def test_a_preview_says_which_seats_end(site: Site, admin: Visitor, tmp_path: Path) -> None:
    lab = site.lab
    sold = lab.vendor.activate(lab.vendor.issue(item("one", "device")), lab.ctx)
    licenses.import_license(lab.ctx, licensefile.render(sold).encode(), Choice(), "test", lab.time.now)
    for _ in range(2):
        lab.authorize()
    file = tmp_path / "revoked.lic"
    file.write_text(licensefile.render(issuing.revoke(sold, ["one"], lab.vendor.key, "Vendor")), encoding="utf-8")
    page = admin.open("license-items")
    page.get_by_label("License file").set_input_files(file)
    preview = page.get_by_role("region", name="What will change")
    expect(preview).to_contain_text("one is revoked. 2 seats in use end: nothing is renewed, and devices go on")
    preview.get_by_role("button", name="Import").click()
    page.get_by_text("License 100 is imported").wait_for()


def test_items_are_found_filtered_sorted_and_turned_on_the_server(site: Site, admin: Visitor) -> None:
    many = [item(f"item {number:03}", quota=number + 1) for number in range(60)]
    site.lab.load(*many, item("gone", expiresAt="2026-11-24T13:00:00Z", startsAt="2026-11-01T00:00:00Z", graceDays=0))
    page = admin.open("license-items")
    table = page.get_by_role("table", name="Activated License Items")
    expect(table.get_by_role("row")).to_have_count(26)
    page.get_by_role("button", name="Next").click()
    expect(table).to_contain_text("item 030")
    page.get_by_role("button", name="Expired").click()
    expect(table.get_by_role("row")).to_have_count(2)
    page.get_by_role("button", name="All", exact=False).first.click()
    page.get_by_role("searchbox").fill("ITEM 05")
    expect(table.get_by_role("row")).to_have_count(11)
    page.get_by_role("searchbox").fill("")
    page.get_by_role("button", name="Item", exact=True).click()
    expect(table.get_by_role("row").nth(1)).to_contain_text("item 059")
    page.get_by_role("searchbox").fill("no such thing")
    page.get_by_text("Nothing found").wait_for()


def test_a_license_is_archived_after_its_figures_and_its_file_takes_it_back(
    site: Site, admin: Visitor, tmp_path: Path
) -> None:
    lab = site.lab
    made = lab.vendor.activate(lab.vendor.issue(item("scans"), item("desks", "device", 5, modules=["OCR"])), lab.ctx)
    (tmp_path / "a.lic").write_text(licensefile.render(made), encoding="utf-8")
    licenses.import_license(lab.ctx, (tmp_path / "a.lic").read_bytes(), Choice(), "test", lab.time.now)
    lab.load(item("other"), license_id="200")
    lab.authorize(modules=("OCR",))
    page = admin.open("license-items")
    page.get_by_role("button", name="Details of desks").click()
    page.get_by_role("button", name="Archive license 100").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 items are hidden and authorize nobody.")
    expect(dialog).to_contain_text("1 seat ends at once")
    expect(dialog).to_contain_text("1 handshake code keeps its items, and gets nothing from them: 216998-100")
    admin.check_accessibility()
    dialog.get_by_role("button", name="Cancel").click()
    dialog.wait_for(state="detached")
    assert len([one for one in licenses.describe(lab.ctx, lab.time.now) if one["state"] == "active"]) == 3
    page.get_by_role("button", name="Archive license 100").click()
    dialog.get_by_role("button", name="Archive", exact=True).click()
    dialog.wait_for(state="detached")
    table = page.get_by_role("table")
    expect(table).not_to_contain_text("desks")
    expect(table).to_contain_text("other")
    expect(page.get_by_role("button", name="All 1")).to_be_visible()

    # its codes keep it, and their form knows its name
    page = admin.open("handshake-codes")
    expect(page.get_by_role("row").filter(has_text="216998-100")).to_contain_text("archived")
    page.get_by_role("button", name="Edit 216998-100").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".sortable")).to_contain_text("desks")
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="detached")
    assert sorted(order_of(site, "216998-100")) == ["desks", "scans"]

    page = admin.open("license-items")
    page.get_by_role("button", name="Archived 2").click()
    expect(page.get_by_role("table")).to_contain_text("desks")
    page.get_by_role("button", name="Details of desks").click()
    expect(page.get_by_text("Importing the license's file again takes it back.")).to_be_visible()
    assert page.get_by_role("button", name="Archive license").count() == 0
    page.get_by_label("License file").set_input_files(tmp_path / "a.lic")
    expect(page.get_by_text("The license is archived; importing this file takes it back.")).to_be_visible()
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text("License 100 is taken back.").wait_for()
    page.get_by_role("button", name="All 3").click()
    expect(page.get_by_role("table")).to_contain_text("desks")


def test_an_end_is_told_by_the_calendar_and_the_end_of_a_day_is_24_00(site: Site, admin: Visitor) -> None:
    ends = {
        "a": ("2026-11-25T18:00:00Z", "today, 18:00 UTC", "today, 18:00 UTC"),
        "b": ("2026-11-25", "today, 24:00 UTC", "today, 24:00 UTC"),
        "c": ("2026-11-26", "tomorrow, 24:00 UTC", "tomorrow, 24:00 UTC"),
        "d": ("2026-12-01", "1 Dec 2026", "in 6 days, on 1 Dec 2026"),
        "e": ("2026-12-01T18:00:00Z", "1 Dec 2026, 18:00 UTC", "in 6 days, on 1 Dec 2026, 18:00 UTC"),
    }
    site.lab.load(*(item(name, expiresAt=end) for name, (end, _, _) in ends.items()))
    page = admin.open("license-items")
    for name, (_, said, _) in ends.items():
        row = page.get_by_role("row").filter(has=page.get_by_role("button", name=f"Details of {name}", exact=True))
        expect(row.locator("td.date").last).to_have_text(said)
    page = admin.open("index")
    for name, (_, _, said) in ends.items():
        expect(page.get_by_text(f"License item {name} of license 100 ends {said}.")).to_be_visible()
    assert "0 days" not in page.locator("body").inner_text()


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
    expect(dialog).to_contain_text("Nothing that was counted changes")
    admin.check_accessibility()
    dialog.get_by_role("button", name="Clear the mark").click()
    expect(page.get_by_text("The mark is cleared")).to_be_visible()
    expect(row).not_to_contain_text("copied")
    expect(page.get_by_role("button", name="Clear the mark")).to_have_count(0)
    site.lab.authorize(code, device, clone_token=tokens[1])  # it is refused no more
    told = admin.open("audit-log").get_by_role("row").filter(has_text="cleared a device that looked copied")
    expect(told).to_have_count(1)
    expect(told).to_contain_text("6f1c2b7e")


def test_why_tells_the_verdict_of_each_item(site: Site, admin: Visitor) -> None:
    code = site.lab.load(item("small", modules=["QR"]), item("late", startsAt="2026-12-24T00:00:00Z"))
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
    expect(detail).to_contain_text(answer["requestId"])


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

    page.get_by_label("Present password").fill("not this one at all")
    page.get_by_label("New password").fill("quite another password")
    page.get_by_label("Repeat the password").fill("quite another passwort")
    page.get_by_role("button", name="Change the password").click()
    page.get_by_text("The two passwords differ").wait_for()
    page.get_by_label("Repeat the password").fill("quite another password")
    admin.allowed.append("403")
    page.get_by_role("button", name="Change the password").click()
    page.get_by_role("alert").wait_for()
    page.get_by_label("Present password").fill(PASSWORD)
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
