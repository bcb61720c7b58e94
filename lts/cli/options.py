"""Options that many commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from lts import config
from lts.cli.place import base_folder
from lts.config import Config

BASE = base_folder()
"""`lts.json` and the data folder lie here unless told otherwise."""


def add_place(parser: argparse.ArgumentParser) -> None:
    """--config and --data, before or after the command."""
    parser.add_argument("--config", type=Path, metavar="FILE", default=argparse.SUPPRESS, help="lts.json to use")
    parser.add_argument("--data", type=Path, metavar="DIR", default=argparse.SUPPRESS, help="data folder to use")


def config_of(args: argparse.Namespace) -> Config:
    """The configuration the arguments name. Raises ConfigError."""
    return config.load(
        getattr(args, "config", None),
        BASE,
        host=getattr(args, "host", None),
        port=getattr(args, "port", None),
        data_dir=getattr(args, "data", None),
    )
