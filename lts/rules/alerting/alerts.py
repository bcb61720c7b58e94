"""When an administrator is alerted: what is watched, and what is new (docs/design/administering.md, Usage
alerts)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lts.errors import AdminError
from lts.protocol import DAY_SECONDS
from lts.rules.licensing.itemnames import namer
from lts.rules.licensing.itemstatus import ItemStatus
from lts.rules.licensing.successors import Successors
from lts.rules.metering.terms import CONCURRENT_WAYS, UNIT_WAYS
from lts.rules.values.ends import days_left

Json = dict[str, Any]
SLACK = 5
"""Points that a value must fall below a level before that level can be alerted again."""
QUOTA_LEVELS, DAILY_LEVELS, FAILURE_LEVELS = (60, 80, 100), (100,), (10, 20, 40, 60, 80, 100)
DEFAULT_LEVELS: Mapping[str, tuple[int, ...]] = {
    "scan": QUOTA_LEVELS, "page": QUOTA_LEVELS, "device": QUOTA_LEVELS, "deviceDaily": DAILY_LEVELS,
    "server": QUOTA_LEVELS, "concurrentDevice": QUOTA_LEVELS, "concurrentInstance": QUOTA_LEVELS,
    "failures": FAILURE_LEVELS,
}  # fmt: skip
"""Percentages for each thing that is watched; the end of grace is also watched."""
FEWEST_CALLS = 20
"""Authorizations in the last hour from which on their failures are checked."""
END_DAYS = (30, 14, 7, 1)
FORECAST_DAYS = 14
FORECAST_OVER = 21
"""An alerted forecast is over when the item lasts for more days than this."""
GRACE_STAGE = len(END_DAYS) + 1
MOST_LEVELS, HIGHEST_LEVEL = 10, 1000


@dataclass(frozen=True)
class Measure:
    """Something watched: `value` against `base` in percent reaches `levels` (ascending). `key` names it permanently, by
    the number of an item or code; `spelled` is the key that LTS 0.1.0 gave it; `params` are the alert's parameters;
    `quota` is what a vendor can raise, 0 where `base` grows by itself."""

    key: str
    spelled: str
    kind: str
    value: int
    base: int
    levels: tuple[int, ...]
    quota: int = 0
    slack: int = SLACK
    params: Json = field(default_factory=dict)

    def reaches(self, level: int) -> bool:
        return self.value * 100 >= level * self.base

    def holds(self, level: int) -> bool:
        """Whether the value is less than `slack` points under a level."""
        return self.reaches(level) or self.value * 100 > (level - self.slack) * self.base


@dataclass(frozen=True)
class AlertedLevel:
    """The highest level of a measure that was alerted and is not new now, with the quota then."""

    level: int = 0
    quota: int = 0


NEVER_ALERTED = AlertedLevel()


def judge(measure: Measure, alerted: AlertedLevel) -> tuple[AlertedLevel, int | None]:
    """What is stored of a measure afterwards, and the level that is new, or None."""
    kept = 0
    if measure.quota <= alerted.quota or not alerted.level:
        kept = max((n for n in measure.levels if n <= alerted.level and measure.holds(n)), default=0)
    reached = max((n for n in measure.levels if measure.reaches(n)), default=0)
    if reached > kept:
        return AlertedLevel(reached, measure.quota), reached
    return (AlertedLevel(kept, max(alerted.quota, measure.quota)) if kept else NEVER_ALERTED), None


def _keys(kind: str, item: ItemStatus) -> tuple[str, str]:
    return f"{kind}:#{item.id}", f"{kind}:{item.license_id}:{item.item_id}"


def quota_measures(items: Sequence[ItemStatus], levels: Mapping[str, tuple[int, ...]]) -> list[Measure]:
    """Quotas of scan, page, device and server items, overdrafts of concurrent ones."""
    named = namer(items)
    found = []
    for item in items:
        way, quota = item.charge_way, item.quota
        if item.state not in ("active", "grace") or way == "domain" or not quota:
            continue
        if way in CONCURRENT_WAYS:
            used, total = max(0, item.overdraft_spent or 0), item.overdraft or 0
            if total:
                params = named(item, used=used, quota=total, chargeWay=way)
                keys = _keys("overdraft", item)
                found.append(Measure(*keys, "overdraft", used, total, levels[way], total, params=params))
            continue
        daily = way == "device" and item.active_period == "daily"
        end_of_grace = (quota + item.grace) * 100 // quota
        every = {*levels["deviceDaily" if daily else way], *([] if daily else [end_of_grace])}
        params = named(item, used=item.used, quota=quota, grace=item.grace, chargeWay=way)
        found.append(
            Measure(*_keys("quota", item), "quota", item.used, quota, tuple(sorted(every)), quota, params=params)
        )
    return found


def failure_measures(
    calls: Mapping[tuple[int, str], tuple[int, int]], levels: Mapping[str, tuple[int, ...]]
) -> list[Measure]:
    """Failed of all authorizations of the last 60 minutes; `calls` are (failed, all) by number and name of the code."""
    found = []
    for (number, name), (failed, every) in calls.items():
        if every >= FEWEST_CALLS or not every:  # between, it stays as it was
            params = {"code": name, "id": number, "failed": failed, "all": every}
            keys = f"failures:#{number}", f"failures:{name}"
            found.append(Measure(*keys, "failures", failed, max(1, every), levels["failures"], params=params))
    return found


def end_measures(items: Sequence[ItemStatus], now: int) -> list[Measure]:
    """Items that end soon or are in grace; those with a renewal that lasts longer are left out."""
    named = namer(items)
    found, successors = [], None
    for item in items:
        end = item.expires_at
        if end is None or item.state not in ("active", "grace"):
            continue
        stage = GRACE_STAGE if end <= now else sum(end - now <= days * DAY_SECONDS for days in END_DAYS)
        if stage:
            successors = successors or Successors(items)
            stage = 0 if successors.take_over(item) else stage
        left, grace_ends = max(0, days_left(end, now)), end + item.grace_days * DAY_SECONDS
        params = named(item, days=left, expiresAt=end, graceEnds=grace_ends)
        kind = "grace" if stage == GRACE_STAGE else "ends"
        found.append(_stage(_keys("ends", item), kind, stage, GRACE_STAGE, params))
    return found


def _stage(keys: tuple[str, str], kind: str, stage: int, most: int, params: Json) -> Measure:
    return Measure(*keys, kind, stage, 100, tuple(range(1, most + 1)), slack=0, params=params)


def forecast_measures(items: Sequence[ItemStatus], last_days: Mapping[int, int], today: int) -> list[Measure]:
    """Count items that run out within FORECAST_DAYS; `last_days` are days since 1970 by the number of the item."""
    named = namer(items)
    found = []
    for item in items:
        if item.charge_way not in UNIT_WAYS or item.state not in ("active", "grace"):
            continue
        last = last_days.get(item.id)
        left = FORECAST_OVER + 1 if last is None else last - today
        if FORECAST_DAYS < left <= FORECAST_OVER:
            continue  # as it was
        params = named(item, days=max(0, left), day=last, used=item.used, quota=item.quota)
        found.append(_stage(_keys("forecast", item), "forecast", int(left <= FORECAST_DAYS), 1, params))
    return found


def clean_levels(given: object) -> dict[str, list[int]]:
    """Levels as an administrator gave them, in order, each once. Raises AdminError."""
    if not isinstance(given, dict) or set(given) - set(DEFAULT_LEVELS):
        raise AdminError("bad-levels", f"levels has lists for {', '.join(DEFAULT_LEVELS)}.", field="levels")
    cleaned = {}
    for name, levels in given.items():
        good = isinstance(levels, list) and len(levels) <= MOST_LEVELS
        if not good or any(type(n) is not int or not 1 <= n <= HIGHEST_LEVEL for n in levels):
            sentence = f"{name}: up to {MOST_LEVELS} whole percentages from 1 to {HIGHEST_LEVEL}; none switches it off."
            raise AdminError("bad-levels", sentence, field=name)
        cleaned[name] = sorted(set(levels))
    return cleaned
