"""The service on Linux: a systemd unit of the user lts, hardened as deploy/systemd/lts.service says."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from lts.cli.place import POINTER, PROJECT, SAMPLE, program_folder, write_pointer, write_public
from lts.errors import AdminError

TEMPLATE = PROJECT / "deploy" / "systemd" / "lts.service"
UNIT = Path("/etc/systemd/system/lts.service")
NAME, USER = "lts", "lts"
CONFIG, DATA = Path("/etc/lts/lts.json"), Path("/var/lib/lts")


def configuration() -> str:
    """The sample, with the data where services keep theirs."""
    return (PROJECT / SAMPLE).read_text(encoding="utf-8").replace('"dataDir": "data"', f'"dataDir": "{DATA}"')


def unit_text(command: list[str], config: Path = CONFIG) -> str:
    """The unit that runs `command` (the program with its first words), hardened as the template says."""
    start = f"ExecStart={shlex.join([*command, 'serve', '--no-browser', '--config', str(config)])}"
    lines = TEMPLATE.read_text(encoding="utf-8").splitlines()
    text = "\n".join(start if line.startswith("ExecStart=") else line for line in lines)
    if any(str(PROJECT).startswith(home) for home in ("/home/", "/root/", "/run/user/")):
        text = text.replace("ProtectHome=yes", "ProtectHome=read-only")  # the program itself is there
    return text + "\n"


def install(command: list[str]) -> None:
    """Write the unit and the first configuration, make the user, start. Raises AdminError."""
    systemctl = _systemctl()
    _check_root()
    _make_user()
    if not CONFIG.exists():
        CONFIG.parent.mkdir(parents=True, exist_ok=True)
        CONFIG.parent.chmod(0o755)
        write_public(CONFIG, configuration())
        write_public(CONFIG.with_name(SAMPLE), configuration())
    write_pointer(program_folder(), CONFIG.parent)
    write_public(UNIT, unit_text(command))
    _run(systemctl, "daemon-reload")
    _run(systemctl, "enable", NAME)
    try:
        _run(systemctl, "restart", NAME)  # also when an older program runs
    except AdminError as error:
        raise AdminError("service-failed", f"{error.detail} `journalctl -u {NAME}` says why.") from error
    print(f"LTS runs as the service {NAME}, and starts at each boot. Configuration: {CONFIG}, data: {DATA}.")
    print("`lts setup-code` prints the address of the portal, `journalctl -u lts` the log.")


def remove() -> None:
    """Stop the service and take its unit away. Raises AdminError."""
    systemctl = _systemctl()
    _check_root()
    if not UNIT.exists():
        raise AdminError("no-service", "The service was not installed by `lts service install`.")
    _run(systemctl, "disable", "--now", NAME)
    UNIT.unlink()
    (program_folder() / POINTER).unlink(missing_ok=True)
    _run(systemctl, "daemon-reload")
    print(f"The service is removed. {CONFIG} and {DATA} stay: they hold the licenses and what was counted.")


def is_running() -> bool:
    """Whether it runs; prints its state. Raises AdminError."""
    done = subprocess.run([_systemctl(), "is-active", NAME], capture_output=True, text=True, check=False)  # noqa: S603
    state = done.stdout.strip() or "unknown"
    print(f"The service {NAME} is {state}.")
    return state == "active"


def _systemctl() -> str:
    systemctl = shutil.which("systemctl")
    if sys.platform != "linux" or systemctl is None or not Path("/run/systemd/system").is_dir():
        raise AdminError("no-systemd", "This system does not run systemd; start LTS with `lts serve`.")
    return systemctl


def _check_root() -> None:
    if sys.platform != "win32" and os.geteuid() != 0:
        raise AdminError("not-root", "A service is installed by root: run the same with sudo.")


def _make_user() -> None:
    if subprocess.run(["id", USER], capture_output=True, check=False).returncode:  # noqa: S603, S607 - fixed words
        _run("useradd", "--system", "--home-dir", str(DATA), "--shell", "/usr/sbin/nologin", USER)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise AdminError("service-failed", f"{' '.join(command)}: {words[-1] if words else 'failed'}")
