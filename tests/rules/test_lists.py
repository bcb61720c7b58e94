"""Pages of lists, files for spreadsheets, URLs of servers, and what needs attention."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from lts.errors import AdminError
from lts.protocol import DAY_SECONDS
from lts.rules.alerting.alert import Alert
from lts.rules.alerting.alertmail import title_of
from lts.rules.alerting.alerts import DEFAULT_LEVELS, quota_measures
from lts.rules.alerting.attention import items_notices, url_notices
from lts.rules.alerting.notices import ERROR, WARNING
from lts.rules.licensing.itemstatus import ItemStatus
from lts.rules.licensing.serverurls import clean_url
from lts.rules.values.paging import Page, page_of
from lts.rules.values.spreadsheet import csv_text, safe_cell
from tests.support.kit import NOON

ROWS: list[dict[str, Any]] = [{"name": "Été", "n": 2}, {"name": "apple", "n": None}, {"name": "Berry", "n": 1}]
COLUMNS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "name": lambda row: row["name"].casefold(),
    "n": lambda row: row["n"],
}


def page(**asked: Any) -> list[str]:
    rows, _ = page_of(ROWS, Page(**asked), lambda row: str(row["name"]), COLUMNS)
    return [str(row["name"]) for row in rows]


def test_a_page_is_searched_whatever_case_and_composition() -> None:
    assert page(text="ÉTÉ") == page(text="e\u0301te\u0301") == ["Été"]
    assert page(text="nothing") == []


def test_rows_without_a_value_come_last_in_either_order() -> None:
    assert page(sort="n") == ["Berry", "Été", "apple"]
    assert page(sort="n", descending=True) == ["Été", "Berry", "apple"]


def test_pages_cut_without_losing_or_doubling_a_row() -> None:
    cut = [page(sort="name", number=number, size=1) for number in (1, 2, 3, 4)]
    assert cut == [["apple"], ["Berry"], ["Été"], []]
    assert page_of(ROWS, Page(size=1), lambda row: "", COLUMNS)[1] == 3


def test_an_unknown_column_is_named() -> None:
    with pytest.raises(AdminError, match="Sort by one of name, n"):
        page(sort="id")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "=cmd|' /C calc'!A0", "＝1"])
def test_no_text_is_a_formula_in_a_spreadsheet(text: str) -> None:
    [_, [cell, number]] = csv.reader(io.StringIO(csv_text(["a", "b"], [(text, -5)]).lstrip("\ufeff"), newline=""))
    assert cell.startswith("'")
    assert cell.replace("'", "") == text.replace("'", "")
    assert number == "-5"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("begin", ["", " ", '"', '" "', "\u00a0"])
@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "＝1"])
def test_no_text_is_a_formula_where_another_separator_cuts_it(separator: str, begin: str, formula: str) -> None:
    text = csv_text(["who", "what"], [("a", f"b{separator}{begin}{formula}")]).lstrip("\ufeff")
    cells = [cell.replace('"', "").strip() for line in text.splitlines() for cell in line.split(separator)]
    assert not [cell for cell in cells if cell.startswith((*"=+-@", "＝"))]
    assert f"b{separator}'{begin}{formula}" in [row[1] for row in csv.reader(io.StringIO(text, newline=""))]


def test_a_text_with_separators_and_no_formula_is_written_as_it_is() -> None:
    assert [safe_cell(text) for text in ("a; b-c, d=e", "", ";;", "x|y\tz")] == ["a; b-c, d=e", "", ";;", "x|y\tz"]


def test_a_file_opens_readably() -> None:
    text = csv_text(["who"], [("许可",), ('a "b", c',)])
    assert text.startswith("\ufeff")
    assert [row[0] for row in csv.reader(io.StringIO(text.lstrip("\ufeff")))] == ["who", "许可", 'a "b", c']


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://LTS.Example.com/lts", "https://lts.example.com/lts/"),
        (" http://192.0.2.7:48080 ", "http://192.0.2.7:48080/"),
        ("https://[2001:db8::1]:8443/lts//", "https://[2001:db8::1]:8443/lts/"),
        ("https://lizenzen.müller.example/", "https://lizenzen.xn--mller-kva.example/"),
        ("https://host/a!b", "https://host/a!b/"),
        ("https://" + "a" * 63 + ".example", "https://" + "a" * 63 + ".example/"),
        ("https://" + "a.bc" * 63 + "a/", "https://" + "a.bc" * 63 + "a/"),
        ("https://host/" + "x" * 486 + "/", "https://host/" + "x" * 486 + "/"),
    ],
)
def test_a_server_url_is_kept_in_one_form(given: str, kept: str) -> None:
    assert clean_url(given) == kept
    assert clean_url(kept) == kept


@pytest.mark.parametrize(
    "given",
    [None, 7, "", "lts.example.com", "ftp://lts.example.com", "javascript:alert(1)", "https://", "https://user:pw@host/",
     "https://user@host/", "https://:pw@host/", "https://@host/",
     "https://host/?a=1", "https://host/#/index.html", "https://host/lts/page/#/", "https://ho st/", "https://host\\evil",
     "https://a..b/", "https://" + "a" * 64 + ".example", "https://" + "a.bc" * 63 + "ab/", "https://a*b/",
     "https://host\x7f/", "https://host/a b", "https://host/a\x7fb", "https://host/page", "https://host/lts/page/",
     "https://host/" + "x" * 488, "https://[v1.fe80::a]/", "https://host:99999/", "https://[::1/",
     "https://host/\n"],
)  # fmt: skip
def test_what_is_no_server_url_is_refused_with_an_example(given: object) -> None:
    if given == "https://host/\n":
        assert clean_url(given) == "https://host/"  # a line end of pasting
        return
    with pytest.raises(AdminError) as caught:
        clean_url(given)
    assert (caught.value.code, caught.value.field) == ("bad-url", "urls")


@pytest.mark.parametrize(
    ("urls", "codes"),
    [
        (["https://lts.example.com/lts/"], []),
        (["http://lts.example.com/lts/"], ["url-http"]),
        (["https://localhost/lts/"], ["url-local"]),
        (["https://lts.example.com/", "http://127.0.0.1:48080/lts/"], ["url-local"]),
        (["http://[::1]:48080/lts/"], ["url-local"]),
        (["https://0.0.0.0/"], ["url-local"]),
        (["https://lts.localhost/"], ["url-local"]),
        (["https://notlocalhost/"], []),
        (["http://192.0.2.7/", "https://lts.example.com/"], ["url-http"]),
    ],
)
def test_urls_that_others_cannot_use_are_noticed(urls: list[str], codes: list[str]) -> None:
    assert [notice.code for notice in url_notices(urls)] == codes


def item(**more: Any) -> ItemStatus:
    """An item in good order."""
    return ItemStatus(**{
        "id": 1, "item_id": "one", "license_id": "100", "organization_id": "1", "description": "", "product": "reader",
        "product_versions": ("*",), "editions": (), "deployment_types": (), "domains": (), "modules": ("QR",),
        "state": "active", "charge_way": "scan", "quota": 100, "grace": 5, "used": 0, "overdraft": 0,
        "overdraft_spent": 0, "active_period": "yearly", "max_offline_days": None, "trial": False,
        "starts_at": NOON - 100 * DAY_SECONDS, "expires_at": None, "days_left": None, "grace_days": 7,
        "handshake_codes": ("1-a",), "codes": (1,), "reason": None, "used_up_on": None, **more,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"used": 79}, []),
        ({"used": 80}, [("quota-nearly-used", WARNING)]),
        ({"used": 100}, [("quota-nearly-used", ERROR)]),
        ({"charge_way": "domain", "used": 100}, []),
        ({"charge_way": "concurrentDevice", "used": 100, "overdraft": 10, "overdraft_spent": 9},
         [("overdraft-nearly-used", WARNING)]),
        ({"expires_at": NOON + 31 * DAY_SECONDS}, []),
        ({"expires_at": NOON + 30 * DAY_SECONDS}, [("item-ends", WARNING)]),
        ({"state": "grace", "expires_at": NOON - 60}, [("item-in-grace", ERROR)]),
        ({"state": "expired", "expires_at": NOON - 8 * DAY_SECONDS}, [("item-expired", ERROR)]),
        ({"state": "expired", "expires_at": NOON - 40 * DAY_SECONDS}, []),
        ({"state": "expired", "expires_at": NOON - 60, "handshake_codes": []}, []),
        ({"state": "invalid", "reason": "bound elsewhere"}, [("item-invalid", ERROR)]),
        ({"state": "pending", "used": 100}, []),
        ({"state": "revoked", "used": 100}, []),
    ],
)  # fmt: skip
def test_items_are_noticed_in_time(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert [(notice.code, notice.level) for notice in items_notices([item(**changes)], NOON)] == expected


def test_items_of_one_id_are_distinguished_by_license_and_organization() -> None:
    same = {"item_id": "dev", "used": 90}
    two = [item(**same), item(**same, id=2, license_id="200")]
    words = "has used 90 % of its quota"
    assert [n.detail for n in items_notices(two, NOON)] == [
        f"License item dev of license 100 {words}.", f"License item dev of license 200 {words}.",
    ]  # fmt: skip
    two[1] = replace(two[1], license_id="100", organization_id="2")
    assert [n.detail for n in items_notices(two, NOON)] == [
        f"License item dev of license 100 (organization 1) {words}.",
        f"License item dev of license 100 (organization 2) {words}.",
    ]
    told = [
        Alert("quota", params=measure.params)
        for measure in quota_measures([replace(one, grace=0) for one in two], DEFAULT_LEVELS)
    ]
    for language, whose in (("en", "(organization {})"), ("zh", "（组织 {}）")):
        assert [whose.format(n) in title_of(event, language) for n, event in enumerate(told, 1)] == [True, True]
