"""What docstrings, comments and documents cite exists: documents, headings, decisions, modules, files and names.

The form is in docs/design/README.md, How to cite them. tests/docs/test_docs.py looks at the links of the guides.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCS, DECISIONS, DESIGN = ROOT / "docs", ROOT / "docs" / "decisions", ROOT / "docs" / "design"
PACKAGES = ("lts", "tests", "bench", "tools")
TREES = (*PACKAGES, "docs", "static", "deploy", "examples", "requirements")
PYTHON = [
    ROOT / "run_lts.py",
    *(path for name in (*PACKAGES, "examples", "deploy") for path in (ROOT / name).rglob("*.py")),
]
SCRIPTS = [path for name in ("portal", "client") for path in (ROOT / "static" / name).rglob("*.js")]
PAGES = [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
OUTSIDE = frozenset({"json", "cmd", "exe", "log", "lock", "db", "key", "spec", "example", "running", "mark"})
"""What may follow `lts.` in the name of a file or host, and is no module."""
OF_SCRIPTS = frozenset({"Chart", "LtsClient"})
"""Classes of JavaScript."""
ELSEWHERE = frozenset({"DynamicUser"})
"""Names in backticks that are another standard's or program's, and stand nowhere in the code."""
DOCUMENT = re.compile(r"(?<![\w/.*-])(?:[\w.-]+/)*[\w-]+\.md\b")
DOTTED = re.compile(rf"(?<![\w./\\@-])(?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_]\w*)+")
FILE = re.compile(rf"(?<![\w./\\-])(?:{'|'.join(TREES)})/[\w./*-]*[\w/*]")
PLACEHOLDER = re.compile(r"/[A-Z]+/")
"""Stands for something in a path, such as static/DIGEST/portal."""
SHORT = re.compile(r"(?<![\w./\\-])(?:[a-z_]\w*/)+[a-z_]\w*\.(?:(?:d|test)\.[jt]s\b|[A-Za-z_]\w*)")
DECISION = re.compile(r"\bdecisions?[ /](\d{4})\b")
MEMBER = re.compile(r"(?<![\w./])([A-Z]\w*[a-z]\w*)\.([a-z_]\w*)\b")
SEE = re.compile(r"\b[Ss]ee ([A-Z][a-z]\w*)\b")
NAMED = re.compile(r"(?<!`)`([A-Za-z_]\w*)(?:\(\))?`(?!`)")


class Text(NamedTuple):
    """A docstring, a comment or the prose of a page, with blanks made one; `line` is where it begins."""

    path: Path
    line: int
    words: str

    def fault(self, what: str) -> str:
        return f"{self.path.relative_to(ROOT).as_posix()}:{self.line}: {what}"


class Source(NamedTuple):
    """A file of Python: what people read of it, and the rest of its text."""

    texts: list[Text]
    code: str


# what is read


def one_line(text: str) -> str:
    return " ".join(text.split())


def docstrings(body: list[ast.stmt]) -> Iterator[ast.Constant]:
    """Every string that is a statement of its own: of modules, classes, functions, and below a name."""
    for statement in body:
        match statement:
            case ast.Expr(value=ast.Constant(value=str()) as text):
                yield text
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from docstrings(statement.body)
            case ast.If() | ast.Try():
                yield from docstrings([*statement.body, *statement.orelse])
            case _:
                pass


def comments(path: Path, lines: Iterable[tuple[int, str]], mark: str) -> Iterator[Text]:
    """Comments, those of consecutive lines as one."""
    begin, last, found = 0, 0, ""
    for number, line in lines:
        match = re.search(rf"(?:^|\s){mark}+ (.*)", line)
        if match is None:
            continue
        if number == last + 1 and line.lstrip().startswith(mark):
            found += " " + match.group(1)
        else:
            if found:
                yield Text(path, begin, one_line(found))
            begin, found = number, match.group(1)
        last = number
    if found:
        yield Text(path, begin, one_line(found))


@lru_cache
def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@lru_cache
def tree(path: Path) -> list[ast.stmt]:
    """Statuses of a file."""
    return ast.parse("\n".join(lines_of(path))).body


@lru_cache
def sources() -> dict[Path, Source]:
    """All files of Python."""
    read = {}
    for path in PYTHON:
        lines = dict(enumerate(lines_of(path), 1))
        texts = []
        for found in docstrings(tree(path)):
            texts.append(Text(path, found.lineno, one_line(str(found.value))))
            for number in range(found.lineno, (found.end_lineno or 0) + 1):
                lines.pop(number, None)
        texts += comments(path, lines.items(), "#")
        read[path] = Source(texts, "\n".join(re.sub(r"(?:^|\s)# .*", "", line) for line in lines.values()))
    return read


@lru_cache
def script_texts() -> tuple[Text, ...]:
    """Comments of the portal and the browser's client."""
    return tuple(
        text
        for path in SCRIPTS
        for text in comments(path, enumerate(path.read_text(encoding="utf-8").splitlines(), 1), "//")
    )


