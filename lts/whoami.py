"""Who this process runs as, for messages on rights; no library is needed for it."""

from __future__ import annotations

import os
import sys


def user_name() -> str:
    """The user this process runs as, for a message."""
    name = os.environ.get("USERNAME") or os.environ.get("USER")
    number = f"uid {os.geteuid()}" if hasattr(os, "geteuid") else ""
    if not name:
        return number or "this user"
    quoted = f'the user "{name}"'  # who may be called "nobody"
    return f"{quoted} ({number})" if number else quoted


def who_may() -> str:
    """Which user may read and write the server's files, as the end of a sentence."""
    return "as administrator" if sys.platform == "win32" else "as root, or as the user that runs the server"
