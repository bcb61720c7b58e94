"""Options that many commands share."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from lts import config, plainfile
from lts.cli.output import note
from lts.cli.place import base_folder
from lts.config import Config
from lts.errors import AdminError, ConfigError, LtsError

BASE = base_folder()
"""`lts.json` and the data folder are here unless named otherwise."""


JSON_WORDS = "print JSON, for programs"


def add_place(parser: argparse.ArgumentParser) -> None:
    """--config and --data, before or after the command; help lists those that the command uses (`uses_only`)."""
    used = parser.get_default(_USED)
    for name, metavar, words in (("config", "FILE", "lts.json to use"), ("data", "DIR", "data folder to use")):
        listed = words if used is None or name in used else argparse.SUPPRESS
        parser.add_argument(f"--{name}", type=Path, metavar=metavar, default=argparse.SUPPRESS, help=listed)


def uses_only(parser: argparse.ArgumentParser, *names: str) -> None:
    """Which of `config` and `data` a command uses; without this it uses both."""
    parser.set_defaults(**{_USED: names})


_USED = "used_place"


def or_empty(text: str) -> str:
    """The value of an option that may be empty, which removes what it sets."""
    return text


def whole_number(text: str) -> int:
    """The value of an option that counts. Raises ArgumentTypeError."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def add_deployment(parser: argparse.ArgumentParser) -> None:
    """--deployment, the deployment type that a device names."""
    from lts.rules.licensing.licensefile import DEPLOYMENT_TYPES  # only few commands need it, and it loads much

    default = "desktop"
    words = f"deployment type (default: {default})"
    parser.add_argument("--deployment", choices=DEPLOYMENT_TYPES, default=default, help=words)


def refuse_data(args: argparse.Namespace, command: str) -> None:
    """For a command that makes its own data folder. Raises AdminError if a folder was named."""
    if hasattr(args, "data"):
        raise AdminError("usage", f"`lts {command}` makes a new data folder of its own; leave out --data.")


def config_of(args: argparse.Namespace) -> Config:
    """The configuration the arguments name. Raises ConfigError."""
    found = _load(args)
    if getattr(args, "config", None) is None and not os.environ.get("LTS_CONFIG"):
        _name_unused(found)
    return found


def is_the_servers(path: Path, args: argparse.Namespace) -> bool:
    """Whether a path is of the server that the arguments name: its data, its vendor keys or its configuration."""
    try:
        found = _load(args)
    except (LtsError, OSError):  # the configuration itself is what cannot be read
        return True
    path = config.absolute(path)
    folders = (found.data_dir, found.vendor_keys)
    return path in (found.source, BASE / config.FILE) or any(path.is_relative_to(folder) for folder in folders)


def _load(args: argparse.Namespace) -> Config:
    path = getattr(args, "config", None)
    try:
        return config.load(
            path,
            BASE,
            host=getattr(args, "host", None),
            port=getattr(args, "port", None),
            data_dir=getattr(args, "data", None),
        )
    except ConfigError as error:
        _check_kind(path or Path(os.environ.get("LTS_CONFIG") or BASE / config.FILE))
        raise error


def _check_kind(path: Path) -> None:
    """For a configuration that cannot be used: raises AdminError if the file is of another kind."""
    from lts.rules.licensing import filekind  # it loads much

    try:
        fault = filekind.mistaken(str(path), plainfile.read(path, filekind.HEAD), filekind.CONFIGURATION)
    except OSError:  # said before
        return
    if fault:
        raise AdminError("wrong-file", fault)


def _name_unused(found: Config) -> None:
    """Say that an `lts.json` in the current folder is not the one in use: it is never used silently, since anybody who
    may write there could choose the server's data and its trusted keys (decision 0014)."""
    here = Path(config.FILE)
    if plainfile.is_seen(here) and not (found.source is not None and here.samefile(found.source)):
        used = found.source or f"the defaults, since there is no {BASE / config.FILE}"
        note(f"the {config.FILE} in this folder is not used, but {used}. To use it, add --config {config.FILE}.")
