"""`lts serve`: the server in this process, until it is stopped."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import webbrowser
from typing import TYPE_CHECKING, Any

from lts.cli import console, streams
from lts.cli.options import BASE, config_of
from lts.cli.place import is_frozen, write_sample

if TYPE_CHECKING:
    from lts.config import Config
    from lts.server import Server

HIGHEST_PORT = 65535
LOG_SECONDS = 1.0
"""How long the last lines may take to be written."""


def add_parsers(commands: Any) -> None:
    """Register the command."""
    serve = commands.add_parser("serve", help="run the server (the default)")
    serve.set_defaults(run=_serve)
    add_address(serve)
    serve.add_argument("--no-browser", action="store_true", help="do not open the browser")


def add_address(parser: argparse.ArgumentParser) -> None:
    """--host and --port."""
    parser.add_argument("--host", type=_host, help="address to listen on; 0.0.0.0 is every one of this machine")
    parser.add_argument("--port", type=_port, metavar="PORT", help="port to listen on; 0 takes a free one")


def _host(text: str) -> str:
    """An address, which the system judges. Raises ArgumentTypeError."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; name an address of this machine, such as 127.0.0.1")
    return text


def _port(text: str) -> int:
    """A port's number. Raises ArgumentTypeError."""
    if not text.isascii() or not text.isdecimal() or int(text) > HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to {HIGHEST_PORT}, not {text!r}")
    return int(text)


def has_desktop() -> bool:
    """Whether somebody sits in front of this machine's screen."""
    if sys.platform in ("win32", "darwin"):
        return sys.stdout is not None and sys.stdout.isatty()
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def portal_url(server_url: str, setup_code: str | None = None, sign_in: str | None = None) -> str:
    """Address of the portal; a one-time code is in the fragment, which no server or proxy ever sees."""
    portal = f"{server_url}page/#/index.html"
    if sign_in is not None:
        return f"{portal}?sign-in={sign_in}"
    return portal if setup_code is None else f"{portal}?setup={setup_code}"


def _announce(server: Server, config: Config, *, open_browser: bool) -> None:
    from lts.service.access import sessions

    code = sessions.setup_code(server.ctx)
    portal = portal_url(server.url, code)
    streams.say(f"LTS is running: {portal}")
    if code is not None:
        streams.say("Open this address to set the password; the code in it works once.")
    streams.say(f"Data folder: {config.data_dir}. Stop with Ctrl-C.")
    if open_browser:
        webbrowser.open(portal)


def _write_sample() -> None:
    """A program in one file writes the sample that the guide says to rename."""
    try:
        write_sample(BASE)
    except OSError as error:
        streams.complain(f"No sample configuration could be written to {BASE} ({error.strerror}).")


def _serve(args: argparse.Namespace) -> int:
    from lts.background.watchdog import of_systemd
    from lts.cli.serving.runner import (
        Runner,  # with it the whole server, which the commands that use this module do without
    )
    from lts.server import set_up_logging, stop_on_signals

    config = config_of(args)
    log = set_up_logging(config)
    if is_frozen():
        _write_sample()
    finished = threading.Event()
    open_browser = has_desktop() and not args.no_browser
    runner = Runner(config, lambda server: _announce(server, config, open_browser=open_browser), of_systemd())
    stop_on_signals(runner.stop, log.reopen)
    console.watch(console.on_close(runner.stop, finished))
    try:
        runner.run()
        if not log.finish(LOG_SECONDS):
            os._exit(0)  # nobody reads the console; an orderly exit would wait for it forever
        streams.say("LTS has stopped.")
    finally:
        finished.set()
    return 0
