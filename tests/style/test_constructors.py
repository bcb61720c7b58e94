"""Making an object starts no thread and changes nothing for the process (docs/design/code.md, Habits)."""

from __future__ import annotations

import ast

import pytest

from tests.support.lines import ROOT

EFFECTS = {
    *("start", "setswitchinterval", "setrlimit", "signal", "enable", "mallopt", "basicConfig", "setLevel"),
    *("add_type", "announce", "write_text", "write_bytes"),
}
ON_DEMAND = {"lts/client/client.py"}
"""The client library's background thread, which who makes the client asks for."""


def effects(source: str) -> list[str]:
    """Calls of EFFECTS in constructors, each with its class before a dot."""
    return [
        f"{kind.name}.{call.func.attr}"
        for kind in ast.walk(ast.parse(source))
        if isinstance(kind, ast.ClassDef)
        for made in kind.body
        if isinstance(made, ast.FunctionDef) and made.name in ("__init__", "__post_init__", "__new__")
        for call in ast.walk(made)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in EFFECTS
    ]


def test_no_constructor_starts_a_thread_or_sets_up_the_process() -> None:
    found = {str(path.relative_to(ROOT)): effects(path.read_text("utf-8")) for path in (ROOT / "lts").rglob("*.py")}
    assert {path for path, calls in found.items() if calls} == ON_DEMAND


@pytest.mark.parametrize("line", ["threading.Thread(target=self.run).start()", "sys.setswitchinterval(0.1)"])
def test_one_that_does_is_found(line: str) -> None:
    assert len(effects(f"class Worker:\n    def __init__(self) -> None:\n        {line}\n")) == 1
