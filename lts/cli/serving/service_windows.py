"""The service on Windows, by pywin32: its data in ProgramData, readable only by administrators and the service.

Runs as `NT SERVICE\\LTS`. The pure part is in service_sid; the rest is a sequence of Windows calls.
"""

from __future__ import annotations

import argparse
import functools
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lts import config as configuration
from lts.background.watchdog import ExitWatchdog
from lts.cli import console
from lts.cli.options import config_of
from lts.cli.place import POINTER, program_folder, write_pointer, write_sample
from lts.cli.serving.runner import Runner
from lts.cli.serving.serve import LOG_SECONDS
from lts.cli.serving.service_sid import account, folder_rights
from lts.config import Config
from lts.errors import AdminError, LtsError
from lts.server import Server, set_up_logging

assert sys.platform == "win32"  # for the type checker too

import pywintypes
import servicemanager
import win32security
import win32service
import win32serviceutil
import winerror

NAME, TITLE = "LTS", "License Tracking Server"
DESCRIPTION = "Authorizes applications with the company's licenses and counts what they use."
HOSTED = "run"
"""The word after `service` with which the system starts the program."""
DATA = "data"
STOOD = "stood-still.txt"
"""In the data folder: where the server stood when it ended itself."""
CONFIG = '{\r\n  "servers": ["self"],\r\n  "log": {"file": "data/lts.log"}\r\n}\r\n'
STOP_MILLISECONDS = 15_000
WAIT_SECONDS = 60
RESTART_MILLISECONDS = 2_000
FORGIVEN_AFTER_SECONDS = 24 * 3600
_STATES = {
    win32service.SERVICE_RUNNING: "running",
    win32service.SERVICE_STOPPED: "stopped",
    win32service.SERVICE_START_PENDING: "starting",
    win32service.SERVICE_STOP_PENDING: "stopping",
}
log = logging.getLogger("lts.service")


def folder() -> Path:
    """Folder of the service's configuration and data."""
    return Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData")) / NAME


def install(command: list[str]) -> None:
    """Make the service and its folder, start it. Raises AdminError."""
    _check_reachable(Path(command[0]))
    try:
        _make_folder(folder())
        write_pointer(program_folder(), folder())
        config = str(folder() / configuration.FILE)
        _create(subprocess.list2cmdline([*command, "service", HOSTED, "--config", config]))
        win32serviceutil.StartService(NAME)
        _wait_until_started()
    except (pywintypes.error, OSError) as error:
        raise _sentence(error) from error
    print(f"LTS runs as the service {NAME}, and starts with Windows. Configuration and data: {folder()}.")
    print("`LTS.exe portal` opens the portal.")


def remove() -> None:
    """Stop the service and take it away. Raises AdminError."""
    try:
        if win32serviceutil.QueryServiceStatus(NAME)[1] != win32service.SERVICE_STOPPED:
            win32serviceutil.StopService(NAME)
            win32serviceutil.WaitForServiceStatus(NAME, win32service.SERVICE_STOPPED, WAIT_SECONDS)
        win32serviceutil.RemoveService(NAME)
        (program_folder() / POINTER).unlink(missing_ok=True)
    except (pywintypes.error, OSError) as error:
        raise _sentence(error) from error
    print(f"The service is removed. {folder()} stays: it holds the licenses and what was counted.")


def is_running() -> bool:
    """Whether it runs; prints its state. Raises AdminError."""
    try:
        state = win32serviceutil.QueryServiceStatus(NAME)[1]
    except pywintypes.error as error:
        raise _sentence(error) from error
    print(f"The service {NAME} is {_STATES.get(state, f'in state {state}')}.")
    return bool(state == win32service.SERVICE_RUNNING)


def _check_reachable(program: Path) -> None:
    profile = os.environ.get("USERPROFILE")
    if profile and Path(profile) in program.parents:
        raise AdminError(
            "own-folder",
            f"{program} is in a user's own folder, which a service may not read; move LTS to a folder such as"
            r" C:\Program Files\LTS first.",
        )


def _make_folder(place: Path) -> None:
    """Make the folder only for the service and administrators, with an initial configuration."""
    (place / DATA).mkdir(parents=True, exist_ok=True)
    for path, text in zip((place, place / DATA), folder_rights(NAME), strict=True):
        rights = win32security.ConvertStringSecurityDescriptorToSecurityDescriptor(text, win32security.SDDL_REVISION_1)
        win32security.SetNamedSecurityInfo(
            str(path),
            win32security.SE_FILE_OBJECT,
            win32security.DACL_SECURITY_INFORMATION | win32security.PROTECTED_DACL_SECURITY_INFORMATION,
            None,
            None,
            rights.GetSecurityDescriptorDacl(),
            None,
        )
    if not (place / configuration.FILE).exists():
        (place / configuration.FILE).write_bytes(CONFIG.encode("ascii"))
    write_sample(place)


