"""The guides hold: links lead somewhere, commands are commands and do what is shown, messages and settings exist."""

from __future__ import annotations

import argparse
import ast
import functools
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from lts import config
from lts.cli.parser import make_parser
from lts.rules.licensing import activation, licensefile
from lts.vendor import issuing
from tests.support.kit import Vendor, item
from tests.support.lines import ROOT, environment
from tests.support.wait import PATIENCE
from tests.web.test_static import words
from tools.package import copy_guide

DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
GUIDE = [DOCS / "administrator.md", *sorted((DOCS / "admin").glob("*.md"))]
PROGRAM = re.compile(r"(?:.*[\\/])?(?:lts|lts\.cmd|LTS\.exe|lts-portable|run_lts\.py)")
BEFORE = {"sudo", "exec", "&", "python3", "$"}
OTHERS = {"maxAllowedContentLength"}
"""Words in the guide that look like settings and are another program's."""
VENDOR = "Example Vendor"


@dataclass(frozen=True)
class Block:
    """A fenced block: the words after its fence, and its lines."""

    info: tuple[str, ...]
    lines: tuple[str, ...]

    def commands(self) -> list[tuple[list[str], list[str]]]:
        """Each command as words, with the lines shown below it."""
        found: list[tuple[list[str], list[str]]] = []
        for line in self.lines:
            if self.info[:1] != ("console",):
                found.append((self._split(line), []))
            elif line.startswith("$ "):
                found.append((self._split(line[2:]), []))
            else:
                found[-1][1].append(line)
        return [(words, shown) for words, shown in found if words]

    def _split(self, line: str) -> list[str]:
        windows = self.info[:1] == ("powershell",)
        split = shlex.split(line, comments=not windows, posix=not windows)
        return [word.strip('"') for word in split]


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page."""
    found = re.findall(r"^```([^\n]*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [Block(tuple(info.split()), tuple(body.splitlines())) for info, body in found]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def lts_words(command: list[str]) -> list[str] | None:
    """What follows the program in a command of LTS, None for another's."""
    rest = command
    while rest and rest[0] in BEFORE:
        rest = rest[1:]
    return rest[1:] if rest and PROGRAM.fullmatch(rest[0]) else None


# links


