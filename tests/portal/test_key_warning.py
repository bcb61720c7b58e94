"""What the page Handshake Codes says before harm is done: a key for this machine alone, a code that is in use."""

from __future__ import annotations

from playwright.sync_api import expect

from lts.service.licensing import handshakes, serverurls
from tests.portal.conftest import Site
from tests.support.kit import item
from tests.support.visitor import Visitor

ONLY_HERE = "The key contains an address that only this machine reaches."


def test_copying_a_key_for_this_machine_alone_says_so(site: Site, admin: Visitor) -> None:
    code = site.lab.load(item("one"))
    page = admin.open("handshake-codes")
    copy = page.get_by_role("button", name=f"Copy: License key of {code}")
    said = page.get_by_role("row").filter(has_text=code).get_by_role("status")
    expect(said).to_have_text("")
    copy.click()
    expect(said).to_contain_text(ONLY_HERE)
    expect(said).to_contain_text("set the server URL first")
    serverurls.change(site.lab.ctx, ["https://lts.example.com/lts/"], "test", site.lab.time.now)
    page.reload()
    copy.click()
    expect(said).not_to_have_text("")
    expect(said).not_to_contain_text("only this machine reaches")


def test_removing_a_code_says_how_many_devices_draw_on_it(site: Site, admin: Visitor) -> None:
    site.lab.load(item("seats", "device", 10))
    change = {"custom": "two", "items": [{"id": 1, "cap": None}]}
    handshakes.add(site.lab.ctx, "216998", change, "test", site.lab.time.now)
    for _ in range(2):
        given = site.lab.authorize("216998-two")
    site.lab.report(given.lease, {"QR": 1})
    page = admin.open("handshake-codes")
    page.get_by_role("button", name="Remove 216998-two").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(
        "2 devices hold a seat through it; 1 device reported through it in the last 30 days."
    )
    dialog.get_by_role("button", name="Remove", exact=True).click()
    dialog.wait_for(state="detached")
    assert [code.name for code in handshakes.describe(site.lab.ctx)] == ["216998-100"]