@lru_cache
def page_texts() -> tuple[Text, ...]:
    """Prose of all pages, by paragraphs."""
    found = []
    for path in PAGES:
        whole = re.sub(r"(?ms)^```.*?^```$", lambda m: "\n" * m.group().count("\n"), path.read_text(encoding="utf-8"))
        for match in re.finditer(r"(?:[^\n]+\n?)+", whole):
            found.append(Text(path, whole.count("\n", 0, match.start()) + 1, one_line(match.group())))
    return tuple(found)


def code_texts() -> list[Text]:
    return [*(text for source in sources().values() for text in source.texts), *script_texts()]


def all_texts() -> list[Text]:
    return [*code_texts(), *page_texts()]


# documents and their headings


@lru_cache
def headings(page: Path) -> tuple[str, ...]:
    """Headings of a page, the longest first."""
    found = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return tuple(sorted(found, key=len, reverse=True))


def document(text: Text, name: str) -> Path | None:
    """The document that is meant: from the top of the repository, in a page also from where the page is."""
    places = (ROOT, DOCS, text.path.parent) if text.path.suffix == ".md" else (ROOT,)
    return next((place / name for place in places if (place / name).is_file()), None)


def heading_fault(page: Path, rest: str, *, needed: bool) -> str | None:
    """What is wrong with the words after the name of a page, which should go on with `, Heading`."""
    if not re.match(r", [A-Z]", rest):
        return "names no heading" if needed else None
    for heading in headings(page):
        if rest.startswith(heading, 2) and not rest[2 + len(heading) :][:1].isalnum():
            return None
    return f"has no heading {rest[2:42]!r}"


def test_documents_and_their_headings_exist() -> None:
    faults, cited = [], 0
    for text in all_texts():
        in_code = text.path.suffix != ".md"
        for match in DOCUMENT.finditer(text.words):
            page = document(text, match.group())
            if page is None:
                faults.append(text.fault(f"there is no {match.group()}"))
                continue
            design = in_code and page.parent == DESIGN and page.name != "README.md"
            fault = heading_fault(page, text.words[match.end() :], needed=design)
            cited += design
            if fault:
                faults.append(text.fault(f"{match.group()} {fault}"))
    assert faults == []
    assert cited > 80


def test_the_index_of_the_design_names_every_page() -> None:
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", (DESIGN / "README.md").read_text(encoding="utf-8")))
    assert linked == {page.name for page in DESIGN.glob("*.md")} - {"README.md"}


def test_an_rfc_is_cited_by_its_number() -> None:
    assert [t.fault("an RFC has a number") for t in all_texts() if re.search(r"\bRFC(?! \d{3,4}\b)", t.words)] == []


# decisions

WORDS = {"amended by": "amends", "superseded by": "supersedes"}
"""What a status says of a later decision, and what the later one says in turn."""


def decision(number: str) -> Path | None:
    return next(iter(DECISIONS.glob(f"{number}-*.md")), None)


def test_decisions_that_are_cited_exist() -> None:
    cited = [(text, number) for text in all_texts() for number in DECISION.findall(text.words)]
    assert [text.fault(f"there is no decision {number}") for text, number in cited if not decision(number)] == []
    assert len(cited) > 5


