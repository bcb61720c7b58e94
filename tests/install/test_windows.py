"""LTS as Windows runs it, in wine: the double-click, the service, the installer (docs/decisions/0012-packaging.md)."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("a Windows needs no wine; native_windows.py tries the packages there", allow_module_level=True)

from tests.install.console import Console, recorder
from tests.install.wine import ROOT, Wine, windows_path
from tests.support.ports import free_port
from tests.support.wait import PATIENCE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs("wine", "wine64", "gcc-mingw-w64-x86-64", "nsis"),
]


@pytest.fixture
def carried(windows: Wine, windows_packages: Path) -> Path:
    """LTS.exe as one file, carried into a folder with a blank in its name."""
    folder = windows.drive / "My LTS"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(windows_packages / "LTS.exe", folder)
    (folder / "lts.json").write_text(json.dumps({"servers": ["self"], "port": free_port()}))
    return folder


def asked(port: int, path: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", path)
    return json.loads(connection.getresponse().read())


def health(port: int) -> Any:
    return asked(port, "/lts/api/v1/health")["status"]


def eventually(ask: Callable[[], Any], seconds: float = 2 * PATIENCE) -> Any:
    """The answer once there is one: wine's `net` waits neither for a start nor for a stop."""
    until = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def test_a_double_click_serves_opens_the_portal_and_ends_at_ctrl_c(
    windows: Wine, carried: Path, tmp_path: Path
) -> None:
    browser, opened = recorder(tmp_path)
    environment = {**windows.environment, "BROWSER": str(browser)}
    command = ["wine", str(carried / "LTS.exe")]
    with Console(command, environment) as console:
        text = console.wait_for("Stop with Ctrl-C")
        found = re.search(r"LTS is running: (http://127\.0\.0\.1:(\d+)/lts/page/#/index\.html\?setup=\S+)", text)
        assert found is not None, text
        assert r"Data folder: C:\My LTS\data." in text
        port = int(found[2])
        assert health(port) == "serving"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("GET", "/lts/page/")
        page = connection.getresponse()
        assert (page.status, page.getheader("Content-Type")) == (200, "text/html; charset=utf-8")
        with Console(command, environment) as second:
            told = second.wait_for("Press Enter to close this window.")
            assert f"whose portal is at http://127.0.0.1:{port}/lts/page/#/index.html; stop that one first." in told
            assert "Traceback" not in told
            second.type(b"\r")
            assert second.end() == 1
        assert health(port) == "serving"
        console.type(b"\x03")
        console.wait_for("LTS has stopped.")
        assert console.end() == 0
    assert set(opened.read_text().split()) == {found[1]}
    assert sorted(path.name for path in carried.iterdir()) == ["LTS.exe", "data", "lts.json", "lts.json.sample"]


