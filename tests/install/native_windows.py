"""`python tests/install/native_windows.py FOLDER [installer|double-click …] [--port N]`: packages on a real Windows.

FOLDER is what `python -m tools.package` made. For a machine that may be thrown away: it installs LTS and takes it away
again, and leaves C:\\ProgramData\\LTS. It wants an administrator and Python, no package. What wine can show of Windows,
test_windows.py shows with every full run; test_native_windows.py runs this one there, as far as it goes.
"""

from __future__ import annotations

import argparse
import ctypes
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROGRAM = Path(r"C:\Program Files\LTS\LTS.exe")
SETTINGS = Path(r"C:\ProgramData\LTS")
MENU = Path(r"C:\ProgramData\Microsoft\Windows\Start Menu\Programs\LTS\LTS portal.lnk")
SECONDS = 90
NEW_CONSOLE = 0x10


class Failure(Exception):
    """Something is not as it has to be; the text says what."""


def expect(what: str, is_so: object, seen: object = "") -> None:
    """A line for what holds. Raises Failure."""
    if not is_so:
        raise Failure(f"{what}: NO {seen}")
    print(f"{what}: yes", flush=True)


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """A program to its end, whatever its exit code; what it says is shown."""
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace", timeout=600, check=False)  # fmt: skip
    print(f"> {' '.join(map(str, words))}: {done.returncode}\n{done.stdout}{done.stderr}", flush=True)
    return done


def run_silently(line: str) -> int:
    """A program with a window and no output to its end; what it leaves running would keep a pipe to us open."""
    nothing = subprocess.DEVNULL
    done = subprocess.run(line, stdin=nothing, stdout=nothing, stderr=nothing, timeout=600, check=False)
    print(f"> {line}: {done.returncode}", flush=True)
    return done.returncode


def health(port: int) -> str | None:
    """What the server says of itself; None when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/lts/api/v1/health")
        return str(json.loads(connection.getresponse().read())["status"])
    except OSError:
        return None
    finally:
        connection.close()


def becomes(ask: Callable[[], Any], wanted: object, seconds: float = SECONDS) -> bool:
    """Whether the answer becomes the wanted one in time."""
    until = time.monotonic() + seconds
    while ask() != wanted:
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def installer(packages: Path, port: int) -> None:
    """Install silently, stop and start the service, install again over it, remove."""
    expect("LTS is not installed here", not PROGRAM.exists() and not (SETTINGS / "data").exists())
    [setup] = packages.glob("*-setup.exe")
    uuids = []
    for time_of_it in ("first", "second"):
        expect(f"the {time_of_it} silent installation ends well", run_silently(f'"{setup}" /S') == 0)
        expect("the service serves", becomes(lambda: health(port), "serving"))
        expect("the service says so", "is running" in run(PROGRAM, "service", "status").stdout)
        uuids.append(json.loads(run(PROGRAM, "status", "--json").stdout)["serverUuid"])
    expect("the server is the same after the second", uuids[0] == uuids[1], uuids)
    expect("the portal is in the start menu", MENU.exists())
    told = run("reg", "query", r"HKLM\SYSTEM\CurrentControlSet\Services\LTS", "/v", "ObjectName").stdout
    expect("the service runs as an account of its own", r"NT SERVICE\LTS" in told)
    run("net", "stop", "LTS")
    expect("nobody answers once it is stopped", becomes(lambda: health(port), None))
    run("net", "start", "LTS")
    expect("it serves once it is started", becomes(lambda: health(port), "serving"))
    # without _? the uninstaller would go on in a copy of itself; it reads the folder without quotes
    removed = run_silently(f'"{PROGRAM.with_name("uninstall.exe")}" /S _?={PROGRAM.parent}')
    expect("it is removed", removed == 0)
    expect("nobody answers once it is removed", becomes(lambda: health(port), None))
    expect("the program is gone", not PROGRAM.exists())
    expect("the data stay", (SETTINGS / "data" / "lts.db").exists())
    expect("its log has no error", "ERROR" not in (SETTINGS / "data" / "lts.log").read_text(encoding="utf-8"))


def double_click(packages: Path, port: int) -> None:
    """Start LTS.exe alone in a console of its own, as Explorer does, see it serve and open the portal; Ctrl-C."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name) / "My LTS 许可"
        folder.mkdir()
        program = Path(shutil.copy(packages / "LTS.exe", folder))
        (folder / "lts.json").write_text(json.dumps({"port": port}), encoding="utf-8")
        browser, opened = folder.parent / "browser.cmd", folder.parent / "opened.txt"
        # the whole line: to cmd a word ends at the = in an address
        browser.write_text(f'@echo %*>>"{opened}"\r\n', encoding="utf-8")
        environment = {**os.environ, "BROWSER": str(browser)}
        with subprocess.Popen([str(program)], cwd=folder, env=environment, creationflags=NEW_CONSOLE) as started:
            try:
                served = becomes(lambda: health(port), "serving")
                expect("it serves after a double-click", served, f"(its exit code: {started.poll()})")
                expect("its data lie beside it", (folder / "data" / "lts.db").exists())
                expect("it opens the portal", becomes(opened.exists, True))
                shown = opened.read_text(encoding="utf-8")
                expect("at the first visit", re.search(r"/lts/page/#/index\.html\?setup=\w", shown), shown)
                press = [sys.executable, __file__, "--press-ctrl-c", str(started.pid)]
                expect("Ctrl-C is pressed", subprocess.run(press, check=False, timeout=60).returncode == 0)
                expect("it ends", becomes(started.poll, 0), started.poll())
            finally:
                started.kill()
        expect("nobody answers once it has ended", health(port) is None)


def press_ctrl_c(process: int) -> int:
    """Press Ctrl-C in the console of a process; a process of its own does this, since it leaves its own console."""
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined, unused-ignore]
    kernel.FreeConsole()
    if not kernel.AttachConsole(process):
        return 1
    kernel.SetConsoleCtrlHandler(None, True)
    return 0 if kernel.GenerateConsoleCtrlEvent(0, 0) else 1


PARTS: dict[str, Callable[[Path, int], None]] = {"installer": installer, "double-click": double_click}


def main() -> int:
    """Exit code 0 when all parts held; 1 with the first thing that is not so."""
    parser = argparse.ArgumentParser(description="Try the packages on a Windows that may be thrown away.")
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("parts", nargs="*", help=f"{', '.join(PARTS)} (default: both)")
    parser.add_argument("--port", type=int, default=48080, help="where LTS is to listen (default: %(default)s)")
    parser.add_argument("--press-ctrl-c", type=int, metavar="PROCESS", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if sys.platform != "win32":
        parser.error("this needs a Windows")
    if args.press_ctrl_c:
        return press_ctrl_c(args.press_ctrl_c)
    if args.folder is None or set(args.parts) - set(PARTS):
        parser.error(f"name the folder of the packages, then any of {', '.join(PARTS)}")
    try:
        for part in args.parts or PARTS:
            print(f"== {part}", flush=True)
            PARTS[part](args.folder.resolve(), args.port)
    except Failure as failure:
        print(failure)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
