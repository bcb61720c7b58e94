"""JavaScript as its tools judge it (biome.json, tsconfig.json), and that its tools are locked (docs/developer.md)."""

from __future__ import annotations

import json

import pytest

from lts.web.static_files import FOLDER
from tests.support.lines import ROOT
from tests.support.node import run, tools

LOCK = ROOT / "requirements" / "javascript"


@pytest.mark.parametrize("name", ["rules and format", "types"])
def test_the_scripts_are_as_the_tools_want_them(name: str) -> None:
    run(tools().checks()[name])


def test_the_lock_names_versions_and_hashes_and_no_registry() -> None:
    text = (LOCK / "package-lock.json").read_text(encoding="utf-8")
    packages = json.loads(text)["packages"]
    wanted = json.loads((LOCK / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    assert packages.pop("") == {"devDependencies": wanted}
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all(one["integrity"].startswith("sha512-") for one in packages.values())
    assert "://" not in text


def test_every_script_of_ours_is_checked() -> None:
    listed = run(tools().command("typescript/bin/tsc", "-p", "tsconfig.json", "--listFilesOnly")).splitlines()
    ours = {path for path in FOLDER.rglob("*.js") if path.parts[len(FOLDER.parts)] != "vendor"}
    ours |= set((ROOT / "examples").glob("*.js"))
    unchecked = {path.relative_to(ROOT).as_posix() for path in ours} - {
        line.removeprefix(f"{ROOT.as_posix()}/") for line in listed
    }
    assert unchecked == {"static/portal/lib.js"}  # the vendored libraries have no types: lib.d.ts has them
