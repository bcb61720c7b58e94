"""`lts service install | remove | status`: run LTS as a service of the system, started at boot."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from lts.errors import AdminError

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "deploy" / "systemd" / "lts.service"
UNIT = Path("/etc/systemd/system/lts.service")
NAME, USER = "lts", "lts"
CONFIG, DATA = Path("/etc/lts/lts.json"), Path("/var/lib/lts")
_FIRST_CONFIG = '{\n  "servers": ["self"]\n}\n'


def add_parsers(commands: Any) -> None:
    """Register the commands."""
    service = commands.add_parser("service", help="run LTS as a service of the system")
    calls = service.add_subparsers(dest="service_call", required=True)
    for name, run, words in (
        ("install", _install, "install it, start it, and start it at each boot"),
        ("remove", _remove, "stop it and take it away; configuration and data stay"),
        ("status", _status, "whether it runs"),
    ):
        parser = calls.add_parser(name, help=words)
        parser.set_defaults(run=run)


def _check_system() -> str:
    """Path of systemctl. Raises AdminError where no service can be installed."""
    systemctl = shutil.which("systemctl")
    if sys.platform != "linux" or systemctl is None or not Path("/run/systemd/system").is_dir():
        raise AdminError("no-systemd", "This system does not run systemd; start LTS by `python3 run_lts.py`.")
    return systemctl


def _check_root() -> None:
    if os.geteuid() != 0:
        raise AdminError("not-root", "A service is installed by root: run the same with sudo.")


def unit_text(command: list[str], config: Path = CONFIG, data: Path = DATA) -> str:
    """The unit that runs `command` (the program with its first words), hardened as the template says."""
    arguments = [*command, "serve", "--no-browser", "--config", str(config), "--data", str(data)]
    lines = TEMPLATE.read_text(encoding="utf-8").splitlines()
    start = f"ExecStart={shlex.join(arguments)}"
    text = "\n".join(start if line.startswith("ExecStart=") else line for line in lines)
    if any(str(ROOT).startswith(home) for home in ("/home/", "/root/", "/run/user/")):
        text = text.replace("ProtectHome=yes", "ProtectHome=read-only")  # the program itself lies there
    return text + "\n"


def _install(_: argparse.Namespace) -> int:
    systemctl = _check_system()
    _check_root()
    _make_user()
    if not CONFIG.exists():
        CONFIG.parent.mkdir(parents=True, exist_ok=True)
        CONFIG.write_text(_FIRST_CONFIG, encoding="utf-8")
    frozen = getattr(sys, "frozen", False)
    command = [sys.executable] if frozen else [sys.executable, "-I", "-m", "lts.cli.main"]
    UNIT.write_text(unit_text(command), encoding="utf-8")
    _run(systemctl, "daemon-reload")
    _run(systemctl, "enable", "--now", NAME)
    print(f"LTS runs as the service {NAME}, and starts at each boot. Configuration: {CONFIG}, data: {DATA}.")
    print("The address of the portal: journalctl -u lts | grep running, or `lts setup-code --data /var/lib/lts`.")
    return 0


def _make_user() -> None:
    if subprocess.run(["id", USER], capture_output=True, check=False).returncode == 0:  # noqa: S603, S607 - fixed words
        return
    _run("useradd", "--system", "--home-dir", str(DATA), "--shell", "/usr/sbin/nologin", USER)


def _remove(_: argparse.Namespace) -> int:
    systemctl = _check_system()
    _check_root()
    if not UNIT.exists():
        raise AdminError("no-service", "The service is not installed.")
    _run(systemctl, "disable", "--now", NAME)
    UNIT.unlink()
    _run(systemctl, "daemon-reload")
    print(f"The service is gone. {CONFIG} and {DATA} stay: they hold the licenses and what was counted.")
    return 0


def _status(_: argparse.Namespace) -> int:
    systemctl = _check_system()
    done = subprocess.run([systemctl, "is-active", NAME], capture_output=True, text=True, check=False)  # noqa: S603 - fixed
    state = done.stdout.strip() or "unknown"
    print(f"The service {NAME} is {state}.")
    return int(state != "active")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise AdminError("service-failed", f"{' '.join(command)}: {words[-1] if words else 'failed'}")
