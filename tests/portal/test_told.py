"""What the pages show an administrator who has to choose or to act: which of two alike, what to do, and when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

from lts.errors import Refusal
from lts.protocol import DAY_SECONDS, SLOT_SECONDS
from lts.service.alerting import alerts
from lts.service.licensing import handshakes, licenses
from lts.service.licensing.licenses import Choice
from tests.portal.conftest import Site
from tests.support.furnish import furnish
from tests.support.kit import Lab, item
from tests.support.visitor import PAGES, Visitor

OWNER = "216998"

WIDTHS = [390, 1280, *(pytest.param(width, marks=pytest.mark.slow) for width in (900, 1100, 1440))]


def options(page: Page, label: str) -> list[str]:
    """What one can choose from, once it has come."""
    found = page.get_by_label(label).locator("option")
    expect(found.nth(2)).to_be_attached()
    return found.all_text_contents()


def test_codes_and_items_called_alike_have_their_number_beside_the_name(site: Site, admin: Visitor) -> None:
    here = site.lab
    here.load(item("one"))
    here.load(item("one"), item("two"), license_id="101")
    now = here.time.now
    for _ in range(2):
        gone = handshakes.add(here.ctx, OWNER, {"custom": "shop"}, "test", now)
        handshakes.remove(here.ctx, gone.name, "test", now)
    shop = handshakes.add(here.ctx, OWNER, {"custom": "shop", "items": [{"id": 1}]}, "test", now)
    here.report(here.authorize(shop.name).lease, {"QR": 3})
    page = admin.open("handshake-codes")
    page.get_by_role("button", name=f"Details of {shop.key}").click()
    page.get_by_role("link", name="Statistics", exact=True).last.click()
    expect(page.get_by_label("Statistics of")).to_have_value(f"code:#{shop.key}")
    admin.settled()
    assert options(page, "Statistics of") == [
        "Everything", "216998-100", "216998-101", "216998-shop (#5)", "one · 100", "one · 101", "two · 101",
        "216998-shop (#3)", "216998-shop (#4)",
    ]  # fmt: skip
    page = admin.open("statistics", "?code=216998-shop")
    expect(page.get_by_label("Statistics of")).to_have_value(f"code:#{shop.key}")
    page.get_by_label("Statistics of").select_option(label="216998-shop (#4)")
    expect(page.get_by_label("Statistics of")).to_have_value("code:#4")


def test_items_of_one_description_have_their_number_beside_it(site: Site, admin: Visitor) -> None:
    for name in ("100", "101"):
        site.lab.load(item("one", description="Scans"), license_id=name)
    site.lab.report(site.lab.authorize().lease, {"QR": 1})
    alike = ["one · Scans (#1)", "one · Scans (#2)"]
    admin.open("statistics")
    assert options(admin.page, "Statistics of")[3:] == alike
    admin.open("devices")
    assert options(admin.page, "License item") == ["All license items", *alike]


def test_what_to_know_of_a_name_is_shown_once_the_code_has_it(site: Site, admin: Visitor) -> None:
    site.lab.load(item("a"), organization="1", license_id="2-3")
    site.lab.load(item("b"), organization="1-2", license_id="4")
    page = admin.open("handshake-codes")
    page.get_by_role("button", name="Add code").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Organization", exact=True).select_option("1-2")
    dialog.get_by_label("Name", exact=True).fill("3")
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="detached")
    told = page.get_by_text("A handshake code of organization 1 is, or was, spelled 1-2-3 too.")
    expect(told).to_have_count(1)
    page.get_by_role("button", name="Edit 1-2-4").click()
    dialog.get_by_label("Note").fill("n")
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="detached")
    expect(told).to_have_count(0)


def test_an_empty_list_of_codes_says_what_to_do_first(site: Site, admin: Visitor) -> None:
    page = admin.open("handshake-codes")
    page.get_by_text("Import a license file first").wait_for()
    now = site.lab.time.now
    licenses.import_license(site.lab.ctx, site.lab.vendor.file(site.lab.ctx, item("a")), Choice(items_only=True),
                            "test", now)  # fmt: skip
    page.reload()
    page.get_by_text("You have licenses: add a code and link their items to it.").wait_for()
    expect(page.get_by_text("Import a license file first")).to_have_count(0)
    page.get_by_role("region").or_(page.locator(".empty")).get_by_role("button", name="Add code").click()
    page.get_by_role("dialog").wait_for()


@pytest.mark.parametrize(
    ("way", "advice"),
    [
        ("scan", "Ask the vendor for more quota, or raise the code's cap if it has one."),
        ("device", "Release seats on the Devices page, ask the vendor for more quota"),
        ("concurrentDevice", "Wait until other use ends, ask the vendor for more concurrent use"),
    ],
)
def test_advice_for_a_full_item_fits_what_it_counts(way: str, advice: str, site: Site, admin: Visitor) -> None:
    more = {"overdraft": 0} if way == "concurrentDevice" else {}
    code = site.lab.load(item("full", way, 1, graceQuota=0, **more), item("other", product="writer"))
    lease = site.lab.authorize(code).lease
    site.lab.report(lease, {"QR": 1})
    with pytest.raises(Refusal, match="used up"):
        site.lab.authorize(code)
    page = admin.open("why")
    expect(page.get_by_role("row").filter(has_text="Quota used up")).to_contain_text(advice)


def test_the_history_of_alerts_writes_days_as_the_other_pages_do(site: Site, visit: Callable[..., Visitor]) -> None:
    here = site.lab
    ending = item("two", product="w", expiresAt="2026-12-04T18:00:00Z")
    here.load(item("one", quota=400, expiresAt="2026-12-05"), ending)
    lease = here.authorize().lease
    for _ in range(5):
        here.time.forward(DAY_SECONDS - 4 * SLOT_SECONDS)
        here.report(lease, {"QR": 70})
    alerts.check(here.ctx, here.time.now)
    visitor = visit(site.base)
    visitor.begin(site.setup_code)
    history = visitor.open("usage-alerts").get_by_role("table", name="History")
    for text in ("ends in 5 days, on 5 Dec 2026.", "on 4 Dec 2026, 18:00 UTC.", "be used up today"):
        expect(history).to_contain_text(text)
    assert "2026-12" not in history.inner_text()
    visitor.page.evaluate("localStorage.setItem('lts-language', 'zh')")
    visitor.page.reload()
    expect(visitor.settled().locator("table").first).to_contain_text("2026年12月5日")
    assert "2026-12" not in visitor.page.locator("table").first.inner_text()


_WRAPPED = """() => [...document.querySelectorAll('.pill' +
        (innerWidth < 832 ? '' : ', td.date .cell, td.date:not(:has(.cell))'))]
    .filter(e => { const r = document.createRange(); r.selectNodeContents(e);
        return new Set([...r.getClientRects()].map(one => Math.round(one.bottom / 8))).size > 1; })
    .map(e => e.outerHTML.slice(0, 160))"""
_WIDER = """() => [...document.querySelectorAll('.table-wrap')].filter(e => e.scrollWidth > e.clientWidth)
    .map(e => `${e.getAttribute('aria-label')}: ${e.scrollWidth} > ${e.clientWidth}`)"""


def some_of_all(here: Lab) -> None:
    """Besides what furnish makes: a device that looks copied and one code with a session password and bindings."""
    furnish(here)
    now = here.time.now
    changes = {"custom": "bound", "password": "s3cret", "validation": {"domains": ["x.example"]}, "items": [{"id": 1}]}
    handshakes.add(here.ctx, OWNER, changes, "test", now)


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_marks_and_times_stay_on_one_line(width: int, site: Site, visit: Callable[..., Visitor]) -> None:
    some_of_all(site.lab)
    visitor = visit(site.base, viewport={"width": width, "height": 900})
    visitor.begin(site.setup_code)
    found: dict[str, Any] = {}
    for language in ("en", "zh"):
        visitor.open().evaluate("language => localStorage.setItem('lts-language', language)", language)
        visitor.page.reload()
        for name in PAGES:
            page = visitor.open(name)
            if wrapped := page.evaluate(_WRAPPED):
                found[f"{language} {name}"] = wrapped
            if width >= 1280 and (wider := page.evaluate(_WIDER)):
                found[f"{language} {name} wide"] = wider
    assert not found


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", WIDTHS)
def test_filters_of_the_audit_log_are_in_one_row(
    width: int, language: str, site: Site, visit: Callable[..., Visitor]
) -> None:
    visitor = visit(site.base, viewport={"width": width, "height": 900})
    visitor.begin(site.setup_code)
    visitor.open().evaluate("language => localStorage.setItem('lts-language', language)", language)
    visitor.page.reload()
    tools = visitor.open("audit-log").locator(".tools")
    kind, first, last = (box(tools.locator(name)) for name in ("select", "#audit-from", "#audit-to"))
    if width == 390:
        assert first["x"] == last["x"], "one under the other"
        ends = {round(one["x"] + one["width"]) for one in (box(tools), kind, first, last)}
        assert len(ends) == 1, "as wide as the row"
    else:
        assert first["y"] == last["y"], "the two days of a range stay together"
        assert len({round(one["height"]) for one in (kind, first, last)}) == 1


def box(of: Locator) -> FloatRect:
    """Where something is on the page."""
    found = of.bounding_box()
    assert found
    return found
