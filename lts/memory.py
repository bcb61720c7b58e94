"""How the C library treats large blocks of memory that are freed: it keeps megabytes of them unless configured."""

from __future__ import annotations

import contextlib
import ctypes
import sys

LARGE_BYTES = 1 << 20
_M_MMAP_THRESHOLD = -3
"""The parameter's number in <malloc.h>."""


def return_large_blocks() -> None:
    """Return every block of 1 MiB or more to the system when it is freed, in any thread.

    glibc otherwise raises its own threshold with the first large block, and then keeps one in each thread's heap. Other
    C libraries return them anyway, and do not have the call.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
