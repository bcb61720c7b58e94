"""The server under test: the real one, with a Flask hello world on /bench/hello in the same process.

It ends with standard input, or on SIGTERM as the real one does. Says its port on standard output, then answers lines on
standard input: `memory` with resident bytes, `pair` with the state of a server of a pair.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from flask import Flask

from lts.config import Config
from lts.server import Server, opened, set_up_logging, stop_on_signals
from lts.service.core.clock import Clock
from lts.service.pair.node import Node
from lts.web.wire.application import Application, Around

LABELS = ("machine-id:bench", "mac:bench", "processor-id:bench")


HELLO = "/bench/hello"


def hello_app() -> Flask:
    """The yardstick."""
    app = Flask("hello")

    @app.get(HELLO)
    def hello() -> str:
        return "Hello, world!"

    return app


class WithHello(Around):
    """The application, and the hello world next to it."""

    def __init__(self, app: Application) -> None:
        super().__init__(app)
        self._hello = hello_app()
        # by the pool, as any cheap answer is: the one thread of the pages would measure something else
        self.is_page = lambda method, path: path != HELLO and app.is_page(method, path)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == HELLO:
            return self._hello.wsgi_app(environ, start_response)
        return self._app(environ, start_response)


def config_for(folder: Path) -> Config:
    """The defaults, on a folder and a free port."""
    base = Config(None, data_dir=folder / "data", vendor_keys=folder / "trust", port=0)
    return replace(base, log=replace(base.log, level="warning"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sync", type=float, default=0.0, help="seconds added to each sync")
    parser.add_argument("--group", type=int, default=0, help="operations in a group, 0 = as the product has it")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--servers", default="self", help="the servers of a pair, with a comma between")
    return parser.parse_args()


def main() -> None:
    """Serve a folder until standard input ends; a standby's folder is reopened once its first copy is there."""
    args = _arguments()
    if args.sync:
        from bench.slowsync import install

        install(args.sync)
    if args.group:
        from lts.store import writer

        writer.GROUP = args.group
    config = replace(config_for(args.folder), port=args.port, servers=tuple(args.servers.split(",")))
    set_up_logging(config)
    ended = threading.Event()
    current: list[Server] = []
    threading.Thread(target=_answer_lines, args=(current, ended), daemon=True).start()
    stop_on_signals(lambda: current[0].stop())
    while not ended.is_set():
        with opened(config, read_labels=lambda: LABELS, clock=Clock()) as here:
            server = Server(here, config, WithHello)
            current[:] = [server]
            if config.port == 0 or len(config.servers) > 1:
                print(server.listener.port, flush=True)
            server.run()
        if not server.reopen:
            break
        config = replace(config, port=server.listener.port)


def _answer_lines(current: list[Server], ended: threading.Event) -> None:
    for line in sys.stdin:
        if line.strip() == "memory":
            print(psutil.Process().memory_info().rss, flush=True)
        elif line.strip() == "pair":
            print(json.dumps(_standing(current)), flush=True)
    ended.set()
    current[0].stop()


def _standing(current: list[Server]) -> dict[str, Any]:
    node = current[0].ctx.running.partner if current else None
    if not isinstance(node, Node):
        return {}
    return {
        "status": node.ctx.running.status,
        "inStep": node.acknowledgments.in_step,
        "serial": sum(node.ctx.store.vector().values()),
    }


if __name__ == "__main__":
    main()
