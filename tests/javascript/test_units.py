"""The pure modules of the portal and of the browser library, tested in node by its own runner."""

from __future__ import annotations

import re
from pathlib import Path

from lts.web.static_files import FOLDER
from tests.support.lines import ROOT
from tests.support.node import run, tools

HERE = Path(__file__).parent


def test_in_node() -> None:
    files = sorted(str(path) for path in HERE.glob("*.test.js"))
    said = run([str(tools().node), "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", "--test", "--test-reporter=tap",
                "--test-isolation=none", *files])  # fmt: skip
    written = sum(len(re.findall(r"^test\(", Path(path).read_text(encoding="utf-8"), re.MULTILINE)) for path in files)
    assert f"# pass {written}" in said.splitlines(), said
    assert "# fail 0" in said.splitlines(), said


def test_the_declared_library_is_what_its_file_has() -> None:
    declared = (FOLDER / "portal" / "lib.d.ts").read_text(encoding="utf-8")
    names = set(re.findall(r"^export (?:function|const) (\w+)", declared, re.MULTILINE))
    code = "import('./static/portal/lib.js').then((lib) => console.log(Object.keys(lib).join(' ')))"
    said = run([str(tools().node), "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", "-e", code])
    assert set(said.split()) == names
    assert (ROOT / "static" / "portal" / "lib.js").is_file()
