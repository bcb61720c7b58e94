"""What the project's tools say to arguments, and when their packages cannot be had."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lts.bootstrap import SetupError
from tests.support import node
from tests.support.lines import ROOT, environment
from tests.support.ports import free_port
from tools.javascript import NEEDED, Tools


def run_tool(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", f"tools.{name}", *words], cwd=ROOT, env=environment(),
                          capture_output=True, encoding="utf-8", timeout=60, check=False)  # fmt: skip


@pytest.mark.parametrize("name", ["javascript", "client_package", "style", "package", "mutate"])
def test_an_unknown_argument_is_refused_and_help_is_given(name: str) -> None:
    wrong = run_tool(name, "--no-such-word")
    assert wrong.returncode == 2
    assert "unrecognized arguments: --no-such-word" in wrong.stderr
    shown = run_tool(name, "--help")
    assert shown.returncode == 0
    assert shown.stdout.startswith(f"usage: python3 -m tools.{name} ")


def without_registry(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Tools:
    """The tools of a new environment with the node of this one, where npm reaches nobody and has kept nothing."""
    monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{free_port()}/")
    monkeypatch.setenv("npm_config_cache", str(folder / "cache"))
    found = Tools(folder)
    here = Tools(Path(sys.prefix))
    found.node, found._npm = here.node, here._npm
    return found


def test_without_a_registry_one_sentence_says_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left = tmp_path / "javascript.99999"
    (left / "node_modules").mkdir(parents=True)
    tools = without_registry(monkeypatch, tmp_path)
    with pytest.raises(SetupError) as told:
        tools.install()
    assert str(told.value).startswith(NEEDED)
    assert "ECONNREFUSED" in str(told.value)
    assert "Fetching TypeScript and Biome" in "".join(capsys.readouterr())
    assert [path.name for path in tmp_path.glob("javascript*")] == ["javascript.lock"]


def test_a_set_up_that_failed_is_tried_once_for_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def fail(tools: Tools) -> None:
        tried.append(os.getpid())
        raise SetupError("no registry")

    monkeypatch.setattr(Tools, "install", fail)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    for _ in range(3):
        with pytest.raises(pytest.fail.Exception, match="no registry"):
            node.tools()
    assert len(tried) == 1
