"""Notices that follow from data: license items, the clock, what somebody did to this server, a delegation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from lts.protocol import DAY_SECONDS, iso
from lts.rules.alerting.notices import ERROR, HINT, WARNING, Notice
from lts.rules.clock import ClockState
from lts.rules.licensing.itemnames import namer
from lts.rules.licensing.itemstatus import ItemStatus
from lts.rules.licensing.serverurls import is_local
from lts.rules.metering.terms import CONCURRENT_WAYS
from lts.rules.values.ends import days_left, end_text, when_text
from lts.rules.values.plural import counted

Json = dict[str, Any]
SOON_DAYS = 30
NEARLY = 80
"""Percent of a quota from which on it is shown."""


def items_notices(items: Sequence[ItemStatus], now: int) -> list[Notice]:
    """About items that ended, end soon or are nearly used up; one that expired only if a handshake code uses it."""
    found, named = [], namer(items)
    for item in items:
        name = named(item)
        found += _state(item, name, now) if item.state != "active" else _end(item, name, now)
        if item.state in ("active", "grace"):
            found += _quota(item, name)
    return found


def nobody_notice(items: Sequence[ItemStatus]) -> list[Notice]:
    """The notice that no item authorizes anybody although some would if their license were valid."""
    invalid = [item for item in items if item.state == "invalid"]
    if not invalid or any(item.state in ("active", "grace", "pending") for item in items):
        return []
    reason = str(invalid[0].reason)
    return [Notice("item-none", f"No license item authorizes anybody: {reason}", ERROR, {"reason": reason})]


def _called(item: dict[str, Any]) -> str:
    whose = f" (organization {item['organization']})" if "organization" in item else ""
    return f"License item {item['item']} of license {item['license']}{whose}"


def _state(item: ItemStatus, name: Json, now: int) -> list[Notice]:
    end = item.expires_at or 0
    if item.state == "grace":
        until = end + item.grace_days * DAY_SECONDS
        sentence = f"{_called(name)} has ended and works in grace until {end_text(until)}."
        return [Notice("item-in-grace", sentence, ERROR, {**name, "until": iso(until)})]
    if item.state == "expired" and item.handshake_codes and now - end < SOON_DAYS * DAY_SECONDS:
        sentence = f"{_called(name)} has expired; ask the vendor for a renewal."
        return [Notice("item-expired", sentence, ERROR, name)]
    if item.state == "invalid":
        sentence = f"{_called(name)} authorizes nobody: {item.reason}"
        return [Notice("item-invalid", sentence, ERROR, {**name, "reason": str(item.reason)})]
    return []


def _end(item: ItemStatus, name: Json, now: int) -> list[Notice]:
    end = item.expires_at
    if end is None or end - now > SOON_DAYS * DAY_SECONDS:
        return []
    days = days_left(end, now)
    sentence = f"{_called(name)} ends {when_text(end, days)}."
    return [Notice("item-ends", sentence, WARNING, {**name, "days": days, "until": iso(end)})]


def _quota(item: ItemStatus, name: Json) -> list[Notice]:
    concurrent = item.charge_way in CONCURRENT_WAYS
    used, quota = (item.overdraft_spent or 0, item.overdraft or 0) if concurrent else (item.used, item.quota)
    if item.charge_way == "domain" or not quota or used * 100 < quota * NEARLY:
        return []
    percent = used * 100 // quota
    what = "overdraft" if concurrent else "quota"
    sentence = f"{_called(name)} has used {percent} % of its {what}."
    level = ERROR if used >= quota else WARNING
    return [Notice(f"{what}-nearly-used", sentence, level, {**name, "percent": percent})]


def url_notices(urls: list[str]) -> list[Notice]:
    """Problems with the URLs that applications get in their license keys."""
    if any(is_local(url) for url in urls):
        sentence = (
            "License keys name this server as localhost: applications on other machines cannot reach it. Set Server URL"
            " on the portal's page Handshake Codes, or publicUrl in lts.json; then hand out the keys again."
        )
        return [Notice("url-local", sentence, HINT)]
    if any(urlsplit(url).scheme == "http" for url in urls):
        sentence = (
            "License keys name a server by http: browsers and phones refuse it from pages that use https. Put a proxy"
            " with TLS in front, and name it by publicUrl or Set Server URL."
        )
        return [Notice("url-http", sentence, HINT)]
    return []


def clock_notices(state: ClockState, known: int, used: int, wall: int) -> list[Notice]:
    """That the clock was set back, or is doubted, and what happens meanwhile. In UTC seconds the highest time
    `known`, the time `used` now, and that of the machine's clock, `wall`."""
    found = []
    if state.stepped_back:
        time = iso(known)
        sentence = (
            "The clock was set back, at once or bit by bit: going by the highest time seen and what elapsed since, it"
            f" is {time}. Until it is right, licenses end by that time, and overdrafts rest. Set it right, or run lts"
            " clock reset."
        )
        found.append(Notice("clock-back", sentence, ERROR, {"time": time}))
    if state.pending is not None:
        time = iso(state.pending)
        jumped = f"The clock jumped far ahead, to {time}; it is trusted in an hour, or once you run lts clock accept."
        if used < wall:
            meanwhile = "Until then it is not used: the server continues by the time before the jump."
            found.append(Notice("clock-unused", f"{jumped} {meanwhile}", WARNING, {"time": time}))
        else:
            meanwhile = "Until then new leases may be short, and seats become free by the time before the jump."
            found.append(Notice("clock-unconfirmed", f"{jumped} {meanwhile}", WARNING, {"time": time}))
    return found


