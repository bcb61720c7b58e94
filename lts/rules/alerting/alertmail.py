"""The content of a message: subject, plain text and HTML, made from its events. Pure, so that both are the same each
time.

HTML for mail clients: only tables and inline styles, a bar made of two cells; nothing is fetched from anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from lts.protocol import DAY_SECONDS, iso
from lts.rules.alerting.alert import Alert
from lts.rules.alerting.alertwords import BOTH, FRAME, OF_UNITS, PAGES, WHEN
from lts.rules.metering.terms import UNIT_WAYS
from lts.rules.values.ends import clock_text, end_text
from lts.rules.values.plural import counted

Json = dict[str, Any]
BAR = 24
"""Characters of a bar in plain text."""
MOST_EVENTS = 100
_TIMES = ("expiresAt", "graceEnds")
_INK, _SOFT, _LINE, _GROUND = "#1a212d", "#5a6474", "#dfe2e9", "#f4f5f8"
_COLORS = ((100, "#ab2219"), (80, "#b97a10"), (0, "#3453c4"))


@dataclass(frozen=True)
class AlertingServer:
    """The sender: LTS UUID, and the URL of the portal for links ("" = none that others could open)."""

    uuid: str
    portal: str


@dataclass(frozen=True)
class Mail:
    subject: str
    text: str
    html: str


def percent_of(params: Json) -> int | None:
    """How much of what there is, rounded down; None if nothing is counted."""
    part, whole = params.get("used", params.get("failed")), params.get("quota", params.get("all"))
    return part * 100 // whole if isinstance(part, int) and isinstance(whole, int) and whole else None


def _written(params: Json) -> dict[str, str]:
    """Parameters as people read them: figures with separators, times, percentages, no line ends."""
    found = {
        name: f"{value:,}" if type(value) is int else " ".join(str(value).split()) for name, value in params.items()
    }
    for name in _TIMES:
        if isinstance(params.get(name), int):
            found[name] = end_text(params[name])
    if isinstance(params.get("seconds"), int):
        found["inSeconds"] = counted(params["seconds"], "second")
    if isinstance(params.get("day"), int):
        found["day"] = iso(params["day"] * DAY_SECONDS)[:10]
    if (percent := percent_of(params)) is not None:
        found["percent"] = f"{percent} %"
    if "quota" in params and "grace" in params:
        found["graceEnd"] = f"{params['quota'] + params['grace']:,}"
    return found


def title_of(event: Alert, language: str) -> str:
    """The sentence that says what happened."""
    return BOTH[language][event.kind].title.format_map(_Lenient(_params_of(event, language)))


def _advice_of(event: Alert, language: str) -> str:
    units = event.kind == "quota" and event.params.get("chargeWay") in UNIT_WAYS
    advice = OF_UNITS[language] if units else BOTH[language][event.kind].advice
    return advice.format_map(_Lenient(_params_of(event, language)))


def _params_of(event: Alert, language: str) -> dict[str, str]:
    params, words = event.params, WHEN[language].get(event.kind)
    found = _written(params)
    found["whose"] = FRAME[language]["whose"].format_map(found) if "organization" in params else ""
    if words is not None and isinstance(params.get("days"), int):
        end = params.get("expiresAt")
        values = {"days": found["days"], "end": found.get("expiresAt", found.get("day", "–")),
                "clock": clock_text(end) if isinstance(end, int) else ""}  # fmt: skip
        found["when"] = words[min(params["days"], 2)].format_map(values)
    return found


class _Lenient(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "–"


def _link(server: AlertingServer, kind: str) -> str:
    return f"{server.portal}page/#/{PAGES[kind]}.html" if server.portal else ""


def subject_of(events: Sequence[Alert], language: str) -> str:
    """One line: the first event, and how many more there are."""
    title = title_of(events[0], language)
    if len(events) > 1:
        title = FRAME[language]["more"].format(title=title.rstrip(".。"), n=len(events) - 1)
    return f"[LTS] {title}"[:200]


def render(events: Sequence[Alert], language: str, server: AlertingServer, time: int) -> Mail:
    """The mail of a message made at `time` (UTC seconds)."""
    frame = FRAME[language]
    shown = list(events)[:MOST_EVENTS]
    foot = [frame["time"].format(time=iso(time).replace("T", " ").replace("Z", " UTC")),
            frame["server"].format(uuid=server.uuid), frame["footer"]]  # fmt: skip
    text = "\n\n".join([*(_plain(event, language, server) for event in shown), "\n".join(["-- ", *foot])])
    parts = "".join(_html(event, language, server) for event in shown)
    lines = "<br>".join(escape(line) for line in foot)
    html = (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"></head>'
        f'<body style="margin:0;padding:24px;background:{_GROUND};color:{_INK};'
        "font:15px/1.5 system-ui,-apple-system,'Segoe UI','Noto Sans','Noto Sans CJK SC',sans-serif\">"
        f'<table role="presentation" style="width:100%;max-width:640px;margin:0 auto;border-collapse:collapse">'
        f'<tr><td style="padding:0 0 14px;font-weight:600">{escape(frame["greeting"])}</td></tr>{parts}'
        f'<tr><td style="padding:14px 0;color:{_SOFT};font-size:13px">{lines}</td></tr></table></body></html>'
    )
    return Mail(subject_of(events, language), text + "\n", html)


def _plain(event: Alert, language: str, server: AlertingServer) -> str:
    lines = [title_of(event, language)]
    percent = percent_of(event.params)
    if percent is not None:
        filled = min(BAR, percent * BAR // 100)
        lines.append(f"[{'#' * filled}{'.' * (BAR - filled)}] {percent} %")
    lines.append(f"{FRAME[language]['do']} {_advice_of(event, language)}")
    if link := _link(server, event.kind):
        lines.append(link)
    return "\n".join(lines)


def _html(event: Alert, language: str, server: AlertingServer) -> str:
    frame, percent = FRAME[language], percent_of(event.params)
    parts = [f'<div style="font-weight:600">{escape(title_of(event, language))}</div>']
    if percent is not None:
        parts.append(_bar(percent, frame["used"]))
    parts.append(f'<div style="margin-top:8px">{escape(frame["do"])} {escape(_advice_of(event, language))}</div>')
    if link := _link(server, event.kind):
        words = escape(frame["open"])
        parts.append(f'<div style="margin-top:8px"><a href="{escape(link)}" style="color:#3453c4">{words}</a></div>')
    style = f"padding:16px 18px;background:#ffffff;border:1px solid {_LINE};border-radius:10px"
    return f'<tr><td style="{style}">{"".join(parts)}</td></tr><tr><td style="height:12px"></td></tr>'


def _bar(percent: int, word: str) -> str:
    filled = max(1, min(100, percent))
    color = next(color for level, color in _COLORS if percent >= level)
    cells = f'<td style="width:{filled}%;background:{color};height:10px;border-radius:5px 0 0 5px"></td>'
    if filled < 100:
        cells += f'<td style="background:{_LINE};height:10px;border-radius:0 5px 5px 0"></td>'
    return (
        f'<table role="img" aria-label="{percent} % {escape(word)}" style="width:100%;margin-top:8px;'
        f'border-collapse:collapse;table-layout:fixed"><tr>{cells}</tr></table>'
    )
