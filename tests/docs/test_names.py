"""One word, one thing: no two classes share a name (docs/design/code.md, Habits)."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.support.lines import ROOT


def test_a_name_of_a_class_is_used_once() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "lts").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name.lstrip("_")].append(path.relative_to(ROOT).as_posix())
    assert len(places) > 100
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
