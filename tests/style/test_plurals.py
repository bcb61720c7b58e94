"""One thing is no plural: every sentence with a count goes through a helper, in the program and on the pages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lts.rules.values.plural import counted
from tests.support.lines import ROOT
from tests.web.test_static import words

NEVER_ONE = {
    "{len(codes)} handshake codes", "{len(known)} organizations",  # only told of several
    "{len(CONTRACTS)} license files", "{len(DEVICES)} devices",  # what the demo has
}  # fmt: skip
_PLURAL = re.compile(r" ((?:[a-z]+ ){0,2}?[a-z]+[a-rt-z]s)\b")
_IN_WORDS = re.compile(r"\{(?:n|seats|devices|reported|refused|authorizations|hours|total|found)\} [a-z]+s\b")


@pytest.mark.parametrize(("number", "said"), [(0, "0 faults"), (1, "1 fault"), (2, "2 faults"), (1234, "1,234 faults")])
def test_a_number_has_its_noun(number: int, said: str) -> None:
    assert counted(number, "fault") == said
    assert counted(1, "copy", "copies") + counted(2, "copy", "copies") == "1 copy2 copies"


def counts(path: Path) -> Iterator[str]:
    """Counts of a file that stand before a plural: of `len(…)`, or of a number with separators."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, after in zip(node.values, node.values[1:], strict=False):
            if not isinstance(value, ast.FormattedValue) or not isinstance(after, ast.Constant):
                continue
            written = ast.unparse(value.value)
            separated = value.format_spec is not None and "','" in ast.unparse(value.format_spec)
            plural = _PLURAL.match(str(after.value))
            if plural and (separated or written.startswith("len(")):
                yield f"{{{written}}} {plural[1]}"


def test_no_sentence_of_the_program_has_a_plural_for_any_count() -> None:
    found = {count for path in (ROOT / "lts").rglob("*.py") for count in counts(path)}
    assert found - NEVER_ONE == {
        "{granted} times", "{refused} times",  # of the demo, hundreds
        "{_sum(tallies['reports'], REPORTS)} reports",
        "{wanted} bytes", "{found.size} bytes",  # of a database and its log
    }  # fmt: skip


def test_no_english_sentence_of_the_portal_has_a_plural_for_any_count() -> None:
    assert {key for key, text in words("en").items() if _IN_WORDS.search(text)} == {
        "ends.in-days",  # from 2 on
    }