HAPPENED = {
    "restored": ("A backup was restored on {time} by {actor}: what was counted after it was made is missing."
                 " What was there before is kept in the data folder as {kept} (lts restore --undo)."),
    "restore-undone": ("A data folder that was replaced was put back on {time} by {actor}: what was counted after it"
                       " was replaced is missing. What was there before is kept in the data folder as {kept} (lts"
                       " restore --undo)."),
    "folder-accepted": ("The data folder was accepted as it was on {time} by {actor}: counts and seats may be missing."
                        " The audit log says what was found."),
    "clock-reset": "The highest time seen was reset on {time} by {actor}.",
    "pair-promoted": ("This server was made the main for good on {time} by {actor}; the former main never serves"
                      " again."),
}  # fmt: skip
"""Lines of the audit log that are shown for HAPPENED_DAYS, since an administrator should see them."""
HAPPENED_DAYS = 7
PLACED = ("restored", "restore-undone")
"""Only the last of these is shown: it describes the data folder as it is now."""
_IN_PAIR = {
    "restored": ("A backup was restored on {time} by {actor}. What was counted after it was made comes back from the"
                 " other server, as far as that one has it. What was there before is kept in the data folder as {kept}"
                 " (lts restore --undo)."),
    "restore-undone": ("A data folder that was replaced was put back on {time} by {actor}. What was counted after it"
                       " was replaced comes back from the other server, as far as that one has it. What was there"
                       " before is kept in the data folder as {kept} (lts restore --undo)."),
}  # fmt: skip


def happened_notice(action: str, time: int, actor: str, kept: str, *, paired: bool) -> Notice:
    """One of HAPPENED, done at `time` (UTC seconds); `kept` is the folder of what was replaced, "" if nothing was.
    `paired`: the other server has later changes."""
    params: dict[str, str | int] = {"time": iso(time), "actor": actor, "kept": kept}
    known = paired and action in _IN_PAIR
    sentence = (_IN_PAIR if known else HAPPENED)[action].format(**params)
    level = WARNING if (kept or action == "folder-accepted") and not known else HINT
    if action in PLACED and not kept:
        action, sentence = f"{action}-anew", sentence[: sentence.index(" What was there before")]
    return Notice(f"{action}-in-pair" if known else action, sentence, level, params)


def delegation_notice(until: int, now: int, *, for_good: bool) -> Notice:
    """A server works under the delegation of a main that does not serve; `for_good` if that main will not come back, so
    that only an activation of this server helps (docs/design/pair.md, Certificates). Times in UTC seconds."""
    left = max(0, -((now - until) // 3600))
    params: dict[str, str | int] = {"hours": left, "until": iso(until)}
    hours = counted(left, "more hour")
    sentence = f"This server authorizes in the main's place for {hours} (until {iso(until)})."
    if not for_good:
        return Notice("pair-delegation", sentence, params=params)
    return Notice("pair-delegation-promoted", f"{sentence} Send the vendor its activation request.", params=params)
