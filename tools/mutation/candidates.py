"""The small changes that a test should notice, found in the syntax tree of a file.

Each is one stretch of the source and what takes its place. Left alone: texts, annotations, decorators, asserts, calls
of a log, dunder names such as `__all__`, imports, blocks for type checkers and for other systems. Nothing runs here.
"""

from __future__ import annotations

import ast
import os
import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

FLIPPED = {
    ast.Lt: (r"<", "<="), ast.LtE: (r"<=", "<"), ast.Gt: (r">", ">="), ast.GtE: (r">=", ">"),
    ast.Eq: (r"==", "!="), ast.NotEq: (r"!=", "=="), ast.In: (r"\bin\b", "not in"), ast.NotIn: (r"\bnot\s+in\b", "in"),
    ast.Is: (r"\bis\b", "is not"), ast.IsNot: (r"\bis\s+not\b", "is"),
}  # fmt: skip
"""Class of a comparison -> how it is written, and what takes its place."""
OPPOSITES = (ast.Eq, ast.NotEq, ast.In, ast.NotIn, ast.Is, ast.IsNot)
"""Comparisons whose flip is their negation already."""
CLOSE = ast.Name | ast.Attribute | ast.Subscript | ast.Call
"""Expressions that hold together without parentheses."""
NO_CODE = {"annotation", "returns", "decorator_list", "type_params"}
"""Fields of nodes whose insides are not changed."""
LOG_CALLS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
SHOWN = 60
"""Characters of a change that are shown at most, about."""
Change = tuple[int, int, str]
"""Bytes from, bytes to, and the text in their place."""


@dataclass(frozen=True)
class Mutant:
    """One change of a file: bytes `start` to `end` become `text`.

    `path` is relative to the root, with slashes; `first` and `last` are the lines of the statement; a test that runs
    them reaches the change. `names` are what the statement binds when it runs on import, empty inside a function.
    """

    path: str
    line: int
    start: int
    end: int
    text: str
    before: str
    after: str
    first: int
    last: int
    names: frozenset[str]

    def apply(self, source: bytes) -> bytes:
        """The source of the changed file. Raises SyntaxError if that is not Python."""
        changed = source[: self.start] + self.text.encode() + source[self.end :]
        compile(changed, self.path, "exec", dont_inherit=True)
        return changed


def find(root: Path, folders: list[str]) -> list[Mutant]:
    """Every change of the files in some folders (or of some files), in their order."""
    found: list[Mutant] = []
    for folder in folders:
        place = root / folder
        for file in [place] if place.is_file() else sorted(place.rglob("*.py")):
            found += _Finder(file.relative_to(root).as_posix(), file.read_bytes()).mutants()
    return found


def sample(mutants: list[Mutant], number: int, seed: int) -> list[Mutant]:
    """`number` of them at random; each file gives its share. The same seed gives the same ones."""
    dice = random.Random(seed)  # noqa: S311 - a sample, no secret
    row: list[Mutant] = []
    for _, group in groupby(mutants, key=lambda mutant: mutant.path):
        of_file = list(group)
        dice.shuffle(of_file)
        row += of_file
    if number >= len(row):
        return mutants
    step = len(row) / number
    begin = dice.random() * step
    return sorted((row[int(begin + turn * step)] for turn in range(number)), key=lambda m: (m.path, m.start))


