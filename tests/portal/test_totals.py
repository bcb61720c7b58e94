"""Pie, chart, table, CSV, API and command line agree, whatever was done to codes and items since."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page

from lts.protocol import slot_of
from lts.service.licensing import handshakes
from tests.portal.conftest import Site
from tests.support.kit import NOON, item, lab
from tests.support.lines import lts
from tests.support.visitor import Visitor

pytestmark = pytest.mark.slow

SLOT = slot_of(NOON)


def figure(text: str) -> int:
    """The number in a text such as "1,234 units"."""
    found = re.search(r"[\d,]+", text)
    assert found, text
    return int(found[0].replace(",", ""))


def texts(table: Locator, rows: str) -> list[list[str]]:
    """The texts of the cells of a table's rows, read at once."""
    found: list[list[str]] = table.evaluate(
        "(table, rows) => [...table.querySelectorAll(rows)].map(row => [...row.cells].map(cell => cell.innerText))",
        rows,
    )
    return found


def by_type(page: Page, table: str) -> dict[str, int]:
    """Units by type of a doughnut's legend."""
    return {row[0]: figure(row[1]) for row in texts(page.get_by_role("table", name=table, exact=True), "tr")}


def everything(site: Site, admin: Visitor, query: str) -> dict[str, dict[str, int]]:
    """Units by type as every place shows them for the whole history of a subject."""
    page = admin.open("statistics", f"?days=all{query}")
    found = {"pie of all history": by_type(page, "All history"), "pie of the period": by_type(page, "Selected period")}
    chart = page.locator(".keys li").all()
    if chart:
        found["chart"] = {
            re.sub(r"\s[\d,]+$", "", one.inner_text()): figure(one.locator(".soft").inner_text()) for one in chart
        }
    total = figure(page.get_by_role("heading", name="Trend").locator("xpath=../..").locator(".actions").inner_text())
    figures = page.get_by_role("table", name="Figures")
    heads = texts(figures, "thead tr")[0][1:]
    sums = [figure(text) for text in texts(figures, "tfoot tr")[0][1:]]
    found["sums of the table"] = dict(zip(heads[:-1], sums[:-1], strict=True))
    assert sums[-1] == total == sum(sums[:-1])

    rows: dict[str, int] = dict.fromkeys(heads[:-1], 0)
    while True:  # all pages of the table
        admin.settled()
        for row in texts(figures, "tbody tr"):
            for head, text in zip(heads, row[1:], strict=True):
                if head != "Sum":
                    rows[head] += figure(text)
        onward = page.get_by_role("button", name="Next")
        if not onward.count() or onward.is_disabled():
            break
        seen = figures.inner_text()
        onward.click()
        page.wait_for_function("seen => document.querySelector('main table.cards').innerText !== seen", arg=seen)
    found["rows of the table"] = rows

    with page.expect_download() as saved:
        page.get_by_role("link", name="CSV", exact=True).click()
    found["CSV"] = of_csv(Path(saved.value.path()).read_text(encoding="utf-8-sig"))
    with page.expect_download() as saved:
        page.get_by_role("link", name="CSV by hour").click()
    found["CSV by hour"] = of_csv(Path(saved.value.path()).read_text(encoding="utf-8-sig"))

    for by in ("type", "day", "hour", "device"):
        answer = page.request.get(f"{site.base}api/v1/admin/usage?by={by}{query.replace('#', '%23')}").json()
        totals: dict[str, int] = {}
        for row in answer["rows"]:
            totals[row["type"]] = totals.get(row["type"], 0) + row["units"]
        assert sum(totals.values()) == answer["total"]
        found[f"API by {by}"] = totals
    return {place: {name: units for name, units in each.items() if units} for place, each in found.items()}


def of_csv(text: str) -> dict[str, int]:
    """Units by type of a CSV file."""
    totals: dict[str, int] = {}
    for row in csv.DictReader(io.StringIO(text)):
        totals[row["type"]] = totals.get(row["type"], 0) + int(row["units"])
    return totals


def test_every_place_shows_the_same_totals_after_every_change(tmp_path: Path, visit: Callable[..., Visitor]) -> None:
    with lab(tmp_path) as here:
        site = Site(here)
        admin = visit(site.base)
        admin.begin(site.setup_code)
        told = change_and_check(site, admin)
        admin.leave()
        site.stop()
    for query, units in told.items():  # the command line, on the data folder of the stopped server
        kind, _, subject = query.removeprefix("&").replace("%23", "#").partition("=")
        chosen = [f"--{kind}", subject] if subject else []
        done = lts("usage", *chosen, "--format", "csv", data=tmp_path / "data")
        assert done.code == 0, done.err
        assert of_csv(done.out.lstrip("\ufeff")) == units
        done = lts("usage", *chosen, "--by", "device", "--format", "json", data=tmp_path / "data")
        assert json.loads(done.out)["total"] == sum(units.values())


def change_and_check(site: Site, admin: Visitor) -> dict[str, dict[str, int]]:
    """Share an item, remove it, delete a code, report late; the totals at the end by the query of a subject."""
    ctx = site.lab.ctx
    first = site.lab.load(item("scans", quota=100_000, modules=["QR", "Aztec"]))
    handshakes.add(ctx, "216998", {"custom": "second"}, "test", NOON)
    shared = next(iter(ctx.store.catalog.items))
    handshakes.edit(ctx, "216998-second", {"items": [{"id": shared, "cap": None}]}, "test", NOON)
    leases = [site.lab.authorize(code) for code in (first, first, "216998-second")]
    for day in range(29):
        for number, got in enumerate(leases):
            site.lab.report(got.lease, {"QR": 10 + day, "Aztec": number + 1}, SLOT - 480 * day - number)
    one, two, whole = f"&code={first}", "&code=216998-second", f"&item=%23{shared}"

    def check() -> dict[str, dict[str, int]]:
        told = {}
        for query in ("", one, two, whole):
            places = everything(site, admin, query)
            assert len({json.dumps(each, sort_keys=True) for each in places.values()}) == 1, places
            told[query] = places["API by type"]
        assert told[""] == told[whole] == {name: told[one][name] + told[two][name] for name in told[""]}
        return told

    before = check()
    assert before[""] == {"QR": 3 * sum(range(10, 39)), "Aztec": 29 * 6}
    handshakes.edit(ctx, "216998-second", {"items": []}, "test", NOON)  # the item is removed from the code
    assert check() == before
    handshakes.remove(ctx, "216998-second", "test", NOON)  # and the code is deleted
    assert check() == before
    site.lab.report(leases[2].lease, {"QR": 1000}, SLOT - 5)  # a late report for the deleted code counts there still
    after = check()
    assert after[two]["QR"] == before[two]["QR"] + 1000
    return after
