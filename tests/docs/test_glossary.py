"""The glossary says the words that the portal and alert mails use: where an English text has one, the Chinese text has
its twin."""

from __future__ import annotations

import re

import pytest

from lts.rules.alerting import alertwords
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


def of_mails(language: str) -> dict[str, str]:
    """The texts of alert mails, by `mail.` and what they are about."""
    found = {f"mail.{kind}.{part}": text for kind, both in alertwords.BOTH[language].items()
             for part, text in both._asdict().items()}  # fmt: skip
    found |= {f"mail.{name}": text for name, text in alertwords.FRAME[language].items()}
    return {**found, "mail.of-units": alertwords.OF_UNITS[language]}


def test_alert_mails_are_among_the_texts() -> None:
    assert of_mails("en").keys() == of_mails("zh").keys()
    assert "thresholds" in of_mails("en")["mail.footer"]
    assert TERMS["threshold"] in of_mails("zh")["mail.footer"]


@pytest.mark.parametrize("english", [*TERMS, *SHORT])
def test_both_languages_say_the_same_word(english: str) -> None:
    chinese = TERMS[SHORT.get(english, english)]
    texts = {key: re.sub(r"\{\w+\}", "", text) for key, text in (words("en") | of_mails("en")).items()}
    word = re.sub("e$", "(?:e|ing|ation)", english)
    used = {key for key, text in texts.items() if re.search(rf"\b{word}", text, re.IGNORECASE)}
    twins = words("zh") | of_mails("zh")
    assert {key: twins[key] for key in used - OTHERWISE.get(english, set()) if chinese not in twins[key]} == {}


def test_no_word_of_the_glossary_occurs_twice() -> None:
    assert len(TERMS) == len(ROW.findall(PAGE)) == len(set(TERMS.values()))
