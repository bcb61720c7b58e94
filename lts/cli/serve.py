"""`lts serve`: the server in this process, until it is told to stop."""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from typing import Any

from lts.cli.options import config_of
from lts.errors import ConfigError
from lts.server import Server, opened, set_up_logging, stop_on_signals

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
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)


def has_desktop() -> bool:
    """Whether somebody sits in front of this machine's screen."""
    if sys.platform in ("win32", "darwin"):
        return sys.stdout is not None and sys.stdout.isatty()
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _serve(args: argparse.Namespace) -> int:
    config = config_of(args)
    if len(config.servers) > 1:
        raise ConfigError(
            [f'{config.source}: servers names a pair, which this version cannot run yet; leave ["self"] alone.']
        )
    log = set_up_logging(config)
    with opened(config) as here:
        server = Server(here, config)
        stop_on_signals(server.stop)
        portal = f"{server.url}page/#/index.html"
        print(f"LTS is running: {portal}", flush=True)
        print(f"Data folder: {config.data_dir}. Stop with Ctrl-C.", flush=True)
        if has_desktop() and not args.no_browser:
            webbrowser.open(portal)
        server.run()
    if not log.finish(LOG_SECONDS):
        os._exit(0)  # nobody reads the console; an orderly exit would wait for it for ever
    print("LTS has stopped.", flush=True)
    return 0
