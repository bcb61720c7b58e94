"""Who this process runs as, for messages on rights; no library is needed for it."""

from __future__ import annotations

import os


def user_name() -> str:
    """The user this process runs as, in words for a message."""
    name = os.environ.get("USERNAME") or os.environ.get("USER")
    number = f"uid {os.geteuid()}" if hasattr(os, "geteuid") else ""
    return f"{name} ({number})" if name and number else name or number or "this user"
