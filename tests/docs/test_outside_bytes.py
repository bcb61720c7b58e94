"""The table of docs/design/code.md, Bytes from outside, names every module that reads them, and tests that exist; the
maps there and in docs/developer.md name every module at the top and every room."""

from __future__ import annotations

import re

from tests.support.lines import ROOT

CODE = (ROOT / "docs" / "design" / "code.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "developer.md").read_text(encoding="utf-8")
MAPS = (CODE.split("## Layout")[1].split("\n## ")[0], GUIDE.split("## Map")[1].split("\n## ")[0])
TABLE = CODE.split("## Bytes from outside")[1].split("\n## ")[0]
ROWS = [line.split(" | ") for line in TABLE.splitlines() if line.startswith("| ") and "`" in line]
READS = re.compile(
    r"strict_json\(|read_jws\(|read_tree\(|unb64url\(|json\.loads?\(|json\.Decoder\(|msgpack\.decode\(|decompressobj\("
    r"|smtplib\.SMTP\b|get_data\(|request\.(?:args|headers|cookies|form|files|values)|\.get\(\"HTTP_|encode\(\"idna\"\)"
)
"""How something is read that may come from outside."""
INSIDE = {
    "lts/cli/": "the command line, for who owns the machine",
    "lts/client/": "the client library, which reads its own server's answers",
    "lts/store/": "what this program wrote",
    "lts/conformance.py": "a tool for developers",
    "lts/config.py": "the administrator's own file",
    "lts/bootstrap.py": "the program's own files",
    "lts/envfolder.py": "the program's own files",
    "lts/service/alerting/alertsettings.py": "what this program wrote",
    "lts/service/licensing/catalog.py": "license files that were read when they were imported",
    "lts/service/folder/datafolder.py": "what this program wrote",
    "lts/service/core/identity.py": "what this program wrote",
    "lts/service/folder/mark.py": "what this program wrote",
    "lts/service/folder/placing.py": "what this program wrote",
    "lts/service/folder/restoring.py": "the administrator's own backup",
    "lts/service/core/pinned.py": "what this program wrote",
    "lts/web/sandbox.py": "a tool for developers",
}
"""What reads nothing from outside, and why."""


def test_every_module_that_reads_what_comes_from_outside_has_a_row() -> None:
    named = set(re.findall(r"`(lts/[a-z_/]+\.py)`", TABLE))
    reading = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "lts").rglob("*.py")
        if READS.search(path.read_text(encoding="utf-8"))
    }
    assert reading - {one for one in reading if one.startswith(tuple(INSIDE))} - named == set()
    assert [name for name in named if not (ROOT / name).is_file()] == []


WEB = ("cost", "framing_cost", "headers", "outside")
"""Tests of tests/web with inputs that are hard for parsers."""


def test_every_row_names_a_test_that_exists() -> None:
    tests = "".join(
        (ROOT / "tests" / name).read_text(encoding="utf-8")
        for name in ("service/test_answers.py", *(f"web/test_{name}.py" for name in WEB))
    )
    assert len(ROWS) >= 18
    for row in ROWS:
        [name] = re.findall(r"`(test_[a-z_]+)`", row[-1])
        assert f"def {name}(" in tests, row


def test_both_maps_name_every_module_at_the_top_and_every_room() -> None:
    top = [f"lts/{path.name}" for path in (ROOT / "lts").glob("*.py") if path.name != "__init__.py"]
    packages = [f"lts/{path.parent.name}/" for path in (ROOT / "lts").glob("*/__init__.py")]
    rooms = [f"{path.parent.name}/" for path in (ROOT / "lts" / "service").glob("*/__init__.py")]
    assert min(map(len, (top, packages, rooms))) > 8
    assert [name for name in (*top, *packages, *rooms) for text in MAPS if name not in text] == []