def anchors(page: Path) -> set[str]:
    """Names of a page's headings, as their anchors are made."""
    heads = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    for shown, target in re.findall(r"\[([^\]]*)\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        other = page.parent / path if path else page
        assert other.exists(), target
        assert not anchor or anchor in anchors(other), target
        assert shown, f"{target} has no words for those who cannot see it"


def test_what_packages_carry_of_the_guide_leads_nowhere_else(tmp_path: Path) -> None:
    copy_guide(tmp_path / "docs")
    pages = list(tmp_path.rglob("*.md"))
    assert len(pages) > len(GUIDE)
    for page in pages:
        for target in re.findall(r"\]\(([^)#\s]+)", prose(page)):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_picture_and_page_of_the_guide_is_reached() -> None:
    targets = {
        (page.parent / target).resolve() for page in GUIDE for target in re.findall(r"\(([^)#\s]+)", prose(page))
    }
    assert {*(DOCS / "pictures").iterdir(), *(DOCS / "admin").iterdir()} - targets == set()
    assert max(picture.stat().st_size for picture in (DOCS / "pictures").iterdir()) < 80_000


# commands


def test_a_good_part_of_the_guide_is_run() -> None:
    run = [command for page in RUN for block in filter(is_run_here, blocks(page)) for command in block.commands()]
    assert len(RUN) >= 5
    assert len(run) >= 15


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_in_a_block_is_one(page: Path) -> None:
    for block in blocks(page):
        if block.info[:1] not in (("console",), ("powershell",), ("sh",)):
            continue
        for command, _ in block.commands():
            arguments = lts_words(command)
            if arguments:
                try:
                    whole_parser().parse_args(arguments)
                except SystemExit as ended:
                    assert not ended.code, command


@pytest.mark.parametrize("page", [page for page in PAGES if "decisions" not in page.parts], ids=name_of)
def test_every_command_in_a_sentence_is_one(page: Path) -> None:
    for span in re.findall(r"`([^`\n]+)`", prose(page)):
        arguments = lts_words(re.split(r"\s+", span.strip()))
        if arguments and not PROGRAM.fullmatch(arguments[0]) and "…" not in span:
            assert_known(arguments, span)


@functools.cache
def whole_parser() -> argparse.ArgumentParser:
    """The parser of all commands, which takes long to make."""
    return make_parser()


def assert_known(arguments: list[str], span: str) -> None:
    """The words of a command and its options exist, whatever is left out."""
    parser = whole_parser()
    for word in arguments:
        groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        word = word.strip("[]").partition("|")[0]
        if word.startswith("--"):
            assert word.partition("=")[0] in parser._option_string_actions, span
        elif groups and not word.isupper():
            assert word in groups[0].choices, span
            parser = groups[0].choices[word]


class World:
    """A data folder with its server, a vendor and an activated license, as the guide's commands find them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "lts.json").write_text('{"port": 0}', encoding="utf-8")
        self.environment = {**environment(), "LTS_CONFIG": str(folder / "lts.json")}
        self._server: subprocess.Popen[str] | None = None

    def run(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        """A command of LTS to its end."""
        command = [sys.executable, "-m", "lts.cli.main", *arguments]
        return subprocess.run(command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, encoding="utf-8",
                              timeout=2 * PATIENCE, check=False)  # fmt: skip

    def start(self) -> None:
        """Serve, if it does not already."""
        if self._server is None:
            command = [sys.executable, "-m", "lts.cli.main", "serve", "--no-browser"]
            self._server = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE,
                                            stderr=subprocess.DEVNULL, text=True)  # fmt: skip
            assert self._server.stdout is not None
            assert "running" in self._server.stdout.readline()

    def stop(self) -> None:
        """End the server, if it runs."""
        if self._server is not None:
            self._server.terminate()
            assert self._server.wait(PATIENCE) == 0
            assert self._server.stdout is not None
            self._server.stdout.close()
            self._server = None

    def visit(self) -> None:
        """The first visit of the portal, which sets the password."""
        setup = re.search(r"Set-up code: (\S+)[^:]*(http://[^/]+/lts/)", self.run(["setup-code"]).stdout)
        assert setup
        sent = json.dumps({"code": setup[1], "password": "a few good words"}).encode()
        headers = {"Content-Type": "application/json", "X-LTS-CSRF": "sign-in"}
        asked = Request(setup[2] + "api/v1/admin/setup", sent, headers)
        with urlopen(asked, timeout=PATIENCE) as answer:
            assert answer.status == 200

    def bring_license(self) -> None:
        """The files that a vendor sends."""
        vendor = Vendor(VENDOR)
        always: dict[str, Any] = {"startsAt": "2020-01-01T00:00:00Z", "expiresAt": None}
        new = vendor.issue(item("scans", quota=20_000, **always), item("seats", "device", 10, **always),
                           license_id="100028117")  # fmt: skip
        assert self.run(["request", "-o", "asked.json"]).returncode == 0
        request = activation.read((self.folder / "asked.json").read_bytes())
        activated = issuing.activate(new, [request], vendor.key, vendor.name, new.issued_at)
        (self.folder / "LTS_100028117.lic").write_text(licensefile.render(activated), encoding="utf-8")
        (self.folder / "vendor.pub").write_bytes(vendor.pub)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """See World; the server runs."""
    made = World(tmp_path)
    made.start()
    made.bring_license()
    yield made
    made.stop()


def is_run_here(block: Block) -> bool:
    """Whether a block needs neither root nor another system."""
    return block.info in (("console",), ("console", "stopped"))


def pattern(shown: list[str]) -> str:
    """What is shown as a regular expression: … stands for anything, alone in a line for any lines."""
    lines = [r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + r"\n" for line in shown]
    return "".join(lines)


RUN = [page for page in [*GUIDE, ROOT / "README.md"] if any(is_run_here(block) for block in blocks(page))]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="tested where the server ends at a signal")
@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_commands_do_what_the_guide_shows(page: Path, world: World) -> None:
    if page.name != "first-steps.md":  # which comes to the import by itself
        assert world.run(["trust", "vendor.pub", "--yes"]).returncode == 0
        assert world.run(["license", "import", "LTS_100028117.lic"]).returncode == 0
    for block in filter(is_run_here, blocks(page)):
        world.stop() if "stopped" in block.info else world.start()
        for command, shown in block.commands():
            arguments = lts_words(command)
            assert arguments, f"{command} is no command of LTS; mark the block"
            if arguments[:2] == ["password", "reset"]:
                world.visit()
            done = world.run(arguments)
            assert done.returncode == 0, (command, done.stdout)
            if shown:
                assert re.fullmatch(pattern(shown), done.stdout), (command, done.stdout)


# messages and words of the portal


@functools.lru_cache
def sentences() -> tuple[str, ...]:
    """Every text of the program and the portal, with a NUL where a value goes in."""
    found = [re.sub(r"\{[^}]*\}", "\0", text) for text in words("en").values()]
    for path in [ROOT / "run_lts.py", *(ROOT / "lts").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [one.value if isinstance(one, ast.Constant) else "\0" for one in node.values]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return tuple(found)


def is_said(phrase: str) -> bool:
    """Whether the program says so; … stands for a value. Short ones are whole words of the portal."""
    if phrase in words("en").values():
        return True
    wanted = re.compile(".*?".join(map(re.escape, phrase.split("…"))), re.DOTALL)
    return len(phrase) > 12 and any(wanted.search(sentence) for sentence in sentences())


@pytest.mark.parametrize("page", GUIDE, ids=name_of)
def test_what_the_guide_quotes_is_said_by_the_program(page: Path) -> None:
    quoted = re.findall(r"(?<!\*)\*(?!\*)([^*]+)\*(?!\*)", prose(page))
    assert [phrase for phrase in quoted if not is_said(" ".join(phrase.split()))] == []


# settings


def settings() -> set[str]:
    """Names of all settings, those inside others with a dot."""
    nested = {"rateLimits": config._RATE_KEYS, "log": config._LOG_KEYS}
    inner = {f"{outer}.{name}" for outer, keys in nested.items() for name in keys}
    return {name for name in config.KEYS if name not in nested} | inner


def test_the_table_of_settings_has_all_there_are_and_no_other() -> None:
    table = re.findall(r"^\| `([\w.]+)` \| (.*?) \|", (DOCS / "configuration.md").read_text("utf-8"), re.MULTILINE)
    assert {name for name, _ in table} == settings()
    sample = json.loads((ROOT / "lts.json.sample").read_text("utf-8"))
    for name, default in table:
        outer, _, inner = name.partition(".")
        value = sample[outer][inner] if inner else sample[outer]
        assert json.loads(default.strip("`")) == value, name


@pytest.mark.parametrize("page", GUIDE, ids=name_of)
def test_every_setting_that_the_guide_names_exists(page: Path) -> None:
    known = {part for name in settings() for part in name.split(".")} | OTHERS
    spans = " ".join(re.findall(r"`([^`\n]+)`", prose(page)))
    bodies = "\n".join("\n".join(block.lines) for block in blocks(page) if block.info == ("json",))
    named = set(re.findall(r"(?<![\w./])[a-z]+[A-Z]\w+(?![\w.(])", spans))
    named |= set(re.findall(r'"(\w+)":', spans + bodies))
    assert named - known == set()
