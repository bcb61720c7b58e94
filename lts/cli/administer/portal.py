"""`lts portal`: opens the portal of the running server in the browser."""

from __future__ import annotations

import argparse
import os
import webbrowser
from typing import Any

from lts.cli.admin import session
from lts.cli.options import config_of
from lts.cli.output import note
from lts.cli.serving.serve import has_desktop, portal_url
from lts.errors import AdminError, DataFolderError


def add_parsers(commands: Any) -> None:
    """Register the command."""
    commands.add_parser("portal", help="open the portal in the browser").set_defaults(run=_portal)


def _portal(args: argparse.Namespace) -> int:
    """Also for somebody without rights: by the configuration, which names no server of another data folder."""
    config = config_of(args)
    try:
        with session(config) as server:
            if not server.running:
                raise AdminError("not-running", f"No LTS serves {config.data_dir}; start it first.")
            answer = server.call("GET", "/setup-code")
        url = portal_url(answer["url"], answer["setupCode"])
    except DataFolderError:
        named = hasattr(args, "data") or os.environ.get("LTS_DATA_DIR")
        if named or os.access(config.data_dir, os.R_OK | os.X_OK) or not config.data_dir.is_dir():
            raise
        note(f"{config.data_dir} is not open to you, so this is the address from the configuration.")
        url = portal_url(config.url)
    print(url, flush=True)
    if has_desktop():
        webbrowser.open(url)
    return 0
