"""The portal in a real browser, over the application on a real socket with a clock of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from lts.config import RateLimits
from lts.service import sessions
from lts.web.app import App
from lts.web.listen import Listener
from tests.support.kit import Lab, lab
from tests.support.visitor import Visitor
from tests.support.wait import ended


class Site:
    """A server with the portal on a free port of loopback; `settings` are those of Config."""

    def __init__(self, here: Lab, port: int = 0, **settings: Any) -> None:
        self.lab = here
        limits = RateLimits(1_000_000, 1_000_000, 1_000_000)
        config = replace(here.config, rate_limits=limits, port=port, **settings)
        self.app = App(here.ctx, config, "cli-token")
        self.listener = Listener(self.app, config)
        self.thread = threading.Thread(target=self.listener.run)
        self.thread.start()
        self.base = f"http://127.0.0.1:{self.listener.port}/lts/"

    @property
    def setup_code(self) -> str:
        """The one-time code of the first visit."""
        return sessions.setup_code(self.lab.ctx) or ""

    def stop(self) -> None:
        """Stop serving."""
        self.listener.stop()
        ended(self.thread)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A server with nothing imported."""
    with lab(tmp_path) as here:
        served = Site(here)
        yield served
        served.stop()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """`visit(base, …)` is a person at a portal; at the end no browser may have complained."""
    visitors: list[Visitor] = []

    def begin(base: str, **options: Any) -> Visitor:
        visitors.append(Visitor(browser, base, **options))
        return visitors[-1]

    yield begin
    for visitor in visitors:
        visitor.close()


@pytest.fixture
def admin(site: Site, visit: Callable[..., Visitor]) -> Visitor:
    """The administrator, signed in after the first visit."""
    visitor = visit(site.base)
    visitor.set_up(site.setup_code)
    return visitor