class _Finder:
    """Walks one file and keeps the nodes it is inside of."""

    def __init__(self, path: str, source: bytes) -> None:
        self._path = path
        self._source = source
        self._lines = [0]
        for line in source.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))
        self._within: list[ast.AST] = []
        self._found: list[Mutant] = []

    def mutants(self) -> list[Mutant]:
        self._walk(ast.parse(self._source))
        return self._found

    def _walk(self, node: ast.AST) -> None:
        if _is_left_alone(node):
            return
        self._within.append(node)
        for start, end, text in self._changes(node):
            self._add(start, end, text)
        for child in _children(node):
            self._walk(child)
        self._within.pop()

    def _changes(self, node: ast.AST) -> Iterator[Change]:
        """The changes of one node, not of those inside."""
        if isinstance(node, ast.Compare):
            for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
                yield self._written(left, right, *FLIPPED[type(operator)])
        elif isinstance(node, ast.BoolOp):
            yield self._joined(node)
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub):
            if not _is_text(node.value if isinstance(node, ast.AugAssign) else node):
                yield self._summed(node)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            start = self._start(node)
            yield start, start + len(re.match(rb"not\s*", self._source[start:])[0]), ""  # type: ignore[index]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("min", "max"):
            yield self._start(node.func), self._end(node.func), "max" if node.func.id == "min" else "min"
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
            other = not node.value if isinstance(node.value, bool) else node.value + 1
            yield self._start(node), self._end(node), repr(other)
        if _can_be_left_out(node):
            yield self._start(node), self._end(node), "pass"
        for condition in _conditions(node):
            start, end = self._start(condition), self._end(condition)
            asked = self._source[start:end].decode()
            yield start, end, f"not {asked}" if isinstance(condition, CLOSE) else f"not ({asked})"

    def _summed(self, node: ast.BinOp | ast.AugAssign) -> Change:
        sign, other = ("+", "-") if isinstance(node.op, ast.Add) else ("-", "+")
        if isinstance(node, ast.BinOp):
            return self._written(node.left, node.right, re.escape(sign), other)
        return self._written(node.target, node.value, re.escape(f"{sign}="), f"{other}=")

    def _joined(self, node: ast.BoolOp) -> Change:
        word, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        start, text, at = self._start(node), "", self._start(node)
        for left, right in zip(node.values, node.values[1:], strict=False):
            begin, end, _ = self._written(left, right, rf"\b{word}\b", other)
            text += self._source[at:begin].decode() + other
            at = end
        return start, self._end(node), text + self._source[at : self._end(node)].decode()

    def _written(self, left: ast.AST, right: ast.AST, pattern: str, other: str) -> Change:
        """The operator between two nodes, where it is written; comments there do not belong to it."""
        start = self._end(left)
        between = re.sub(rb"#[^\n]*", lambda found: b" " * len(found[0]), self._source[start : self._start(right)])
        found = re.search(pattern.encode(), between)
        assert found is not None
        return start + found.start(), start + found.end(), other

    def _start(self, node: ast.AST) -> int:
        return self._lines[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined,no-any-return]

    def _end(self, node: ast.AST) -> int:
        return self._lines[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined,no-any-return]

    def _add(self, start: int, end: int, text: str) -> None:
        line = self._source.count(b"\n", 0, start) + 1
        before, after = self._shown(start, end, text)
        first, last = self._extent(line)
        names = frozenset(self._bound())
        self._found.append(Mutant(self._path, line, start, end, text, before, after, first, last, names))

    def _extent(self, line: int) -> tuple[int, int]:
        """First and last line of the statement around, without the statements inside it."""
        statement = [node for node in self._within if isinstance(node, ast.stmt)][-1]
        if isinstance(statement, ast.Match):
            return line, line
        body = getattr(statement, "body", None)
        last = body[0].lineno - 1 if body else statement.end_lineno or statement.lineno
        return statement.lineno, max(statement.lineno, last)

    def _bound(self) -> Iterator[str]:
        """Names through which the rest of the program meets what runs here on import."""
        found: list[str] = []
        for node, inner in zip(self._within, [*self._within[1:], None], strict=True):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and inner is not node.args:
                return
            found += bound(node)
        yield from found

    def _shown(self, start: int, end: int, text: str) -> tuple[str, str]:
        """Before and after, with as much around as fits a line."""
        begin, stop = start, end
        for node in reversed(self._within):
            if not hasattr(node, "lineno") or isinstance(getattr(node, "body", None), list):
                break
            wide = min(begin, self._start(node)), max(stop, self._end(node))
            if wide[1] - wide[0] > SHOWN and stop - begin > SHOWN // 4:
                break
            if not isinstance(node, ast.Attribute):  # half of a call
                begin, stop = wide
        if stop - begin <= SHOWN // 4:  # a default means nothing without its function
            begin = self._source.rfind(b"\n", 0, begin) + 1
            stop = (self._source + b"\n").index(b"\n", stop)
        before = _one_line(self._source[begin:stop])
        if text == "pass":
            return _around(before, ""), "left out"
        after = _one_line(self._source[begin:start] + text.encode() + self._source[end:stop])
        return _around(before, after), _around(after, before)