def _create(command: str) -> None:
    """Register it: started with Windows after the rest, started again when it fails."""
    manager = win32service.OpenSCManager(None, None, win32service.SC_MANAGER_ALL_ACCESS)
    try:
        service = win32service.CreateService(
            manager, NAME, TITLE, win32service.SERVICE_ALL_ACCESS, win32service.SERVICE_WIN32_OWN_PROCESS,
            win32service.SERVICE_AUTO_START, win32service.SERVICE_ERROR_NORMAL, command, None, False, None,
            account(NAME), None,
        )  # fmt: skip
        try:
            win32service.ChangeServiceConfig2(service, win32service.SERVICE_CONFIG_DESCRIPTION, DESCRIPTION)
            _restart_after_failure(service)
        finally:
            win32service.CloseServiceHandle(service)
    finally:
        win32service.CloseServiceHandle(manager)


def _wait_until_started() -> None:
    until = time.monotonic() + WAIT_SECONDS
    while (state := win32serviceutil.QueryServiceStatus(NAME)[1]) != win32service.SERVICE_RUNNING:
        if state == win32service.SERVICE_STOPPED or time.monotonic() > until:
            raise AdminError(
                "service-failed",
                f"The service does not start; {folder() / DATA / 'lts.log'} says why, or the event log.",
            )
        time.sleep(0.1)


def _restart_after_failure(service: Any) -> None:
    again = [(win32service.SC_ACTION_RESTART, RESTART_MILLISECONDS)] * 3
    actions = {"ResetPeriod": FORGIVEN_AFTER_SECONDS, "RebootMsg": "", "Command": "", "Actions": again}
    try:
        win32service.ChangeServiceConfig2(service, win32service.SERVICE_CONFIG_FAILURE_ACTIONS, actions)
        win32service.ChangeServiceConfig2(service, win32service.SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, True)
    except pywintypes.error as error:
        if error.winerror != winerror.ERROR_INVALID_LEVEL:
            raise
        print("This system cannot start a service again by itself after a failure.")


def _sentence(error: Any) -> AdminError:
    code = getattr(error, "winerror", None)
    if code == winerror.ERROR_ACCESS_DENIED:
        return AdminError(
            "not-administrator", "This needs an administrator: open the console by 'Run as administrator'."
        )
    if code == winerror.ERROR_SERVICE_EXISTS:
        return AdminError("service-exists", "The service is installed already; `service remove` removes it.")
    if code == winerror.ERROR_SERVICE_DOES_NOT_EXIST:
        return AdminError("no-service", "The service is not installed.")
    words = getattr(error, "strerror", None) or str(error)
    return AdminError("service-failed", f"Windows says: {words} See {folder() / DATA / 'lts.log'}, and the event log.")


class Hosted(win32serviceutil.ServiceFramework):
    """The service as Windows runs it."""

    _svc_name_ = NAME
    _svc_display_name_ = TITLE
    settings: Callable[[], Config]
    """Reads the configuration; given by `host`, since Windows makes the object."""

    def __init__(self, arguments: list[str]) -> None:
        super().__init__(arguments)
        self._runner: Runner | None = None
        self._stopped = threading.Event()

    def SvcRun(self) -> None:  # noqa: N802 - the name that pywin32 calls
        """Serve until stopped. An exception means for Windows that the service failed, and it is restarted."""
        try:
            settings = type(self).settings()
            lines = set_up_logging(settings)
            try:
                self._serve(settings)
            finally:
                lines.finish(LOG_SECONDS)
        except LtsError as error:
            servicemanager.LogErrorMsg(error.detail)  # also when there is no log yet
            raise

    def _serve(self, settings: Config) -> None:
        self._runner = Runner(settings, self._serving, ExitWatchdog(settings.data_dir / STOOD))
        try:
            if not self._stopped.is_set():
                self._runner.run()
        except LtsError as error:
            log.error("%s", error.detail)
            raise

    def _serving(self, server: Server) -> None:
        log.info("serving at %s", server.url)
        self.ReportServiceStatus(win32service.SERVICE_RUNNING)

    def SvcStop(self) -> None:  # noqa: N802 - the name that pywin32 calls
        """Windows asks it to stop."""
        self.ReportServiceStatus(win32service.SERVICE_STOP_PENDING, waitHint=STOP_MILLISECONDS)
        self._stopped.set()
        if self._runner is not None:
            self._runner.stop()

    SvcShutdown = SvcStop


def host(args: argparse.Namespace) -> int:
    """Be the service: called by Windows, not by people."""
    Hosted.settings = staticmethod(functools.partial(config_of, args))
    console.watch(lambda event: True)  # somebody who logs off ends no service
    servicemanager.Initialize(NAME, None)
    servicemanager.PrepareToHostSingle(Hosted)
    try:
        servicemanager.StartServiceCtrlDispatcher()  # type: ignore[no-untyped-call]
    except win32service.error as error:
        if error.winerror != winerror.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT:
            raise
        raise AdminError("not-a-service", "Windows calls this; use `service install`.") from error
    return 0
