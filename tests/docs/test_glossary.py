"""The glossary says the words that the portal uses: where an English text has one, the Chinese text has its twin."""

from __future__ import annotations

import re

import pytest

from tests.support.lines import ROOT
from tests.web.test_static import words

ROW = re.compile(r"^\| ([A-Za-z][^|]*?) \| ([^|]*[^\x00-\x7f][^|]*?) \| ", re.MULTILINE)
PAGE = (ROOT / "docs" / "design" / "glossary.md").read_text(encoding="utf-8")
TERMS = {english.partition(",")[0]: chinese for english, chinese in ROW.findall(PAGE)}
SHORT = {"code": "handshake code", "item": "license item"}
OTHERWISE = {
    "code": {"setup.code", "setup.code-hint"},  # the set-up code
    "item": {"alerts.levels-hint", "audit.used-after-release"},
    "authorize": {"security.tokens-hint"},  # a header of HTTP
    "report": {"security.token-name-hint"},
    "release": {"audit.used-after-release"},
}
"""Keys of texts that mean another thing by the word, or need it in one language only."""


@pytest.mark.parametrize("english", [*TERMS, *SHORT])
def test_both_languages_say_the_same_word(english: str) -> None:
    chinese = TERMS[SHORT.get(english, english)]
    texts = {key: re.sub(r"\{\w+\}", "", text) for key, text in words("en").items()}
    word = re.sub("e$", "(?:e|ing|ation)", english)
    used = {key for key, text in texts.items() if re.search(rf"\b{word}", text, re.IGNORECASE)}
    twins = words("zh")
    assert {key: twins[key] for key in used - OTHERWISE.get(english, set()) if chinese not in twins[key]} == {}


def test_no_word_of_the_glossary_stands_twice() -> None:
    assert len(TERMS) == len(ROW.findall(PAGE)) == len(set(TERMS.values()))
