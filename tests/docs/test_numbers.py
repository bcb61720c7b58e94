"""The numbers of the guides and of the design are those that the program goes by."""

from __future__ import annotations

import re

import pytest

from lts.config import RateLimits
from lts.protocol import DAY_SECONDS
from lts.rules.alerting.alerts import DEFAULT_LEVELS, END_DAYS, FEWEST_CALLS, FORECAST_DAYS, SLACK
from lts.rules.licensing.licensefile import (
    CHARGE_WAYS,
    DEFAULT_GRACE_DAYS,
    DEFAULT_GRACE_QUOTA,
    MAX_ITEMS,
    OVERDRAFT_FACTOR,
    PERIOD_DAYS,
)
from lts.rules.metering import workload
from lts.rules.metering.terms import DEFAULT_OFFLINE_DAYS, OVERDRAFT_PERIOD_SECONDS
from lts.service.metering import newnames
from lts.store.tables import typenames
from lts.vendor.spec import ITEM_FIELDS
from lts.web.client.limits import UNPROVEN_BURST, UNPROVEN_PER_MINUTE, WORK_BURST, WORK_PER_MINUTE
from tests.docs.test_docs import DOCS

CHARGING, FILES, ADMINISTERING, SURFACE, VENDOR, SETTINGS = (
    " ".join((DOCS / name).read_text(encoding="utf-8").split())
    for name in ("design/charging.md", "design/license-files.md", "design/administering.md", "design/surface.md",
                 "vendor.md", "configuration.md")
)  # fmt: skip
SPEC = " ".join(f"| `{name}` | {text} |" for name, text in ITEM_FIELDS.items())
PAGES = {"license-files.md": FILES, "vendor.md": VENDOR, "lts vendor spec": SPEC}


def row(page: str, field: str) -> str:
    """What is written beside a field, up to the next one."""
    found = re.search(rf"\| `{field}` \|(.*?)(?=\| `|$)", page)
    assert found, field
    return found[1]


def numbers(text: str) -> list[int]:
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", text)]


def grace_by_way(text: str) -> dict[str, int]:
    """The percents of a text such as `5 (scan, page), else 0`, of every charge way."""
    told = {way: int(percent) for percent, ways in re.findall(r"(\d+) \(([^)]*)\)", text) for way in ways.split(", ")}
    rest = re.search(r"else (\d+)", text)
    assert rest, text
    return {way: told.get(way, int(rest[1])) for way in CHARGE_WAYS}


@pytest.mark.parametrize("name", PAGES)
def test_the_defaults_of_an_item_are_documented_as_they_are(name: str) -> None:
    page = PAGES[name]
    assert grace_by_way(row(page, "graceQuota")) == {way: DEFAULT_GRACE_QUOTA.get(way, 0) for way in CHARGE_WAYS}
    assert numbers(row(page, "graceDays")) == [DEFAULT_GRACE_DAYS]
    overdraft = re.search(r"(\d+) [×x] quota", row(page, "overdraft"))
    assert overdraft
    assert int(overdraft[1]) == OVERDRAFT_FACTOR


def test_the_charge_ways_have_the_documented_grace() -> None:
    for line in (DOCS / "design/charging.md").read_text(encoding="utf-8").splitlines():
        ways = re.findall(r"`(\w+)`", line.split("|")[1]) if line.startswith("| `") else []
        if percent := re.search(r"grace (\d+) %", line):
            assert ways
            assert {DEFAULT_GRACE_QUOTA[way] for way in ways} == {int(percent[1])}
    assert len(re.findall(r"grace \d+ %", CHARGING)) == 2


def test_a_lease_lasts_offline_as_long_as_documented() -> None:
    assert f"now + `maxOfflineDays` ({DEFAULT_OFFLINE_DAYS} if unset)" in CHARGING
    assert numbers(row(VENDOR, "maxOfflineDays"))[0] == DEFAULT_OFFLINE_DAYS
    assert numbers(row(SPEC, "maxOfflineDays")) == [DEFAULT_OFFLINE_DAYS]


def test_periods_and_sizes_are_documented_as_they_are() -> None:
    days = OVERDRAFT_PERIOD_SECONDS // DAY_SECONDS
    assert f"A period is {days} days" in CHARGING
    assert f"may spend in {days} days" in VENDOR
    assert f"may spend in {days} days" in SPEC
    assert [f"{name} {length}" for name, length in PERIOD_DAYS.items()] == re.findall(
        r"(?:yearly|quarterly|monthly|daily) \d+", row(FILES, "activePeriod")
    )
    assert numbers(row(VENDOR, "items"))[1] == numbers(row(FILES, "items"))[1] == MAX_ITEMS


def test_alerts_come_at_the_documented_levels() -> None:
    """The end of grace is 100 and the grace of the quota."""
    table = dict(re.findall(r"\| ((?:quota|overdraft|failed|end|forecast)[^|]*) \| ([^|]*) \|", ADMINISTERING))
    quota, daily, overdraft, failed, end, forecast = table.items()
    assert numbers(quota[1]) == [*DEFAULT_LEVELS["scan"], *sorted({100 + p for p in DEFAULT_GRACE_QUOTA.values()})]
    assert numbers(daily[1]) == [*DEFAULT_LEVELS["deviceDaily"]]
    assert numbers(overdraft[1]) == [*DEFAULT_LEVELS["concurrentDevice"]]
    assert (numbers(failed[0])[1], numbers(failed[1])) == (FEWEST_CALLS, [*DEFAULT_LEVELS["failures"]])
    assert numbers(end[1]) == [*END_DAYS]
    assert numbers(forecast[1]) == [FORECAST_DAYS]
    assert f"fallen under it by {SLACK} points" in ADMINISTERING


def test_the_limits_per_minute_are_documented_as_they_are() -> None:
    limits = RateLimits()
    often, burst = limits.device_requests_per_minute, limits.device_burst
    assert f"{often} requests a minute of a device at an address, {burst} at once" in SURFACE
    assert f"only refused requests count, {limits.address_refusals_per_minute} a minute" in SURFACE
    assert f"{UNPROVEN_PER_MINUTE} a minute, {UNPROVEN_BURST:,} at once" in SURFACE
    assert f"{WORK_PER_MINUTE:,} such requests a minute, {WORK_BURST:,} at once" in SURFACE.replace("\n", " ")
    assert f"for each {workload.UNIT:,} units of work" in SURFACE
    assert numbers(row(SETTINGS, "rateLimits.deviceRequestsPerMinute"))[0] == limits.device_requests_per_minute
    assert numbers(row(SETTINGS, "rateLimits.deviceBurst"))[0] == limits.device_burst
    assert numbers(row(SETTINGS, "rateLimits.addressRefusalsPerMinute"))[0] == limits.address_refusals_per_minute


def test_the_limits_of_type_names_are_documented_as_they_are() -> None:
    told = CHARGING[CHARGING.index("## Types") : CHARGING.index("## Renewal by report")]
    told_of_pieces = CHARGING[CHARGING.index("## Large reports") : CHARGING.index("## Types")]
    assert {workload.PIECE, workload.DAY, workload.NAME} <= set(numbers(told_of_pieces))
    limits = {newnames.OF_DEVICE, newnames.OF_LICENSE, newnames.MOST_OF_ROW, typenames.MAX_NUMBERED}
    assert limits <= set(numbers(told))
