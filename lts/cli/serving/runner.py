"""Servers that run until they are stopped: over a data folder, or for as long as a command needs one."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

from lts.background.watchdog import Watchdog
from lts.cli import console
from lts.config import Config
from lts.server import Server, opened, stop_on_signals


class Runner:
    """`run` serves in the calling thread; `stop` ends it, from any thread or a signal handler, and at any time."""

    def __init__(self, config: Config, serving: Callable[[Server], None], watchdog: Watchdog) -> None:
        self._config = config
        self._watchdog = watchdog
        self._serving = serving
        self._server: Server | None = None
        self._stopped = False

    def run(self) -> None:
        """Open the data folder and serve; `serving` is called once, when the first address is bound.

        A server that ends to open a first copy of the other server's data continues by itself. Raises what `opened` and
        `Server` raise.
        """
        port, first = self._config.port, True
        while not self._stopped:
            with opened(self._config) as here:
                server = self._server = Server(here, replace(self._config, port=port), watchdog=self._watchdog)
                if self._stopped:
                    server.stop()
                server.run(self._serving if first and not self._stopped else None)
                first, port = False, server.listener.port
                if not server.reopen:
                    return

    def stop(self) -> None:
        """End `run`, or let it end as soon as it begins."""
        self._stopped = True
        if self._server is not None:
            self._server.stop()


@contextlib.contextmanager
def serving(server: Server) -> Iterator[None]:
    """Serve in a thread of its own while the block runs."""
    thread = threading.Thread(target=server.run, name="lts-serve")
    thread.start()
    try:
        yield
    finally:
        server.stop()
        thread.join()


@contextlib.contextmanager
def until_stopped() -> Iterator[threading.Event]:
    """An event that Ctrl-C, a signal or a closed window sets; a closing window waits for the end of the block."""
    stopped, finished = threading.Event(), threading.Event()
    stop_on_signals(stopped.set)
    console.watch(console.on_close(stopped.set, finished))
    try:
        yield stopped
    finally:
        finished.set()