def bound(node: ast.AST) -> Iterator[str]:
    """The names that one statement binds, or whose values it changes by a call."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            yield from (part.id for part in ast.walk(target) if isinstance(part, ast.Name))
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield from (part.id for part in ast.walk(node.value.func) if isinstance(part, ast.Name))


def _children(node: ast.AST) -> Iterator[ast.AST]:
    here = _is_here(node.test) if isinstance(node, ast.If) else None
    left_out = NO_CODE | ({"test", "orelse" if here else "body"} if here is not None else set())
    for name, value in ast.iter_fields(node):
        if name not in left_out:
            yield from (part for part in (value if isinstance(value, list) else [value]) if isinstance(part, ast.AST))


def _is_here(test: ast.AST) -> bool | None:
    """Whether a question for the system is true on this one; None for any other question."""
    match test:
        case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq() as operator], comparators=[ast.Constant(value=value)]):
            systems = {"sys.platform": sys.platform, "os.name": os.name}
            system = systems.get(ast.unparse(left))
            return None if system is None else (system == value) == isinstance(operator, ast.Eq)
    return None


def _is_left_alone(node: ast.AST) -> bool:
    match node:
        case ast.JoinedStr() | ast.Assert() | ast.Import() | ast.ImportFrom():
            return True
        case ast.If(test=test):
            return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING", "__name__ == '__main__'")
        case ast.Subscript(value=ast.Name(id="Literal" | "Annotated")):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=log, attr=name))):
            return name in LOG_CALLS and "log" in ast.unparse(log).lower()
        case ast.Assign() | ast.AnnAssign():
            return any(name.startswith("__") for name in bound(node))
    return False


def _can_be_left_out(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise():
            return True
        case ast.Assign(targets=targets):
            return all(isinstance(target, ast.Attribute | ast.Subscript) for target in targets)
    return False


def _conditions(node: ast.AST) -> list[ast.expr]:
    """What a node asks, as far as no other change is its negation."""
    asked = [node.test] if isinstance(node, ast.If | ast.While | ast.IfExp) else getattr(node, "ifs", [])
    return [test for test in asked if not _has_negation(test)]


def _has_negation(test: ast.expr) -> bool:
    match test:
        case ast.Compare(ops=[operator]):
            return isinstance(operator, OPPOSITES)
        case ast.UnaryOp(op=ast.Not()) | ast.Constant():
            return True
    return _is_here(test) is not None


def _is_text(node: ast.AST) -> bool:
    """Whether a sum joins texts or lists: the other sign would only be an error."""
    match node:
        case ast.BinOp(left=left, right=right):
            return _is_text(left) or _is_text(right)
        case ast.Constant(value=str() | bytes()) | ast.JoinedStr() | ast.List() | ast.Tuple():
            return True
    return False


def _one_line(source: bytes) -> str:
    return " ".join(source.decode().split())


def _around(text: str, other: str) -> str:
    """A long text cut to where it differs from the other."""
    if len(text) <= SHOWN:
        return text
    same = next((at for at, (one, two) in enumerate(zip(text, other, strict=False)) if one != two), len(other))
    begin = max(0, same - SHOWN // 3) if other else 0
    end = min(len(text), begin + SHOWN)
    return ("…" if begin else "") + text[begin:end].strip() + ("…" if end < len(text) else "")
