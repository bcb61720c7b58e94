"""License files and items in the portal, as an administrator uses them."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from lts.rules.licensing import licensefile
from lts.service.licensing import archiving, itemlist, licenses
from lts.service.licensing.licenses import Choice
from lts.vendor import issuing
from tests.portal.conftest import Site
from tests.support.codeorder import order_of
from tests.support.kit import item
from tests.support.visitor import Visitor


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
    preview.get_by_label("Add to an existing handshake code").check()
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
    expect(preview).to_contain_text("one is revoked. 2 seats in use end: nothing is renewed, and devices keep working")
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
    expect(dialog).to_contain_text("1 handshake code keeps its items, but gets nothing from them: 216998-100")
    admin.check_accessibility()
    dialog.get_by_role("button", name="Cancel").click()
    dialog.wait_for(state="detached")
    assert len([one for one in itemlist.describe(lab.ctx, lab.time.now) if one.state == "active"]) == 3
    page.get_by_role("button", name="Archive license 100").click()
    dialog.get_by_role("button", name="Archive", exact=True).click()
    dialog.wait_for(state="detached")
    table = page.get_by_role("table")
    expect(table).not_to_contain_text("desks")
    expect(table).to_contain_text("other")
    expect(page.get_by_role("button", name="All 1")).to_be_visible()

    archiving.archive(lab.ctx, "200", None, "test", lab.time.now)
    page.reload()
    expect(page.get_by_text("All licenses are archived")).to_be_visible()
    expect(page.get_by_text("No license yet")).to_have_count(0)
    page.get_by_role("button", name="Show them").click()
    expect(page.get_by_role("table")).to_contain_text("desks")

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
    page.get_by_role("button", name="Archived 3").click()
    expect(page.get_by_role("table")).to_contain_text("desks")
    page.get_by_role("button", name="Details of desks").click()
    expect(page.get_by_text("Importing the license's file again takes it back.")).to_be_visible()
    assert page.get_by_role("button", name="Archive license").count() == 0
    page.get_by_label("License file").set_input_files(tmp_path / "a.lic")
    expect(page.get_by_text("The license is archived; importing this file takes it back.")).to_be_visible()
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text("License 100 is taken back.").wait_for()
    page.get_by_role("button", name="All 2").click()
    expect(page.get_by_role("table")).to_contain_text("desks")


def test_an_end_is_shown_by_the_calendar_and_the_end_of_a_day_is_24_00(site: Site, admin: Visitor) -> None:
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