def test_run_lts_by_double_click_sets_itself_up_and_serves(windows: Wine, tmp_path: Path) -> None:
    folder = windows.drive / "My source"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("lts", "static", "requirements"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("run_lts.py", "lts.json.sample"):
        shutil.copy(ROOT / name, folder)
    (folder / "lts.json").write_text(json.dumps({"port": free_port()}))
    browser, _opened = recorder(tmp_path)
    # the index is the folder of what was brought already: nothing is downloaded twice
    index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": windows_path(windows.folder / "wheels")}
    command = ["wine", str(windows.python), str(folder / "run_lts.py")]
    with Console(command, {**windows.environment, **index, "BROWSER": str(browser)}) as console:
        text = console.wait_for("Stop with Ctrl-C", 300)
        assert "Set up." in text
        assert r"Data folder: C:\My source\data." in text
        console.type(b"\x03")
        console.wait_for("LTS has stopped.")
        assert console.end() == 0


def test_a_taken_port_leaves_one_sentence_on_the_screen(windows: Wine, carried: Path) -> None:
    port = json.loads((carried / "lts.json").read_text())["port"]
    with socket.create_server(("127.0.0.1", port)):
        with Console(["wine", str(carried / "LTS.exe")], windows.environment) as console:
            text = console.wait_for("Press Enter to close this window.")
            [sentence] = [line for line in text.splitlines() if line.startswith("lts: ")]
            assert str(port) in sentence
            assert '"port" in lts.json' in sentence
            assert "Traceback" not in text
            console.type(b"\r")
            assert console.end() == 1
        unseen = windows.run(carried / "LTS.exe")  # as a service or a script runs it: nobody to press a key
        assert unseen.returncode == 1
        assert "Press Enter" not in unseen.stdout


def test_a_configuration_saved_by_notepad_and_a_wrong_one(windows: Wine, carried: Path) -> None:
    config = carried / "lts.json"
    good = config.read_text()
    config.write_bytes(b'\xef\xbb\xbf{\r\n  "servers": ["self"],\r\n  "port": "48080"\r\n}\r\n')
    told = windows.run(carried / "LTS.exe", "doctor")
    assert r"C:\My LTS\lts.json, line 3: port must be a number without quotes" in told.stdout
    config.write_bytes(b"\xef\xbb\xbf" + good.replace("{", "{\r\n").encode())
    told = windows.run(carried / "LTS.exe", "doctor")
    assert "must be" not in told.stdout


def test_the_demo_runs(windows: Wine, carried: Path) -> None:
    done = windows.run(carried / "LTS.exe", "demo", "--exit", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert len(answer["devices"]) == 3
    assert sum(answer["usage"].values()) > 0


def install(windows: Wine, windows_packages: Path) -> tuple[Path, Path, int]:
    """The one-dir build in Program Files, an empty ProgramData with a free port; (LTS.exe, data folder, port)."""
    program, data = windows.drive / "Program Files" / "LTS", windows.drive / "ProgramData" / "LTS"
    for folder in (program, data):
        shutil.rmtree(folder, ignore_errors=True)
    data.mkdir(parents=True)
    port = free_port()
    (data / "lts.json").write_text(json.dumps({"servers": ["self"], "port": port, "log": {"file": "data/lts.log"}}))
    shutil.copytree(windows_packages / "LTS", program)
    windows.run(program / "LTS.exe", "service", "remove")  # of a test that failed
    return program / "LTS.exe", data, port


def test_a_service_is_made_started_stopped_and_taken_away(windows: Wine, windows_packages: Path) -> None:
    program, data, port = install(windows, windows_packages)
    before = windows.run(program, "service", "status")
    assert (before.returncode, before.stderr.splitlines()[-1]) == (1, "lts: The service is not installed.")
    done = windows.run(program, "service", "install")
    assert done.returncode == 0, done.stderr
    assert health(port) == "serving"
    assert (data / "lts.json.sample").exists()
    assert "The service LTS is running." in windows.run(program, "service", "status").stdout
    again = windows.run(program, "service", "install")
    assert (again.returncode, "installed already" in again.stderr) == (1, True)
    # every command works on the service's data, without being told where they are
    assert json.loads(windows.run(program, "status", "--json").stdout)["running"] is True
    assert f"http://127.0.0.1:{port}/lts/page/#/index.html?setup=" in windows.run(program, "portal").stdout
    assert windows.run("net", "stop", "LTS").returncode == 0
    with pytest.raises(OSError, match="refused"):
        health(port)
    assert windows.run("net", "start", "LTS").returncode == 0
    assert eventually(lambda: health(port)) == "serving"
    done = windows.run(program, "service", "remove")
    assert done.returncode == 0, done.stderr
    with pytest.raises(OSError, match="refused"):
        health(port)
    assert (data / "data" / "lts.db").exists()
    assert windows.run(program, "service", "status").returncode == 1
    log = (data / "data" / "lts.log").read_text(encoding="utf-8")
    assert log.count("lts.service: serving at") == 2
    assert "ERROR" not in log


def test_a_service_that_cannot_serve_says_so_where_it_logs(windows: Wine, windows_packages: Path) -> None:
    program, data, port = install(windows, windows_packages)
    with socket.create_server(("127.0.0.1", port)):
        done = windows.run(program, "service", "install")
        assert done.returncode == 1
        assert "lts.log" in done.stderr
    assert f"Port {port}" in (data / "data" / "lts.log").read_text(encoding="utf-8")
    assert windows.run(program, "service", "remove").returncode == 0


def test_the_installer_installs_upgrades_and_removes_and_data_stay(windows: Wine, windows_packages: Path) -> None:
    program, data, port = install(windows, windows_packages)
    shutil.rmtree(program.parent)
    [setup] = windows_packages.glob("*-setup.exe")
    uuids = []
    for _ in range(2):
        done = windows.run(windows_path(setup), "/S")
        assert done.returncode == 0, done.stdout + done.stderr
        assert health(port) == "serving"
        uuids.append(json.loads(windows.run(program, "status", "--json").stdout)["serverUuid"])
    assert uuids[0] == uuids[1]
    menu = windows.drive / "ProgramData" / "Microsoft" / "Windows" / "Start Menu" / "Programs" / "LTS"
    assert (menu / "LTS portal.lnk").exists()
    # without _? the uninstaller would go on in a copy of itself
    done = windows.run(program.with_name("uninstall.exe"), "/S", r"_?=C:\Program Files\LTS")
    assert done.returncode == 0
    left = list(program.parent.iterdir()) if program.parent.exists() else []
    assert [path.name for path in left] in ([], ["uninstall.exe"])  # which runs
    assert not menu.exists()
    assert (data / "data" / "lts.db").exists()
    assert (data / "lts.json").exists()
