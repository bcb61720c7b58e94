"""A field of a part of the pair is changed by its own class alone (docs/design/code.md, Habits)."""

from __future__ import annotations

import ast

import pytest

from tests.support.lines import ROOT

CHANGES = {
    *("append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft", "remove"),
    *("setdefault", "sort", "update"),
}


def foreign(source: str) -> list[str]:
    """Fields of another object that code changes: assigned, deleted, an entry of them, or by a method of CHANGES."""
    found: list[ast.expr] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            found.append(node.value if isinstance(node, ast.Subscript) else node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
            found.append(node.func.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
            found.append(node.args[0])
    return [ast.unparse(one) for one in found if isinstance(one, ast.Attribute) and not _is_own(one)]


def _is_own(field: ast.Attribute) -> bool:
    return isinstance(field.value, ast.Name) and field.value.id in ("self", "cls")


def test_parts_of_the_pair_change_their_own_fields_alone() -> None:
    parts = sorted((ROOT / "lts" / "service" / "pair").glob("*.py"))
    assert len(parts) > 20
    found = {path.name: foreign(path.read_text("utf-8")) for path in parts}
    assert {name: fields for name, fields in found.items() if fields} == {}


@pytest.mark.parametrize(
    "line",
    [
        "node.peer.heard_at = 1.0",
        "self._node.feed.merged_changes += 1",
        "peer.met, self.seen = True, True",
        "node.peer.faults['peer-roles'] = 'words'",
        "del node.contact.peer",
        "node.peer.faults.pop('peer-roles')",
        "setattr(node.hand_over, 'leaving', True)",
    ],
)
def test_one_that_changes_another_is_found(line: str) -> None:
    assert len(foreign(line)) == 1


@pytest.mark.parametrize(
    "line", ["self.heard_at = 1.0", "self._counters[number] = 1", "faults['a'] = 'b'", "found.pop()"]
)
def test_what_is_its_own_or_local_is_not(line: str) -> None:
    assert foreign(line) == []
