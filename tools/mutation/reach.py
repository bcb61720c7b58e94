"""Which tests reach a change: measured once, kept until the program or its tests change.

A line inside a function is reached by the tests that ran it. What runs on import (constants, defaults, fields) belongs
to no test; it is reached by the tests that run a line which mentions what the statement binds, or what another such
statement makes of it.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from tools.mutation.candidates import NO_CODE, Mutant, bound
from tools.mutation.trial import FAILED, FOLDER, LASTING, PASSED, SOURCES, Copy

KEPT = ".mutation"
"""Folder of the project with what was measured last."""


class Unmeasured(Exception):
    """The tests could not be run; the text is one sentence."""


class Reach:
    """What a measuring run saw: `seconds` of each test that passed, `failed` ones that serve for nothing."""

    def __init__(self, root: Path, seen: dict[str, Any]) -> None:
        self._root = root
        self.seconds: dict[str, float] = seen["tests"]
        self.failed: list[str] = seen["failed"]
        self._tests = list(self.seconds)
        self._lines: dict[str, dict[int, list[int]]] = {
            path: {int(line): tests for line, tests in lines.items()} for path, lines in seen["lines"].items()
        }

    def tests(self, mutant: Mutant) -> list[str]:
        """The tests that reach a change, the fastest first."""
        lines = self._lines.get(mutant.path, {})
        found = {test for line in range(mutant.first, mutant.last + 1) for test in lines.get(line, [])}
        if mutant.names:
            found |= self._of_users(mutant.names)
        return sorted((self._tests[number] for number in found), key=lambda test: (self.seconds[test], test))

    def _of_users(self, names: frozenset[str]) -> set[int]:
        """Tests that run a line with one of these names, or one made of them on import."""
        known = set(names)
        while more := {name for binds, mentions in self._statements if mentions & known for name in binds} - known:
            known |= more
        word = re.compile(rf"\b(?:{'|'.join(map(re.escape, known))})\b")
        return {
            test
            for path, lines in self._lines.items()
            for line, text in enumerate((self._root / path).read_text("utf-8").splitlines(), 1)
            if line in lines and word.search(text)
            for test in lines[line]
        }

    @cached_property
    def _statements(self) -> list[tuple[set[str], set[str]]]:
        """What each statement of a module binds and mentions when it is imported."""
        found = []
        for path in self._lines:
            for statement in ast.parse((self._root / path).read_bytes()).body:
                binds, mentions = set(bound(statement)), set(_mentioned(statement))
                if isinstance(statement, ast.ImportFrom):
                    renamed = [name for name in statement.names if name.asname]
                    binds, mentions = {name.asname or "" for name in renamed}, {name.name for name in renamed}
                found.append((binds, mentions))
        return found


def _mentioned(node: ast.AST) -> Iterator[str]:
    """Names read when a statement runs; the insides of functions run later."""
    if isinstance(node, ast.Name | ast.Attribute):
        yield node.id if isinstance(node, ast.Name) else node.attr
    later = {"body"} if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else set()
    for field, value in ast.iter_fields(node):
        if field not in NO_CODE | later:
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, ast.AST):
                    yield from _mentioned(part)


def kept(root: Path, sources: list[str], tests: list[str]) -> Path:
    """The file, below the root, for a measuring run of these tests over these sources as they are now."""
    digest = hashlib.sha256(json.dumps([sources, tests, sys.version]).encode())
    for folder in sources:
        for file in sorted((root / folder).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(root).as_posix()}\n".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return Path(KEPT) / f"{digest.hexdigest()[:16]}.json"


def load(root: Path, file: Path) -> Reach | None:
    """What an earlier run measured, if the file is there and whole."""
    try:
        return Reach(root, json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def measure(copy: Copy, sources: list[str], tests: list[str], options: list[str], file: Path) -> None:
    """Run the tests in a copy and keep what they reach in `file`; older ones go. Raises Unmeasured."""
    folder = copy.place / "reached"
    folder.mkdir()
    variables = {FOLDER: str(folder), SOURCES: json.dumps(sources)}
    code = copy.run(tests, LASTING, "-p", "tools.mutation.plugin", *options, loud=True, **variables)
    parts = [json.loads(part.read_text(encoding="utf-8")) for part in sorted(folder.glob("*.json"))]
    if code not in (PASSED, FAILED) or not any(part["tests"] for part in parts):
        raise Unmeasured("The tests could not be measured; see what pytest says above.")
    file.parent.mkdir(exist_ok=True)
    for old in file.parent.glob("*.json"):
        old.unlink()
    file.write_text(json.dumps(_joined(parts)), encoding="utf-8")


def _joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """One measurement of those of several processes, each of which numbers its own tests.

    Raises Unmeasured where a test passed and reached nothing, not even itself: then a process did not write its part.
    """
    seconds: dict[str, float] = {}
    for part in parts:
        seconds |= part["tests"]
    number = {test: index for index, test in enumerate(seconds)}
    lines: dict[str, dict[str, list[int]]] = {}
    for part in parts:
        own = [number[test] for test in part["tests"]]
        for path, reached in part["lines"].items():
            of_file = lines.setdefault(path, {})
            for line, tests in reached.items():
                of_file[line] = sorted({*of_file.get(line, []), *(own[test] for test in tests)})
    seen = {test for of_file in lines.values() for tests in of_file.values() for test in tests}
    if lost := len(seconds) - len(seen):
        raise Unmeasured(f"What {lost} of {len(seconds)} tests reach was lost; run it again.")
    failed = sorted({test for part in parts for test in part["failed"]})
    return {"tests": seconds, "failed": failed, "lines": lines}
