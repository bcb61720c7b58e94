"""docs/client.md followed as a new user would: its own blocks, run as they stand."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import sysconfig
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from lts.web.static_files import FOLDER
from tests.support.lines import ROOT, environment
from tests.support.wait import PATIENCE
from tools import client_package

GUIDE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The guide's only block of a language."""
    [found] = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[dict[str, Any]]:
    """The guide's first step."""
    assert "python3 run_lts.py sandbox" in GUIDE
    command = [sys.executable, str(ROOT / "run_lts.py"), "sandbox", "--json", "--port", "0"]
    command[1:2] = ["-m", "lts.cli.main"]  # the environment is made already
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client alone, as its wheel installs it."""
    folder = tmp_path_factory.mktemp("client")
    wheel = client_package.build(folder / "dist")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def keys(sandbox: dict[str, Any], name: str) -> tuple[str, str]:
    return next(one["licenseKey"] for one in sandbox["situations"] if one["name"] == name), sandbox["vendorKey"]


def filled(code: str, license_key: str, vendor_key: str) -> str:
    """A block with the two keys put in where the guide says so."""
    assert code.count('"LTS2…"') == code.count('"…"') == 1
    return code.replace('"LTS2…"', json.dumps(license_key)).replace('"…"', json.dumps(vendor_key))


def python(installed: Path, code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A program of a user who has the client and cryptography, and no LTS."""
    begin = f"import sys; sys.path[:0] = [{str(installed)!r}]\n"
    return subprocess.run(
        [sys.executable, "-I", "-c", begin + code],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=2 * PATIENCE,
        check=False,
    )


@pytest.mark.parametrize(
    ("situation", "said"),
    [("works", "'status': 'counted'"), ("grace", "'status': 'counted'"), ("expired", "111 "), ("full", "120 "),
     ("offline", "cannot be reached"), ("portal", "not from LTS")],
)  # fmt: skip
def test_the_python_block_does_what_the_guide_says(
    sandbox: dict[str, Any], installed: Path, tmp_path: Path, situation: str, said: str
) -> None:
    done = python(installed, filled(block("python"), *keys(sandbox, situation)), tmp_path)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout


def test_the_client_alone_needs_cryptography_and_nothing_else(installed: Path, tmp_path: Path) -> None:
    code = """before = set(sys.modules)
import json, lts.client
print(json.dumps([[n, getattr(m, "__file__", None) or ""] for n, m in list(sys.modules.items()) if n not in before]))"""
    done = python(installed, code, tmp_path)
    assert done.returncode == 0, done.stderr
    site = sysconfig.get_path("purelib")
    outside = {name.partition(".")[0] for name, file in json.loads(done.stdout) if file.startswith(site)}
    assert outside <= {"cryptography", "_cffi_backend", "cffi"}
    assert not (installed / "lts" / "web").exists()


def test_the_web_page_does_what_the_guide_says(sandbox: dict[str, Any], browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(filled(block("html"), *keys(sandbox, "works")), encoding="utf-8")
    (tmp_path / "lts-client.js").write_bytes((FOLDER / "client" / "lts-client.js").read_bytes())

    class Quiet(SimpleHTTPRequestHandler):
        extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".js": "text/javascript"}

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        page = browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"http://localhost:{server.server_port}/index.html")
        page.get_by_text("licensed, counted").wait_for(timeout=1000 * PATIENCE)
        assert not faults
        page.close()
    finally:
        server.shutdown()
        server.server_close()


def test_the_command_line_example(sandbox: dict[str, Any], installed: Path, tmp_path: Path) -> None:
    def scanner(name: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "examples" / "scanner.py"), *keys(sandbox, name), "hello"]
        home = {"HOME": str(tmp_path / name), "USERPROFILE": str(tmp_path / name), "PYTHONPATH": str(installed)}
        (tmp_path / name).mkdir(exist_ok=True)
        return subprocess.run(
            command, capture_output=True, text=True, env={**environment(), **home}, timeout=2 * PATIENCE, check=False
        )

    done = scanner("works")
    assert (done.returncode, done.stdout) == (0, "5 characters\n"), done.stderr
    refused = scanner("expired")
    assert refused.returncode == 1
    assert "code 111" in refused.stdout
    assert "grace" in scanner("grace").stdout


def test_the_service_example(sandbox: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    service = importlib.import_module("service")

    app = service.create_app(*keys(sandbox, "works"), state=str(tmp_path / "state")).test_client()
    assert app.post("/scan", data="hello").get_json() == {"characters": 5}
    assert app.get("/health").get_json()["storage"] is None
    closed = service.create_app(*keys(sandbox, "expired"), state=str(tmp_path / "other")).test_client()
    assert closed.post("/scan", data="hello").status_code == 503


def test_every_situation_that_the_guide_names_is_there(sandbox: dict[str, Any]) -> None:
    there = {one["name"] for one in sandbox["situations"]}
    named = re.search(r"start again: (.*?) … The key `(\w+)`", GUIDE, re.DOTALL)
    assert named
    assert set(re.findall(r"`(\w[\w-]*)`", named[1])) | {named[2]} <= there
