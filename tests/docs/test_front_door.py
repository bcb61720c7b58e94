"""What a visitor of the project sees first is right: workflows run little and what exists, hooks and forms point
somewhere."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped, unused-ignore]  # its stubs would be one more package

from tools import style

ROOT = style.ROOT
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
HOOKS = ROOT / ".pre-commit-config.yaml"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", GITHUB / "pull_request_template.md"]
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def read(path: Path) -> Any:
    """A YAML file. `on` in it is True, as YAML 1.1 has it."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def commands(workflow: Any) -> list[str]:
    """Each line that a workflow runs."""
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    return [line for step in steps for line in step.get("run", "").splitlines()]


def missing(text: str) -> list[str]:
    """Modules that are started in a text, and files of the project that it names, where there are none."""
    modules = [module for module in re.findall(r"python3? -m ([\w.]+)", text) if find_spec(module) is None]
    files = re.findall(r"(?<![\w./{-])(?:docs|tests|tools|lts|static|deploy|requirements)/[\w./-]*\w", text)
    return modules + [file for file in files if not (ROOT / file).exists()]


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_a_workflow_may_read_the_source_and_nothing_else(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        assert job["timeout-minutes"] <= 60
    assert "secrets" not in path.read_text(encoding="utf-8")
    assert "pull_request_target" not in workflow[True]


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_a_workflow_uses_actions_by_the_hash_of_a_version_and_keeps_no_token(path: Path) -> None:
    used = re.findall(r"uses: *(.*)", path.read_text(encoding="utf-8"))
    assert used
    assert [action for action in used if not PINNED.fullmatch(action)] == []
    steps = [step for job in read(path)["jobs"].values() for step in job["steps"]]
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == len(read(path)["jobs"])
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_what_a_workflow_runs_exists(path: Path) -> None:
    lines = commands(read(path))
    assert any("python" in line for line in lines)
    assert missing("\n".join(lines)) == []


def test_the_quick_tests_run_from_the_oldest_python_on_and_on_windows() -> None:
    jobs = read(GITHUB / "workflows" / "tests.yml")["jobs"]
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    oldest = setup["options"]["python_requires"].removeprefix(">=")
    minors = range(int(oldest.partition(".")[2]), 15)
    assert jobs["linux"]["strategy"]["matrix"]["python"] == [f"3.{minor}" for minor in minors]
    assert jobs["windows"]["runs-on"].startswith("windows-")
    assert {job["steps"][-1]["run"] for job in jobs.values()} == {"python3 -m tests", "python -m tests"}


def test_hooks_are_the_projects_own_and_fetch_nothing() -> None:
    hooks = [hook for repo in read(HOOKS)["repos"] for hook in repo["hooks"]]
    assert {repo["repo"] for repo in read(HOOKS)["repos"]} == {"local"}
    assert {hook["language"] for hook in hooks} == {"system"}
    assert [missing(hook["entry"]) for hook in hooks] == [[], []]


@pytest.mark.parametrize(("text", "codes"), [("x = 1\n", [0, 0]), ("x=1\n", [0, 1]), ("import os\n", [1, 0])])
def test_the_style_command_finds_what_the_tests_would_find(text: str, codes: list[int], tmp_path: Path) -> None:
    file = tmp_path / "a file.py"
    file.write_text(text, encoding="utf-8")
    started = [[sys.executable, "-m", "ruff", *command] for command in style.commands([str(file)])]
    done = [subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode for command in started]
    assert done == codes
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("path", FORMS, ids=name_of)
def test_a_form_asks_something_and_names_what_exists(path: Path) -> None:
    form = read(path)
    assert form["name"] and form["description"]
    kinds = {field["type"] for field in form["body"]}
    assert kinds <= {"markdown", "textarea", "input", "dropdown", "checkboxes"}
    asked = [field["id"] for field in form["body"] if field["type"] != "markdown"]
    assert len(asked) == len(set(asked)) >= 2
    assert missing(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_what_a_page_at_the_door_names_exists(path: Path) -> None:
    assert missing(path.read_text(encoding="utf-8")) == []
