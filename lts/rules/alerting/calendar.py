"""A calendar of ends and forecasts (RFC 5545), for any calendar program to subscribe to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from lts.protocol import DAY_SECONDS
from lts.rules.licensing.itemstatus import ItemStatus
from lts.rules.values.ends import last_day

_FOLD = 75


def calendar(items: Sequence[ItemStatus], last_days: dict[int, int], server_uuid: str, now: int) -> str:
    """An event for the end of each item that has one and is not over, and for the day on which a count item will be
    used up (`last_days`, days since 1970 by number)."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//LTS//License Tracking Server//EN", "CALSCALE:GREGORIAN",
             "METHOD:PUBLISH", "X-WR-CALNAME:Licenses", "REFRESH-INTERVAL;VALUE=DURATION:PT6H"]  # fmt: skip
    for item in items:
        name = f"{item.item_id} ({item.product}, license {item.license_id})"
        if item.expires_at is not None and item.state in ("active", "grace", "pending"):
            uid = f"end-{item.id}@{server_uuid}"
            lines += _event(uid, last_day(item.expires_at), f"License item ends: {name}", now, alarm=True)
        if item.id in last_days and item.state in ("active", "grace"):
            uid = f"forecast-{item.id}@{server_uuid}"
            summary = f"License item used up at the present rate: {name}"
            lines += _event(uid, last_days[item.id], summary, now, alarm=False)
    lines.append("END:VCALENDAR")
    return "".join([f"{_folded(line)}\r\n" for line in lines])


def _event(uid: str, day: int, summary: str, now: int, *, alarm: bool) -> list[str]:
    """An all-day event (days since 1970, UTC), with a reminder a week before."""
    lines = ["BEGIN:VEVENT", f"UID:{uid}", f"DTSTAMP:{_stamp(now, '%Y%m%dT%H%M%SZ')}",
             f"DTSTART;VALUE=DATE:{_stamp(day * DAY_SECONDS, '%Y%m%d')}", f"SUMMARY:{_escaped(summary)}",
             "TRANSP:TRANSPARENT"]  # fmt: skip
    if alarm:
        lines += ["BEGIN:VALARM", "ACTION:DISPLAY", f"DESCRIPTION:{_escaped(summary)}", "TRIGGER:-P7D", "END:VALARM"]
    return [*lines, "END:VEVENT"]


def _stamp(seconds: int, form: str) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime(form)


def _escaped(text: str) -> str:
    for mark in "\\;,":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def _folded(line: str) -> str:
    """The line in lines of at most 75 bytes, each but the first beginning with a blank; characters are not split."""
    data, begin, parts = line.encode("utf-8"), 0, []
    while len(data) - begin > _FOLD - bool(begin):
        end = begin + _FOLD - bool(begin)
        while data[end] & 0xC0 == 0x80:  # within a character
            end -= 1
        parts.append(data[begin:end])
        begin = end
    return b"\r\n ".join([*parts, data[begin:]]).decode("utf-8")
