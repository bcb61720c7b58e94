"""Running as a service of the system: the unit's rights, and what the service manager is notified of."""

from __future__ import annotations

import faulthandler
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lts import config
from lts.background import watchdog
from lts.cli import console
from lts.cli.serving import service_linux
from lts.cli.serving.service_sid import folder_rights, service_sid
from lts.notify import notify
from tests.support.lines import environment, lts
from tests.support.needed import need
from tests.support.wait import PATIENCE

linux = pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux")
EXPOSURE = 20
"""Tenths; the issue of installing asks for 2.0."""


@linux
@pytest.mark.needs("systemd")
def test_the_unit_is_right_and_hardened(tmp_path: Path) -> None:
    analyze = need("systemd")
    unit = tmp_path / "lts.service"
    unit.write_text(service_linux.unit_text([sys.executable, "-I", "-m", "lts.cli.main"]))
    verified = subprocess.run(
        [analyze, "verify", "--recursive-errors=yes", str(unit)], capture_output=True, text=True, check=False
    )
    assert str(unit) not in verified.stderr, verified.stderr
    judged = subprocess.run(
        [analyze, "security", "--offline=yes", f"--threshold={EXPOSURE}", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout[-300:]


@linux
def test_paths_with_blanks_stay_one_word(tmp_path: Path) -> None:
    text = service_linux.unit_text(["/opt/my lts/python"], Path("/etc/l t s.json"))
    [start] = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    assert start.startswith("'/opt/my lts/python' serve")
    assert "'/etc/l t s.json'" in start


def serving(data: Path) -> list[str]:
    """The words that start a server on a free port."""
    return [sys.executable, "-m", "lts.cli.main", "serve", "--no-browser", "--port", "0", "--data", str(data)]


@linux
def test_the_service_manager_hears_when_it_serves_and_when_it_stops(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(PATIENCE)
        command = serving(tmp_path / "d")
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, env={**environment(), "NOTIFY_SOCKET": str(path)}
        ) as server:
            told = manager.recv(4096).decode().split("\n")
            assert told[0] == "READY=1"
            assert re.fullmatch(r"STATUS=Serving at http://127\.0\.0\.1:\d+/lts/", told[1])
            server.terminate()
            assert manager.recv(4096) == b"STOPPING=1"
            assert server.wait(PATIENCE) == 0


@linux
@pytest.mark.slow
def test_a_server_that_is_stalled_counts_as_silent_and_one_that_continues_does_not(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    command = serving(tmp_path / "d")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(PATIENCE)
        asked = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "2000000"}
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**environment(), **asked}) as server:
            assert manager.recv(4096).startswith(b"READY=1")
            assert manager.recv(4096) == b"WATCHDOG=1\nWATCHDOG_USEC=2000000"
            server.send_signal(signal.SIGSTOP)
            manager.settimeout(2.0)
            with pytest.raises(TimeoutError):
                for _ in range(10):
                    manager.recv(4096)
            manager.settimeout(PATIENCE)
            server.send_signal(signal.SIGCONT)
            assert manager.recv(4096).startswith(b"WATCHDOG=1")
            server.terminate()
            told = [manager.recv(4096)]
            while told[-1] != b"STOPPING=1":
                told.append(manager.recv(4096))
            assert b"WATCHDOG_USEC=0" in told
            assert server.wait(PATIENCE) == 0


def test_the_unit_has_a_watchdog_as_patient_as_the_service_of_windows_and_starts_again_after_it() -> None:
    unit = service_linux.TEMPLATE.read_text(encoding="utf-8").splitlines()
    assert f"WatchdogSec={watchdog.SECONDS}" in unit
    assert "Restart=on-failure" in unit
    assert "LimitCORE=0" in unit, "a core file would hold the keys"


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, float("inf")),
        ({"WATCHDOG_USEC": "30000000"}, 30),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, float("inf")),
        ({"WATCHDOG_USEC": "0"}, float("inf")),
        ({"WATCHDOG_USEC": "x"}, float("inf")),
    ],
)
def test_the_environment_says_who_is_asked_for_a_sign_of_life(environ: dict[str, str], seconds: float) -> None:
    assert watchdog.of_systemd(environ).seconds == seconds


FREEZE = """
import sys, time
from pathlib import Path
from lts.background import watchdog
watched = watchdog.ExitWatchdog(Path(sys.argv[1]), float(sys.argv[2]))
watched.beat()
if sys.argv[3] == "rest":
    watched.rest()
    time.sleep(1.5 * float(sys.argv[2]))
else:
    import re
    re.fullmatch("(a+)+b", "a" * 60)  # holds the interpreter for ever
"""


@pytest.mark.parametrize(("way", "seconds", "code"), [("freeze", 1, 1), ("rest", 1, 0)])
def test_a_process_that_holds_the_interpreter_ends_itself_and_says_where_it_stood(
    tmp_path: Path, way: str, seconds: float, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "stood still.txt"
    command = [sys.executable, "-c", FREEZE, str(path), str(seconds), way]
    done = subprocess.run(command, env=environment(), timeout=PATIENCE, check=False)
    assert done.returncode == code
    stood = path.read_text()
    assert ("fullmatch" in stood) == (way == "freeze")
    again = watchdog.ExitWatchdog(path)
    again.beat()
    again.rest()
    assert (stood in caplog.text and bool(caplog.text)) == (way == "freeze")
    assert path.read_text() == ""


def test_the_end_is_pushed_off_four_times_while_it_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, pushed = [0.0], list[float]()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda *_, **__: pushed.append(now[0]))
    watched = watchdog.ExitWatchdog(tmp_path / "x", 30)
    for second in range(30):
        now[0] = float(second)
        watched.beat()
    assert pushed == [0, 8, 16, 24]


@linux
def test_a_service_manager_that_is_gone_stops_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    assert not notify("READY=1")
    monkeypatch.delenv("NOTIFY_SOCKET")
    assert not notify("READY=1")


@pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="here a service could be installed for real")
@linux
def test_without_systemd_the_command_says_how_to_start_instead() -> None:
    for call in ("install", "remove", "status"):
        done = lts("service", call)
        assert done.code == 1
        assert done.err == "lts: This system does not run systemd; start LTS with `lts serve`.\n"
    assert os.environ.get("NOTIFY_SOCKET") is None


def test_the_services_configuration_keeps_data_where_services_do(tmp_path: Path) -> None:
    (tmp_path / "lts.json").write_text(service_linux.configuration())
    assert config.load(None, tmp_path, environ={}).data_dir == Path("/var/lib/lts")


def test_a_services_account_on_windows_has_the_identity_that_windows_computes() -> None:
    # the one that is published: of the service TrustedInstaller
    known = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
    assert service_sid("TrustedInstaller") == known
    configuration, data = folder_rights("TrustedInstaller")
    assert data == f"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;{known})"
    assert f"(A;OICI;FA;;;{known})" not in configuration
    assert "FA;;;BU" not in configuration


@pytest.mark.parametrize(("event", "ours"), [(0, False), (1, False), (2, True), (5, True), (6, True)])
def test_a_closed_console_window_waits_for_the_servers_end(event: int, ours: bool) -> None:
    finished = threading.Event()
    stopped: list[int] = []

    def stop() -> None:
        stopped.append(event)
        threading.Timer(0.05, finished.set).start()

    assert console.on_close(stop, finished)(event) == ours
    assert stopped == [event] * ours
    assert finished.is_set() == ours
