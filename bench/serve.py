"""The server under test: the real one, with a Flask hello world on /bench/hello in the same process.

Says its port on standard output, then answers `memory` lines on standard input with resident bytes.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from flask import Flask

from lts.config import Config
from lts.server import Server, opened, set_up_logging
from lts.service.clock import Clock


def hello_app() -> Flask:
    """The yardstick."""
    app = Flask("hello")

    @app.get("/bench/hello")
    def hello() -> str:
        return "Hello, world!"

    return app


class WithHello:
    """The application with the hello world beside it."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._hello = hello_app()
        self.groups = app.groups
        self.begin = app.begin

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == "/bench/hello":
            return self._hello.wsgi_app(environ, start_response)
        answer: Iterable[bytes] = self._app(environ, start_response)
        return answer


def config_for(folder: Path) -> Config:
    """The defaults, on a folder and a free port."""
    base = Config(None, data_dir=folder / "data", vendor_keys=folder / "trust", port=0)
    return replace(base, log=replace(base.log, level="warning"))


def main() -> None:
    """Serve the folder named on the command line until standard input ends."""
    folder = Path(sys.argv[1])
    sync_seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    group = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    if sync_seconds:
        from bench.slowsync import install

        install(sync_seconds)
    if group:
        from lts.store import writer

        writer.GROUP = group
    config = config_for(folder)
    set_up_logging(config)
    with opened(
        config, read_labels=lambda: ("machine-id:bench", "mac:bench", "processor-id:bench"), clock=Clock()
    ) as here:
        server = Server(here, config, WithHello)
        threading.Thread(target=server.run, daemon=True).start()
        print(server.listener.port, flush=True)
        for line in sys.stdin:
            if line.strip() == "memory":
                print(psutil.Process().memory_info().rss, flush=True)
        server.stop()


if __name__ == "__main__":
    main()
