"""Giving memory that was freed back to the system; a C library keeps megabytes of it otherwise."""

from __future__ import annotations

import psutil


def give_back() -> None:
    """Where the C library can be told (glibc, Windows, macOS); elsewhere nothing happens. Takes a few milliseconds."""
    if hasattr(psutil, "heap_trim"):
        psutil.heap_trim()
