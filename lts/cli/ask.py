"""Asking at the console: the one place where a command waits for an answer.

Without a console (a script, a service, a window without input) nothing is asked: the command fails with a sentence that
names the option or variable to use instead. The command decides what to ask, and what an answer does.
"""

from __future__ import annotations

import getpass
import os
import sys
import warnings
from typing import TextIO

from lts.errors import AdminError


def confirm(consequences: str, question: str, *, yes: bool, instead: str = "--yes") -> None:
    """Return when `yes` was given, or when somebody reads `consequences` and types yes.

    `consequences` is a sentence about what will happen to whom; `instead` is the option that answers in a
    script. Raises AdminError.
    """
    if yes:
        return
    shown = _console()
    if shown is None:
        raise AdminError(
            "confirm", f"{consequences} Nothing was changed, since nobody can be asked here; add {instead}."
        )
    sys.stdout.flush()  # keeps the order of both streams in one log
    print(consequences, file=shown)
    print(f"{question} [y/N] ", end="", file=shown, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise AdminError("confirm", "Nothing was changed.")


def _console() -> TextIO | None:
    """The stream on which somebody who can answer sees a question, or None."""
    if not _is_terminal(sys.stdin):
        return None
    return next((stream for stream in (sys.stderr, sys.stdout) if _is_terminal(stream)), None)


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def passphrase(prompt: str, variable: str, *, new: bool = False) -> bytes:
    """The environment's `variable`, else what somebody types unseen, a new one twice. Raises AdminError
    when it is empty, when the two differ, and where nobody can type."""
    typed = os.environ.get(variable) or _typed(prompt, variable)
    if not typed:
        raise AdminError("empty-passphrase", "The passphrase is empty; nothing was changed.")
    if new and not os.environ.get(variable) and _typed("Repeat it: ", variable) != typed:
        raise AdminError("other-passphrase", "The two passphrases differ; nothing was changed.")
    return typed.encode("utf-8", "surrogateescape")


def _typed(prompt: str, variable: str) -> str:
    if sys.platform != "win32" or _is_terminal(sys.stdin):  # there it would wait forever without a console
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)  # it would read, and show, standard input
            try:
                return getpass.getpass(prompt)
            except (getpass.GetPassWarning, EOFError, OSError):
                pass
    raise AdminError("no-console", f"There is no console to type the passphrase at; give it in {variable}.")
