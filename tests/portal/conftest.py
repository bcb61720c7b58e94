"""The portal in a real browser, over the application on a real socket with a clock of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from lts.config import RateLimits
from lts.httpd.listen import Listener
from lts.service.access import sessions
from lts.web.app import App
from tests.support.kit import Lab, lab
from tests.support.visitor import Visitor, profile
from tests.support.wait import PATIENCE, ended

LIMITS = RateLimits(1_000_000, 1_000_000, 1_000_000)
"""None that a test reaches."""


class Door:
    """Leads to the application of the test that runs: all have one address, for which a browser keeps its files."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._busy = 0
        self._changed = threading.Condition()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """A request."""
        with self._changed:
            self._busy += 1
            app = self.app
        try:
            return app(environ, start_response)
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def lead_to(self, app: App) -> None:
        """The next requests go there; those under way have ended."""
        with self._changed:
            self.app = app
            assert self._changed.wait_for(lambda: self._busy == 0, PATIENCE), "a request does not end"

    def __getattr__(self, name: str) -> Any:
        """Which requests are begun in groups, and how."""
        return getattr(self.app, name)


class Site:
    """A server with the portal on a free port of loopback; `settings` are those of Config."""

    def __init__(self, here: Lab, port: int = 0, **settings: Any) -> None:
        self.lab = here
        config = replace(here.config, rate_limits=LIMITS, port=port, **settings)
        self.door = Door(App(here.ctx, config, "cli-token"))
        self.listener = Listener(self.door, config)
        self.thread = threading.Thread(target=self.listener.run)
        self.thread.start()
        self.base = f"http://127.0.0.1:{self.listener.port}/lts/"

    def move_to(self, here: Lab) -> None:
        """Serve another data folder from now on."""
        self.lab = here
        self.door.lead_to(App(here.ctx, replace(here.config, rate_limits=LIMITS), "cli-token"))

    @property
    def setup_code(self) -> str:
        """The one-time code of the first visit."""
        return sessions.setup_code(self.lab.ctx) or ""

    def stop(self) -> None:
        """Stop serving."""
        self.listener.stop()
        ended(self.thread)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Where the sites of all tests are found, one after another."""
    with lab(tmp_path_factory.mktemp("place")) as here:
        served = Site(here)
        yield served
        served.stop()


@pytest.fixture
def site(place: Site, tmp_path: Path) -> Iterator[Site]:
    """A server with nothing imported."""
    nobody = place.lab
    with lab(tmp_path) as here:
        place.move_to(here)
        yield place
        place.move_to(nobody)


@pytest.fixture(scope="session")
def idle(browser: Browser, place: Site) -> Iterator[Page]:
    """A page that stays open: what the browser learned of the portal's files for one test it knows in the next."""
    kept = profile(browser)
    page = kept.new_page()
    page.goto(f"{place.base}page/style.css")
    yield page
    kept.close()


@pytest.fixture
def visit(browser: Browser, place: Site, idle: Page) -> Iterator[Callable[..., Visitor]]:
    """`visit(base, …)` is a person at a portal; at the end no browser may have complained."""
    visitors: list[Visitor] = []

    def begin(base: str, **options: Any) -> Visitor:
        is_first = base == place.base and not options and not any(one.context is idle.context for one in visitors)
        visitors.append(Visitor(browser, base, idle=idle if is_first else None, **options))
        return visitors[-1]

    yield begin
    for visitor in visitors:
        visitor.close()


@pytest.fixture
def admin(site: Site, visit: Callable[..., Visitor]) -> Visitor:
    """The administrator, signed in; no page is open yet."""
    visitor = visit(site.base)
    visitor.begin(site.setup_code)
    return visitor
