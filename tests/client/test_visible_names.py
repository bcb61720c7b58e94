"""Which names show something: one rule in the server and both clients (docs/design/charging.md, Types)."""

from __future__ import annotations

import json
import re
import sys
import unicodedata

from lts.client import limits
from lts.rules.values import text
from lts.web.static_files import FOLDER
from tests.support.node import run, tools

ALL = [chr(point) for point in range(sys.maxunicode + 1)]
REFUSED_BEFORE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Categories of what is no part of any type name."""
IN_NODE = """
const blank = [], unassigned = [];
for (let point = 0; point <= 0x10ffff; point++) {
  const char = String.fromCodePoint(point);
  if (showsNothing(char)) blank.push(point);
  if (/\\p{Cn}/u.test(char)) unassigned.push(point);
}
console.log(JSON.stringify({ blank, unassigned }));
"""


def test_the_server_and_the_python_client_see_the_same_characters() -> None:
    told = [f"U+{ord(char):04X}" for char in ALL if unicodedata.category(char) not in REFUSED_BEFORE
            and text.shows_nothing(char) != limits.shows_nothing(char)]  # fmt: skip
    assert told == []


def test_what_unicode_does_not_assign_is_visible_to_both() -> None:
    assert [char for char in ALL if unicodedata.category(char) == "Cn" and text.shows_nothing(char)] == []


def test_the_browser_library_sees_the_same_characters() -> None:
    """Where both versions of Unicode assign them; what the browser's does not is visible."""
    source = (FOLDER / "client" / "lts-client.js").read_text(encoding="utf-8")
    rule = re.search(r"^const showsNothing = .+?;$", source, re.MULTILINE)
    assert rule is not None
    found = json.loads(run([str(tools().node), "--eval", rule.group() + IN_NODE]))
    blank, unassigned = set(found["blank"]), set(found["unassigned"])
    assert not blank & unassigned
    told = [f"U+{ord(char):04X}" for char in ALL
            if unicodedata.category(char) not in REFUSED_BEFORE | {"Cn"} and ord(char) not in unassigned
            and limits.shows_nothing(char) != (ord(char) in blank)]  # fmt: skip
    assert told == []
