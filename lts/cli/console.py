"""The console that a server runs in: what it shows, and how its end is noticed."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

CLOSE, LOGOFF, SHUTDOWN = 2, 5, 6
"""Control events of a Windows console (HandlerRoutine); 0 and 1 are Ctrl-C and Ctrl-Break, which are signals."""
WAIT_SECONDS = 4.5
"""Windows ends the process when a handler returns, and five seconds after the event in any case."""


def on_close(stop: Callable[[], None], finished: threading.Event) -> Callable[[int], bool]:
    """A handler of console events: at a closed window it stops the server and waits for its end."""

    def handle(event: int) -> bool:
        if event not in (CLOSE, LOGOFF, SHUTDOWN):
            return False
        stop()
        finished.wait(WAIT_SECONDS)
        return True

    return handle


if sys.platform == "win32":
    import ctypes

    _Handler = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_ulong)
    _kept: list[object] = []

    def watch(handle: Callable[[int], bool]) -> None:
        """Let Windows call the handler, before those that were there."""
        routine = _Handler(handle)
        _kept.append(routine)  # Windows keeps no reference to it
        ctypes.windll.kernel32.SetConsoleCtrlHandler(routine, True)
else:

    def watch(handle: Callable[[int], bool]) -> None:
        """Elsewhere a closed console is a signal."""
