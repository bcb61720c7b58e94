"""What a mail of an alert says: the sentence, how full it is, what to do, and where."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lts.rules.alerting.alert import Alert
from lts.rules.alerting.alertmail import AlertingServer, percent_of, render, title_of
from tests.support.kit import DAY

NOON = DAY + 12 * 3600
SERVER = AlertingServer("6f1c", "https://lts.x.test/")


def quota(used: int, way: str = "scan", **more: Any) -> Alert:
    """A quota of 1,000 with 50 of grace."""
    params = {"item": "one", "license": "100", "chargeWay": way, "used": used, "quota": 1000, "grace": 50, **more}
    return Alert("quota", 60, params)


@pytest.mark.parametrize(
    ("way", "advice"),
    [
        ("scan", "Ask the vendor for more. Grace ends at 1,050."),
        ("page", "Ask the vendor for more. Grace ends at 1,050."),
        ("device", "Ask the vendor for more, or release seats that nobody needs. Grace ends at 1,050."),
        ("server", "Ask the vendor for more, or release seats that nobody needs. Grace ends at 1,050."),
    ],
)
def test_the_text_says_what_happened_how_full_it_is_what_to_do_and_where(way: str, advice: str) -> None:
    mail = render([quota(800, way)], "en", SERVER, NOON)
    assert mail.text.splitlines() == [
        "License item one of license 100 has used 80 % of its quota (800 of 1,000).",
        "[###################.....] 80 %",
        f"What to do: {advice}",
        "https://lts.x.test/page/#/license-items.html",
        "",
        "-- ",
        "As of 2026-11-25 12:00:00 UTC",
        "Server 6f1c",
        "The license server of your company sends this; thresholds and receivers are set on its page Usage Alerts.",
    ]
    for words in (
        *mail.text.splitlines()[:1],
        f"What to do: {advice}",
        'href="https://lts.x.test/page/#/license-items',
    ):
        assert words in mail.html


def test_without_an_address_that_others_can_open_there_is_no_link() -> None:
    mail = render([quota(800)], "en", AlertingServer("6f1c", ""), NOON)
    assert ("page/#" in mail.text, "href" in mail.html) == (False, False)


@pytest.mark.parametrize(
    ("used", "plain", "color", "widths"),
    [
        (0, "[........................] 0 %", "#3453c4", ["1%"]),
        (11, "[........................] 1 %", "#3453c4", ["1%"]),
        (20, "[........................] 2 %", "#3453c4", ["2%"]),
        (50, "[#.......................] 5 %", "#3453c4", ["5%"]),
        (799, "[##################......] 79 %", "#3453c4", ["79%"]),
        (800, "[###################.....] 80 %", "#b97a10", ["80%"]),
        (999, "[#######################.] 99 %", "#b97a10", ["99%"]),
        (1000, "[########################] 100 %", "#ab2219", ["100%"]),
        (1100, "[########################] 110 %", "#ab2219", ["100%"]),
    ],
)
def test_the_bar_is_as_full_as_the_figure_says(used: int, plain: str, color: str, widths: list[str]) -> None:
    mail = render([quota(used)], "en", SERVER, NOON)
    assert plain in mail.text
    cells = re.findall(r"<td [^>]*height:10px[^>]*></td>", mail.html)
    assert len(cells) == 2 - (used >= 1000)  # nothing is left beside a full bar
    assert re.findall(r"width:(\d+%);background:(#\w+)", cells[0]) == [(*widths, color)]


def test_what_counts_nothing_has_no_bar() -> None:
    mail = render([Alert("pair-lost", 1)], "en", SERVER, NOON)
    assert ("%" in mail.text, "[" in mail.text, 'role="img"' in mail.html) == (False, False, False)


@pytest.mark.parametrize(
    ("params", "percent"),
    [
        ({"used": 999, "quota": 1000}, 99),
        ({"failed": 5, "all": 20}, 25),
        ({"used": 5, "quota": 0}, None),
        ({"used": 5}, None),
        ({"used": None, "quota": 10}, None),
        ({}, None),
    ],
)
def test_percentages_are_rounded_down(params: dict[str, Any], percent: int | None) -> None:
    assert percent_of(params) == percent


@pytest.mark.parametrize(
    ("number", "subject"),
    [
        (1, "[LTS] License item one of license 100 has used 80 % of its quota (800 of 1,000)."),
        (2, "[LTS] License item one of license 100 has used 80 % of its quota (800 of 1,000) (and 1 more)"),
    ],
)
def test_the_subject_names_the_first_and_how_many_more(number: int, subject: str) -> None:
    assert render([quota(800)] * number, "en", SERVER, NOON).subject == subject


def test_a_mail_shows_a_hundred_events_and_a_subject_of_two_hundred_characters() -> None:
    events = [quota(800, item=f"item-{n}-" + "x" * 200) for n in range(101)]
    mail = render(events, "en", SERVER, NOON)
    assert re.findall(r"^License item item-(\d+)", mail.text, re.M) == [str(n) for n in range(100)]
    assert len(mail.subject) == 200


@pytest.mark.parametrize(
    ("kind", "params", "sentence"),
    [
        ("forecast", {"days": 0, "day": 20782}, "will be used up today at the present rate."),
        ("forecast", {"days": 1, "day": 20783}, "will be used up tomorrow at the present rate."),
        ("forecast", {"days": 2, "day": 20784}, "will be used up in 2 days, about 2026-11-27, at the present rate."),
        ("grace", {"graceEnds": NOON}, "has ended and works in grace until 2026-11-25, 12:00 UTC."),
        ("clock-back", {"seconds": 7200}, "The server's clock was set back by 7,200 seconds."),
        ("clock-back", {"seconds": 1}, "The server's clock was set back by 1 second."),
        ("database-damaged", {"reason": "two\nlines"}, "The server's database is damaged: two lines."),
        ("database-damaged", {}, "The server's database is damaged: –."),
        ("ends", {"organization": "R & D", "days": 3, "expiresAt": NOON}, "(organization R & D) ends in 3 days, on"),
        ("ends", {"days": 3, "expiresAt": NOON}, "of license 100 ends in 3 days, on 2026-11-25, 12:00 UTC."),
        ("ends", {"expiresAt": NOON}, "of license 100 ends –."),
    ],
)
def test_a_sentence_has_its_figures_as_people_write_them(kind: str, params: dict[str, Any], sentence: str) -> None:
    assert sentence in title_of(Alert(kind, 1, {"item": "one", "license": "100", **params}), "en")
