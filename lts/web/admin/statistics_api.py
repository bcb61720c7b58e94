"""Calls about usage: tables, the statistics page's overview, a day's hours; part of the administrators' API."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from lts.errors import AdminError
from lts.protocol import DAY_SECONDS
from lts.rules.licensing.catalog import LicenseItem
from lts.rules.statistics.usagetable import usage_csv
from lts.rules.values.paging import Page, page_of
from lts.service.core.context import Context
from lts.service.statistics import usage
from lts.service.statistics.usage import DayHours, Overview, Subjects, UsageTable
from lts.web.admin.answers import SummedItem, UsagePage, UsageRow
from lts.web.admin.calls import Calls
from lts.web.admin.listing import asked_page, asked_text, csv_file, number, wants_csv

MOST_DAYS = 3660


def add_calls(api: Calls, ctx: Context) -> None:
    @api.get("/usage")
    def usage_table() -> UsagePage | Response:
        table = usage.usage(ctx, **_subject(), **_range(ctx), grouping=request.args.get("by", "type"))
        if wants_csv():
            rows = [(row.group, row.type, row.units) for row in _page(table, Page()).rows]
            return csv_file(f"usage-by-{table.grouping}", usage_csv(table.grouping, rows))
        return _page(table, asked_page())

    @api.get("/statistics")
    def statistics() -> Overview:
        return usage.overview(ctx, ctx.clock.now(), **_subject(), **_range(ctx))

    @api.get("/statistics/hours")
    def statistics_hours() -> DayHours:
        day = asked_text("day")
        if day is None:
            raise AdminError("bad-day", "Name the day, such as 2026-11-25 (UTC).", field="day")
        return usage.hours(ctx, day, **_subject())

    @api.get("/statistics/subjects")
    def statistics_subjects() -> Subjects:
        return usage.subjects(ctx)


def _range(ctx: Context) -> dict[str, str | None]:
    """The days asked for: `from` and `to`, or the last `days` of the server's own clock."""
    if request.args.get("days") is None:
        return {"first": asked_text("from"), "last": asked_text("to")}
    today = ctx.clock.now() // DAY_SECONDS
    return {"first": usage.day_text(today - number("days", 1, MOST_DAYS) + 1), "last": usage.day_text(today)}


def _subject() -> dict[str, str | None]:
    return {"code": asked_text("code"), "organization": asked_text("organizationId"), "item": asked_text("item")}


def _page(table: UsageTable, page: Page) -> UsagePage:
    """Rows of the groups of a page; sums and total are those of all groups, whatever the page."""
    cells: dict[str, dict[str, int]] = {group: {} for group in table.groups}
    sums: dict[str, int] = dict.fromkeys(table.types, 0)
    for (group, name), units in table.rows.items():
        cells[group][name] = units
        sums[name] += units
    columns: dict[str, Any] = {"group": str, "total": lambda group: sum(cells[group].values())}
    columns |= {f"type:{name}": _units_of(cells, name) for name in table.types}
    shown, found = page_of(table.groups, page, str, columns)
    return UsagePage(
        by=table.grouping, types=table.types,
        rows=[UsageRow(group, name, n) for group in shown for name, n in cells[group].items()], groups=found,
        sums=sums, total=table.total, items=None if table.items is None else [_named(item) for item in table.items],
        zone="UTC",
    )  # fmt: skip


def _named(item: LicenseItem) -> SummedItem:
    return SummedItem(item.key, item.terms.item_id, item.license_id, item.organization_id)


def _units_of(cells: dict[str, dict[str, int]], name: str) -> Any:
    return lambda group: cells[group].get(name, 0)
