"""The signing step of `python3 -m tools.package --sign 'COMMAND {file}'`: runs somebody's own command on a file.

It knows no certificate, no key and no format: the command signs the file in place, or fails.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
from pathlib import Path

PLACE = "{file}"


class SigningError(Exception):
    """A file could not be signed; the text is one sentence that says which and why."""


def parse(command: str) -> str:
    """A command as an option takes it: it can be split into words and names the file.

    Raises argparse.ArgumentTypeError.
    """
    try:
        words = shlex.split(command, posix=os.name != "nt")
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{command}: {error}") from error
    if not any(PLACE in word for word in words[1:]):
        raise argparse.ArgumentTypeError(f"write {PLACE} behind the program, where it takes the file to sign")
    return command


def line_for(command: str, file: Path | str) -> str:
    """The command as a shell of this system reads it, with the file in it, whatever blanks there are in its name."""
    if os.name == "nt":  # where `\\` parts folders and quotes are double
        return command.replace(f'"{PLACE}"', PLACE).replace(PLACE, f'"{file}"')
    return shlex.join(word.replace(PLACE, str(file)) for word in shlex.split(command))


def sign(command: str | None, file: Path) -> None:
    """Sign a file in place; without a command nothing is done. Raises SigningError."""
    if command is None:
        return
    print(f"signing {file.name} …", flush=True)
    line = line_for(command, file)
    try:
        done = subprocess.run(line if os.name == "nt" else shlex.split(line), stdin=subprocess.DEVNULL, check=False)
    except OSError as error:
        raise SigningError(f"{file.name} is not signed: the command cannot be started ({error.strerror}).") from error
    if done.returncode:
        raise SigningError(f"{file.name} is not signed: the command ended with code {done.returncode}.")
