"""A field is set by its own class, or its module, alone (docs/design/code.md, Habits); what a part of the pair holds is
also changed by nobody else."""

from __future__ import annotations

import ast

import pytest

from tests.support.lines import ROOT

CHANGES = {
    *("append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft", "remove"),
    *("setdefault", "sort", "update"),
}


OF_LIBRARIES = {"g.account", "g.actor", "g.request_id", "task.status", "self._adjustments.connection_limit"}
"""Of Flask and waitress, with names that fields of LTS have too."""


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


def fields(source: str) -> set[str]:
    """Names of fields of the classes in a module."""
    return {
        found.attr if isinstance(found, ast.Attribute) else found.id
        for kind in ast.walk(ast.parse(source))
        if isinstance(kind, ast.ClassDef)
        for one in ast.walk(kind)
        for found in _set_by(one, kind)
    }


def _set_by(node: ast.AST, kind: ast.ClassDef) -> list[ast.Attribute | ast.Name]:
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_own(node):
        return [node]
    if isinstance(node, ast.AnnAssign) and node in kind.body and isinstance(node.target, ast.Name):
        return [node.target]
    return []


def set_elsewhere(sources: dict[str, str]) -> dict[str, list[str]]:
    """Fields of classes of other modules that a module assigns or deletes, by module; `sources` has the text of
    each."""
    owned = {name: fields(source) for name, source in sources.items()}
    known = set().union(*owned.values())
    found = {
        name: [
            ast.unparse(node)
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load) and not _is_own(node)
            and node.attr in known - owned[name] and ast.unparse(node) not in OF_LIBRARIES
        ]
        for name, source in sources.items()
    }  # fmt: skip
    return {name: nodes for name, nodes in found.items() if nodes}


def _is_own(field: ast.Attribute) -> bool:
    return isinstance(field.value, ast.Name) and field.value.id in ("self", "cls")


def test_no_module_sets_a_field_of_another() -> None:
    modules = [path for path in (ROOT / "lts").rglob("*.py") if "store" not in path.relative_to(ROOT).parts]
    found = set_elsewhere({path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in modules})
    assert found == {}


def test_a_module_that_sets_a_field_of_another_is_found() -> None:
    one = "class A:\n    x: int\n    def __init__(self):\n        self.y = 1\n        self.z = {}\n"
    for line, expected in (("a.x = 1", ["a.x"]), ("b.a.y += 1", ["b.a.y"]), ("del a.z", ["a.z"]), ("a.w = a.x", [])):
        assert set_elsewhere({"one": one, "other": line}).get("other", []) == expected
        assert set_elsewhere({"one": f"{one}{line}"}) == {}, "its own module"


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
