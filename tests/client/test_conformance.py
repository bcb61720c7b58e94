"""The vectors hold for both client libraries, and a client that is wrong learns what is wrong."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from lts.conformance import differences, driver, run_all
from lts.web.static_files import FOLDER
from tests.support.lines import ROOT, environment, lts
from tests.support.node import tools
from tests.support.wait import PATIENCE
from tools import client_package, vectors

IN_NODE = """
import { createInterface } from "node:readline";
import { drive } from "./driver.js";
for await (const line of createInterface({ input: process.stdin }))
  console.log(JSON.stringify(await drive(JSON.parse(line))));
"""
PYTHON = f"{sys.executable} {ROOT / 'examples' / 'driver.py'}"


def faults_of(drive: Callable[[dict[str, Any]], dict[str, Any]]) -> list[str]:
    found: list[str] = []
    run_all(drive, vectors.FOLDER, lambda name, faults: found.extend(f"{name}: {fault}" for fault in faults))
    return found


@pytest.mark.parametrize("name", list(vectors.FILES))
def test_the_files_are_what_the_tool_makes(name: str) -> None:
    assert (vectors.FOLDER / name).read_text(encoding="utf-8") == vectors.text_of(name)


def test_the_python_client_conforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = lts("conformance", PYTHON)
    assert done.code == 0, done.out
    assert "vectors passed" in done.out


def test_the_browser_library_conforms_in_node(tmp_path: Path) -> None:
    """In memory: nothing is there after a restart."""
    for source in (FOLDER / "client" / "lts-client.js", ROOT / "examples" / "driver.js"):
        shutil.copy(source, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "main.js").write_text(IN_NODE)
    with driver(f"{tools().node.as_posix()} {(tmp_path / 'main.js').as_posix()}") as drive:
        faults = faults_of(drive)
    assert [fault for fault in faults if "over a restart" not in fault] == []


@pytest.mark.slow
def test_the_browser_library_conforms(browser: Browser) -> None:
    """A URL in front of a page: calls wait in a queue, since the page is driven from this thread alone."""
    files = {"/": (b"<!doctype html><title>driver</title>", "text/html"),
             "/driver.js": ((ROOT / "examples" / "driver.js").read_bytes(), "text/javascript"),
             "/lts-client.js": ((FOLDER / "client" / "lts-client.js").read_bytes(), "text/javascript")}  # fmt: skip
    calls: queue.Queue[tuple[str, queue.Queue[str]] | None] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body, kind = files.get(self.path, (b"", "text/plain"))
            self._send(body, kind)

        def do_POST(self) -> None:
            back: queue.Queue[str] = queue.Queue()
            calls.put((self.rfile.read(int(self.headers["Content-Length"])).decode(), back))
            self._send(back.get(timeout=PATIENCE).encode(), "application/json")

        def _send(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    page: Page = browser.new_page()
    page.goto(url)
    found: list[str] = []

    def conform() -> None:
        try:
            with driver(url) as drive:
                found.extend(faults_of(drive))
        finally:
            calls.put(None)

    running = threading.Thread(target=conform)
    running.start()
    while (call := calls.get(timeout=PATIENCE)) is not None:
        text, back = call
        answer = page.evaluate("async (call) => (await import('./driver.js')).drive(call)", json.loads(text))
        back.put(json.dumps(answer))
    running.join()
    server.shutdown()
    server.server_close()
    page.close()
    assert found == []


WRONG = {
    "sends the growth": (
        "state.py", "where 5 was expected",
        [("entry.usage[type_name] = count", "entry.usage[type_name] = count - sent"),
         ("o.slot, o.type, o.count FROM", "o.slot, o.type, o.count, o.sent FROM"),
         ("for jti, lease, slot, type_name, count in rows", "for jti, lease, slot, type_name, count, sent in rows")],
    ),
    "believes anything": (
        "trust.py", "authorize answered: error is missing",
        [("return verify_lease(text, certificates, self._vendor_key)",
          "return Lease.from_claims(read_jws(text, LEASE_TYPE).claims())")],
    ),
    "forgets the clone token": (
        "client.py", 'cloneToken is null, where "c1" was expected',
        [('**token_names(token), "reports"', '**token_names(None), "reports"')],
    ),
    "asks the standby after every refusal": (
        "servers.py", "sent authorize to the standby though nothing was to be sent",
        [("if error.code not in TRY_OTHER:", "if False:")],
    ),
    "drops what is ahead": (
        "state.py", "usage.QR is missing; it should be 1",
        [("elif entry is not None and code != RefusalCode.SLOT_AHEAD:", "elif entry is not None:")],
    ),
    "trusts a clock that is set back": (
        "client.py", "ok is true, where false was expected",
        [("self._lease.issued_at if self._lease else 0, self._seen)", "0)")],
    ),
}  # fmt: skip
"""What is wrong with a client: the file and what to change in it, and what it must be told."""


@pytest.mark.slow
@pytest.mark.parametrize("name", list(WRONG))
def test_a_wrong_client_learns_what_is_wrong(name: str, tmp_path: Path) -> None:
    file, said, changes = WRONG[name]
    (tmp_path / "lts" / "client").mkdir(parents=True)
    shared = [ROOT / "lts" / part for part in client_package.SHARED]
    for source in [*shared, *(ROOT / "lts" / "client").glob("*.py")]:
        text = source.read_text(encoding="utf-8")
        for right, wrong in changes if source.name == file else []:
            assert right in text
            text = text.replace(right, wrong)
        (tmp_path / source.relative_to(ROOT)).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "lts.cli.main", "conformance", f"env PYTHONPATH={tmp_path} {PYTHON}"],
        capture_output=True, text=True, env=environment(), timeout=2 * PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "failed, see above." in done.stderr
    assert "FAILED" in done.stdout
    assert said in done.stdout


def test_what_is_no_driver_is_said(tmp_path: Path) -> None:
    done = lts("conformance", f"{sys.executable} -c print(1)")
    assert done.code == 1
    assert "must be a JSON object" in done.err
    assert "does not answer" in lts("conformance", "http://127.0.0.1:9/").err
    assert "cannot be read" in lts("conformance", PYTHON, "--vectors", tmp_path).err


def test_differences_name_the_place() -> None:
    assert differences({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}], "d": 3}) == []
    assert differences({"a": [{"b": 1}]}, {"a": [{"b": True}]}) == ["a[0].b is true, where 1 was expected"]
    assert differences({"a": None}, {}) == []