def status_of(path: Path) -> dict[str, list[str]]:
    """The parts of a decision's status, such as accepted or amended by, with the decisions that each names."""
    line = re.search(r"^- Status: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert line, f"{path.name} has no status"
    parts = re.findall(r"([a-z]+(?: by)?)((?: \[\d{4}\]\([\w.-]+\),?)*)(?:; |$)", line.group(1))
    found = {word: re.findall(r"\[(\d{4})\]", names) for word, names in parts}
    assert found.keys() <= {"accepted", *WORDS, *WORDS.values()} and ("accepted" in found) != ("superseded by" in found)
    return found


def test_every_decision_has_a_status_and_a_date() -> None:
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")
    for path in sorted(DECISIONS.glob("[0-9]*.md")):
        number, whole, status = path.name[:4], path.read_text(encoding="utf-8"), status_of(path)
        assert whole.startswith(f"# {number} "), path.name
        assert re.search(r"^- Date: \d{4}-\d\d-\d\d$", whole, re.MULTILINE), f"{path.name} has no date"
        shown = [f"{word} {', '.join(names)}".strip() for word, names in status.items() if word not in WORDS.values()]
        row = re.search(rf"^\| \[{number}\]\({path.name}\) \| .* \| (.*) \|$", index, re.MULTILINE)
        assert row and row.group(1) == "; ".join(shown), f"the index tells another status of {path.name}"
        pairs = [*WORDS.items(), *((back, word) for word, back in WORDS.items())]
        for word, back in pairs:
            for other in status.get(word, []):
                found = decision(other)
                assert found and number in status_of(found).get(back, []), f"{path.name} says {word} {other}"


# modules, files and names


@lru_cache
def members(path: Path) -> dict[str, set[str]]:
    """Names at the top of a module, each with those of its class."""
    found: dict[str, set[str]] = {}
    for node in tree(path):
        for name in bound(node):
            found[name] = own_names(path, node) if isinstance(node, ast.ClassDef) else set()
    return found


def bound(node: ast.stmt) -> list[str]:
    """Names that a statement binds."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.Import() | ast.ImportFrom():
            return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
        case ast.Assign():
            return [name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)]
        case ast.AnnAssign(target=ast.Name() as target):
            return [target.id]
        case ast.If() | ast.Try():
            return [name for inner in [*node.body, *node.orelse] for name in bound(inner)]
        case _:
            return []


def own_names(path: Path, node: ast.ClassDef) -> set[str]:
    """Names of a class: bound in it, or those of `self`."""
    body = "\n".join(lines_of(path)[node.lineno : node.end_lineno])
    return {name for inner in node.body for name in bound(inner)} | set(re.findall(r"\bself\.(\w+)", body))


@lru_cache
def classes() -> dict[str, set[str]]:
    """Names of the classes of the project with those of their members; of one name together."""
    found: dict[str, set[str]] = {}
    for path in sources():
        for node in tree(path):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, set()).update(own_names(path, node))
    return found


def is_module_or_name(names: list[str]) -> bool:
    """Whether dotted names lead to a package, a module, or something in it."""
    place = ROOT
    for position, name in enumerate(names):
        if (place / name).is_dir():
            place /= name
            continue
        module = place / f"{name}.py"
        rest = names[position + 1 :] if module.is_file() else names[position:]
        home = module if module.is_file() else place / "__init__.py"
        top = members(home) if home.is_file() else {}
        return not rest or (rest[0] in top and (len(rest) == 1 or rest[1] in top[rest[0]]))
    return True


def is_file(text: Text, name: str) -> bool:
    """Whether a path leads to a file, a folder, or a module without its ending; `*` stands for anything."""
    places = (ROOT, ROOT / "lts", ROOT / "static" / "portal", text.path.parent)
    return any(
        any(place.glob(name.rstrip("/"))) or (place / f"{name}.py").is_file() for place in places if name.strip("/")
    )


def test_modules_and_their_names_exist() -> None:
    faults, cited = [], 0
    for text in all_texts():
        for name in DOTTED.findall(text.words):
            names = name.split(".")
            if names[0] == "lts" and names[1] in OUTSIDE:
                continue
            cited += 1
            if not is_module_or_name(names):
                faults.append(text.fault(f"there is no {name}"))
    assert faults == []
    assert cited > 30


def test_files_and_folders_exist() -> None:
    faults, cited = [], 0
    for text in all_texts():
        for name in FILE.findall(text.words):
            cited += 1
            if not PLACEHOLDER.search(name) and not is_file(text, name.rstrip(".")):
                faults.append(text.fault(f"there is no {name}"))
        for name in SHORT.findall(text.words):  # such as store/tables/pair.decides, store/tables/apply.py
            folders, _, file = name.rpartition("/")
            module = [*folders.split("/"), *file.split(".")]
            if not (is_file(text, name) or is_module_or_name(module) or is_module_or_name(["lts", *module])):
                faults.append(text.fault(f"there is no {name}"))
    assert faults == []
    assert cited > 60


def test_classes_and_their_members_exist() -> None:
    faults, cited = [], 0
    for text in code_texts():
        for name, member in MEMBER.findall(text.words):
            if name in OF_SCRIPTS:
                continue
            cited += 1
            if member not in classes().get(name, ()):
                faults.append(text.fault(f"there is no {name}.{member}"))
        faults += [text.fault(f"there is no {name}") for name in SEE.findall(text.words) if name not in classes()]
    assert faults == []
    assert cited > 2


@lru_cache
def words() -> frozenset[str]:
    """Every word of the code, docstrings and comments left out."""
    texts = [source.code for source in sources().values()]
    texts += [re.sub(r"(?m)(?:^|\s)// .*", "", path.read_text(encoding="utf-8")) for path in SCRIPTS]
    texts += [(ROOT / name).read_text(encoding="utf-8") for name in ("setup.cfg", "lts.json.sample")]
    return frozenset(re.findall(r"\w+", "\n".join(texts))) | set(dir(builtins)) | ELSEWHERE


@lru_cache
def coming(page: Path) -> int:
    """The line from which on a page describes what is not built yet."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.startswith("## Coming in ")), len(lines) + 1)


def test_names_in_backticks_are_words_of_the_code() -> None:
    pages = [text for text in page_texts() if text.path.parent in (DECISIONS, DESIGN)]
    texts = [*code_texts(), *(text for text in pages if text.line < coming(text.path))]
    named = [(text, name) for text in texts for name in NAMED.findall(text.words)]
    assert [text.fault(f"nothing is called {name}") for text, name in named if name not in words()] == []
    assert len(named) > 500
