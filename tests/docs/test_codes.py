"""Every refusal code is in every place that lists codes (docs/developer.md, A new refusal code)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lts.client import errors as client_errors
from lts.errors import HTTP_STATUS, TITLES
from lts.rules.metering.checks import STAGES
from lts.rules.metering.verdicts import _SENTENCES
from lts.service.core.refusals import KEPT, NOT_KEPT
from tests.docs.test_docs import DOCS
from tests.support.lines import ROOT
from tests.web.test_static import words

CODES = set(HTTP_STATUS)
IN_RESULTS = {142, 143}
"""Of entries of a report: nothing is refused with them."""


def section(page: str, heading: str) -> str:
    """A part of a page, from its heading to the next."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def told(table: str) -> dict[int, int]:
    """Code -> HTTP status of a table whose rows may hold several codes, with a status of each or one for all."""
    found: dict[int, int] = {}
    for codes, statuses in re.findall(r"^\| ([\d, ]+) \| ([\d, ]+) \|", table, re.MULTILINE):
        each = [int(code) for code in codes.split(", ")]
        status = [int(one) for one in statuses.split(", ")]
        found.update(zip(each, status if len(status) == len(each) else status * len(each), strict=True))
    return found


def numbers_in(path: Path, pattern: str) -> set[int]:
    """The three-digit numbers of a passage of a script."""
    found = re.search(pattern, path.read_text(encoding="utf-8"), re.DOTALL)
    assert found, path
    return {int(code) for code in re.findall(r"(?<![\w-])\d{3}(?=[,:\s]|$)", found[1])}


def test_every_code_has_a_status_and_a_title() -> None:
    assert TITLES.keys() == CODES | IN_RESULTS


def test_the_checks_of_an_item_have_a_sentence_each_and_the_order_of_the_design() -> None:
    assert _SENTENCES.keys() == {0, *STAGES}
    rows = re.findall(r"^\| \d+ \| ([\d, ]+) \|", section("design/authorizing.md", "Checks of an item"),
                      re.MULTILINE)  # fmt: skip
    assert [int(code) for row in rows for code in row.split(", ")] == list(STAGES)


def test_the_design_names_every_code_with_its_status() -> None:
    table = section("design/authorizing.md", "Refusal codes")
    assert told(table) == HTTP_STATUS
    assert "| 142, 143 | in results |" in table


def test_the_protocol_names_every_code_with_its_status_and_what_a_client_does() -> None:
    assert told(section("protocol.md", "Refusals")) == HTTP_STATUS
    assert set(map(int, re.findall(r"\b14\d\b", section("protocol.md", "Report")))) >= IN_RESULTS


def test_both_client_libraries_advise_on_every_code() -> None:
    assert client_errors._ADVICE.keys() == CODES
    script = ROOT / "static" / "client" / "lts-client.js"
    assert numbers_in(script, r"const ADVICE = \{(.*?)\n\};") == CODES


def test_the_page_of_refusals_can_be_narrowed_to_every_code_that_is_kept() -> None:
    assert numbers_in(ROOT / "static" / "portal" / "pages" / "why.js", r"const CODES = \[(.*?)\]") == CODES - NOT_KEPT


def test_the_pages_and_the_portal_name_what_is_not_kept() -> None:
    design = section("design/authorizing.md", r"Kept for Why\?").partition("Not kept")[2]
    guide = (DOCS / "client.md").read_text(encoding="utf-8")
    library = guide.partition("except for ")[2].partition(" on the portal")[0]
    said = [design.partition(".")[0], library, *[words(language)["why.none-hint"] for language in ("en", "zh")]]
    for text in said:
        assert set(map(int, re.findall(r"(?<!\d)\d{3}(?!\d)", text))) - {KEPT} == NOT_KEPT


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_portal_has_words_and_advice_for_every_code(language: str) -> None:
    said = words(language)
    for family, wanted in (("code", CODES | IN_RESULTS), ("advice", CODES)):
        there = {name for name in said if re.fullmatch(rf"{family}\.\d+", name)}
        assert there == {f"{family}.{code}" for code in wanted}
        assert all(said[name] for name in there)


def test_the_checklist_of_a_new_code_names_all_these_places() -> None:
    listed = section("developer.md", "A new refusal code")
    places = (
        "lts/errors.py",
        "lts/rules/metering/checks.py",
        "lts/rules/metering/verdicts.py",
        "lts/client/errors.py",
        "static/client/lts-client.js",
        "static/portal/pages/why.js",
        "static/portal/i18n/",
        "docs/design/authorizing.md",
        "docs/protocol.md",
        "tests/docs/test_codes.py",
    )
    assert [place for place in places if f"`{place}`" not in listed or not (ROOT / place).exists()] == []
