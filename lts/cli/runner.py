"""A server over a data folder, run until it is told to stop: in a console, or as a service of the system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lts.config import Config
from lts.server import Server, opened


class Runner:
    """`run` serves in the calling thread; `stop` ends it, from any thread or a signal handler, and at any time."""

    def __init__(self, config: Config, serving: Callable[[Server], None]) -> None:
        self._config = config
        self._serving = serving
        self._server: Server | None = None
        self._stopped = False

    def run(self) -> None:
        """Open the data folder and serve; `serving` is called once, when the first address is bound.

        A server that ends to open a first copy of the other server's data goes on by itself. Raises what `opened` and
        `Server` raise.
        """
        port, first = self._config.port, True
        while not self._stopped:
            with opened(self._config) as here:
                server = self._server = Server(here, replace(self._config, port=port))
                if self._stopped:
                    server.stop()
                elif first:
                    self._serving(server)
                server.run()
                first, port = False, server.listener.port
                if not server.reopen:
                    return

    def stop(self) -> None:
        """End `run`, or let it end as soon as it begins."""
        self._stopped = True
        if self._server is not None:
            self._server.stop()
